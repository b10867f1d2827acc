"""Count the files that a reader has to follow: those whose functions run from a command's first line to its last.

    python -m tools.path_of fit DATA --out RUN ...

What an import only reads (bodies of modules and classes, and what these call) does not count, nor do templates. Folders and
files stand in the order in which they are first entered, each with the calls of its functions.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import tsugiki
from tsugiki.cli import main as program

ROOT = f"{Path(tsugiki.__file__).parent}/"


def files_run(arguments: list[str]) -> Counter[str]:
    """Calls of functions per file of the package while the command line runs, in the order of the first calls.

    Args:
        arguments: What stands behind ``tsugiki`` on the command line.

    Returns:
        Calls by the file's path, relative to the package.

    Raises:
        SystemExit: When the command fails.
    """
    entered: list[str] = []  # a list, because several threads can append to one and lose nothing

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        file = frame.f_code.co_filename
        if event == "call" and file.startswith(ROOT) and file.endswith(".py") and not _is_read_only(frame):
            entered.append(file.removeprefix(ROOT))

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        program.run(arguments)
    except SystemExit as left:
        if left.code:
            raise
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return Counter(entered)


def _is_read_only(frame: FrameType | None) -> bool:
    """Whether this is the body of a module of the package or of a class, or something that one calls while it is imported."""
    while frame is not None:
        if frame.f_code.co_name == "<module>" and (frame.f_globals.get("__package__") or "").startswith("tsugiki"):
            return True
        frame = frame.f_back
    return False


def table(calls: Counter[str]) -> str:
    """The files by folder, with the calls of each, the total of each folder, and the number of files in all."""
    folders: dict[str, list[str]] = {}
    for file in calls:
        folders.setdefault(file.rpartition("/")[0] or ".", []).append(file)
    lines = []
    for folder, files in folders.items():
        lines.append(f"{sum(calls[file] for file in files):8} {folder}/  (files: {len(files)})")
        lines += [f"{calls[file]:8}   {Path(file).name}" for file in files]
    return "\n".join([*lines, f"{calls.total():8} calls in {len(calls)} files"])


if __name__ == "__main__":
    print(table(files_run(sys.argv[1:])))
