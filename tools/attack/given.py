"""Odd objects of a program, and odd files at addresses: each ends in a sentence, or in photos that are there."""

from __future__ import annotations

import csv
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import tsugiki as tg
from tools.attack.mutations import mutated

_COUNT = 8
_DTYPES = ("u1", "i1", "u2", "i4", "f2", "f4", "f8", "c8", "?", "U3", "O")
_ODD_ADDRESSES = (
    *("memory://", "memory:///", "memory://shop/../x.png", "memory://shop/%00.png", "memory://shop/" + "x" * 300 + ".png"),
    *("git://host/x.png", "data:image/png;base64,AAAA", "file://", "file:///dev/zero", "x://y", "memory://shop/\u202e.png"),
    *(
        "http://[::1/x.png",
        "http://127.0.0.1:1/x.png",
        "http://127.0.0.1:99999/x.png",
        "https://",
        "ftp:///",
        "s3://",
        "gs:///a",
    ),
)


def odd_pictures(dice: random.Random, odd: tuple[Any, ...]) -> tuple[Any, int]:
    """Pictures with labels as programs hold them, with something odd in one place; and how many there are."""
    pictures: npt.NDArray[Any] = np.frombuffer(dice.randbytes(_COUNT * 6 * 5 * 3), np.uint8).reshape(_COUNT, 6, 5, 3)
    labels: list[Any] = ["a", "b"] * (_COUNT // 2)
    change = dice.randrange(5)
    if change == 0:
        pictures = pictures.astype(dice.choice(_DTYPES))
    elif change == 1:
        pictures = dice.choice(_SHAPES)(pictures)
    elif change == 2:
        labels[dice.randrange(_COUNT)] = dice.choice(odd)
    elif change == 3:
        labels = labels[: dice.randrange(_COUNT)]
    held: list[Any] = [_as_picture(dice, one) for one in pictures]
    if change == 4 or not held:
        held.insert(dice.randrange(len(held) + 1), dice.choice(odd))
    whole = pictures if dice.random() < 0.4 and change != 4 else held
    form = dice.randrange(4)
    if form == 0:
        return list(zip(held, labels, strict=False)), _COUNT + 1
    if form == 1:
        return {"train": (whole, labels), "test": (whole, labels)}, 2 * _COUNT + 2
    if form == 2:
        return {"a": whole, "b": held}, 2 * _COUNT + 2
    return (whole, labels if dice.random() < 0.7 else _labels_as_array(labels)), _COUNT + 1


_SHAPES: tuple[Callable[[npt.NDArray[Any]], npt.NDArray[Any]], ...] = (
    lambda pictures: pictures[0],
    lambda pictures: pictures[..., 0],
    lambda pictures: pictures[..., :1],
    lambda pictures: pictures[..., :2],
    lambda pictures: pictures[:0],
    lambda pictures: pictures[:, :0],
    lambda pictures: pictures.transpose(0, 3, 1, 2),
    lambda pictures: pictures.reshape(len(pictures), -1),
    lambda pictures: pictures[None],
    lambda pictures: pictures[:, ::-1, ::2],
)


def _as_picture(dice: random.Random, pixels: npt.NDArray[Any]) -> Any:
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size and dice.random() < 0.5:
        return Image.fromarray(np.ascontiguousarray(pixels)).convert(
            dice.choice(("RGB", "L", "P", "1", "CMYK", "RGBA", "I", "F"))
        )
    return pixels


def _labels_as_array(labels: list[Any]) -> Any:
    try:
        return np.array(labels)
    except (ValueError, OverflowError, TypeError):
        return labels


def load_odd_pictures(dice: random.Random, odd: tuple[Any, ...]) -> bool:
    """Whether every photo that such an object gives is a file."""
    held, most = odd_pictures(dice, odd)
    samples = tg.load(held)
    return 0 < len(samples) <= most and all(path.is_file() for path in samples.paths)


def load_odd_addresses(photos: Path, dice: random.Random, work: Path) -> bool:
    """Whether a table of addresses, some of which are odd or lead to damaged files, gives nothing but files of the cache."""
    import fsspec

    system = fsspec.filesystem("memory")
    rows = [("path", "label")]
    for number, photo in enumerate(sorted(photos.rglob("*.jpg"))[:_COUNT]):
        content = photo.read_bytes()
        system.pipe(f"/shop/{number}.jpg", mutated(content, content, dice)[1] if dice.random() < 0.3 else content)
        rows.append((f"memory://shop/{number}.jpg", "ab"[number % 2]))
    rows += [(dice.choice(_ODD_ADDRESSES), dice.choice("ab")) for _ in range(dice.randrange(4))]
    if dice.random() < 0.2:
        rows = [rows[0], *((dice.choice(_ODD_ADDRESSES), name) for name in "abab")]
    with (work / "list.csv").open("w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows(rows)
    pairs = [row for row in rows[1:] if row[0]]
    samples = tg.load(work / "list.csv" if dice.random() < 0.5 else pairs)
    return all(path.resolve().is_relative_to((work / "cache").resolve()) for path in samples.paths)
