"""HEIC and JPEG XL, which Pillow cannot read: by the libraries of the optional extra ``heif``, where they are installed."""

from __future__ import annotations

import importlib.util
import io

import numpy as np
from PIL import Image

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.depth import FLOATS, SIXTEEN_BITS, eight_bit
from tsugiki.data.images.file_type import is_heif, is_jpeg_xl, needs_library

_INSTALL = "pip install 'tsugiki[heif]'"


def open_other(content: bytes) -> Image.Image | None:
    """A HEIC or JPEG XL photo, upright; nothing where ``content`` is neither.

    Raises:
        UnreadablePhoto: When the extra is missing, with the command that installs it.
    """
    if is_heif(content):
        _require("pi_heif", "HEIC")
        from pi_heif import HeifImageFile

        photo: Image.Image = HeifImageFile(io.BytesIO(content))
        return photo
    if is_jpeg_xl(content):
        _require("imagecodecs", "JPEG XL")
        return _from_jpeg_xl(content)
    return None


def _require(module: str, name: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise UnreadablePhoto(needs_library(name, _INSTALL))


def _from_jpeg_xl(content: bytes) -> Image.Image:
    from imagecodecs import jpegxl_decode

    values = np.asarray(jpegxl_decode(content))
    if values.ndim == 4:  # an animation: [frames, H, W, channels]
        values = values[0]
    if values.dtype != np.uint8:
        values = eight_bit(values, FLOATS if values.dtype.kind == "f" else SIXTEEN_BITS)
    return Image.fromarray(values.squeeze(axis=2) if values.ndim == 3 and values.shape[2] == 1 else values)
