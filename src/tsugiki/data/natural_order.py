"""The order in which people expect names: numbers inside them by value."""

from __future__ import annotations

import math
import re

_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[list[str | float], str]:
    """A sorting key: numbers inside names by value, letters whatever their case; equal ones by the exact name."""
    pieces: list[str | float] = list(_DIGITS.split(name.casefold()))
    # More digits than Python makes a number of are more than any number.
    pieces[1::2] = (int(piece) if len(piece) <= 4000 else math.inf for piece in _DIGITS.findall(name.casefold()))
    return pieces, name
