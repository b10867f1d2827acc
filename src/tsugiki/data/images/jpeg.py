"""JPEG by libjpeg-turbo: what its decoder warns of is heard, file by file and in any thread.

Pillow decodes such files without a word and torchvision prints what it hears to the terminal, without a name. Both show a photo
whose data end early filled with grey. This decoder gives the same pixels and stops at its first warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import simplejpeg

from tsugiki.core.errors import UnreadablePhoto
from tsugiki.data.images.file_type import unread_format
from tsugiki.data.images.remarks import note
from tsugiki.locale.messages import tr

JPEG_START = b"\xff\xd8\xff"

_CUT_OFF = re.compile("Premature end of JPEG file")
_ENDS_EARLY = re.compile("premature end of data segment")
_DAMAGED = re.compile(r"bad Huffman code|bad arithmetic code|found marker .* instead of RST")
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
_ODD = re.compile(
    r"extraneous bytes|Inconsistent progression|Invalid SOS parameters|JFIF revision|Adobe color transform|too many scanlines"
)
_END = b"\xff\xd9"
_JPEG_LS, _SCAN = 0xF7, 0xDA
_LOSSLESS = {0xC3, 0xC7, 0xCB, 0xCF}
_MOST_WARNINGS = 8
_MARK = re.compile(rb"\xff+[^\x00\xff]")
_SCAN_HEAD = re.compile(rb"(\xff\xda\x00(?:\x08\x01..|\x0a\x02....|\x0c\x03.{6}|\x0e\x04.{8})).{3}", re.DOTALL)
_ADOBE = re.compile(rb"(\xff\xee\x00.Adobe.{6}).", re.DOTALL)
_SCAN_START = b"\xff\xda"
_HUFFMAN = {0xC0, 0xC1, 0xC2}
_PIXELS_PER_BYTE = 512  # each block of 64 has a code of at least one bit
_MOST_LOOKS = 20  # times that the largest photo may be gone over: programs that save photos do so ten times
_FRAMES = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}


def decode_jpeg(content: bytes, least: tuple[int, int] = (0, 0)) -> npt.NDArray[np.uint8] | None:
    """A colour photo, the pixels that Pillow gives; nothing where this decoder knows the kind of file not, but Pillow may.

    Args:
        content: The whole file.
        least: Height and width that the result has at least, decoded at 1/2, 1/4 or 1/8 where that is enough; 0: all of it.

    Returns:
        uint8 ``[h, w, 3]``.

    Raises:
        ValueError: With the decoder's first warning.
    """
    try:
        pixels: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(content, "RGB", min_height=least[0], min_width=least[1])
    except ValueError as fault:
        if _is_warning(str(fault)):
            raise
        return None
    return pixels


def check_effort(content: bytes, pixels: int, most: int) -> None:
    """Refuse, before it is decoded, what holds fewer data than its head tells of, or would keep the decoder busy for minutes.

    Args:
        content: The whole file.
        pixels: That its head tells of.
        most: Pixels that a photo may have.

    Raises:
        UnreadablePhoto: With the reason.
    """
    if pixels > _PIXELS_PER_BYTE * len(content) and _frame(content)[0] in _HUFFMAN:
        raise UnreadablePhoto(tr("cut off or damaged: the JPEG data end before the picture is complete"))
    scans = content.count(_SCAN_START)
    if scans > _MOST_LOOKS and scans * pixels > _MOST_LOOKS * most:
        raise UnreadablePhoto(
            tr(
                "a JPEG file that stores its {pixels} million pixels in {count} scans, which takes too long: save it anew",
                pixels=pixels // 1_000_000,
                count=scans,
            )
        )


def check_jpeg(content: bytes) -> None:
    """Make sure that the decoder finds all of a photo's data, without computing more pixels than it must.

    What it warns of and what does not touch the pixels becomes a remark.

    Raises:
        UnreadablePhoto: When the data end early or are damaged.
    """
    for _ in range(_MOST_WARNINGS):
        warning = _first_warning(content)
        if _CUT_OFF.search(warning):
            raise UnreadablePhoto(tr("cut off: the end of the file is missing"))
        if _ENDS_EARLY.search(warning):
            raise UnreadablePhoto(tr("cut off or damaged: the JPEG data end before the picture is complete"))
        if _DAMAGED.search(warning):
            raise UnreadablePhoto(tr("damaged: {detail}", detail=warning))
        if warning and not _is_padding(content, warning):
            note("jpeg", warning)
        # The decoder tells of its first warning only: a harmless one would hide that the data end early.
        calmed = _without_cause(content, warning)
        if calmed == content:
            return
        content = calmed


def _without_cause(content: bytes, warning: str) -> bytes:
    """``content`` without what made the decoder warn, where that stands in a head and touches no pixel; else as it is."""
    if "Invalid SOS parameters" in warning:
        return _SCAN_HEAD.sub(rb"\1" + b"\x00\x3f\x00", content)
    if "JFIF revision" in warning:
        return re.sub(rb"(JFIF\x00).", rb"\1" + b"\x01", content, count=1, flags=re.DOTALL)
    if "Adobe color transform" in warning:
        return _ADOBE.sub(rb"\1" + (b"\x02" if _components(content) == 4 else b"\x01"), content, count=1)
    if "extraneous bytes" in warning:
        return _without_extraneous(content)
    return content


def _without_extraneous(content: bytes) -> bytes:
    """``content`` without the bytes that lie between the parts of its head."""
    parts, at = [content[:2]], 2
    while (found := _MARK.search(content, at)) and content[found.end() - 1] != _SCAN:
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
        parts.append(content[found.start() : at])
    return b"".join(parts) + content[found.start() :] if found else content


def name_jpeg(content: bytes) -> str:
    """What keeps a JPEG file from being read: a kind that is not for photos to look at, or damage."""
    frame, bits = _frame(content)
    if frame == _JPEG_LS or frame in _LOSSLESS or bits > 8:
        name = "JPEG-LS" if frame == _JPEG_LS else f"lossless JPEG, {bits} bits" if frame in _LOSSLESS else f"JPEG, {bits} bits"
        return unread_format(name)
    return tr("a {format} file, cut off or damaged", format="JPEG")


def _frame(content: bytes) -> tuple[int, int]:
    """The mark that begins the frame, and bits per value; zeros where none is found."""
    for mark, at in _segments(content):
        if mark in _FRAMES:
            return mark, content[at + 4]
    return 0, 0


def _components(content: bytes) -> int:
    """How many values a pixel has; 0 where that is not found."""
    return next((content[at + 9] for mark, at in _segments(content) if mark in _FRAMES and at + 9 < len(content)), 0)


def _segments(content: bytes) -> Iterator[tuple[int, int]]:
    """The marks of the head and where each stands, up to the one that begins the picture's data."""
    at, mark = 2, 0
    while at + 5 <= len(content) and content[at] == 0xFF and mark != _SCAN:
        mark = content[at + 1]
        if mark == 0xFF:  # filling
            at += 1
            continue
        yield mark, at
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")


