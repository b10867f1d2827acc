"""Are two ways of answering one? The same photos go through both, and their answers are compared.

The photos are such that ways have been seen to differ on: every turn that EXIF knows, odd sizes, a single pixel, strips,
transparency, grey, 16 bits, CMYK; and photos of the classifier's own kind, where they are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from tsugiki.classifier.answer import Prediction

TOLERANCE = 1e-4
"""How far a probability, or the distance to the training photos, may be from the reference's."""

_MOST_PHOTOS = 8
"""Photos of the classifier's own kind that are compared; of more, some that are spread over all of them."""


@dataclass(frozen=True)
class Parity:
    """How two ways of answering compare.

    Attributes:
        photos: How many photos were compared.
        same_answer: How many of them have the same most probable class; where two are equally probable, either will do.
        largest_difference: Of any probability.
        largest_distance_difference: Of the distance to the nearest training photo.
        tolerance: What the two differences may be.
        worst: The photo with the largest difference.
    """

    photos: int
    same_answer: int
    largest_difference: float
    largest_distance_difference: float
    tolerance: float = TOLERANCE
    worst: str = ""

    @property
    def holds(self) -> bool:
        """Whether both ways are one."""
        largest = max(self.largest_difference, self.largest_distance_difference)
        return self.photos > 0 and self.same_answer == self.photos and largest <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


def compare(
    reference: Sequence[Prediction],
    answers: Sequence[Prediction],
    names: Sequence[str],
    *,
    classes: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> Parity:
    """Compare answers with the reference's, photo by photo.

    Args:
        reference: Of as many photos as there are ``names``.
        answers: Of the same photos, by the other way.
        names: What the photos are called.
        classes: Whose probabilities they are; needed where answers have several labels.
        tolerance: How far a probability or a distance may be from the reference's.
    """
    rows = [_differences(one, other, classes, tolerance) for one, other in zip(reference, answers, strict=True)]
    worst = max(range(len(rows)), key=lambda at: max(rows[at][1:]), default=0)
    return Parity(
        photos=len(rows),
        same_answer=sum(same for same, _, _ in rows),
        largest_difference=max((difference for _, difference, _ in rows), default=0.0),
        largest_distance_difference=max((difference for _, _, difference in rows), default=0.0),
        tolerance=tolerance,
        worst=names[worst] if rows else "",
    )


def _differences(one: Prediction, other: Prediction, classes: Sequence[str], tolerance: float) -> tuple[bool, float, float]:
    """Same class, largest difference of a probability, difference of the distances; infinite where there is no comparing."""
    if bool(one.problem) != bool(other.problem) or len(one.probabilities) != len(other.probabilities):
        return False, float("inf"), 0.0
    if one.problem:
        return True, 0.0, 0.0
    first, second = (np.asarray(each.probabilities, np.float64) for each in (one, other))
    gaps = np.abs(first - second)
    largest = float(gaps.max()) if np.isfinite(gaps).all() else float("inf")
    chosen = int(second.argmax())
    same = bool(first.max() - first[chosen] <= tolerance) and np.isfinite(largest) and _same_labels(one, other, classes)
    if one.distance is None or other.distance is None:
        return bool(same), largest, 0.0 if one.distance is other.distance else float("inf")
    return bool(same), largest, abs(one.distance - other.distance)


def _same_labels(one: Prediction, other: Prediction, classes: Sequence[str]) -> bool:
    """Whether two answers show the same classes; where a hair decides, the one that a class is more probable for shows it."""
    if one.labels is None or other.labels is None:
        return one.labels is other.labels
    more = {name: first - second for name, first, second in zip(classes, one.probabilities, other.probabilities, strict=True)}
    first, second = set(one.labels), set(other.labels)
    return all(more[name] > 0 for name in first - second) and all(more[name] < 0 for name in second - first)


def golden_photos(folder: Path, photos: Sequence[Path] = ()) -> list[Path]:
    """The photos to compare on.

    Args:
        folder: Where the drawn ones are written.
        photos: Of the classifier's own kind; a few of them are taken, where they lie.
    """
    return [*drawn_photos(folder), *some_of(photos)]


def some_of(photos: Sequence[Path]) -> list[Path]:
    """A few of the photos of a classifier's own kind, spread over all of them."""
    step = max(1, len(photos) // _MOST_PHOTOS)
    return list(photos[::step][:_MOST_PHOTOS])


def drawn_photos(folder: Path) -> list[Path]:
    """The odd photos, written into ``folder``; the same ones every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = turn
        _picture(97, 64).save(folder / f"exif-{turn}.jpg", quality=95, exif=exif)
    for name, (width, height) in _SIZES.items():
        _picture(width, height).save(folder / f"{name}.png")
    layer = _picture(120, 90).convert("RGBA")
    layer.putalpha(Image.linear_gradient("L").resize(layer.size))
    layer.save(folder / "alpha.png")
    layer.convert("LA").save(folder / "grey-alpha.png")
    _picture(90, 120).convert("L").save(folder / "grey.jpg", quality=95)
    _picture(90, 120).convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    _picture(90, 90).convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.gif")
    deep = np.asarray(_picture(80, 80).convert("L"), np.uint16) * 257
    Image.fromarray(deep).save(folder / "16-bit.png")
    Image.fromarray(deep >> 4).save(folder / "12-bit.png")
    return sorted(folder.iterdir())


_SIZES = {"one-pixel": (1, 1), "odd": (333, 251), "wide": (1200, 5), "tall": (3, 700), "large": (640, 480)}


def _picture(width: int, height: int) -> Image.Image:
    """A drawn picture of soft colours and hard edges, no two of its quarters alike."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    red = 128 + 110 * np.sin(9 * x + 4 * y)
    green = 255 * (((x - 0.3) ** 2 + (y - 0.2) ** 2) < 0.04) + 90 * y
    blue = 40 + 200 * ((7 * x).astype(int) % 2) * (1 - y)
    return Image.fromarray(np.clip(np.stack([red, green, blue], axis=2), 0, 255).astype(np.uint8))
