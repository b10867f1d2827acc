"""Make photos with several labels out of photos with one: mosaics of 2 x 2 quarters, with one to three classes each.

    python -m benchmarks.make_mosaics SOURCE OUT --photos 600

Train mosaics are made of training photos only, test mosaics of test photos only that are no copies of those. Photos come back
in several mosaics of their split: a score on many mosaics of few test photos is known less well than its interval says.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from tsugiki.data.images.decode import open_photo
from tsugiki.data.label_sets import joined
from tsugiki.data.load import load
from tsugiki.data.samples import Samples

_GREY = (128, 128, 128)


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a folder of class folders, or sample:NAME")
    parser.add_argument("out", type=Path)
    parser.add_argument("--photos", type=int, default=600, help="mosaics in all, divided as the photos are")
    parser.add_argument("--side", type=int, default=160, help="pixels along a quarter")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} is there already")
    make_mosaics(options.source, options.out, photos=options.photos, side=options.side, seed=options.seed)


def make_mosaics(source: Any, out: Path, *, photos: int, side: int = 160, seed: int = 0) -> None:
    """Write mosaics of labelled photos, and ``labels.csv``, into the folder ``out``.

    Args:
        source: Photos with a class each, as :func:`tsugiki.load` takes them; those that are held out make the test mosaics.
        out: The folder.
        photos: Mosaics in all, divided as the photos are.
        side: Pixels along a quarter.
        seed: The same seed gives the same mosaics.
    """
    dice = random.Random(seed)  # noqa: S311 (no secret)
    samples = load(source)
    held_out = round(photos * len(samples.held_out_rows) / len(samples))
    rows = ["path,label,split"]
    learned, looked_at = samples.of("train"), samples.of(samples.held_out)
    new = looked_at.take(row for row, digest in enumerate(looked_at.digests) if digest not in learned.digests)
    for split, part, number in (("train", learned, photos - held_out), ("test", new, held_out)):
        decks = {name: _deck(part, name, dice) for name in part.classes}
        (out / split).mkdir(parents=True)
        for place in range(1, number + 1):
            shown = _quarters(part.classes, dice)
            name = f"{split}/{place:04}.jpg"
            _mosaic([decks[label] if label else None for label in shown], side).save(out / name, quality=90)
            rows.append(f"{name},{joined(set(filter(None, shown)))},{split}")
    (out / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _deck(photos: Samples, name: str, dice: random.Random) -> Iterator[Path]:
    """The photos of a class without end, each of them once before one comes again."""
    paths = [path for path, label in zip(photos.paths, photos.label_names(), strict=True) if label == name]
    while True:
        yield from dice.sample(paths, len(paths))


def _quarters(classes: tuple[str, ...], dice: random.Random) -> list[str]:
    """What each of the four quarters shows; nothing in an empty one."""
    some = dice.sample(classes, dice.randint(1, min(3, len(classes))))
    more = dice.choices([*some, ""], k=4 - len(some))
    return dice.sample([*some, *more], 4)


def _mosaic(quarters: list[Iterator[Path] | None], side: int) -> Image.Image:
    mosaic = Image.new("RGB", (2 * side, 2 * side), _GREY)
    for place, deck in enumerate(quarters):
        if deck is not None:
            quarter = ImageOps.fit(open_photo(next(deck)), (side, side), Image.Resampling.BICUBIC)
            mosaic.paste(quarter, (place % 2 * side, place // 2 * side))
    return mosaic


if __name__ == "__main__":
    main()