def _first_warning(content: bytes) -> str:
    """The decoder's first warning; nothing where there is none, or where it does not know the kind of file."""
    try:
        colours = simplejpeg.decode_jpeg_header(content)[2]
        kind = "CMYK" if colours in {"CMYK", "YCCK"} else "GRAY"
        # All data are read whatever is made of them: an eighth of the size, without colours, costs least.
        options: dict[str, Any] = {"min_height": 1, "min_width": 1, "min_factor": 8, "fastdct": True, "fastupsample": True}
        simplejpeg.decode_jpeg(content, kind, **options)
    except ValueError as fault:
        return str(fault) if _is_warning(str(fault)) else ""
    return ""


def _is_warning(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_CUT_OFF, _ENDS_EARLY, _DAMAGED, _ODD))


def _is_padding(content: bytes, warning: str) -> bool:
    """Whether what is left over before the end mark is nothing but filling, which cameras write to even lengths out."""
    left_over = _LEFT_OVER.search(warning)
    if not left_over:
        return False
    # Behind the picture there may be others, and in the head a small one: only what follows the head's last mark is its own.
    data = max((at for _, at in _segments(content)), default=0)
    end = content.find(_END, data)
    return not content[max(0, end - int(left_over[1])) : end].strip(b"\x00\xff")
