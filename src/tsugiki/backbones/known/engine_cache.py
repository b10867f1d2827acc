"""What was found out about a network before: its weights, its converted and compiled forms, its proofs.

All of it is kept in the program's cache, so that no later process does it again. Every entry begins with the SHA-256 of what
follows: an entry that was cut short or changed is made anew, not used, and that is said. What was not used for longest goes
when all becomes too large. A cache that cannot be written costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tsugiki.core.console import say_once
from tsugiki.core.files import cache_folder, sweep_own_folder, write_atomically
from tsugiki.core.regular_files import open_regular
from tsugiki.locale.messages import tr

MOST = 4 << 30
"""Bytes that all entries may take."""

_DIGEST = 32  # bytes


def key_of(parts: Sequence[object]) -> str:
    """The name of an entry, from everything that decides what is in it."""
    return hashlib.sha256(repr(tuple(parts)).encode()).hexdigest()


def kept_json(key: str) -> Any:
    """The plain value that :func:`keep_json` has kept under ``key``; ``None`` where there is none."""
    try:
        return json.loads(kept(key) or b"null")
    except ValueError:  # whole, but of another kind
        return None


def keep_json(key: str, value: Any) -> None:
    """Keep a plain value under ``key``."""
    keep(key, json.dumps(value).encode())


def kept(key: str) -> bytes | None:
    """The entry called ``key``; ``None`` where there is none that is whole."""
    path = folder() / key
    _swept(folder())
    try:
        with open_regular(path) as stream:
            digest, content = stream.read(_DIGEST), stream.read()
    except OSError:
        return None
    if hashlib.sha256(content).digest() != digest:
        say_once("engine cache", tr("What was kept of a network in {folder} is damaged: it is made anew.", folder=folder()))
        return None
    with contextlib.suppress(OSError):
        os.utime(path)  # used now
    return content


@functools.cache
def _swept(place: Path) -> None:
    """Once in a process: what others were killed over goes."""
    sweep_own_folder(place)


def keep(key: str, content: bytes) -> None:
    """Keep ``content`` under ``key``, as far as the cache can be written."""
    with contextlib.suppress(OSError):
        write_atomically(folder() / key, hashlib.sha256(content).digest() + content)
        _make_room()


def drop(key: str) -> None:
    """Forget the entry called ``key``."""
    with contextlib.suppress(OSError):
        (folder() / key).unlink(missing_ok=True)


def size() -> int:
    """Bytes on disk."""
    return sum(entry.stat().st_size for entry in _entries())


def clear() -> int:
    """Throw everything away; returns the bytes freed."""
    freed = size()
    shutil.rmtree(folder(), ignore_errors=True)
    return freed


def folder() -> Path:
    """Where the entries lie."""
    return cache_folder() / "engines"


def _entries() -> list[Path]:
    return [entry for entry in folder().glob("*") if entry.is_file()]


def _make_room() -> None:
    entries = sorted(_entries(), key=lambda entry: entry.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += entry.stat().st_size
        if total > MOST:
            entry.unlink(missing_ok=True)
