"""The chunks of a PNG file: which of them a picture needs, and whether they are as they were written."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.remarks import note
from tsugiki.locale.messages import tr

PNG_START = b"\x89PNG\r\n\x1a\n"

_PIXELS_PER_BYTE = 8 * 1032  # of one bit each; zlib packs no better
_CHANNELS = {2: 3, 4: 2, 6: 4}  # by colour type
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_NEEDED = frozenset({b"tRNS", b"eXIf"})  # beside the critical ones: what decides which pixels are seen, and which way up


@dataclass(frozen=True)
class Chunk:
    """One chunk: its name, where it starts and ends in the file, and whether it has its own checksum."""

    name: bytes
    start: int
    end: int
    sound: bool

    @property
    def critical(self) -> bool:
        """Whether there is no picture without it."""
        return self.name[:1].isupper()


def png_is_whole(content: bytes) -> bool:
    """Whether all chunks are there and sound, up to the last one."""
    name = b""
    for chunk in _chunks(content):
        if not chunk.sound:
            return False
        name = chunk.name
    return name == b"IEND"


def sound_png(content: bytes) -> bytes:
    """``content`` without notes (text, colour profile, ...) whose checksum is wrong: decoders stumble over them.

    Raises:
        UnreadablePhoto: When a chunk that the picture needs is damaged, or the file is of a kind that only Apple reads.
    """
    if content[12:16] == b"CgBI":
        raise UnreadablePhoto(
            tr("a PNG file in Apple's own form (CgBI), which only Apple's programs read: open it on a Mac and export it as PNG")
        )
    damaged = [chunk for chunk in _chunks(content) if not chunk.sound]
    for chunk in damaged:
        if chunk.critical:
            raise UnreadablePhoto(tr("damaged: the checksum of the PNG chunk {name} is wrong", name=_shown(chunk.name)))
        note("png", _shown(chunk.name))
    return _without(content, damaged)


def tells_of_too_much(content: bytes, pixels: int) -> bool:
    """Whether so many pixels cannot be in a file of this length, however well they were packed."""
    return pixels > _PIXELS_PER_BYTE * len(content)


def is_interlaced(content: bytes) -> bool:
    """Whether the picture comes in seven passes, so that missing data leave gaps all over it."""
    return content[28:29] == b"\x01"


def lacks_rows(content: bytes) -> bool:
    """Whether the data of a sound PNG end before its last row: Pillow leaves the rows that are missing black.

    Raises:
        zlib.error: When the data are damaged.
    """
    chunks = list(_chunks(content))
    head = content[chunks[0].start + 8 :] if chunks else b""
    if len(head) < 13:
        return False
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head[:13])
    bits = depth * _CHANNELS.get(colour, 1)
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    sizes = ((-(-(width - left) // right), -(-(height - top) // down)) for top, left, down, right in passes)
    expected: int = sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if rows > 0 and columns > 0)
    return _unpacked_length(content, chunks, expected) < expected


def _unpacked_length(content: bytes, chunks: list[Chunk], enough: int) -> int:
    """How many bytes the picture's data unpack to; counting ends at ``enough``."""
    unpacker, length = zlib.decompressobj(), 0
    for chunk in chunks:
        rest = content[chunk.start + 8 : chunk.end - 4] if chunk.name == b"IDAT" else b""
        while rest and length < enough:
            length += len(unpacker.decompress(rest, 1 << 20))
            rest = unpacker.unconsumed_tail
    return length + (len(unpacker.flush()) if length < enough else 0)


def barer_pngs(content: bytes) -> Iterator[tuple[bytes, str]]:
    """``content`` with fewer and fewer of the chunks that a picture can do without, and the names of those left out.

    Decoders give up where a text or a colour profile is too large or odd for them.
    """
    for kept in (_NEEDED, frozenset[bytes]()):
        chunks = [chunk for chunk in _chunks(content) if not chunk.critical and chunk.name not in kept]
        if chunks:
            yield _without(content, chunks), ", ".join(dict.fromkeys(_shown(chunk.name) for chunk in chunks))


def _chunks(content: bytes) -> Iterator[Chunk]:
    """Every chunk that is there as a whole; a file that is cut off has fewer."""
    at = len(PNG_START)
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            return
        checksum = int.from_bytes(content[end - 4 : end], "big")
        name = content[at + 4 : at + 8]
        yield Chunk(name, at, end, zlib.crc32(memoryview(content)[at + 4 : end - 4]) == checksum)
        if name == b"IEND":
            return
        at = end


def _without(content: bytes, chunks: list[Chunk]) -> bytes:
    for chunk in reversed(chunks):
        content = content[: chunk.start] + content[chunk.end :]
    return content


def _shown(name: bytes) -> str:
    return name.decode("ascii", "replace")
