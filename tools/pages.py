"""What every tool does that writes a page of docs/."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path


def write_or_check(path: Path, made: Callable[[], str], *, about: str) -> None:
    """Write the page; with ``--check`` write nothing, and exit with status 1 where the page says something else.

    Args:
        path: Of the page.
        made: Gives its text.
        about: The docstring of the tool, whose first line ``--help`` shows.
    """
    parser = argparse.ArgumentParser(description=about.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is out of date")
    check, text = parser.parse_args().check, made()
    if check:
        sys.exit(path.read_text(encoding="utf-8") != text)
    path.write_text(text, encoding="utf-8")
