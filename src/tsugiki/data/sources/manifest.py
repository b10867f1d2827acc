"""A table of photos, ``path,label[,split][,group]``, as CSV or Parquet -> :class:`Listing`."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.core.regular_files import TABLE_BYTES, open_regular, read_text
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling, split_of
from tsugiki.locale.messages import tr

COLUMNS = ("path", "label", "split", "group")
"""The columns that are read; the first two are needed."""

MANIFEST_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})

Row = tuple[str, str, str, str]
"""Path, label, split and group as they stand in the table; empty where there is nothing."""


def list_manifest(path: Path) -> Listing:
    """The candidate photos that a manifest names; no photo is opened.

    Args:
        path: A ``.csv`` (UTF-8; comma, semicolon or tab) or ``.parquet`` file. Its paths are relative to its own folder.

    Raises:
        RequestError: When the table cannot be read, lacks a column, or names a split that does not exist.
    """
    header, lines = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
    columns = _columns(path, header)
    rows = _Rows(path.parent)
    first = 1 if path.suffix.lower() == ".parquet" else 2  # as a person counts them: the header of a CSV file is line 1
    for number, line in enumerate(lines, start=first):
        if any(line):
            rows.add(number, _cells(line, columns))
    if not rows.names:
        raise RequestError(tr("The manifest {path} names no photos.", path=path))
    return rows.listing()


def has_columns(path: Path) -> bool:
    """Whether a file is a table with the columns of a manifest."""
    try:
        header, _ = _parquet(path) if path.suffix.lower() == ".parquet" else _csv(path)
        _columns(path, header)
    except RequestError:
        return False
    return True


def _csv(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    try:
        text = read_text(path, encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except UnicodeDecodeError:
        raise RequestError(
            tr("The manifest {path} is not UTF-8 text.", path=path), cure=tr("save it again as CSV UTF-8")
        ) from None
    except (OSError, csv.Error) as fault:
        raise RequestError(tr("The manifest {path} cannot be read.", path=path), got=str(fault)) from None
    return (lines[0] if lines else []), iter(lines[1:])


def _parquet(path: Path) -> tuple[list[str], Iterator[list[str]]]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RequestError(
            tr("Reading Parquet needs pyarrow, which is not installed."), cure="pip install 'tsugiki[parquet]'"
        ) from None
    try:
        with open_regular(path, limit=TABLE_BYTES) as stream:
            names = parquet.read_schema(stream).names
            wanted = [name for name in names if name.strip().casefold() in COLUMNS]
            _columns(path, names)
            table = parquet.read_table(stream, columns=wanted)
    except (pa.ArrowException, OSError) as fault:
        raise RequestError(tr("The manifest {path} cannot be read.", path=path), got=str(fault)) from None
    columns = [["" if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return wanted, (list(row) for row in zip(*columns, strict=True))


def _columns(path: Path, header: list[str]) -> list[int | None]:
    """Where each of :data:`COLUMNS` stands in the table."""
    present = [name.strip().casefold() for name in header]
    missing = [name for name in COLUMNS[:2] if name not in present]
    if missing:
        raise RequestError(
            tr("The manifest {path} has no column {names}.", path=path, names=", ".join(missing)),
            allowed="path,label[,split][,group]",
            got=", ".join(header) or tr("an empty file"),
        )
    return [present.index(name) if name in present else None for name in COLUMNS]


def _cells(line: list[str], columns: list[int | None]) -> Row:
    path, label, split, group = (line[place].strip() if place is not None and place < len(line) else "" for place in columns)
    return path, label, split, group


@dataclass
class _Rows:
    """The columns of a listing, growing."""

    root: Path
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, number: int, row: Row) -> None:
        path, label, split, group = row
        if not path or not label:
            self.left_out.append(
                LeftOut(path or tr("row {number}", number=number), tr("row {number} has no path or no label", number=number))
            )
            return
        name = _relative(self.root, path)
        if name in self.seen:
            self.left_out.append(
                LeftOut(name, tr("named again in row {number}: row {first} counts", number=number, first=self.seen[name]))
            )
            return
        self.seen[name] = number
        self.names.append(name)
        self.labels.append(one_spelling(label))
        self.splits.append(_known_split(split, number))
        self.groups.append(one_spelling(group))

    def listing(self) -> Listing:
        return Listing(
            root=self.root,
            names=tuple(self.names),
            labels=tuple(self.labels),
            splits=tuple(self.splits),
            groups=tuple(self.groups) if any(self.groups) else None,
            left_out=tuple(self.left_out),
        )


def _known_split(word: str, number: int) -> str:
    split = split_of(word) if word else ""
    if split is None:
        raise RequestError(
            tr("Row {number} of the manifest names a split that does not exist.", number=number),
            allowed="train, val, test",
            got=repr(word),
        )
    return split


def _relative(root: Path, path: str) -> str:
    """A path of the table as a POSIX path relative to ``root``; tables made on Windows may have backslashes."""
    if os.sep == "/" and "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    if not os.path.isabs(path):  # noqa: PTH117  no Path object per photo
        return os.path.normpath(path).replace(os.sep, "/")
    try:
        return os.path.relpath(path, root.absolute()).replace(os.sep, "/")
    except ValueError:
        raise RequestError(
            tr("{path} is on another drive than the manifest.", path=path), cure=tr("put the manifest beside the photos")
        ) from None
