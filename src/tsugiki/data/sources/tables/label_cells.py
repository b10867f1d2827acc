"""What the cells of labels say: one name, several of them, or 1 and 0 per class; and whether photos have several labels at all.

Letters: ``N`` photos.
"""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tsugiki.core.regular_files import parse_json
from tsugiki.data.label_sets import SEPARATOR, LabelReading, LabelSet
from tsugiki.data.natural_order import natural
from tsugiki.data.sources.listing import one_spelling
from tsugiki.data.sources.tables.column_words import NOT_SAID, TRUTHS
from tsugiki.locale.messages import first_few, tr

Cell: TypeAlias = "str | tuple[str, ...] | LabelSet"
"""What is written of one photo: a text (empty where nothing is), the names of a list, or what columns of 0 and 1 say."""

Cells: TypeAlias = "Sequence[tuple[int, Cell]]"
"""The number of a row, and what is written there."""

_BRACKETS = re.compile(r"\[(?P<list>.*)\]|\{(?P<set>.*)\}|\(.*\)", re.DOTALL)
_SEVERAL = re.compile(r"['\",]")  # in brackets: without one of these it may be a name
_BESIDE = re.compile(r"['\"]\s+['\"]")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")


def items_of(cell: object) -> list[Any] | None:
    """The entries of a cell that holds a list, a set, an array or the choices of Label Studio; ``None`` for anything else."""
    if isinstance(cell, Mapping) and set(cell) == {"choices"}:
        cell = cell["choices"]
    if hasattr(cell, "tolist") and getattr(cell, "ndim", False):
        cell = cell.tolist()
    return list(cell) if isinstance(cell, list | tuple | set | frozenset) else None


def names_in(items: Iterable[Any], text: Callable[[Any], str]) -> tuple[str, ...]:
    """The names of a list, each once, without what stands for nothing."""
    return tuple(dict.fromkeys(one_spelling(name) for item in items if (name := text(item))))


def written_list(text: str) -> tuple[str, ...] | None:
    """The names of a list that is written out as text, as tables of programs have them; ``None`` where it is none."""
    if not (match := _BRACKETS.fullmatch(text)):
        return None
    value = _value_of(text)
    if value is None:
        return _names_in_brackets(next((inside for inside in match.groups() if inside is not None), ":"))
    items = items_of(value)
    if items is None or not all(isinstance(item, str | int) for item in items):
        return () if value == {} else None
    return names_in(items, lambda item: str(item).strip())


def _value_of(text: str) -> Any:
    """What a text is in JSON, or in Python; ``None`` where it is neither."""
    with contextlib.suppress(ValueError):
        return parse_json(text)
    # Python takes quoted texts beside each other for one, and warns of signs behind backslashes that mean nothing.
    if _BESIDE.search(text) or "\\" in text:
        return None
    with contextlib.suppress(ValueError, SyntaxError, MemoryError, RecursionError):
        return ast.literal_eval(text)
    return None


def _names_in_brackets(inside: str) -> tuple[str, ...] | None:
    """Names in quotes without commas between them, as NumPy prints them, or with commas and without quotes."""
    if ":" in inside:
        return None
    quoted = [one or other for one, other in _QUOTED.findall(inside)]
    if quoted:
        return names_in(quoted, str.strip) if not _QUOTED.sub("", inside).strip(", \n") else None
    return names_in(inside.split(","), str.strip) if "," in inside else None


def mark_of(cell: object) -> bool | None:
    """Whether a cell of a column of 0 and 1 says that the class is there; ``None`` where nobody knows."""
    return TRUTHS.get(str(cell).strip().casefold())


def is_mark(cell: object) -> bool:
    """Whether a cell says 0, 1 or that nobody knows."""
    text = "" if cell is None else str(cell).strip().casefold()
    return text in TRUTHS or text in NOT_SAID


def marked(names: Sequence[str], cells: Sequence[object], *, minus_is_absent: bool = False) -> LabelSet | None:
    """What a row of columns of 0 and 1 says; ``None`` where it says nothing.

    Args:
        names: Classes, one per cell.
        cells: Of the row.
        minus_is_absent: Whether -1 means that a class is not there.
    """
    marks = list(map(mark_of, cells))
    unknown = frozenset(name for name, mark in zip(names, marks, strict=True) if mark is None and not minus_is_absent)
    if unknown and len(unknown) == len(marks):
        return None
    return LabelSet(frozenset(name for name, mark in zip(names, marks, strict=True) if mark), unknown)


