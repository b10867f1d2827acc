"""What is done to a sound file: bits flipped, parts cut off, repeated or taken from another file, heads that lie.

A file's checksums would stop most of it at the door: those of PNG and zip are often made right again, as an attacker would.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

_PNG_START = b"\x89PNG\r\n\x1a\n"
_ODD_NUMBERS = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEAD = 96  # bytes in which most formats say what follows


def mutated(content: bytes, other: bytes, dice: random.Random) -> tuple[str, bytes]:
    """A damaged file, and in one word how.

    Args:
        content: A sound file.
        other: Another one, from which parts may come.
        dice: What decides everything.
    """
    name = dice.choice(tuple(_KINDS))
    damaged = _KINDS[name](content, other, dice)
    if damaged.startswith(_PNG_START) and dice.random() < 0.7:
        damaged = png_with_right_checksums(damaged)
    return name, damaged


def _flipped(content: bytes, other: bytes, dice: random.Random) -> bytes:
    del other
    damaged = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 8, 40))):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def _overwritten(content: bytes, _: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    length = min(dice.choice((1, 4, 64, 512)), len(content) - start)
    filling = dice.choice((bytes(length), b"\xff" * length, dice.randbytes(length)))
    return content[:start] + filling + content[start + length :]


def _truncated(content: bytes, _: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))]


def _spliced(content: bytes, other: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(len(content))] + other[dice.randrange(len(other)) :]


def _repeated(content: bytes, _: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    end = min(len(content), start + dice.choice((1, 2, 16, 256)))
    return content[:end] + content[start:end] * dice.choice((1, 2, 20)) + content[end:]


def _shortened(content: bytes, _: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    return content[:start] + content[start + dice.choice((1, 2, 16, 256)) :]


def _lied(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """Numbers in the head, of 1, 2 or 4 bytes, that are extreme: sizes, counts, offsets, kinds."""
    del other
    damaged = bytearray(content)
    for _ in range(dice.choice((1, 1, 2))):
        width, order = dice.choice((1, 2, 2, 4, 4)), dice.choice("<>")
        at = dice.randrange(max(1, min(len(content), _HEAD) - width))
        number = dice.choice(_ODD_NUMBERS) & (256**width - 1)
        damaged[at : at + width] = struct.pack(order + {1: "B", 2: "H", 4: "I"}[width], number)
    return bytes(damaged)


def _entry_lied(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """As a TIFF file lies: in one of its directory's entries; the others lie as ever."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
    if order is None:
        return _lied(content, other, dice)
    (directory,) = struct.unpack_from(order + "I", content, 4)
    if directory + 2 > len(content):
        return _lied(content, other, dice)
    (count,) = struct.unpack_from(order + "H", content, directory)
    at = directory + 2 + 12 * dice.randrange(max(1, count)) + dice.choice((0, 2, 4, 8))
    damaged = bytearray(content)
    if at + 4 <= len(damaged):
        struct.pack_into(order + "I", damaged, at, dice.choice(_ODD_NUMBERS))
    return bytes(damaged)


def _enlarged(content: bytes, other: bytes, dice: random.Random) -> bytes:
    """A head that tells of a huge picture, which the data do not hold: just small enough not to be refused for it."""
    places = _places_of_size(content)
    if not places:
        return _lied(content, other, dice)
    width, height = dice.choice(((13_000, 13_000), (65_535, 2_700), (2_700, 65_535), (16_383, 10_000), (4_000, 4_000)))
    damaged = bytearray(content)
    for at, form, size in zip(places[::2], places[1::2], (width, height) * len(places), strict=False):
        if isinstance(at, int) and isinstance(form, str) and at + struct.calcsize(form) <= len(damaged):
            struct.pack_into(form, damaged, at, size)
    return bytes(damaged)


def _places_of_size(content: bytes) -> tuple[int | str, ...]:
    """Where width and height stand, and as what numbers: ``(at, form, at, form)``."""
    for start, places in _PLACES.items():
        if content.startswith(start):
            return places
    if content.startswith(b"\xff\xd8"):
        frame = next((at for at in range(len(content)) if content[at : at + 2] in {b"\xff\xc0", b"\xff\xc2"}), -1)
        return (frame + 7, ">H", frame + 5, ">H") if frame >= 0 else ()
    if content[12:16] == b"VP8 ":
        return 26, "<H", 28, "<H"
    if (at := content.find(b"ihdr")) >= 0:  # JPEG 2000 has the height first
        return at + 8, ">I", at + 4, ">I"
    if (at := content.find(b"ispe")) >= 0:
        return at + 8, ">I", at + 12, ">I"
    return _places_of_tags(content) if content[:2] in {b"II", b"MM"} else ()


_PLACES: dict[bytes, tuple[int | str, ...]] = {
    _PNG_START: (16, ">I", 20, ">I"),
    b"GIF8": (6, "<H", 8, "<H"),
    b"BM": (18, "<i", 22, "<i"),
    b"qoif": (4, ">I", 8, ">I"),
}


def _places_of_tags(content: bytes) -> tuple[int | str, ...]:
    order = "<" if content[:2] == b"II" else ">"
    found = [max(content.find(struct.pack(order + "HH", tag, kind)) for kind in (3, 4)) for tag in (256, 257)]
    return (found[0] + 8, order + "H", found[1] + 8, order + "H") if min(found) >= 0 else ()


_KINDS: dict[str, Callable[[bytes, bytes, random.Random], bytes]] = {
    "flipped": _flipped,
    "overwritten": _overwritten,
    "truncated": _truncated,
    "spliced": _spliced,
    "repeated": _repeated,
    "shortened": _shortened,
    "lied": _lied,
    "entry lied": _entry_lied,
    "enlarged": _enlarged,
}


def png_with_right_checksums(content: bytes) -> bytes:
    """A PNG file whose every chunk has the checksum of what it holds now."""
    parts, at = [content[:8]], 8
    while at + 12 <= len(content):
        end = at + 12 + int.from_bytes(content[at : at + 4], "big")
        if end > len(content):
            break
        parts.append(content[at : end - 4] + zlib.crc32(content[at + 4 : end - 4]).to_bytes(4, "big"))
        at = end
    return b"".join(parts) + content[at:]
