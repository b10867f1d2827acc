"""The one decoder: training, evaluation, prediction and export all see the same pixels.

:func:`open_photo` turns anything that holds a picture into upright RGB, or says in a few words why it cannot. Nothing is
repaired: a file that is cut off is refused, not filled with grey, and so is one whose checksums are wrong, or in which the
decoder finds damage. What is odd and can be read all the same becomes a remark (:mod:`tsugiki.data.images.remarks`). A changed
byte that still decodes, in a file without checksums (JPEG, BMP, TIFF, WebP, GIF), is noticed by no decoder.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile

from tsugiki.core.errors import DataError, TsugikiError, UnreadablePhoto
from tsugiki.core.regular_files import read_limited, read_regular
from tsugiki.core.threads import SharedSetting
from tsugiki.data.images.depth import (
    WHITE_IS_ZERO,
    brightened,
    eight_bit_grey,
    has_deep_colours,
    is_deep_grey,
    name_planes,
    swap_bytes,
    uses_few_bits,
)
from tsugiki.data.images.file_type import name_content
from tsugiki.data.images.heif import open_other
from tsugiki.data.images.jpeg import JPEG_START, check_effort, check_jpeg, decode_jpeg, name_jpeg
from tsugiki.data.images.png import PNG_START, barer_pngs, is_interlaced, lacks_rows, png_is_whole, sound_png, tells_of_too_much
from tsugiki.data.images.remarks import note
from tsugiki.data.images.tiff import TIFF_STARTS, black_is_zero, check_tiff, name_tiff
from tsugiki.locale.messages import tr

PhotoSource: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | npt.NDArray[Any]
"""Whatever a photo can be read from."""

MAX_PIXELS = 178_956_970
"""Photos with more pixels are refused before they are decoded (the limit at which Pillow itself gives up by default)."""

MAX_BYTES = 8 * MAX_PIXELS + (1 << 20)
"""Larger files are refused before they are read: so many bytes have as many pixels of 16 bits in each of 4 channels."""

# Only formats that hold photographs and are told by their first bytes. Pillow reads more, among them some that start other
# programs (EPS starts Ghostscript) and some without any mark, which take a text file for a picture.
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "AVIF", "JPEG2000", "QOI")

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


_TO_UINT8 = {
    "f": ("1.0", "(ARRAY * 255).round().astype('uint8')"),
    "b": ("True", "ARRAY.astype('uint8') * 255"),
    "u2": ("65535", "(ARRAY // 257).astype('uint8')"),
}
"""By an array's type, or its kind: what usually stands for white in it, and what makes it an array of 8 bits."""


