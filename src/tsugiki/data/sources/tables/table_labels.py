"""What the labels of a table say: names of classes, or something else that would be trained in silence.

Several names with a sign between them that nobody has named, numbers that measure, cells without anything: refused with the
row, or said.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.sources.tables.label_cells import Cell, items_of, names_in
from tsugiki.locale.messages import first_few, listed, tr

_ABSENT = frozenset({"nan", "<na>", "nat", "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!"})
"""What programs write for a value that is missing or went wrong; no class is called so."""

_MAYBE_ABSENT = frozenset({"none", "null", "nil", "n/a", "na", "-", "?", "undefined", "-1", "なし", "未入力", "欠損"})
_NONE_OF_THEM = frozenset(
    {"no finding", "no findings", "no_finding", "nothing", "none of the above", "none of these"}
    | {"所見なし", "異常なし", "該当なし"}
)
"""What the makers of data sets with several labels write where a photo shows none of the classes."""

_LIST = re.compile(r"[\[({].*[\])}]", re.DOTALL)
_DECIMAL_COMMA = re.compile(r"[-+]?\d+(?:,\d+)?")
_NEARLY_ALL = 0.8
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
        raise unread_list(path, number, repr(cell)) if column == "label" else _no_text(path, number, cell, column)
    text = str(cell).strip()
    return "" if text.casefold() in _ABSENT else text


def label_cell(path: Path, number: int, cell: Any) -> Cell:
    """A cell of a column of labels: its text, or the names of the list that it holds.

    Raises:
        RequestError: When it holds something else.
    """
    items = items_of(cell)
    if items is None:
        return text_of(path, number, cell, "label")
    return names_in(items, lambda item: text_of(path, number, item, "label"))


def _no_text(path: Path, number: int, cell: Any, column: str) -> RequestError:
    return RequestError(
        tr("Row {number} of {path} has several values in the column {column}.", number=number, path=path, column=column),
        got=repr(cell)[:60],
        cure=tr("write the column as text"),
    )


def _several_labels(path: Path, number: int, got: str, separator: str) -> RequestError:
    """What to raise where one photo seems to have several classes, and nobody said so."""
    return RequestError(
        tr(
            "Row {number} of {path} seems to have several labels with {separator} between them.",
            number=number,
            path=path,
            separator=separator,
        ),
        got=got[:80],
        cure=tr(
            "if they are several labels of one photo, add {argument}; if it is one name, write it without {separator}",
            argument=argument("label_separator", separator),
            separator=separator,
        ),
    )


def unread_list(path: Path, number: int, got: str) -> RequestError:
    """What to raise where a label is a list of something else than names."""
    return RequestError(
        tr("The label in row {number} of {path} looks like a list, and is none of names.", number=number, path=path),
        got=got[:80],
        cure=tr("write the names with | between them, as in cat|dog"),
    )


def check_labels(path: Path, labels: Labels, *, split: bool = False) -> Iterator[str]:
    """Sentences about labels that may mean something else than classes.

    Args:
        path: The table.
        labels: Names, with the numbers of their rows.
        split: Whether it is known what stands between the names of several labels, so that these are names.

    Raises:
        RequestError: When they do.
    """
    if not split:
        _refuse_several(path, labels)
        yield from _said_of_combinations(labels)
        yield from _said_of_numbers(path, labels)
    absent = Counter(label for _, label in labels if label.casefold() in _MAYBE_ABSENT)
    if absent and len(absent) < len({label for _, label in labels}):
        named = listed(f"{label!r} ({count})" for label, count in absent.items())
        yield tr("Labels that may mean that there is none, and count as classes: {labels}.", labels=named)
    none = Counter(label for _, label in labels if label.casefold() in _NONE_OF_THEM)
    if split and none:
        yield tr(
            "Labels that may mean that a photo shows none of the classes, and count as a class beside the others, so that both "
            "may be answered: {labels}.",
            labels=listed(f"{label!r} ({count})" for label, count in none.items()),
        )


def _refuse_several(path: Path, labels: Labels) -> None:
    known = {label for _, label in labels}
    decimal = all(_DECIMAL_COMMA.fullmatch(label) for label in known)
    for separator in (";",) if decimal else (";", ","):
        joined = sorted({label for label in known if separator in label})
        parts = Counter(part for label in joined for part in _parts(label, separator))
        for number, label in labels:
            pieces = _parts(label, separator) if separator in label else []
            # Names have commas, too: "Pepper, bell" beside "Pepper, red".
            often = (all if separator == "," else any)(parts[part] > 1 for part in pieces)
            if len(pieces) > 1 and (often or any(part in known for part in pieces)):
                raise _several_labels(path, number, label, separator)
    for number, label in labels:
        if _LIST.fullmatch(label) and (len(_parts(label[1:-1], ",")) > 1 or re.search("['\":]", label)):
            raise unread_list(path, number, label)


def _parts(label: str, separator: str) -> list[str]:
    return [part.strip() for part in label.split(separator) if part.strip()]


def _said_of_combinations(labels: Labels) -> Iterator[str]:
    """Classes that are made of others, or of few words, joined by a space or a plus: they count as classes of their own."""
    known = {label for _, label in labels}
    for separator in (" ", "+", "&", "/", "、", "，", "；", "・", "｜"):
        joined = [label for label in sorted(known) if len(_parts(label, separator)) > 1]
        made = [label for label in joined if set(_parts(label, separator)) <= known]
        if len(made) > 1 or _are_combinations(joined, separator):
            yield tr(
                "Labels that are made of others count as classes of their own: {labels}. "
                "If they are several labels of one photo, add {argument}.",
                labels=first_few(made or joined, 3),
                argument=argument("label_separator", separator),
            )
            return


def _are_combinations(labels: Sequence[str], separator: str) -> bool:
    """Whether labels are made of fewer parts than they are, nearly all of which recur: names of things seldom are."""
    parts = Counter(part for label in labels for part in set(_parts(label, separator)))
    often = sum(count > 1 for count in parts.values())
    return len(labels) > 3 and len(parts) < len(labels) and _NEARLY_ALL * len(parts) < often


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
