"""Tiny ImageNet's folder -> arrays in memory.

Letters: ``N`` photos, ``S`` pixels per side (64).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import DataError


@dataclass(frozen=True)
class Photos:
    """Photos in memory.

    Attributes:
        pixels: ``[N, 3, S, S]`` uint8.
        labels: ``[N]`` int64.
    """

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def read_tiny_imagenet(root: Path) -> tuple[Photos, Photos, int]:
    """The training photos, the validation photos and the number of classes.

    Args:
        root: The folder with ``train/CLASS/images/*.JPEG``, ``val/images/*.JPEG`` and ``val/val_annotations.txt``.

    Raises:
        DataError: When the folder is not laid out so.
    """
    classes = sorted(folder.name for folder in (root / "train").glob("*") if (folder / "images").is_dir())
    if not classes:
        raise DataError(f"{root} is not laid out as Tiny ImageNet.", allowed="train/CLASS/images/*.JPEG")
    number = {name: label for label, name in enumerate(classes)}
    train = [(path, number[name]) for name in classes for path in sorted((root / "train" / name / "images").glob("*.JPEG"))]
    val = [(root / "val" / "images" / name, number[kind]) for name, kind in _annotations(root / "val" / "val_annotations.txt")]
    return _read(train), _read(val), len(classes)


def _annotations(path: Path) -> list[tuple[str, str]]:
    """File name and class of every validation photo."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(row[0], row[1]) for row in rows]


def _read(rows: Sequence[tuple[Path, int]]) -> Photos:
    with ThreadPoolExecutor(usable_cores()) as pool:
        pixels = np.stack(list(pool.map(_decode, [path for path, _ in rows])))
    return Photos(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.tensor([label for _, label in rows]))


def _decode(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as photo:
        return np.asarray(photo.convert("RGB"))
