"""Values that a person gives: numbers of any library become plain ones, and all that cannot work is refused at once."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from typing import Any

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr


def plain(value: Any) -> Any:
    """``value``; a number of NumPy or PyTorch, which is an array without a shape, as Python's own."""
    return value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value


class Checks:
    """Looks at settings one by one, and remembers what is wrong with them."""

    def __init__(self) -> None:
        self._allowed: list[str] = []
        self._got: list[str] = []

    def whole(self, name: str, value: Any, low: float, high: float = math.inf) -> Any:
        """``value`` as a plain whole number."""
        number = plain(value)
        if not is_whole(number) or not low <= number <= high:
            self.fault(name, value, tr("a whole number, {range}", range=_range(low, high)))
        return number

    def real(self, name: str, value: Any, low: float, high: float) -> Any:
        """``value`` as a plain number."""
        number = plain(value)
        if not is_number(number) or not low <= number <= high:
            self.fault(name, value, tr("a number, {range}", range=_range(low, high)))
            return number
        return float(number)

    def switch(self, name: str, value: Any) -> Any:
        """``value`` as plain true or false."""
        found = plain(value)
        if not isinstance(found, bool):
            self.fault(name, value, tr("true or false"))
        return found

    def choice(self, name: str, value: Any, choices: Iterable[str]) -> None:
        """Whether ``value`` is one of ``choices``."""
        names = tuple(choices)
        if not isinstance(value, str) or value not in names:
            self.fault(name, value, tr("one of {choices}", choices=", ".join(names)))

    def pair(self, name: str, value: Any, highest: float, allowed: str) -> Any:
        """``value`` as two growing plain numbers above 0, in a tuple."""
        if isinstance(value, list | tuple) and len(value) == 2 and all(map(is_number, value)):
            low, high = (float(plain(number)) for number in value)
            if 0 < low <= high <= highest:
                return low, high
        self.fault(name, value, allowed)
        return value

    def fault(self, name: str, value: Any, allowed: str) -> None:
        """Remember that ``value`` cannot be what ``name`` is."""
        self._allowed.append(f"{argument(name)}: {allowed}")
        self._got.append(argument(name, value))

    def refuse(self, what: str, *, cure: str) -> None:
        """Refuse all faults together, if there are any.

        Raises:
            RequestError: ``what``, with what is allowed, what was got, and ``cure``.
        """
        if self._got:
            raise RequestError(what, allowed="; ".join(self._allowed), got=", ".join(self._got), cure=cure)


def is_whole(value: Any) -> bool:
    """Whether ``value`` is a whole number, of any library; true and false are none."""
    number = plain(value)
    return isinstance(number, int) and not isinstance(number, bool)


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite number, of any library; true and false are none."""
    number = plain(value)
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= sys.float_info.max


def _range(low: float, high: float) -> str:
    if high == math.inf:
        return tr("{low} or more", low=_told(low))
    return tr("{low} to {high}", low=_told(low), high=_told(high))


def _told(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