def open_photo(source: PhotoSource) -> Image.Image:
    """Decode a photo completely, upright, as RGB.

    EXIF orientation is applied. Transparency is laid over white; a photo of which nothing would be seen then is refused. Of
    several pictures in a file the first is taken. Grey and colours of 16 bits, 32-bit and floating-point grey are scaled from
    the smallest customary range that holds them (see :mod:`tsugiki.data.images.depth`), or from their own minimum and maximum
    where none does. CMYK is converted by Pillow, Adobe's inversion included. Colour profiles are not applied.

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
        return _decoded(read_content(source))


def reopen_photo(path: str | os.PathLike[str]) -> Image.Image:
    """:func:`open_photo` for a photo that was readable when the work began.

    Raises:
        DataError: When it cannot be read any more; the file is named.
    """
    try:
        return open_photo(path)
    except UnreadablePhoto as fault:
        raise DataError(tr("{path} cannot be read any more: {reason}", path=path, reason=fault.what)) from fault


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
        if not is_proven_whole(content):
            _decoded(content)
            return
        with _identify(content) as photo:
            _check_size(photo)
            _check_effort(content, photo)


def check_pixels(content: bytes, most: int) -> None:
    """Refuse a photo of more than ``most`` pixels before any of them is decoded; its header tells.

    Raises:
        UnreadablePhoto: When it has more, or is no photo.
    """
    with strict_pillow(), _full_memory_told(), _identify(content) as photo:
        if photo.width * photo.height > most:
            raise _too_many_pixels(most)


def is_proven_whole(content: bytes) -> bool:
    """Whether the bytes of a file prove that nothing of the photo is missing; its pixels are not looked at."""
    if content.startswith(JPEG_START):
        return content.endswith(b"\xff\xd9")
    if content.startswith(PNG_START):
        return png_is_whole(content)
    if content.startswith(b"GIF8"):
        return content.endswith(b"\x00;")
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return len(content) >= 8 + int.from_bytes(content[4:8], "little")
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
            content: object = read_limited(source, MAX_BYTES)
    except FileNotFoundError:
        raise UnreadablePhoto(tr("no such file")) from None
    except IsADirectoryError:
        raise UnreadablePhoto(tr("a folder")) from None
    except OSError as fault:
        raise UnreadablePhoto(tr("cannot be read: {detail}", detail=fault.strerror or fault)) from None
    except (TypeError, UnicodeError):  # text cannot be put together as bytes, or the file's content is no text
        content = ""
    if not isinstance(content, bytes):
        raise UnreadablePhoto(tr("a file that was opened as text: open it with open(PATH, 'rb')"))
    return content


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
            cure=_array_cure(array),
        )
    return Image.fromarray(array)


def _array_cure(array: npt.NDArray[Any]) -> str:
    """How an array of pictures in another form becomes what is read; empty where that cannot be told."""
    if 0 in array.shape or array.dtype.kind not in "uifb":
        return ""
    if array.ndim == 4:
        return tr("give several photos as a list: {code}", code="list(ARRAY)")
    if array.ndim == 3 and array.shape[2] == 1:
        return tr("write {code}", code="ARRAY[..., 0]")
    if array.ndim == 3 and array.shape[0] in {1, 3, 4} and array.shape[2] not in {3, 4}:
        return tr("channels come last: {code}", code="ARRAY.transpose(1, 2, 0)")
    if array.dtype == np.uint8 or array.ndim not in {2, 3} or (array.ndim == 3 and array.shape[2] not in {3, 4}):
        return ""
    white, code = _TO_UINT8.get(array.dtype.str[1:], _TO_UINT8.get(array.dtype.kind, ("255", "ARRAY.astype('uint8')")))
    return tr("make it uint8, where white is {white} now: {code}", white=white, code=code)


def _decoded(content: bytes) -> Image.Image:
    """The photo in a file, once what each format knows about its own soundness has been asked."""
    if content.startswith(TIFF_STARTS):
        check_tiff(content)
    if not content.startswith(PNG_START):
        return _picture(content)
    content = sound_png(content)
    try:
        return _with_all_rows(_picture(content), content)
    except UnreadablePhoto as fault:
        for barer, left_out in barer_pngs(content):
            with contextlib.suppress(UnreadablePhoto):
                photo = _with_all_rows(_picture(barer), barer)
                note("png", left_out)
                return photo
        raise fault from None


def _with_all_rows(photo: Image.Image, content: bytes) -> Image.Image:
    """A PNG photo whose data reach to its end; they are unpacked once more only where an edge has a single colour."""
    width, height = photo.size
    edges = ((0, 0, width, 1), (0, height - 1, width, height), (0, 0, 1, height), (width - 1, 0, width, height))
    plain = any(all(low == high for low, high in photo.crop(edge).getextrema()) for edge in edges)  # type: ignore[misc]
    try:
        if (plain or is_interlaced(content)) and lacks_rows(content):
            raise UnreadablePhoto(tr("cut off: the end of the file is missing"))
    except zlib.error as fault:  # Pillow stops before the checksum at the end of the data
        raise UnreadablePhoto(_damage(fault)) from fault
    return photo


def _picture(content: bytes) -> Image.Image:
    with _identify(content) as photo:
        _check_size(photo)
        _check_effort(content, photo)
        if content.startswith(JPEG_START):
            pixels = _sound_jpeg(content, photo)
            if pixels is not None:
                return _upright(Image.fromarray(pixels), photo)
        if photo.format == "TIFF" and (frames := _frames(content)) > 1:
            note("frames", frames)
        return _upright_rgb(photo, lambda: _identify(content))


def _sound_jpeg(content: bytes, photo: Image.Image) -> npt.NDArray[np.uint8] | None:
    """The pixels of a colour photo that its decoder has nothing to say about; all others are Pillow's, if not refused."""
    pixels = None
    if photo.mode == "RGB" and photo.format == "JPEG":
        with contextlib.suppress(ValueError):  # a warning: looked at below
            pixels = decode_jpeg(content)
    if pixels is None or pixels.shape[:2] != (photo.height, photo.width):
        check_jpeg(content)
        return None
    return pixels


def _identify(content: bytes) -> Image.Image:
    try:
        plain = black_is_zero(content)
        photo = open_other(content, MAX_PIXELS) or Image.open(io.BytesIO(plain), formats=_FORMATS)
        photo.info[WHITE_IS_ZERO] = plain is not content
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except (MemoryError, UnreadablePhoto):
        raise
    except Exception as fault:  # Pillow's plugins raise whatever a broken file makes them stumble over
        raise UnreadablePhoto(_name(content)) from fault
    return photo


def _name(content: bytes) -> str:
    """What a file is that Pillow does not take for a photo."""
    if content.startswith(TIFF_STARTS):
        return name_tiff(content)
    return name_jpeg(content) if content.startswith(JPEG_START) else name_content(content)


