"""Columns of other people's code: lists, tuples, arrays of NumPy, columns of pandas, with what these have for "nothing".

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import one_spelling
from tsugiki.data.sources.tables.label_cells import Cell, is_mark, items_of, marked, names_in
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True)
class LabelLists:
    """Labels that were given.

    Attributes:
        cells: ``N``, what is given of each photo; empty where nothing is.
        classes: Of labels of 1 and 0, what their ``K`` columns are called.
    """

    cells: list[Cell] = field(default_factory=list)
    classes: tuple[str, ...] = ()


def labels_given(
    labels: Any, count: int, classes: Sequence[str] | None = None, *, named_by: str = "classes=[...]"
) -> LabelLists:
    """Labels of ``count`` photos: a name each, a list of names each, or a table of 1 and 0.

    Args:
        labels: What a program has.
        count: ``N``.
        classes: ``K`` names of the columns, where it is a table.
        named_by: How these are given, for the sentence that misses them.

    Raises:
        RequestError: When it is none of these, or nobody knows what its columns are called.
    """
    if hasattr(labels, "columns") and hasattr(labels, "itertuples"):
        names = [str(name) for name in labels.columns]
        if len(names) > 1 or classes is not None:
            return _of_marks(list(labels.itertuples(index=False)), count, names if classes is None else classes)
        labels = labels.iloc[:, 0]
    labels = labels.toarray() if hasattr(labels, "toarray") else labels
    labels = labels.tolist() if getattr(labels, "ndim", 0) > 1 else labels
    column = columns_of(paths=range(count), labels=labels)["labels"]
    if classes is not None:
        return _of_marks(column, count, classes)
    if _are_marks(column):
        raise RequestError(
            tr("The labels are columns of 1 and 0, and nobody said which classes these are."),
            allowed=tr("one name per column"),
            got=repr(column[0])[:80],
            cure=named_by,
        )
    return LabelLists([label_of("labels", number, value) for number, value in enumerate(column)])


def _are_marks(column: Sequence[Any]) -> bool:
    """Whether a column holds rows of one length with nothing but 1, 0 and what stands for neither."""
    rows = [items_of(value) for value in column]
    lengths = {None if row is None else len(row) for row in rows}
    if len(lengths) != 1 or not lengths & set(range(2, 1 << 20)):
        return False
    return all(value is None or (isinstance(value, Number) and is_mark(value)) for row in rows for value in row or ())


def _of_marks(rows: Sequence[Any], count: int, classes: Sequence[str]) -> LabelLists:
    names = [one_spelling(str(name).strip()) for name in classes]
    if len(set(names)) < len(names) or not all(names) or isinstance(classes, str):
        raise RequestError(
            tr("{name} are to be names, each one once.", name="classes"), got=first_few([repr(name) for name in classes])
        )
    columns_of(paths=range(count), labels=rows)
    found: list[Cell] = []
    for number, row in enumerate(rows):
        values = items_of(row)
        if values is None or len(values) != len(names) or not all(map(is_mark, values)):
            raise RequestError(
                tr("Entry {number} of {name} does not say 1, 0 or nothing of each class.", number=number, name="labels"),
                allowed=tr("{count} of 1, 0, or NaN where nobody knows: {names}", count=len(names), names=first_few(names)),
                got=repr(row)[:80],
            )
        found.append(marked(names, values) or "")
    return LabelLists(found, tuple(names))


def label_of(name: str, number: int, value: Any) -> Cell:
    """A label, or the names of a list of labels; empty for what stands for nothing.

    Raises:
        RequestError: When it is something else.
    """
    items = items_of(value)
    if items is None:
        return text_of_value(name, number, value)
    return names_in(items, lambda item: text_of_value(name, number, item))


def columns_of(**given: Any) -> dict[str, list[Any]]:
    """Those that are given, as lists of one length.

    Raises:
        RequestError: When they are something else.
    """
    columns: dict[str, list[Any]] = {}
    for name, column in given.items():
        if column is None and name != "paths":
            continue
        if isinstance(column, str | bytes | os.PathLike) or not isinstance(column, Iterable):
            raise RequestError(
                tr("{name} is no list.", name=name),
                allowed=tr("one entry per photo"),
                got=repr(column)[:80],
                cure=f"{name}=[...]",
            )
        columns[name] = list(column)
    count = len(columns["paths"])
    if not count:
        raise RequestError(tr("The list of photos is empty."), allowed=tr("one path or more"))
    for name, column in columns.items():
        if len(column) != count:
            raise RequestError(
                tr("The lists do not fit together."),
                allowed=f"{name}: {count}",
                got=f"{name}: {len(column)}",
                cure=f"{name}=[...]",
            )
    return columns


def text_of_value(name: str, number: int, value: object) -> str:
    """A cell as a name; empty for what stands for nothing: ``None``, NaN, NaT, pandas' NA.

    Raises:
        RequestError: When it is a list of something.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return one_spelling(value.strip())
    if isinstance(value, Collection | Mapping):
        raise RequestError(
            tr("Entry {number} of {name} holds several values.", number=number, name=name),
            allowed=tr("one name per photo"),
            got=repr(value)[:80],
        )
    if value is None or _is_nothing(value):
        return ""
    # A gap in a column of whole numbers makes all of them fractions.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_nothing(value: object) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124 (NaN and NaT differ from themselves)
    except TypeError:  # pandas' NA answers with itself
        return True
