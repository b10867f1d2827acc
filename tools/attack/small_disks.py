"""Small disks: file systems in memory with so much room, which only the superuser can make."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


def may_mount() -> bool:
    """Whether this process may make small disks."""
    if os.name != "posix" or os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as place:
        try:
            with small_disk(Path(place), 4096):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """Within this block ``folder`` is a disk of ``size`` bytes, empty at first."""
    _must("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield
    finally:
        _must("umount", "--lazy", str(folder))


def change(folder: Path, options: str) -> None:
    """Give a small disk another size (``size=N``), or let nothing (``ro``) or all (``rw``) be written to it."""
    _must("mount", "-o", f"remount,{options}", str(folder))


def bytes_in(folder: Path) -> int:
    """That the files take on such a disk."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in folder.rglob("*"))


def _must(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