def sets_of(cells: Cells, reading: LabelReading) -> list[LabelSet] | None:
    """``N`` sets of labels; ``None`` where each photo has one label, and nobody asked for more."""
    if not reading.several and not are_split(cells, reading):
        return None
    return [_set_of(cell, reading) for _, cell in cells]


def are_split(cells: Cells, reading: LabelReading) -> bool:
    """Whether it is known where one label ends and the next one begins: somebody said it, or cells show it."""
    return reading.separator is not None or any(_has_several(cell, reading) for cell in {cell for _, cell in cells})


def _has_several(cell: Cell, reading: LabelReading) -> bool:
    if not isinstance(cell, str):
        return True
    return len(reading.split(cell)) != 1 or _list_of(cell) is not None


def _list_of(text: str) -> tuple[str, ...] | None:
    """A written list that can be nothing else: brackets alone may be a part of a name."""
    return written_list(text) if _SEVERAL.search(text) else None


def _set_of(cell: Cell, reading: LabelReading) -> LabelSet:
    if isinstance(cell, LabelSet):
        return cell
    names = cell if isinstance(cell, tuple) else written_list(cell)
    return LabelSet(frozenset(reading.split(str(cell)) if names is None else names))


def names_of_cells(cells: Cells, reading: LabelReading) -> list[tuple[int, str]]:
    """Every name in cells, with the number of its row."""
    sets = sets_of(cells, reading)
    if sets is None:
        return [(number, str(cell)) for number, cell in cells]
    return [(number, name) for (number, _), one in zip(cells, sets, strict=True) for name in sorted(one.present)]


def why_several(table: str, cells: Cells, reading: LabelReading) -> Iterator[str]:
    """Sentences about why photos have several labels, and by what."""
    several = (one for one in cells if _shows_several(one[1], reading))
    alone = (one for one in cells if isinstance(one[1], str) and not reading.split(one[1]))  # a separator, and no name
    if found := next(several, None) or next(alone, None):
        yield _shown_by(table, *found, reading)
    elif reading.several:
        yield asked_sentence(reading)
    elif any(isinstance(cell, LabelSet) for _, cell in cells):
        yield tr("Photos may have several labels (multi-label): {table} answers for each class by itself.", table=table)
    else:
        yield tr("Photos may have several labels (multi-label): the labels of {table} are lists.", table=table)
    if reading.separator is not None and not any(isinstance(cell, str) and len(reading.split(cell)) != 1 for _, cell in cells):
        yield tr("No label holds the separator {separator}.", separator=repr(reading.separator))


def asked_sentence(reading: LabelReading) -> str:
    """That photos may have several labels although none has, and who says so."""
    if reading.is_of_run:
        return tr("Photos may have several labels (multi-label), as those of the run.")
    return tr("Photos may have several labels (multi-label), because that was asked for.")


def _shown_by(table: str, number: int, cell: Cell, reading: LabelReading) -> str:
    """The sentence about a row that shows it."""
    names = first_few(sorted(_set_of(cell, reading).present, key=natural))
    if isinstance(cell, LabelSet):
        return tr(
            "Photos may have several labels (multi-label): row {number} of {table} has a 1 in several columns ({names}).",
            number=number,
            table=table,
            names=names,
        )
    if isinstance(cell, tuple) or _list_of(cell) is not None:
        return tr(
            "Photos may have several labels (multi-label): row {number} of {table} has a list of them ({names}).",
            number=number,
            table=table,
            names=names,
        )
    separator = SEPARATOR if reading.separator is None else reading.separator
    return tr(
        "Photos may have several labels (multi-label): row {number} of {table} has {text}; names are separated by {separator}.",
        number=number,
        table=table,
        text=cell,
        separator=repr(separator) if separator.strip() else tr("spaces"),
    )


def _shows_several(cell: Cell, reading: LabelReading) -> bool:
    return len(_set_of(cell, reading).present) > 1
