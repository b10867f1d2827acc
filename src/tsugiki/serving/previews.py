"""Small pictures of photos, made when they are first looked at, by the one decoder and within its limits; kept in memory."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import OrderedDict
from pathlib import Path

from PIL import Image

from tsugiki.core.devices import usable_cores
from tsugiki.data.images.decode import check_pixels, open_photo, read_content
from tsugiki.data.images.jpeg import JPEG_START

THUMB, LARGE = 288, 1600
"""Longer sides, in pixels."""

_MOST_BYTES = 96_000_000
_QUALITY = 80


class Previews:
    """JPEG pictures of files, the last ones remembered.

    Args:
        most_pixels: Larger photos are refused before they are decoded.
    """

    def __init__(self, most_pixels: int) -> None:
        self._most_pixels = most_pixels
        self._made: OrderedDict[tuple[Path, int, int, int], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._free = asyncio.Semaphore(usable_cores())

    async def get(self, path: Path, side: int) -> bytes:
        """The photo as JPEG, its longer side ``side`` pixels at most.

        Raises:
            UnreadablePhoto: When it cannot be read.
        """
        async with self._free:
            return await asyncio.to_thread(self._get, path, side)

    def _get(self, path: Path, side: int) -> bytes:
        try:
            state = path.stat()
            key = (path, state.st_mtime_ns, state.st_size, side)
        except OSError:
            key = (path, 0, 0, side)
        with self._lock:
            if (known := self._made.get(key)) is not None:
                self._made.move_to_end(key)
                return known
        made = small_jpeg(read_content(path), side, self._most_pixels)
        with self._lock:
            self._bytes += 0 if key in self._made else len(made)
            self._made[key] = made
            while self._bytes > _MOST_BYTES:
                self._bytes -= len(self._made.popitem(last=False)[1])
        return made


def small_jpeg(content: bytes, side: int, most_pixels: int) -> bytes:
    """A photo's content as a JPEG picture, upright, its longer side ``side`` pixels at most.

    Raises:
        UnreadablePhoto: When it cannot be read, or has more than ``most_pixels``.
    """
    check_pixels(content, most_pixels)
    photo = _opened(content, side)
    photo.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    return jpeg_of(photo)


def jpeg_of(photo: Image.Image) -> bytes:
    """A picture as JPEG, without whatever else its file said: where it was taken, and by whom."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _opened(content: bytes, side: int) -> Image.Image:
    """The photo; a large JPEG is decoded at a fraction of its size."""
    if not content.startswith(JPEG_START):
        return open_photo(content)
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as photo:
        photo.draft("RGB", (side, side))
        return open_photo(photo)