def _check_size(photo: Image.Image) -> None:
    if photo.width * photo.height > MAX_PIXELS:
        raise _too_many_pixels()
    if not photo.width * photo.height:
        raise UnreadablePhoto(tr("a picture without a pixel"))


def _check_effort(content: bytes, photo: Image.Image) -> None:
    if content.startswith(JPEG_START):
        check_effort(content, photo.width * photo.height, MAX_PIXELS)
    if content.startswith(PNG_START) and tells_of_too_much(content, photo.width * photo.height):
        raise UnreadablePhoto(tr("cut off: the end of the file is missing"))
    # Its decoder enlarges a small picture to whatever the head tells of, which takes gigabytes.
    if photo.format == "AVIF" and photo.width * photo.height > max(_SMALL, _MOST_PER_BYTE * len(content)):
        raise UnreadablePhoto(tr("damaged: {detail}", detail=tr("its head tells of more pixels than so few bytes hold")))


_SMALL, _MOST_PER_BYTE = 1 << 26, 50_000  # pixels: even one colour all over takes more bytes


def _too_many_pixels(most: int = MAX_PIXELS) -> UnreadablePhoto:
    return UnreadablePhoto(tr("too large: more than {limit} million pixels", limit=most // 1_000_000))


def _frames(content: bytes) -> int:
    """How many pictures a file holds; 1 where those behind the first cannot be counted."""
    try:
        with _identify(content) as photo:
            return int(getattr(photo, "n_frames", 1))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  only the first one is taken
        return 1


def _upright_rgb(photo: Image.Image, again: Callable[[], Image.Image] | None = None) -> Image.Image:
    """``photo`` upright and in RGB; ``again`` opens it anew, for what Pillow does not give at the first look."""
    _check_size(photo)
    try:
        name_planes(photo)
        deep = has_deep_colours(photo)
        photo.load()
        whole = _with_all_bits(photo, again) if deep and again and uses_few_bits(photo) else photo
        rgb = _to_rgb(whole)
    except Image.DecompressionBombError:
        raise _too_many_pixels() from None
    except (MemoryError, UnreadablePhoto):
        raise
    except Exception as fault:  # as above
        raise UnreadablePhoto(_damage(fault)) from fault
    return _upright(rgb, photo)


def _upright(rgb: Image.Image, photo: Image.Image) -> Image.Image:
    turn = _orientation(photo)
    return rgb if turn is None else rgb.transpose(turn)


def _with_all_bits(photo: Image.Image, again: Callable[[], Image.Image]) -> Image.Image:
    """A photo of 16-bit colours that use fewer bits: it is opened again for those that are not in the upper eight."""
    with again() as lower:
        name_planes(lower)
        swap_bytes(lower)
        lower.load()
        return brightened(photo, lower)


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
    if is_deep_grey(photo):
        return eight_bit_grey(photo).convert("RGB")
    if not photo.has_transparency_data:
        return photo.convert("RGB") if photo.mode != "RGB" else photo.copy()
    # Pillow converts premultiplied alpha only to its own straight kind first.
    straight = photo.convert({"La": "LA", "RGBa": "RGBA"}[photo.mode]) if photo.mode in {"La", "RGBa"} else photo
    layer = straight.convert("RGBA")
    if layer.getchannel("A").getextrema() == (0, 0):
        raise UnreadablePhoto(tr("nothing to see: all of it is transparent; save it without transparency"))
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def strict_pillow() -> contextlib.AbstractContextManager[None]:
    """While any thread decodes: Pillow's own warnings become remarks and cut-off files are refused whatever others have set.

    Both are settings of the whole process, so threads share one change: the first one in makes it, the last one out undoes it.
    """
    return _strict_pillow()


@contextlib.contextmanager
def _made_strict() -> Iterator[None]:
    tolerant = ImageFile.LOAD_TRUNCATED_IMAGES
    with warnings.catch_warnings():
        warnings.filterwarnings("always", module=r"PIL\.")
        warnings.showwarning = _heard(warnings.showwarning)
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


_LIBRARY = os.path.dirname(Image.__file__) + os.sep  # noqa: PTH120 (compared with the names that warnings carry)
_ABOUT_NO_PHOTO = ("Palette images with Transparency", "XMP data cannot be read")


def _heard(otherwise: Callable[..., None]) -> Callable[..., None]:
    """What shows warnings while photos are decoded: Pillow's are noted in the thread that decodes, others shown as ever."""

    def show(message: Warning | str, category: type[Warning], filename: str, lineno: int, *more: Any) -> None:
        if not filename.startswith(_LIBRARY):
            otherwise(message, category, filename, lineno, *more)
        elif not issubclass(category, DeprecationWarning | Image.DecompressionBombWarning):
            text = str(message)
            if not text.startswith(_ABOUT_NO_PHOTO):
                note("pillow", text)

    return show


_strict_pillow = SharedSetting(_made_strict)
