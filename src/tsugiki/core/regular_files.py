"""Files that others have made: only regular ones are opened, and none is read that is too large to be what it should be.

A pipe or a terminal would be waited for without end, a device would give bytes without end, and a file of holes costs its
maker nothing and the reader all memory. What kind a file is and how large is asked of the opened file itself: between asking
for a name and opening it somebody may have put another file there.
"""

from __future__ import annotations

import errno
import io
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

from tsugiki.locale.messages import tr

_FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY"))

_PART = 1 << 20

DOCUMENT_BYTES = 1 << 26
"""The most that a JSON or TOML document is read of: 64 MiB hold the names and settings of any network or run."""

TABLE_BYTES = 1 << 31
"""The most that a table of photos is read of: rows of some twenty million photos."""


def open_regular(path: str | os.PathLike[str], *, limit: int | None = None) -> io.BufferedReader:
    """A regular file, opened for reading.

    Args:
        path: Its place.
        limit: The most bytes that it may hold.

    Raises:
        OSError: When it cannot be opened, is a pipe, socket or device, or larger than ``limit``.
    """
    try:
        # Asked first, too: opening some devices does something.
        _check_regular(os.stat(path), path)  # noqa: PTH116
        descriptor = os.open(path, _FLAGS)
    except ValueError:  # a name with a zero byte in it, which no file has
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from None
    try:
        _check_regular(os.fstat(descriptor), path, limit)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(state: os.stat_result, path: str | os.PathLike[str], limit: int | None = None) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(tr("no regular file"))
    if limit is not None and state.st_size > limit:
        raise _too_large(limit)


def require_regular(path: Path) -> None:
    """Refuse a place that is to be written and where a folder, a pipe or a device is: opening it would wait, or replace it.

    Raises:
        OSError: When there is anything but a file, or nothing.
    """
    if path.exists() and not path.is_file():
        reason = os.strerror(errno.EISDIR) if path.is_dir() else tr("no regular file")
        raise FileExistsError(errno.EISDIR if path.is_dir() else errno.EEXIST, reason, str(path))


def _too_large(limit: int) -> OSError:
    return OSError(tr("too large: more than {limit} MB", limit=limit // 1_000_000))


def read_regular(path: str | os.PathLike[str], *, limit: int) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises:
        OSError: As :func:`open_regular`.
    """
    with open_regular(path, limit=limit) as stream:
        return read_limited(stream, limit)


def read_limited(stream: BinaryIO, limit: int) -> bytes:
    """What is left of a stream.

    Raises:
        OSError: When that is more than ``limit`` bytes.
    """
    parts: list[bytes] = []
    left = limit
    while part := stream.read(_PART):
        left -= len(part)
        if left < 0:
            raise _too_large(limit)
        parts.append(part)
    return b"".join(parts)


def read_text(path: Path, *, limit: int = TABLE_BYTES, encoding: str = "utf-8") -> str:
    """A text file.

    Raises:
        OSError: As :func:`open_regular`.
        UnicodeDecodeError: When it is no such text.
    """
    return read_regular(path, limit=limit).decode(encoding)


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        OSError: As :func:`open_regular`.
        ValueError: When it is none, or too deep.
    """
    return parse_json(read_text(path, limit=DOCUMENT_BYTES))


def parse_json(text: str) -> Any:
    """Values from JSON.

    Raises:
        ValueError: When it is none, too deep, or holds a number that is too long.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError(tr("too deep")) from None
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python reads no integer of thousands of digits, and says so in words for programmers
        raise ValueError(tr("a number of thousands of digits")) from None
    return document


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML document.

    Raises:
        OSError: As :func:`open_regular`.
        ValueError: When it is none, or too deep.
    """
    text = read_text(path, limit=DOCUMENT_BYTES)
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError(tr("too deep")) from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        raise ValueError(tr("a number of thousands of digits")) from None
