"""A table of photos, ``path,label[,split][,group]``, as CSV, JSON lines or Parquet -> :class:`Listing`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import split_in, split_of
from tsugiki.data.sources.tables.column_words import NO_SPLIT
from tsugiki.data.sources.tables.parquet_file import read_parquet
from tsugiki.data.sources.tables.table_columns import Columns, choose_columns, is_true
from tsugiki.data.sources.tables.table_file import LIST_SUFFIXES, TABLE_SUFFIXES, Table, read_table
from tsugiki.data.sources.tables.table_labels import check_labels, several_labels, text_of
from tsugiki.data.sources.tables.table_paths import PhotoFinder, is_address, relative_to
from tsugiki.locale.messages import first_few, listed, tr

MANIFEST_SUFFIXES = TABLE_SUFFIXES | LIST_SUFFIXES
"""Endings of files that can be named as a data set."""


def list_manifest(path: Path, *, split: str = "", labelled: bool = True) -> Listing:
    """The candidate photos that a manifest names; no photo is opened.

    Args:
        path: A ``.csv`` (comma, semicolon or tab), ``.jsonl`` or ``.parquet`` file, or a ``.txt`` list of paths and
            labels. Its paths are relative to its own folder.
        split: The split that its photos are in, where that is known from elsewhere.
        labelled: Whether it has to say the classes; where not, they are not read, and no photo has a label.

    Raises:
        RequestError: When the table cannot be read, lacks a column, says several things of one photo, leads to no photo, or
            names a split that does not exist.
    """
    table = read_parquet(path) if path.suffix.lower() == ".parquet" else read_table(path)
    finder = PhotoFinder(table.root, split or split_in(path.stem) or "")
    columns = choose_columns(table, finder.leads_to_photos, labelled=labelled)
    rows = _Rows(table, columns, decisions=[*table.sentences, *columns.sentences])
    if table.photos:
        rows.decisions.append(tr("The photos inside {table} were unpacked to {folder}.", table=path.name, folder=table.photos))
    rows.find_addresses(finder)
    for number, cells in table.rows:
        if any(cell is not None and str(cell) for cell in cells):
            rows.add(number, cells)
    if not rows.names:
        addresses = any(is_address(entry.name) for entry in rows.left_out)
        raise RequestError(
            tr("The manifest {path} names no photos.", path=path),
            got=rows.examples(),
            cure=tr("fetch the photos first, and write the paths of the files") if addresses else "",
        )
    rows.locate(finder)
    rows.refuse_two_labels()
    if rows.words:
        words = listed(f"{word} = {meant}" for word, meant in rows.words.items())
        rows.decisions.append(tr("Words for splits were read as {words}.", words=words))
    if labelled:
        rows.decisions += check_labels(path, list(zip(rows.numbers, rows.labels, strict=True)))
    return rows.listing(split)


@dataclass
class _Rows:
    """The columns of a listing, growing."""

    table: Table
    columns: Columns
    numbers: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    beside: dict[str, str] = field(default_factory=dict)

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

    def add(self, number: int, cells: Sequence[Any]) -> None:
        path, split, group = (
            "" if place is None else text_of(self.table.path, number, cells[place], name)
            for name, place in zip(
                ("path", "split", "group"), (self.columns.path, self.columns.split, self.columns.group), strict=True
            )
        )
        label = self._label(number, cells)
        if not path or (self.columns.labels and not label):
            name = (
                relative_to(self.table.root, path)
                if path and not is_address(path)
                else path or tr("row {number}", number=number)
            )
            if path and not is_address(path):
                self.written.setdefault(name, path)
            self.left_out.append(LeftOut(name, tr("row {number} has no path or no label", number=number)))
            return
        if is_address(path) and path not in self.beside:
            self.left_out.append(LeftOut(path, tr("an address on the network: not fetched")))
            return
        self.numbers.append(number)
        name = self.beside.get(path) or relative_to(self.table.root, path)
        self.names.append(name)
        self.written.setdefault(name, path)
        self.labels.append(one_spelling(label))
        flagged = [split for place, split in self.columns.flags if is_true(cells[place])]
        self.splits.append(flagged[0] if flagged else self._split(split, number))
        self.groups.append(one_spelling(group))

    def _label(self, number: int, cells: Sequence[Any]) -> str:
        places = self.columns.labels
        if not places:
            return ""
        if len(places) > 1:
            found = [self.table.header[place] for place in places if is_true(cells[place])]
            if len(found) > 1:
                raise several_labels(self.table.path, number, ", ".join(found))
            return "".join(found)
        text = text_of(self.table.path, number, cells[places[0]], "label")
        if self.table.header[places[0]] == "PredictionString":  # of ImageNet: the class, and where it is in the photo
            text = text.partition(" ")[0]
        names = self.table.names.get(places[0], [])
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

    def refuse_two_labels(self) -> None:
        """Leave rows out that say the same again, and refuse those that say something else of a photo."""
        first: dict[str, int] = {}
        kept = []
        for row, name in enumerate(self.names):
            other = first.setdefault(name, row)
            if other == row:
                kept.append(row)
                continue
            if self.labels[row] != self.labels[other]:
                raise RequestError(
                    tr("The manifest {path} gives one photo two labels.", path=self.table.path),
                    got=tr(
                        "{name}: {one} in row {first}, {two} in row {second}",
                        name=name,
                        one=self.labels[other],
                        first=self.numbers[other],
                        two=self.labels[row],
                        second=self.numbers[row],
                    ),
                    cure=tr("keep the row that is right; one class per photo can be learned"),
                )
            reason = tr("named again in row {number}: row {first} counts", number=self.numbers[row], first=self.numbers[other])
            self.left_out.append(LeftOut(name, reason))
        self.numbers = [self.numbers[row] for row in kept]
        self.names, self.labels, self.splits, self.groups = (
            [column[row] for row in kept] for column in (self.names, self.labels, self.splits, self.groups)
        )

    def examples(self) -> str:
        rows = (entry.reason if entry.name in entry.reason else f"{entry.name}: {entry.reason}" for entry in self.left_out)
        return first_few(list(rows), 3)

    def listing(self, split: str) -> Listing:
        return Listing(
            root=self.table.root,
            names=tuple(self.names),
            labels=tuple(self.labels),
            splits=tuple(split or own for own in self.splits),
            groups=tuple(self.groups) if any(self.groups) else None,
            left_out=tuple(self.left_out),
            decisions=tuple(self.decisions),
        )
