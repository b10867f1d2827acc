"""Photos with several labels: two by two places, none to three of which hold a dish."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

DISHES = ("pizza", "steak", "sushi")
SIDE = 96


def mosaics(dishes: Path, root: Path) -> Path:
    """Draw 36 mosaics to learn from and 18 held out, from photos in ``SPLIT/CLASS`` folders.

    Returns:
        Their table of 1 and 0; in every sixth row to learn from, one cell is left empty.
    """
    random = np.random.default_rng(0)
    rows = []
    for split, count in (("train", 36), ("test", 18)):
        (root / split).mkdir(parents=True)
        photos = {name: sorted((dishes / split / name).iterdir()) for name in DISHES}
        for number in range(count):
            shown = [*random.permutation(DISHES)[: number % 4 if number % 8 else 1]]
            picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), (90, 90, 90))
            for place, name in zip(random.permutation(4)[:3], shown, strict=False):
                tile = Image.open(photos[name][int(random.integers(len(photos[name])))]).resize((SIDE, SIDE))
                picture.paste(tile, (int(place) % 2 * SIDE, int(place) // 2 * SIDE))
            # No two backgrounds are alike: photos of no dish would be copies of each other.
            picture.putpixel((0, 0), (number, 0, 0))
            noise = random.integers(0, 24, (2 * SIDE, 2 * SIDE, 3))
            picture = Image.fromarray((np.asarray(picture).astype(np.int64) + noise).clip(0, 255).astype(np.uint8))
            path = f"{split}/{number:02}.png"
            picture.save(root / path)
            cells = [str(int(name in shown)) for name in DISHES]
            if split == "train" and number % 6 == 5:
                cells[number % 3] = ""
            rows.append([path, *cells, split])
    table = root / "labels.csv"
    with table.open("w", newline="") as stream:
        csv.writer(stream).writerows([["path", *DISHES, "split"], *rows])
    return table
