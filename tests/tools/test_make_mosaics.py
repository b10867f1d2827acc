"""Mosaics: one to three classes in a photo, each made of photos of one split only, the same for the same seed."""

import numpy as np
from PIL import Image

from benchmarks.make_mosaics import make_mosaics
from tsugiki.data.load import list_photos

COLOURS = {"red": (220, 10, 10), "green": (10, 220, 10), "blue": (10, 10, 220), "yellow": (220, 220, 10)}


def _photos(root):
    """Four classes by colour; held-out photos are darker."""
    for split, light in (("train", 1.0), ("test", 0.5)):
        for name, colour in COLOURS.items():
            for number in range(3):
                path = root / split / name / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                pixels = tuple(int(value * light) + number for value in colour)
                Image.new("RGB", (12, 9), pixels).save(path)
    return root


def _classes_in(path, light):
    """The classes of the four quarters by their colours; grey quarters have none."""
    pixels = np.asarray(Image.open(path).convert("RGB"), dtype=float)
    half = len(pixels) // 2
    found = set()
    for top in (0, half):
        for left in (0, half):
            colour = pixels[top : top + half, left : left + half].mean((0, 1))
            distances = {name: np.abs(colour - np.array(value) * light).max() for name, value in COLOURS.items()}
            found |= {name for name, distance in distances.items() if distance < 12}
    return found


def test_mosaics_show_what_their_table_says_and_stay_on_their_side(tmp_path):
    photos = _photos(tmp_path / "photos")
    make_mosaics(photos, tmp_path / "a", photos=30, side=16, seed=3)
    listing = list_photos(tmp_path / "a")
    assert listing.splits == ("train",) * 15 + ("test",) * 15
    for path, labels, split in zip(listing.paths, listing.label_sets, listing.splits, strict=True):
        assert _classes_in(path, {"train": 1.0, "test": 0.5}[split]) == labels.present
        assert 1 <= len(labels.present) <= 3
    make_mosaics(photos, tmp_path / "b", photos=30, side=16, seed=3)
    assert [path.read_bytes() for path in listing.paths] == [path.read_bytes() for path in list_photos(tmp_path / "b").paths]
