"""JPEG 2000: how deep its values are, which Pillow does not always give as they are.

Pillow rounds colours of more than 8 bits up and over the edge: white becomes black. They are read by another decoder.
"""

from __future__ import annotations

import struct

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.locale.messages import tr

_STARTS = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51")
_CODESTREAM = b"\xff\x4f\xff\x51"
_MIXED = 255  # in the head: the channels differ in depth
_YCC = 18


def jpeg2000_size(content: bytes) -> tuple[int, int]:
    """Width and height of a codestream that is there (ISO/IEC 15444-1, SIZ)."""
    right, bottom, left, top = struct.unpack_from(">IIII", content, content.find(_CODESTREAM) + 8)
    return max(0, right - left), max(0, bottom - top)


def has_deep_channels(content: bytes) -> bool:
    """Whether content is a JPEG 2000 photo of colours of more than 8 bits that are red, green and blue.

    Raises:
        UnreadablePhoto: When the head tells of other values than the data have.
    """
    if not content.startswith(_STARTS):
        return False
    at = content.find(_CODESTREAM)
    if at < 0 or at + 43 > len(content):
        return False
    (channels,) = struct.unpack_from(">H", content, at + 40)
    bits = (content[at + 42] & 0x7F) + 1
    head = content.find(b"ihdr", 0, at)
    if head >= 0:
        told_channels, told_bits = struct.unpack_from(">HB", content, head + 12)
        if told_channels != channels or (told_bits != _MIXED and (told_bits & 0x7F) + 1 != bits):
            raise UnreadablePhoto(
                tr("damaged: {detail}", detail=f"JPEG 2000: {told_channels} x {told_bits}, {channels} x {bits}")
            )
    colours = content.find(b"colr", 0, at)
    if colours >= 0 and content[colours + 4 : colours + 5] == b"\x01":
        return bits > 8 and channels > 2 and struct.unpack_from(">I", content, colours + 7)[0] != _YCC
    return bits > 8 and channels > 2
