"""Rows of what a program holds: a photo each, by its path or as a picture; and the rows of a table of such a program."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tsugiki.data.label_sets import LabelReading
from tsugiki.data.sources.in_memory.list_values import label_of, text_of_value
from tsugiki.data.sources.in_memory.pictures import Held
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, one_spelling, suffix_of
from tsugiki.data.sources.tables.label_cells import Cell, are_split, marked, names_of_cells
from tsugiki.data.sources.tables.table_columns import Columns, choose_columns, is_true
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.data.sources.tables.table_labels import check_labels

_READ = ("path", "split", "group")


class Row(NamedTuple):
    """A photo of a program; what it holds as a picture has no path until it is written."""

    path: str
    label: Cell
    split: str = ""
    group: str = ""
    picture: Held | None = None


@dataclass
class Told:
    """What is known of an object besides its rows, growing.

    Attributes:
        reading: How labels are to be read.
        decisions: Sentences for the person.
        classes: What columns of 1 and 0 are called.
    """

    reading: LabelReading
    decisions: list[str] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)


def of_table(table: Table, told: Told, split: str) -> Iterator[Row]:
    """The rows of a table that has a column of paths.

    Args:
        table: What a program holds.
        told: What is known besides, which grows.
        split: That its photos are in, where that is known from elsewhere.

    Raises:
        RequestError: When a column is missing, or cells are no labels.
    """
    columns = choose_columns(table, _are_files, reading=told.reading)
    rows = list(_rows_of(table, columns, split))
    written = [(number, row.label) for number, row in enumerate(rows) if row.label != ""]
    names = names_of_cells(written, told.reading)
    told.decisions += [*columns.sentences, *check_labels(table.path, names, split=are_split(written, told.reading))]
    told.classes |= dict.fromkeys(_class_names(table, columns) if columns.several else ())
    yield from rows


def _class_names(table: Table, columns: Columns) -> list[str]:
    return [one_spelling(table.header[place].strip()) for place in columns.labels]


def _rows_of(table: Table, columns: Columns, split: str) -> Iterator[Row]:
    for number, cells in table.rows:
        path, word, group = (
            "" if place is None else text_of_value(name, number, cells[place])
            for name, place in zip(_READ, (columns.path, columns.split, columns.group), strict=True)
        )
        label: Cell = label_of("label", number, cells[columns.labels[0]])
        if len(columns.labels) > 1:
            said = [cells[place] for place in columns.labels]
            found = marked(_class_names(table, columns), said, minus_is_absent=columns.minus_is_absent)
            label = "" if found is None else found if columns.several else str(found)
        if columns.yes is not None:
            word = columns.yes[not is_true(word)]
        flagged = [meant for place, meant in columns.flags if is_true(cells[place])]
        yield Row(path, label, split or (flagged[0] if flagged else word), group)


def _are_files(texts: Sequence[str]) -> bool:
    """Whether most texts are paths of files, or look like it."""
    return 2 * sum(suffix_of(text) in PHOTO_SUFFIXES or os.path.isfile(text) for text in texts) > len(texts)  # noqa: PTH113
