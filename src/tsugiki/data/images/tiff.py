"""TIFF holds everything: which files of that kind are photos that can be read, and what is wrong with the others."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import PIL
from PIL import TiffImagePlugin

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.file_type import unread_format
from tsugiki.data.images.jpeg import check_jpeg
from tsugiki.data.images.remarks import note
from tsugiki.locale.messages import tr

TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

_BITS, _COMPRESSION, _PHOTOMETRIC, _CHANNELS, _SAMPLE_FORMAT = 258, 259, 262, 277, 339
_SUBFILE, _SUBFILES, _DNG, _MORE_CHANNELS = 254, 330, 50706, 338
_WIDTH, _HEIGHT, _STRIPS, _STRIP_ROWS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT, _TILES = 256, 257, 273, 278, 284, 322, 323, 324
_STRIP_BYTES, _TILE_BYTES, _TABLES = 279, 325, 347
_JPEG, _JPEG_BEGIN = 7, b"\xff\xd8"
_LOOKED_AT = {
    _STRIP_BYTES, _TILE_BYTES, _TABLES,
    _BITS, _COMPRESSION, _PHOTOMETRIC, _CHANNELS, _SAMPLE_FORMAT, _SUBFILE, _SUBFILES, _DNG, _MORE_CHANNELS,
    _WIDTH, _HEIGHT, _STRIPS, _STRIP_ROWS, _PLANES, _TILE_WIDTH, _TILE_HEIGHT, _TILES,
}  # fmt: skip
_GREY, _COLOURS = {0, 1}, {2: 3, 5: 4, 6: 3, 8: 3}  # by photometric interpretation: how many channels make a colour
_MOST_CHANNELS = 6  # that Pillow reads; it logs more as an error of its own
_KINDS = {1: "uint", 2: "int", 3: "float", 5: "complex int", 6: "complex float"}
_COLOUR_SPACES = {
    2: "RGB",
    5: "CMYK",
    6: "YCbCr",
    8: "CIELab",
    9: "ICCLab",
    10: "ITULab",
    32803: "CFA (raw)",
    34892: "LinearRaw",
}
# What the decoder inside Pillow has no part for; it would say so on the terminal.
_FOREIGN = {
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34713: "Nikon NEF",
    34887: "LERC",
    34892: "lossy JPEG (DNG)",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


def check_tiff(content: bytes) -> None:
    """Refuse, with the true reason, what is sound but cannot be read, or what would lose channels that are no colours.

    Raises:
        UnreadablePhoto: With the reason.
    """
    _silence_libtiff()
    tags = _tags(content)
    compression = _number(tags, _COMPRESSION, 1)
    if compression in _FOREIGN:
        raise UnreadablePhoto(
            tr(
                "a TIFF file compressed as {name}, which cannot be read here: save it as PNG, or as TIFF with LZW",
                name=_FOREIGN[compression],
            )
        )
    if _DNG in tags or (_number(tags, _SUBFILE, 0) & 1 and _SUBFILES in tags):
        raise UnreadablePhoto(unread_format(tr("camera raw, of which only a small preview could be seen")))
    channels, photometric = _number(tags, _CHANNELS, 1), _number(tags, _PHOTOMETRIC, 0)
    if photometric in _GREY and channels > 2:
        raise UnreadablePhoto(
            tr(
                "a TIFF file of {channels} channels that does not say which are red, green and blue: save those three as RGB",
                channels=channels,
            )
        )
    if _MORE_CHANNELS not in tags and _names(content, _MORE_CHANNELS):
        # Pillow reads no further than to the first entry that is broken, and takes any fourth channel for transparency.
        raise UnreadablePhoto(tr("a {format} file, cut off or damaged", format="TIFF"))
    if _lacks_data(tags, channels):
        raise UnreadablePhoto(tr("cut off or damaged: the TIFF file holds fewer strips or tiles than the picture has"))
    if compression == _JPEG:
        for part in _jpegs(tags, content):
            check_jpeg(part)
    if channels > _MOST_CHANNELS:
        raise UnreadablePhoto(name_tiff(content))
    if channels > _COLOURS.get(photometric, 1) + 1:
        note("channels", channels)


def _lacks_data(tags: Mapping[int, Any], channels: int) -> bool:
    """Whether there are fewer strips or tiles than the picture needs: Pillow leaves what they do not cover black."""
    width, height = _number(tags, _WIDTH, 0), _number(tags, _HEIGHT, 0)
    across, down, parts = 1, _number(tags, _STRIP_ROWS, height), tags.get(_STRIPS, ())
    if _TILES in tags:
        across, down, parts = (
            -(-width // max(1, _number(tags, _TILE_WIDTH, width))),
            _number(tags, _TILE_HEIGHT, 1),
            tags[_TILES],
        )
    planes = channels if _number(tags, _PLANES, 1) == 2 else 1
    return len(parts if isinstance(parts, tuple) else (parts,)) < across * -(-height // max(1, down)) * planes


def _jpegs(tags: Mapping[int, Any], content: bytes) -> Iterator[bytes]:
    """The strips or tiles of a TIFF file as JPEG files: inside, what they share is stored once."""
    shared = tags.get(_TABLES, b"")
    start = shared[:-2] if isinstance(shared, bytes) and shared[:2] == _JPEG_BEGIN else _JPEG_BEGIN
    places, lengths = (tags.get(_TILES, tags.get(_STRIPS, ())), tags.get(_TILE_BYTES, tags.get(_STRIP_BYTES, ())))
    if isinstance(places, tuple) and isinstance(lengths, tuple):
        for place, length in zip(places, lengths, strict=False):
            if not isinstance(place, int) or not isinstance(length, int):  # a broken entry may hold fractions
                raise UnreadablePhoto(tr("a {format} file, cut off or damaged", format="TIFF"))
            yield start + content[place + 2 : place + length]


def black_is_zero(content: bytes) -> bytes:
    """A deep grey TIFF file whose white is 0 as one whose black is: Pillow does not turn its values round, or does not know it.

    Returns:
        ``content`` itself where there is nothing to change.
    """
    order: Literal["little", "big"] = "little" if content.startswith(b"II") else "big"
    if not content.startswith((b"II*\x00", b"MM\x00*")):
        return content
    tags = _tags(content)
    if _number(tags, _PHOTOMETRIC, 1) != 0 or _number(tags, _BITS, 1) <= 8:
        return content
    at = int.from_bytes(content[4:8], order)
    for entry in range(at + 2, at + 2 + 12 * int.from_bytes(content[at : at + 2], order), 12):
        if int.from_bytes(content[entry : entry + 2], order) == _PHOTOMETRIC:
            return content[: entry + 8] + (1).to_bytes(2, order) + content[entry + 10 :]
    return content


def name_tiff(content: bytes) -> str:
    """What keeps a TIFF file from being read: the kind of its values, where its head can be read."""
    return name_kind(_tags(content))


def name_kind(tags: Mapping[int, Any]) -> str:
    """The kind of values that tags promise, as what cannot be read."""
    if not {_BITS, _PHOTOMETRIC} <= set(tags):
        return tr("a {format} file, cut off or damaged", format="TIFF")
    kind = _KINDS.get(_number(tags, _SAMPLE_FORMAT, 1), "?")
    values = f"{kind}{_number(tags, _BITS, 1)}"
    space = _COLOUR_SPACES.get(_number(tags, _PHOTOMETRIC, 0), "")
    return tr(
        "a TIFF file of a kind that cannot be read here ({channels} channels of {values}): "
        "save it as RGB with 8 bits per channel",
        channels=_number(tags, _CHANNELS, 1),
        values=f"{values}, {space}" if space else values,
    )


def _tags(content: bytes) -> Mapping[int, Any]:
    """The tags of the first picture; none where they cannot be read."""
    length = 16 if content[2:3] == b"+" or content[3:4] == b"+" else 8
    found = {}
    try:
        tags = TiffImagePlugin.ImageFileDirectory_v2(content[:length])
        stream = io.BytesIO(content)
        stream.seek(tags.next)
        tags.load(stream)
        for tag in _LOOKED_AT & set(tags):
            found[tag] = tags[tag]
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  a broken head makes Pillow stumble over anything
        return found
    return found


def _names(content: bytes, tag: int) -> bool:
    """Whether the directory of the first picture has an entry of this number, readable or not."""
    order: Literal["little", "big"] = "little" if content[:1] == b"I" else "big"
    is_big = int.from_bytes(content[2:4], order) == 43
    width, head, step = (8, 8, 20) if is_big else (4, 2, 12)
    start = int.from_bytes(content[width : 2 * width], order)  # behind the mark of 4 bytes, or of 8
    count = min(int.from_bytes(content[start : start + head], order), 1000)
    places = (start + head + step * number for number in range(count))
    return any(content[at : at + 2] == tag.to_bytes(2, order) for at in places)


def _number(tags: Mapping[int, Any], tag: int, otherwise: int) -> int:
    """A number among the tags, the first of several; a damaged file may hold anything there."""
    value = tags.get(tag, otherwise)
    try:
        return int(value[0] if isinstance(value, tuple) else value)
    except (TypeError, ValueError, IndexError, ArithmeticError):
        return otherwise


@functools.cache
def _silence_libtiff() -> None:
    """Keep the libtiff inside Pillow, and Pillow's own log, off the terminal: what they find is raised, and then has a name.

    Pillow's wheels bring libtiff as a file of its own; elsewhere it stays as it is.
    """
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what nobody else listens to
    here = Path(PIL.__file__).parent
    for library in (*here.parent.glob("pillow.libs/libtiff*.so*"), *here.glob(".dylibs/libtiff*.dylib")):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(str(library)).TIFFSetErrorHandler(None)
