"""How an argument is called where it is given: ``class_weights=True`` in Python, ``--class-weights`` on the command line.

Library code that refuses an argument, or advises one, names it by :func:`argument`; the command line says how its options are
typed (:func:`named_by`). Which of the two is at work belongs to the context of the request.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

Naming = Callable[[str, Any], str]
"""A parameter's name and its value, or :data:`ANY` -> the argument as a person writes it."""

ANY: Any = object()
"""In place of a value: the argument, whatever its value."""


def argument(name: str, value: Any = ANY) -> str:
    """An argument as it is written where the person writes.

    Args:
        name: The parameter's name in Python.
        value: What it is given; :data:`ANY` names the parameter alone.
    """
    return _naming.get()(name, value)


def _in_python(name: str, value: Any) -> str:
    return name if value is ANY else f"{name}={value!r}"


_naming: ContextVar[Naming] = ContextVar("naming", default=_in_python)


@contextlib.contextmanager
def named_by(naming: Naming) -> Iterator[None]:
    """Within this block arguments are called as ``naming`` calls them."""
    token = _naming.set(naming)
    try:
        yield
    finally:
        _naming.reset(token)
