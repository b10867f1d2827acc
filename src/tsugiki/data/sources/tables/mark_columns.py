"""Columns of 0 and 1, one per class: which of a table's columns they are, and whether a photo may have several of them.

Letters: ``N`` rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import LabelReading
from tsugiki.data.sources.tables.column_words import TRUTHS
from tsugiki.data.sources.tables.label_cells import is_mark, mark_of
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True)
class LabelColumns:
    """Where the labels of a table are.

    Attributes:
        places: One column of names, several of 0 and 1, or none.
        several: Whether columns of 0 and 1 say any number of classes per photo, and not one.
        minus_is_absent: Whether -1 in them means that a class is not there, as 0 does elsewhere.
    """

    places: tuple[int, ...] = ()
    several: bool = False
    minus_is_absent: bool = False


def mark_columns(table: Table, taken: Collection[int], doubtful: Collection[int], reading: LabelReading) -> LabelColumns:
    """The columns of 0 and 1; none where they are too few.

    Args:
        table: Of ``N`` rows.
        taken: Columns that are something else.
        doubtful: Columns that count only where every cell says 0 or 1.
        reading: Whether photos are to have several labels.

    Raises:
        RequestError: When nobody knows what empty cells mean.
    """
    said = {place: _texts(table.column(place)) for place in range(len(table.header)) if place not in taken}
    whole = [place for place, texts in said.items() if all(text in TRUTHS for text in texts)]
    partly = [
        place
        for place, texts in said.items()
        if place not in {*whole, *doubtful} and all(map(is_mark, texts)) and any(text in TRUTHS for text in texts)
    ]
    if not table.rows:
        return LabelColumns()
    if len(whole) > 1 and not reading.several and set(_ones(table, whole)) == {1}:
        return LabelColumns(tuple(whole))
    places = sorted([*whole, *partly])
    if len(places) < 2:
        return LabelColumns()
    return _read(table, places, {text for place in places for text in said[place]}, reading)


def _texts(cells: Iterable[Any]) -> set[str]:
    return {"" if cell is None else str(cell).strip().casefold() for cell in cells}


def _ones(table: Table, places: Collection[int]) -> list[int]:
    """``N``: how many of the columns say 1."""
    return [sum(bool(mark_of(cells[place])) for place in places) for _, cells in table.rows]


def _read(table: Table, places: list[int], texts: set[str], reading: LabelReading) -> LabelColumns:
    unknown = {text for text in texts if text not in TRUTHS}
    has_absent = any(TRUTHS.get(text) is False for text in texts)
    minus_is_absent = bool(unknown) and not has_absent and unknown <= {"-1", "-1.0"}
    ones = _ones(table, places)
    partly_known = bool(unknown) and not minus_is_absent
    if not reading.several and max(ones) < 2 and (not partly_known or min(ones) == 1):
        return LabelColumns(tuple(places), minus_is_absent=minus_is_absent)
    if partly_known and not has_absent:
        raise RequestError(
            tr(
                "Columns of {path} have 1 or nothing, and nowhere a 0: nobody can tell what an empty cell means.",
                path=table.path,
            ),
            got=first_few([table.header[place] for place in places]),
            cure=tr("write 0 where a photo does not show the class, and leave empty what nobody knows"),
        )
    return LabelColumns(tuple(places), several=True, minus_is_absent=minus_is_absent)
