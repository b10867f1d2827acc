"""The size that a JPEG XL file tells of, read from its first bits: its decoder would take the memory for it at once."""

from __future__ import annotations

_CODESTREAM = b"\xff\x0a"
_BOXES = (b"jxlc", b"jxlp")
_LENGTHS = (9, 13, 18, 30)  # bits of a size
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def jpeg_xl_size(content: bytes) -> tuple[int, int] | None:
    """Width and height as the codestream begins with them (ISO/IEC 18181-1, SizeHeader); nothing where they are not found."""
    start = 0 if content.startswith(_CODESTREAM) else _in_its_box(content)
    if start < 0:
        return None
    bits = _Bits(int.from_bytes(content[start + 2 : start + 12].ljust(10, b"\0"), "little"))
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else bits.take(_LENGTHS[bits.take(2)]) + 1
    if ratio := bits.take(3):
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return 8 * (bits.take(5) + 1) if small else bits.take(_LENGTHS[bits.take(2)]) + 1, height


def _in_its_box(content: bytes) -> int:
    found = (content.find(_CODESTREAM, at) for at in map(content.find, _BOXES) if at >= 0)
    return next(found, -1)


class _Bits:
    def __init__(self, value: int) -> None:
        self._left = value

    def take(self, count: int) -> int:
        taken = self._left & ((1 << count) - 1)
        self._left >>= count
        return taken
