"""What a verb prints: one JSON document, or a table for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tsugiki.core.console import emit, say
from tsugiki.core.display.visible import visible
from tsugiki.locale.messages import tr


def emit_json(document: object) -> None:
    """One JSON document on standard output, and nothing else; what would steer a terminal is written as JSON writes it."""
    emit(json.dumps(document, ensure_ascii=False, indent=2))


def say_left_out(names_and_reasons: Iterable[tuple[str, str]]) -> None:
    """Name files that could not be used, a line each."""
    for name, reason in names_and_reasons:
        say(tr("Left out: {name}: {reason}", name=visible(name, one_line=True), reason=reason))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines; columns are padded by the width that a terminal gives them (a Japanese letter takes two)."""
    from rich.cells import cell_len, set_cell_size

    rows = [[visible(cell, one_line=True) for cell in row] for row in rows]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
