"""Tables that spreadsheets open: names out of files are cells there, and no cell may be a command.

A cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return is taken for a formula; with an apostrophe before
it, it is text. Reading takes the apostrophe off again, so every name comes back as it was.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

_COMMAND = re.compile(r"'*[=+\-@\t\r]")
_WRITTEN = re.compile(r"'+[=+\-@\t\r]")


def table_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, commas between the cells; text that a spreadsheet would execute is neutralised, numbers stay."""
    cells = [[_harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    # Python's writer leaves a bare carriage return in a name unquoted, and its reader would end the line there.
    bare = any(isinstance(cell, str) and "\r" in cell for row in cells for cell in row)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL if bare else csv.QUOTE_MINIMAL).writerows(cells)
    return stream.getvalue()


def table_rows(text: str, delimiter: str = ",") -> list[list[str]]:
    """The opposite of :func:`table_text`: cells as they were.

    Raises:
        csv.Error: When it is no such table.
    """
    return [[own_cell(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)]


def own_cell(cell: str) -> str:
    """A cell without the apostrophe that made it harmless."""
    return cell[1:] if _WRITTEN.match(cell) else cell


def _harmless(cell: str) -> str:
    return f"'{cell}" if _COMMAND.match(cell) else cell
