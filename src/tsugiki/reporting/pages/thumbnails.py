"""Small pictures of photos as JPEG in data addresses, so that one file is all there is to a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.decode import open_photo, read_content, strict_pillow

_QUALITY = 72


def thumbnails(sides: Mapping[Path, int]) -> Mapping[Path, str]:
    """A data address per photo; photos that cannot be read any more are not in it.

    Args:
        sides: Each photo's longer side, in pixels.
    """
    with ThreadPoolExecutor(usable_cores()) as pool, strict_pillow():
        made = pool.map(thumbnail, sides.keys(), sides.values())
        return {path: address for path, address in zip(sides, made, strict=True) if address}


def thumbnail(path: Path, side: int) -> str:
    """The whole photo, small, as a data address, or ``""`` when it cannot be read any more."""
    try:
        upright = _opened(read_content(path), side)
    except (OSError, UnreadablePhoto, Image.DecompressionBombError):
        return ""
    upright.thumbnail((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    stream = io.BytesIO()
    upright.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _opened(content: bytes, side: int) -> Image.Image:
    """The photo, upright; a large JPEG is decoded at a fraction of its size."""
    if not content.startswith(b"\xff\xd8\xff"):
        return open_photo(content)
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as photo:
        photo.draft("RGB", (side, side))
        return open_photo(photo)
