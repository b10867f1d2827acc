"""What Pillow cannot read: HEIC, JPEG XL and deep colours in JPEG 2000, by the libraries of the optional extra ``heif``."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.depth import FLOATS, SIXTEEN_BITS, eight_bit
from tsugiki.data.images.file_type import is_heif, is_jpeg_xl, needs_library
from tsugiki.data.images.jpeg2000 import has_deep_channels, jpeg2000_size
from tsugiki.data.images.jpeg_xl import jpeg_xl_size
from tsugiki.locale.messages import tr

_INSTALL = "pip install 'tsugiki[heif]'"


def open_other(content: bytes, most: int) -> Image.Image | None:
    """A HEIC or JPEG XL photo, or one of deep colours in JPEG 2000, upright; nothing where ``content`` is none of them.

    Args:
        content: The whole file.
        most: Pixels that it may have.

    Raises:
        UnreadablePhoto: When the extra is missing, with the command that installs it.
        Image.DecompressionBombError: When the head tells of more pixels.
    """
    if is_heif(content):
        _require("pi_heif", "HEIC")
        from pi_heif import HeifImageFile

        photo: Image.Image = HeifImageFile(io.BytesIO(content))
        return photo
    if is_jpeg_xl(content):
        _require("imagecodecs", "JPEG XL")
        _check_pixels(jpeg_xl_size(content), most)
        return _from_jpeg_xl(content)
    if has_deep_channels(content):
        _require("imagecodecs", tr("JPEG 2000 with more than 8 bits per colour"))
        _check_pixels(jpeg2000_size(content), most)
        from imagecodecs import jpeg2k_decode

        return _eight_bit_photo(np.asarray(jpeg2k_decode(content)))
    return None


def _require(module: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UnreadablePhoto(needs_library(name, _INSTALL))


def _check_pixels(size: tuple[int, int] | None, most: int) -> None:
    """These libraries decode at once; how large the picture is has to be known before."""
    if size is not None and size[0] * size[1] > most:
        raise Image.DecompressionBombError


def _from_jpeg_xl(content: bytes) -> Image.Image:
    from imagecodecs import jpegxl_decode

    values = np.asarray(jpegxl_decode(content))
    if values.ndim == 4:  # an animation: [frames, H, W, channels]
        values = values[0]
    return _eight_bit_photo(values)


def _eight_bit_photo(values: npt.NDArray[Any]) -> Image.Image:
    if values.dtype != np.uint8:
        values = eight_bit(values, FLOATS if values.dtype.kind == "f" else SIXTEEN_BITS)
    return Image.fromarray(values.squeeze(axis=2) if values.ndim == 3 and values.shape[2] == 1 else values)
