"""The one decoder: training, evaluation, prediction and export all see the same pixels.

:func:`open_photo` turns anything that holds a picture into upright RGB, or says in a few words why it cannot. Nothing is
guessed or repaired: a file that is cut off is refused, not filled with grey.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.core.regular_files import read_limited, read_regular
from tsugiki.core.threads import SharedSetting
from tsugiki.data.images.file_type import name_content
from tsugiki.locale.messages import tr

PhotoSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[Any]
"""Whatever a photo can be read from."""

MAX_PIXELS = 178_956_970
"""Photos with more pixels are refused before they are decoded (the limit at which Pillow itself gives up by default)."""

MAX_BYTES = 8 * MAX_PIXELS + (1 << 20)
"""Larger files are refused before they are read: so many bytes have as many pixels of 16 bits in each of 4 channels."""

# Only formats that hold photographs and are told by their first bytes. Pillow reads more, among them some that start other
# programs (EPS starts Ghostscript) and some without any mark, which take a text file for a picture.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "MPO", "QOI")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_photo(source: PhotoSource) -> Image.Image:
    """Decode a photo completely, upright, as RGB.

    EXIF orientation is applied. Transparency is laid over white. Of an animation the first frame is taken. 16-bit grey is
    divided by 257; 32-bit and floating-point grey is scaled from the smallest customary range that holds it (0-1 for floats,
    0-255, 0-65535), or from its own minimum and maximum where none does. CMYK is converted by Pillow, Adobe's inversion
    included. Colour profiles are not applied.

    Args:
        source: A path, the content of a file, a binary file, a Pillow image, or a uint8 array ``[H, W]``, ``[H, W, 3]`` or
            ``[H, W, 4]``. A Pillow image is not changed.

    Returns:
        A new image of mode ``RGB``.

    Raises:
        UnreadablePhoto: With the reason, in a few words and without the path.
        TsugikiError: When the memory is full, which says nothing about the photo.
    """
    with strict_pillow(), _full_memory_told():
        if isinstance(source, Image.Image):
            return _upright_rgb(source)
        if isinstance(source, np.ndarray):
            return _upright_rgb(_from_array(source))
        content = read_content(source)
        with _identify(content) as photo:
            return _upright_rgb(photo)


def content_digest(content: bytes) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def check_content(content: bytes) -> None:
    """Make sure that a file's content is a photo that can be read, without decoding it where its bytes prove that.

    A JPEG that ends with its end marker, a GIF that ends with its trailer, a PNG whose checksums are right to the last chunk
    and a WebP of the length that it names are whole; anything in doubt is decoded.

    Raises:
        UnreadablePhoto: With the reason.
    """
    with strict_pillow(), _full_memory_told():
        with _identify(content) as photo:
            if photo.width * photo.height > MAX_PIXELS:
                raise _too_many_pixels()
        if not is_proven_whole(content):
            open_photo(content)


def is_proven_whole(content: bytes) -> bool:
    """Whether the bytes of a file prove that nothing of the photo is missing; its pixels are not looked at."""
    if content.startswith(b"\xff\xd8\xff"):
        return content.endswith(b"\xff\xd9")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png_is_whole(content)
    if content.startswith(b"GIF8"):
        return content.endswith(b"\x00;")
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
    return False


def _png_is_whole(content: bytes) -> bool:
    at = 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content) or zlib.crc32(content[at + 4 : end - 4]) != int.from_bytes(content[end - 4 : end], "big"):
            return False
        if content[at + 4 : at + 8] == b"IEND":
            return True
        at = end
    return False


def read_content(source: str | os.PathLike[str] | bytes | BinaryIO) -> bytes:
    """The bytes of a file.

    Raises:
        UnreadablePhoto: With the reason, in a few words and without the path.
        TsugikiError: When the memory is full.
    """
    if isinstance(source, bytes):
        return source
    try:
        with _full_memory_told():
            if isinstance(source, str | os.PathLike):
                return read_regular(source, limit=MAX_BYTES)
            if source.seekable():
                source.seek(0)
            return read_limited(source, MAX_BYTES)
    except FileNotFoundError:
        raise UnreadablePhoto(tr("no such file")) from None
    except IsADirectoryError:
        raise UnreadablePhoto(tr("a folder")) from None
    except OSError as fault:
        raise UnreadablePhoto(tr("cannot be read: {detail}", detail=fault.strerror or fault)) from None


@contextlib.contextmanager
def _full_memory_told() -> Iterator[None]:
    """Full memory ends the work: a photo that is left out for it would be missed without anything being wrong with it."""
    try:
        yield
    except MemoryError as fault:
        raise TsugikiError(
            tr("There is not enough memory to decode a photo."),
            cure=tr("close other programs, or make the largest photos smaller, and run the same command again"),
        ) from fault


def _from_array(array: npt.NDArray[Any]) -> Image.Image:
    shape_fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in {3, 4})
    if array.dtype != np.uint8 or not shape_fits or 0 in array.shape:
        raise UnreadablePhoto(
            tr("an array that is no picture"),
            allowed="uint8 [H, W], [H, W, 3], [H, W, 4]",
            got=f"{array.dtype} {list(array.shape)}",
        )
    return Image.fromarray(array)


def _identify(content: bytes) -> Image.Image:
    try:
        photo = Image.open(io.BytesIO(content), formats=_FORMATS)
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except MemoryError:
        raise
    except Exception as fault:  # Pillow's plugins raise whatever a broken file makes them stumble over
        raise UnreadablePhoto(name_content(content)) from fault
    return photo


def _too_many_pixels() -> UnreadablePhoto:
    return UnreadablePhoto(tr("too large: more than {limit} million pixels", limit=MAX_PIXELS // 1_000_000))


def _upright_rgb(photo: Image.Image) -> Image.Image:
    if photo.width * photo.height > MAX_PIXELS:
        raise _too_many_pixels()
    try:
        photo.load()
        rgb = _to_rgb(photo)
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except MemoryError:
        raise
    except Exception as fault:  # as above
        raise UnreadablePhoto(_damage(fault)) from fault
    turn = _orientation(photo)
    return rgb if turn is None else rgb.transpose(turn)


def _damage(fault: Exception) -> str:
    detail = str(fault) or type(fault).__name__
    if isinstance(fault, EOFError) or any(word in detail.lower() for word in ("truncated", "unexpected end", "incomplete")):
        return tr("cut off: the end of the file is missing")
    return tr("damaged: {detail}", detail=detail)


def _orientation(photo: Image.Image) -> Image.Transpose | None:
    """What turns the photo upright; nothing where it is, or where the EXIF data themselves cannot be read."""
    try:
        return _UPRIGHT.get(photo.getexif().get(ExifTags.Base.Orientation, 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a broken note about the photo does not make the photo unreadable
        return None


def _to_rgb(photo: Image.Image) -> Image.Image:
    if photo.mode.startswith(("I", "F")):
        return _deep_grey(photo).convert("RGB")
    if not photo.has_transparency_data:
        return photo.convert("RGB") if photo.mode != "RGB" else photo.copy()
    # Pillow converts premultiplied alpha only to its own straight kind first.
    straight = photo.convert({"La": "LA", "RGBa": "RGBA"}[photo.mode]) if photo.mode in {"La", "RGBa"} else photo
    layer = straight.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _deep_grey(photo: Image.Image) -> Image.Image:
    """Grey of more than 8 bits as 8-bit grey."""
    values = np.nan_to_num(np.asarray(photo, dtype=np.float64), posinf=0.0, neginf=0.0)
    low, high = _grey_range(photo.mode, float(values.min()), float(values.max()))
    scaled = (values - low) * (255 / (high - low))
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _grey_range(mode: str, low: float, high: float) -> tuple[float, float]:
    customary = {"I": (255, 65535), "F": (1, 255, 65535)}.get(mode, (65535,))
    for top in customary:
        if low >= 0 and high <= top:
            return 0, top
    return low, max(high, low + 1e-12)


def strict_pillow() -> contextlib.AbstractContextManager[None]:
    """While any thread decodes: Pillow's own warnings stay silent and cut-off files are refused whatever others have set.

    Both are settings of the whole process, so threads share one change: the first one in makes it, the last one out undoes it.
    """
    return _strict_pillow()


@contextlib.contextmanager
def _made_strict() -> Iterator[None]:
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


_strict_pillow = SharedSetting(_made_strict)
