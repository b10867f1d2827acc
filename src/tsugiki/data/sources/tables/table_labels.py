"""What the labels of a table say: one class per photo, or something else that would be trained in silence.

Several classes in one cell, numbers that measure, cells without anything: refused with the row, or said.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import first_few, listed, tr

_ABSENT = frozenset({"nan", "<na>", "nat", "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!"})
"""What programs write for a value that is missing or went wrong; no class is called so."""

_MAYBE_ABSENT = frozenset({"none", "null", "nil", "n/a", "na", "-", "?", "undefined", "-1", "なし", "未入力", "欠損"})
_LIST = re.compile(r"[\[({].*[\])}]", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(?:,\d+)?")
_MANY = 20  # different numbers: more are hardly classes

Labels = Sequence[tuple[int, str]]
"""The number of a row and its label."""


def text_of(path: Path, number: int, cell: Any, column: str) -> str:
    """A cell as text; ``""`` where it is empty or missing.

    Raises:
        RequestError: When it holds several values, or bytes.
    """
    if cell is None:
        return ""
    if isinstance(cell, bytes | bytearray | memoryview):
        raise RequestError(
            tr("Row {number} of {path} has bytes in the column {column}, no text.", number=number, path=path, column=column),
            got=repr(bytes(cell[:20])),
            cure=tr("write the column as text"),
        )
    if isinstance(cell, list | tuple | dict | set):
        raise _list(path, number, repr(cell)) if column == "label" else _no_text(path, number, cell, column)
    text = str(cell).strip()
    return "" if text.casefold() in _ABSENT else text


def _no_text(path: Path, number: int, cell: Any, column: str) -> RequestError:
    return RequestError(
        tr("Row {number} of {path} has several values in the column {column}.", number=number, path=path, column=column),
        got=repr(cell)[:60],
        cure=tr("write the column as text"),
    )


def several_labels(path: Path, number: int, got: str) -> RequestError:
    """What to raise where one photo has several classes."""
    return RequestError(
        tr("Row {number} of {path} has several labels: one class per photo can be learned.", number=number, path=path),
        got=got[:80],
        cure=tr("keep one class per photo, or write the combination as a class of its own, as in cat and dog"),
    )


def _list(path: Path, number: int, got: str) -> RequestError:
    return RequestError(
        tr("Row {number} of {path} has a list as its label: one class per photo can be learned.", number=number, path=path),
        got=got[:80],
        cure=tr("keep one class per photo, or write the combination as a class of its own, as in cat and dog"),
    )


def check_labels(path: Path, labels: Labels) -> Iterator[str]:
    """Sentences about labels that may mean something else than classes.

    Raises:
        RequestError: When they do.
    """
    _refuse_several(path, labels)
    yield from _said_of_combinations(labels)
    yield from _said_of_numbers(path, labels)
    absent = Counter(label for _, label in labels if label.casefold() in _MAYBE_ABSENT)
    if absent and len(absent) < len({label for _, label in labels}):
        named = listed(f"{label!r} ({count})" for label, count in absent.items())
        yield tr("Labels that may mean that there is none, and count as classes: {labels}.", labels=named)


def _refuse_several(path: Path, labels: Labels) -> None:
    known = {label for _, label in labels}
    decimal = all(_DECIMAL_COMMA.fullmatch(label) for label in known)
    for separator in ("|", ";") if decimal else ("|", ";", ","):
        joined = sorted({label for label in known if separator in label})
        parts = Counter(part for label in joined for part in _parts(label, separator))
        for number, label in labels:
            pieces = _parts(label, separator) if separator in label else []
            # Names have commas, too: "Pepper, bell" beside "Pepper, red".
            often = (all if separator == "," else any)(parts[part] > 1 for part in pieces)
            again = often or any(part in known for part in pieces)
            if len(pieces) > 1 and (again or separator == "|"):
                raise several_labels(path, number, label)
    for number, label in labels:
        if _LIST.fullmatch(label) and (len(_parts(label[1:-1], ",")) > 1 or re.search("['\":]", label)):
            raise _list(path, number, label)


def _parts(label: str, separator: str) -> list[str]:
    return [part.strip() for part in label.split(separator) if part.strip()]


def _said_of_combinations(labels: Labels) -> Iterator[str]:
    """Classes that are made of others, joined by a space or a plus: they count as classes of their own."""
    known = {label for _, label in labels}
    for separator in (" ", "+", "&", "/"):
        made = [label for label in sorted(known) if separator in label and set(_parts(label, separator)) <= known]
        if len(made) > 1:
            yield tr(
                "Labels that are made of others count as classes of their own: {labels}. One class per photo is learned.",
                labels=first_few(made, 3),
            )
            return


def _said_of_numbers(path: Path, labels: Labels) -> Iterator[str]:
    """Numbers that may be a measurement."""
    try:
        values = [float(label.replace(",", ".")) for _, label in labels]
    except ValueError:
        return
    if not all(map(math.isfinite, values)):
        return
    different = len(set(values))
    whole = all(value.is_integer() for value in values)
    hardly_twice = 2 * different > len(values) and different > (10 if whole else 3)
    if different <= _MANY and not hardly_twice:
        return
    if hardly_twice or not whole:
        raise RequestError(
            tr("The labels in {path} are numbers that look like a measurement, no classes.", path=path),
            got=tr(
                "{different} different numbers in {count} rows, {low:g} to {high:g}",
                different=different,
                count=len(values),
                low=min(values),
                high=max(values),
            ),
            cure=tr("photos are sorted into classes: write a class into the column label, as in small, medium, large"),
        )
    yield tr(
        "The labels are {different} different whole numbers, {low:g} to {high:g}: "
        "each is a class of its own, and which of them are near each other is not learned.",
        different=different,
        low=min(values),
        high=max(values),
    )
