"""What other people's names may do to a terminal: nothing. Letters that steer it are written out instead."""

from __future__ import annotations

import re

_LINE_ENDS = "\\n\\t"
_STEERING = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\ud800-\\udfff\\U000e0000-\\U000e007f"
)
"""Control letters (C0, DEL, C1), marks that turn the direction of writing, invisible ones, halves of surrogate pairs, tags.

Joiners (U+200C, U+200D) stay: Persian and emoji are written with them."""

_IN_TEXT = re.compile(f"[{_STEERING}]")
_IN_ONE_LINE = re.compile(f"[{_LINE_ENDS}{_STEERING}]")


def visible(text: object, *, one_line: bool = False) -> str:
    """``text`` with every letter that would steer a terminal, or hide, written out as JSON writes it.

    Args:
        text: A path, a name, or what is said with them in it.
        one_line: Line breaks and tabs are written out, too: for a name or a cell of a table.
    """
    return (_IN_ONE_LINE if one_line else _IN_TEXT).sub(_written_out, str(text))


def _written_out(letter: re.Match[str]) -> str:
    units = letter[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
