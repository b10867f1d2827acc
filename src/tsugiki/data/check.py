"""Decode every file once, before it counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tsugiki.core.console import progress
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import open_photo, read_content
from tsugiki.data.samples import Look
from tsugiki.locale.messages import tr

_AT_ONCE = 512  # photos handed out together: bounds what waits in memory, whatever the number of photos


def look(paths: Sequence[Path], workers: int | None = None) -> list[Look]:
    """Decode each file completely.

    Args:
        paths: ``N`` files.
        workers: Threads; as many as there are processor cores when absent.

    Returns:
        ``N`` looks, in the order of ``paths``.
    """
    looks: list[Look] = []
    with (
        ContextThreadPool(workers or usable_cores()) as pool,
        progress(tr("Looking at photos"), total=len(paths)) as tick,
    ):
        for start in range(0, len(paths), _AT_ONCE):
            for seen in pool.map(look_at, paths[start : start + _AT_ONCE]):
                looks.append(seen)
                tick(1, "")
    return looks


def look_at(path: Path) -> Look:
    """Decode one file completely; it is read once."""
    try:
        content = read_content(path)
        open_photo(content)
    except UnreadablePhoto as fault:
        return Look(reason=fault.what)
    return Look(digest=hashlib.sha256(content).hexdigest())
