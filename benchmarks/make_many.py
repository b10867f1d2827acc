"""Make a larger folder of photos out of a small one: each photo several times, turned, cut, mirrored and lit differently.

    python -m benchmarks.make_many DATA OUT --times 10

For measuring time, not accuracy: variants of one photo stay in its split, but they are no new photos.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

from tsugiki.data.images.decode import open_photo


def main() -> None:
    """Write the folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--times", type=int, default=10)
    options = parser.parse_args()
    dice = random.Random(0)  # noqa: S311 (no secret)
    for path in sorted(options.data.rglob("*.jpg")):
        photo = open_photo(path)
        for number in range(options.times):
            target = options.out / path.relative_to(options.data).with_name(f"{path.stem}-{number}.jpg")
            target.parent.mkdir(parents=True, exist_ok=True)
            varied(photo, dice).save(target, quality=90)


def varied(photo: Image.Image, dice: random.Random) -> Image.Image:
    """Another look at a photo, at its own size."""
    width, height = photo.size
    share = dice.uniform(0.75, 1.0)
    left, top = dice.uniform(0, 1 - share) * width, dice.uniform(0, 1 - share) * height
    turned = photo.rotate(dice.uniform(-12, 12), Image.Resampling.BILINEAR, fillcolor=(128, 128, 128))
    cut = turned.resize(photo.size, Image.Resampling.BICUBIC, box=(left, top, left + share * width, top + share * height))
    lit = ImageEnhance.Brightness(cut).enhance(dice.uniform(0.8, 1.2))
    return ImageOps.mirror(lit) if dice.random() < 0.5 else lit


if __name__ == "__main__":
    main()
