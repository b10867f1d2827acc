"""Small pictures inside a page: JPEG in a data address, so that one file is all there is."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from PIL import Image

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import open_photo, strict_pillow

_SIDE = 208
_QUALITY = 72


def thumbnails(paths: Iterable[Path]) -> Mapping[Path, str]:
    """A data address per photo; photos that cannot be read any more are not in it."""
    wanted = list(dict.fromkeys(paths))
    with ContextThreadPool(usable_cores()) as pool, strict_pillow():
        made = pool.map(thumbnail, wanted)
        return {path: address for path, address in zip(wanted, made, strict=True) if address}


def thumbnail(path: Path, *, side: int = _SIDE) -> str:
    """The photo's middle square as a data address, or ``""`` when it cannot be read any more."""
    try:
        return data_address(_square(path, side))
    except (OSError, UnreadablePhoto, Image.DecompressionBombError):
        return ""


def data_address(photo: Image.Image) -> str:
    """A picture as ``data:image/jpeg``."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _square(path: Path, side: int) -> Image.Image:
    upright = _opened(path.read_bytes(), 2 * side)
    edge = min(upright.size)
    left, top = (upright.width - edge) // 2, (upright.height - edge) // 2
    return upright.resize((side, side), Image.Resampling.BICUBIC, (left, top, left + edge, top + edge), reducing_gap=2.0)


def _opened(content: bytes, least: int) -> Image.Image:
    """The photo, upright; a large JPEG is decoded at a fraction of its size."""
    if not content.startswith(b"\xff\xd8\xff"):
        return open_photo(content)
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as photo:
        photo.draft("RGB", (least, least))
        return open_photo(photo)
