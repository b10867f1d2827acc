"""Killed at the system calls that change the disk, those of SQLite and of other libraries too, by strace's injection.

An undisturbed run is traced first; each call that it makes is found again as the so-manyth of its name in its thread, which
is how strace counts.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.attack.forked import Ended

CALLS = (
    "write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "fsync", "fdatasync", "copy_file_range", "sendfile",
    "openat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink",
    "symlinkat", "chmod", "fchmod", "fchmodat", "utimensat",
)  # fmt: skip
_BY_NAME = {
    "openat",
    "mkdir",
    "rmdir",
    "unlink",
    "rename",
    "link",
    "symlink",
    "chmod",
}  # names may be relative: no folder in them
_LINE = re.compile(r"(\d+) +(\w+)\((.*)")

Call = tuple[str, int]


def may_trace() -> bool:
    """Whether strace can be had here, and may trace."""
    return (
        shutil.which("strace") is not None and not subprocess.run(["strace", "-o", os.devnull, "true"], check=False).returncode
    )


def writing_calls(command: Sequence[str], folder: Path) -> list[Call]:
    """The calls of an undisturbed run that change files, as (name, so-manyth of this name in its thread), in their order."""
    log = folder.parent / f"{folder.name}.calls"
    ended = traced(command, folder, "-y", "-o", str(log))
    if ended.status:
        raise RuntimeError(ended.err)
    seen: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        if not (parts := _LINE.match(line)):
            continue
        thread, name, values = parts.groups()
        seen[thread, name] += 1
        changes = "O_CREAT" in values or "O_TRUNC" in values if name == "openat" else name in _BY_NAME or str(folder) in values
        if changes:
            found.append((name, seen[thread, name]))
    log.unlink()
    return found


def chosen(calls: Sequence[Call], count: int, seed: int) -> list[Call]:
    """So many of the calls, evenly from the first to the last, and each fourth by chance."""
    dice = random.Random(seed)  # noqa: S311
    return [dice.choice(calls) if number % 4 == 3 else calls[len(calls) * number // count] for number in range(count)]


def killed_at(command: Sequence[str], folder: Path, call: Call) -> Ended:
    """Run the command, which dies as it enters a call; its status tells whether it came so far."""
    name, number = call
    return traced(command, folder, "-o", os.devnull, "-e", f"inject={name}:signal=KILL:when={number}")


def traced(command: Sequence[str], folder: Path, *options: str) -> Ended:
    """Run the command in a process that begins when strace watches it."""
    from tools.attack.forked import Running  # which imports everything that the program may need

    begin, go = os.pipe()
    process = Running(command, folder, lambda: os.read(begin, 1))
    watching = subprocess.Popen(
        ["strace", "-f", "-p", str(process.process), "-e", f"trace={','.join(CALLS)}", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stderr is not None  # noqa: S101
    while (line := watching.stderr.readline()) and "attached" not in line:
        pass
    os.write(go, b".")
    ended = process.ended()
    watching.communicate()
    os.close(begin)
    os.close(go)
    return ended
