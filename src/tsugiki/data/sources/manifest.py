"""A table of photos, ``path,label[,split][,group]``, as CSV, JSON lines or Parquet -> :class:`Listing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, SEPARATOR, LabelReading, LabelSet
from tsugiki.data.sources.addresses.fetched import Fetched, fetched_folder, fetched_photos
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import split_in, split_of
from tsugiki.data.sources.tables.column_words import NO_SPLIT
from tsugiki.data.sources.tables.label_cells import Cell, are_split, marked, sets_of, why_several
from tsugiki.data.sources.tables.label_rows import SeveralRows
from tsugiki.data.sources.tables.parquet_file import read_parquet
from tsugiki.data.sources.tables.table_columns import Columns, choose_columns, is_true
from tsugiki.data.sources.tables.table_file import LIST_SUFFIXES, TABLE_SUFFIXES, Table, read_table
from tsugiki.data.sources.tables.table_labels import check_labels, label_cell, text_of
from tsugiki.data.sources.tables.table_paths import PhotoFinder, is_address, relative_to
from tsugiki.locale.messages import first_few, listed, tr

MANIFEST_SUFFIXES = TABLE_SUFFIXES | LIST_SUFFIXES
"""Endings of files that can be named as a data set."""


def list_manifest(
    path: Path, *, split: str = "", labelled: bool = True, reading: LabelReading = AS_WRITTEN, fetches: bool = False
) -> Listing:
    """The candidate photos that a manifest names; no photo is opened.

    Args:
        path: A ``.csv`` (comma, semicolon or tab), ``.jsonl`` or ``.parquet`` file, or a ``.txt`` list of paths and
            labels. Its paths are relative to its own folder.
        split: The split that its photos are in, where that is known from elsewhere.
        labelled: Whether it has to say the classes; where not, they are not read, and no photo has a label.
        reading: How labels are to be read.
        fetches: Whether photos at addresses are fetched: only those of a table that a person has named.

    Raises:
        RequestError: When the table cannot be read, lacks a column, says several things of one photo, leads to no photo, or
            names a split that does not exist.
        DataError: When it names nothing but addresses, and nothing can be fetched.
    """
    table = read_parquet(path) if path.suffix.lower() == ".parquet" else read_table(path, reading)
    finder = PhotoFinder(table.root, split or split_in(path.stem) or "", fetches=fetches)
    columns = choose_columns(table, finder.leads_to_photos, labelled=labelled, reading=reading)
    rows = _Rows(table, columns, reading, decisions=[*table.sentences, *columns.sentences])
    if table.photos:
        rows.decisions.append(tr("The photos inside {table} were unpacked to {folder}.", table=path.name, folder=table.photos))
    rows.find_addresses(finder)
    if fetches and not rows.beside:
        rows.fetch()
    for number, cells in table.rows:
        if any(cell is not None and str(cell) for cell in cells):
            rows.add(number, cells)
    if not rows.names and rows.fetched.reasons:
        raise rows.fetched.nothing_came(path.name)
    if not rows.names:
        addresses = any(is_address(entry.name) for entry in rows.left_out)
        raise RequestError(
            tr("The manifest {path} names no photos.", path=path),
            got=rows.examples(),
            cure=tr("fetch the photos first, and write the paths of the files") if addresses else "",
        )
    rows.locate(finder)
    rows.read_labels()
    rows.keep_one_each()
    if rows.words:
        words = listed(f"{word} = {meant}" for word, meant in rows.words.items())
        rows.decisions.append(tr("Words for splits were read as {words}.", words=words))
    if labelled:
        rows.decisions += check_labels(path, rows.label_names(), split=rows.split)
    return rows.listing(split)


@dataclass
class _Rows:
    """The columns of a listing, growing."""

    table: Table
    columns: Columns
    reading: LabelReading
    numbers: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    sets: list[LabelSet] | None = None
    split: bool = False
    unlabelled: int = 0
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    because: tuple[str, ...] = ()
    beside: dict[str, str] = field(default_factory=dict)
    fetched: Fetched = field(default_factory=Fetched)

    def find_addresses(self, finder: PhotoFinder) -> None:
        """Know which addresses are those of photos that are here already."""
        cells = [str(cell).strip() for cell in self.table.column(self.columns.path)]
        self.beside = finder.beside(dict.fromkeys(filter(is_address, cells)))
        if self.beside:
            address, photo = next(iter(self.beside.items()))
            self.decisions.append(
                tr(
                    "Addresses in {table} were read as the photos here whose paths end like them, and nothing was fetched: "
                    "{count} ({address} is {photo}).",
                    table=self.table.path.name,
                    count=len(self.beside),
                    address=address,
                    photo=photo,
                )
            )

    def fetch(self) -> None:
        """Have the photos at addresses of rows that have a label, or need none."""
        rows = [cells for number, cells in self.table.rows if self._counts(number, cells)]
        addresses = [str(cell).strip() for cells in rows if (cell := cells[self.columns.path]) is not None]
        self.fetched = fetched_photos(filter(is_address, addresses))
        self.decisions += self.fetched.decisions
        if self.fetched.places and all(map(is_address, filter(None, addresses))):
            self.table = replace(self.table, photos=fetched_folder())  # what its photos are named by

    def _counts(self, number: int, cells: Sequence[Any]) -> bool:
        return not self.columns.labels or self._label(number, cells) not in ("", None)

    def add(self, number: int, cells: Sequence[Any]) -> None:
        path, split, group = (
            "" if place is None else text_of(self.table.path, number, cells[place], name)
            for name, place in zip(
                ("path", "split", "group"), (self.columns.path, self.columns.split, self.columns.group), strict=True
            )
        )
        label = self._label(number, cells)
        if not path or (self.columns.labels and label in ("", None)):
            name = (
                relative_to(self.table.root, path)
                if path and not is_address(path)
                else path or tr("row {number}", number=number)
            )
            if path and not is_address(path):
                self.written.setdefault(name, path)
            self.unlabelled += bool(path)
            self.left_out.append(LeftOut(name, tr("row {number} has no path or no label", number=number)))
            return
        fetched = self.fetched.places.get(path)
        if is_address(path) and path not in self.beside and fetched is None:
            reason = self.fetched.reasons.get(path) or tr("an address on the network: not fetched")
            self.left_out.append(LeftOut(path, reason))
            return
        self.numbers.append(number)
        name = self.beside.get(path) or relative_to(self.table.root, fetched or path)
        self.names.append(name)
        if fetched is None:
            self.written.setdefault(name, path)
        self.cells.append(label or "")
        flagged = [split for place, split in self.columns.flags if is_true(cells[place])]
        self.splits.append(flagged[0] if flagged else self._split(split, number))
        self.groups.append(one_spelling(group))

    def _label(self, number: int, cells: Sequence[Any]) -> Cell | None:
        """What is written in a row; empty or ``None`` where nothing is."""
        places = self.columns.labels
        if not places:
            return ""
        if len(places) > 1:
            said = [cells[place] for place in places]
            if not self.columns.several:
                return next((name for name, cell in zip(self.classes, said, strict=True) if is_true(cell)), None)
            return marked(self.classes, said, minus_is_absent=self.columns.minus_is_absent)
        cell = label_cell(self.table.path, number, cells[places[0]])
        if isinstance(cell, tuple):
            return tuple(self._named(places[0], text) for text in cell)
        if self.table.header[places[0]] == "PredictionString":  # of ImageNet: the class, and where it is in the photo
            cell = str(cell).partition(" ")[0]
        return one_spelling(self._named(places[0], str(cell)))

    def _named(self, place: int, text: str) -> str:
        """A label, or the name that its number stands for."""
        names = self.table.names.get(place, [])
        # No list of names is that long, and Python reads no number of thousands of digits.
        numbered = text.isdecimal() and len(text) < 18 and int(text) < len(names)
        return names[int(text)] if numbered else text

    def _split(self, word: str, number: int) -> str:
        if self.columns.yes is not None:
            return self.columns.yes[0] if is_true(word) else self.columns.yes[1]
        split = split_of(word) if word and word.casefold() not in NO_SPLIT else ""
        if split is None and (split := split_in(word)):
            self.words[word] = split
        if split is None:
            raise RequestError(
                tr("Row {number} of the manifest names a split that does not exist.", number=number),
                allowed="train, val, test",
                got=repr(word),
            )
        return split

    def locate(self, finder: PhotoFinder) -> None:
        """Give every path the name of the photo that it means."""
        places, sentences = finder.located(self.table.path, self.written)
        self.names = [places.get(name, name) for name in self.names]
        self.left_out = [replace(entry, name=places.get(entry.name, entry.name)) for entry in self.left_out]
        self.decisions += sentences

    def read_labels(self) -> None:
        """Find out whether photos have several labels, and say why."""
        cells = list(zip(self.numbers, self.cells, strict=True)) if self.columns.labels else []
        self.sets = sets_of(cells, self.reading) if cells else None
        self.split = are_split(cells, self.reading)
        if self.sets is not None:
            self.because = tuple(why_several(self.table.path.name, cells, self.reading))
            if self.unlabelled and len(self.columns.labels) == 1:
                self.decisions.append(
                    tr(
                        "Rows without a label are left out: {count}. For a photo that shows none of the classes, "
                        "write {nothing} alone.",
                        count=self.unlabelled,
                        nothing="[]" if any(isinstance(cell, tuple) for cell in self.cells) else self._between(),
                    )
                )

    def _between(self) -> str:
        return SEPARATOR if self.reading.separator is None else self.reading.separator

    def label_names(self) -> list[tuple[int, str]]:
        """Every name, with the number of its row."""
        if self.sets is None:
            return list(zip(self.numbers, map(str, self.cells), strict=True))
        return [(number, name) for number, one in zip(self.numbers, self.sets, strict=True) for name in sorted(one.present)]

    def keep_one_each(self) -> None:
        """Leave rows out that say the same again; put together what several rows say of a photo, where that is wanted.

        Raises:
            RequestError: When it is not.
        """
        first: dict[str, int] = {}
        kept = []
        for row, name in enumerate(self.names):
            other = first.setdefault(name, row)
            if other == row:
                kept.append(row)
                continue
            if self.reading.multi_label:
                continue
            if self._said_of(row) != self._said_of(other):
                raise RequestError(
                    tr("The manifest {path} gives one photo two labels.", path=self.table.path),
                    got=tr(
                        "{name}: {one} in row {first}, {two} in row {second}",
                        name=name,
                        one=self._said_of(other),
                        first=self.numbers[other],
                        two=self._said_of(row),
                        second=self.numbers[row],
                    ),
                    cure=tr(
                        "keep the row that is right; if both are, and photos may have several labels, add {argument}",
                        argument=argument("multi_label", value=True),
                    ),
                )
            reason = tr("named again in row {number}: row {first} counts", number=self.numbers[row], first=self.numbers[other])
            self.left_out.append(LeftOut(name, reason))
        if self.reading.multi_label and self.sets is not None and len(kept) < len(self.names):
            self._join_rows(kept)
        self.numbers = [self.numbers[row] for row in kept]
        self.cells = [self.cells[row] for row in kept]
        self.sets = None if self.sets is None else [self.sets[row] for row in kept]
        self.names, self.splits, self.groups = (
            [column[row] for row in kept] for column in (self.names, self.splits, self.groups)
        )

    def _said_of(self, row: int) -> str | LabelSet:
        return str(self.cells[row]) if self.sets is None else self.sets[row]

    def _join_rows(self, kept: list[int]) -> None:
        """Give the row that is kept of each photo what all of its rows say."""
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(self.names):
            rows.setdefault(name, []).append(row)
        sets, found = self.sets or [], SeveralRows()
        for row in kept:
            same = rows[self.names[row]]
            sets[row] = found.joined([sets[other] for other in same])
            self.splits[row], self.groups[row] = (
                next(filter(None, (column[other] for other in same)), "") for column in (self.splits, self.groups)
            )
        self.decisions += found.sentences(marks=self.columns.several)

    def examples(self) -> str:
        rows = (entry.reason if entry.name in entry.reason else f"{entry.name}: {entry.reason}" for entry in self.left_out)
        return first_few(list(rows), 3)

    def listing(self, split: str) -> Listing:
        return Listing(
            root=self.table.root,
            names=tuple(self.names),
            labels=tuple(map(str, self.cells if self.sets is None else self.sets)),
            splits=tuple(split or own for own in self.splits),
            groups=tuple(self.groups) if any(self.groups) else None,
            left_out=tuple(self.left_out),
            decisions=tuple(self.decisions),
            label_sets=None if self.sets is None else tuple(self.sets),
            because=self.because,
            classes=self.classes if self.columns.several else (),
        )

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What the columns of labels are called."""
        return tuple(one_spelling(self.table.header[place]) for place in self.columns.labels)
