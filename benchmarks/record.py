"""Run a benchmark that prints, and keep what it prints as a section of ``RESULTS.md``.

    python -m benchmarks.record NAME TITLE MODULE [ARGUMENTS...]
    python -m benchmarks.record studio "A label in the studio" studio --labels 60

The section holds the command and the lines as they were printed, with the folders of this machine left out of them.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.sections import write_section


def main() -> None:
    """Run it, show what it prints, and keep that; nothing is kept of a benchmark that fails."""
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    name, title, module, *arguments = sys.argv[1:]
    command = [sys.executable, "-u", "-m", f"benchmarks.{module}", *arguments]
    lines = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 (it was asked for)
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip())
    if process.returncode:
        sys.exit(process.returncode)
    write_section(name, title, body(module, arguments, lines))


def body(module: str, arguments: Sequence[str], lines: Sequence[str]) -> str:
    """The section: the command, then what it printed."""
    brief = {argument: Path(argument).name for argument in arguments if "/" in argument and Path(argument).exists()}
    told = "\n".join(lines)
    for long, short in sorted(brief.items(), reverse=True):
        told = told.replace(long, short)
    command = shlex.join(["python", "-m", f"benchmarks.{module}", *(brief.get(argument, argument) for argument in arguments)])
    return f"`{command}`\n\n```text\n{told}\n```"


if __name__ == "__main__":
    main()
