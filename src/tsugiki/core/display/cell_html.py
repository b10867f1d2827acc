"""What a notebook shows for a value: a sentence and a small table, every name escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from tsugiki.core.display.visible import visible


def cell_html(sentence: str, rows: Sequence[Sequence[object]] = (), notes: Sequence[str] = ()) -> str:
    """HTML for the ``_repr_html_`` of a value.

    Args:
        sentence: What it is.
        rows: Of a table; the first one holds the headings.
        notes: Sentences below it.
    """
    parts = [f"<p><b>{_safe(sentence)}</b></p>"]
    if rows:
        head, *body = (["".join(_cell(cell, "th" if not at else "td") for cell in row)] for at, row in enumerate(rows))
        lines = "".join(f"<tr>{row}</tr>" for (row,) in body)
        parts.append(f"<table><thead><tr>{head[0]}</tr></thead><tbody>{lines}</tbody></table>")
    if notes:
        parts.append("<ul>" + "".join(f"<li>{_safe(note)}</li>" for note in notes) + "</ul>")
    return "<div>" + "".join(parts) + "</div>"


def _cell(value: object, tag: str) -> str:
    return f"<{tag}>{_safe(value)}</{tag}>"


def _safe(value: object) -> str:
    return html.escape(visible(value, one_line=True))
