"""The names in a zip file, in the encoding that they were really written in.

The format knows UTF-8 (marked) and code page 437 (not marked), but macOS writes UTF-8 without the mark, and Windows in Japan
writes code page 932.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Sequence

_UTF8_MARK = 0x800

# In a Japanese name an ASCII letter hardly ever touches a Japanese one; misread European accents always do.
_LETTER_TOUCHES = re.compile(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]")


def names_in(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The members' names, decoded by what all unmarked ones agree on: UTF-8, else Japanese, else as the format says."""
    encoding = _common_encoding([_raw(info) for info in infos if _is_unmarked(info)])
    return [_raw(info).decode(encoding) if _is_unmarked(info) else info.filename for info in infos]


def _is_unmarked(info: zipfile.ZipInfo) -> bool:
    # Where zipfile found the name in an extra field, it differs from the one in the header and is right already.
    from_header = info.orig_filename.split("\x00")[0].replace(os.sep, "/") == info.filename
    return from_header and not info.flag_bits & _UTF8_MARK and not info.filename.isascii()


def _raw(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.split("\x00")[0].encode("cp437")


def _common_encoding(names: Sequence[bytes]) -> str:
    for encoding in ("utf-8", "cp932"):
        try:
            decoded = [name.decode(encoding) for name in names]
        except UnicodeError:
            continue
        if encoding == "utf-8" or not any(_LETTER_TOUCHES.search(name) for name in decoded):
            return encoding
    return "cp437"
