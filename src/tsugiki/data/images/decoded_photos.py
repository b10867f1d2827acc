"""Photos decoded once and kept as pixels, so that no later epoch waits for a decoder.

A photo is kept no larger than training needs it, in one memory-mapped file that the system's page cache keeps in memory as far
as there is room. Where that file would become too large, photos are decoded each time instead; the pixels are the same.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from tsugiki.core.console import progress
from tsugiki.core.devices import usable_cores
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import reopen_photo
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    import torch

LARGEST = 16 * 2**30
"""A store becomes no larger than this many bytes, and no larger than half of the free disk."""

_PROBE = 16


class Photos(Protocol):
    """Decoded photos by row."""

    def read(self, row: int) -> Image.Image:
        """The photo of ``row``, mode RGB."""


def shrunk(photo: Image.Image, side: int) -> Image.Image:
    """``photo`` with its shorter side at most ``side`` pixels, proportions kept."""
    shorter = min(photo.size)
    if shorter <= side:
        return photo
    size = (max(side, round(photo.width * side / shorter)), max(side, round(photo.height * side / shorter)))
    return photo.resize(size, Image.Resampling.BICUBIC)


class DecodedEachTime:
    """Photos that are decoded whenever they are read."""

    def __init__(self, paths: Sequence[Path], side: int) -> None:
        self._paths, self._side = paths, side

    def read(self, row: int) -> Image.Image:
        """Decode the photo of ``row``."""
        return shrunk(reopen_photo(self._paths[row]), self._side)


class DecodedOnce:
    """Photos in one memory-mapped file: uint8 ``[height, width, 3]`` each, one after the other."""

    def __init__(self, file: Path, shapes: Sequence[tuple[int, int]]) -> None:
        self._shapes = shapes
        sizes = [3 * height * width for height, width in shapes]
        self._starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))
        self._bytes = np.memmap(file, dtype=np.uint8, mode="r")

    def read(self, row: int) -> Image.Image:
        """The photo of ``row``; nothing is decoded."""
        pixels = self._bytes[self._starts[row] : self._starts[row + 1]]
        return Image.fromarray(pixels.reshape(*self._shapes[row], 3))


def decoded(paths: Sequence[Path], side: int, folder: Path, *, limit: int = LARGEST) -> Photos:
    """Decode ``paths`` in threads into a file in ``folder``, shorter sides at most ``side`` pixels.

    Args:
        paths: Photos that are known to be readable.
        side: Pixels.
        folder: Where the file may lie as long as the photos are read.
        limit: Bytes; a larger store is not made.

    Returns:
        The photos, by their place in ``paths``.
    """
    each_time = DecodedEachTime(paths, side)
    count = min(_PROBE, len(paths))
    # Spread over all of them: the first ones are of one class, perhaps of one camera.
    probe = [each_time.read(row * len(paths) // count) for row in range(count)]
    expected = sum(3 * photo.width * photo.height for photo in probe) / max(count, 1) * len(paths)
    if expected > min(limit, shutil.disk_usage(folder).free / 2) or not paths:
        return each_time
    return _written(each_time, len(paths), folder / "photos.bin")


def framed(paths: Sequence[Path], preprocess: Preprocess, folder: Path) -> torch.Tensor:
    """The photos as prediction sees them, uint8 ``[N, 3, H, W]``, memory-mapped to a file in ``folder``."""
    import torch

    shape = (len(paths), 3, *preprocess.size)
    pixels = torch.from_file(str(folder / "frames.bin"), shared=True, size=math.prod(shape), dtype=torch.uint8).view(shape)

    def put(row: int) -> None:
        pixels[row] = preprocess.pixels(reopen_photo(paths[row]))

    with ContextThreadPool(usable_cores()) as pool, progress(tr("Decoding photos"), len(paths)) as tick:
        for _ in pool.map(put, range(len(paths))):
            tick(1, "")
    return pixels


def _written(photos: Photos, count: int, file: Path) -> DecodedOnce:
    shapes: list[tuple[int, int]] = []
    with (
        file.open("wb") as stream,
        ContextThreadPool(usable_cores()) as pool,
        progress(tr("Decoding photos"), count) as tick,
    ):
        chunk = 64  # bounds how many decoded photos wait in memory
        for start in range(0, count, chunk):
            for photo in pool.map(photos.read, range(start, min(start + chunk, count))):
                stream.write(photo.tobytes())
                shapes.append((photo.height, photo.width))
                tick(1, "")
    return DecodedOnce(file, shapes)
