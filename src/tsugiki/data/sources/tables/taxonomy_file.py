"""A table of classes and their parents -> what is above what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tsugiki.core.console import say
from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import one_spelling, suffix_of
from tsugiki.data.sources.tables.parquet_file import read_parquet
from tsugiki.data.sources.tables.table_file import Table, read_table
from tsugiki.data.sources.tables.table_labels import text_of
from tsugiki.data.taxonomy import SURE, Parents, Taxonomy, grow, require_tree
from tsugiki.locale.messages import first_few, tr

_ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
_CLASS = ("class", "label", "name", "クラス", "クラス名", "ラベル")
_PARENT = ("parent", "親", "親クラス")

GivenTaxonomy = Taxonomy | Mapping[str, str] | str | Path
"""What a person may give for a taxonomy: a file, or the parents by name."""


def taxonomy_of(given: GivenTaxonomy, classes: Sequence[str], *, at_least: float | None = None) -> Taxonomy:
    """The tree above classes; what of it is not used is said.

    Args:
        given: A file (:func:`read_taxonomy`), or a mapping from each name to its parent (``""`` for a root).
        classes: ``K`` names.
        at_least: From this probability on a node is named as "at least"; what ``given`` has, or 0.8, when left out.

    Raises:
        RequestError: When it cannot be read, is no tree, or has none of the classes.
    """
    if isinstance(given, str | Path):
        parents, source = read_taxonomy(Path(given)), Path(given).name
    elif isinstance(given, Taxonomy):
        parents, source, at_least = given.parents, tr("the taxonomy"), given.sure if at_least is None else at_least
    elif isinstance(given, Mapping):
        pairs = ((_name(name), _name(above or "")) for name, above in given.items())
        parents, source = dict(pairs), tr("the taxonomy")
    else:
        raise RequestError(
            tr("{name} is something else than was expected.", name="taxonomy"),
            allowed=tr("a file, or the parent of each class by name"),
            got=type(given).__name__,
        )
    # Names of folders may begin or end with a blank, which no table keeps.
    meant = {_name(name): name for name in classes} | {name: name for name in classes}
    parents = {meant.get(name, name): meant.get(above, above) for name, above in parents.items()}
    tree, sentences = grow(parents, classes, source=source, at_least=SURE if at_least is None else at_least)
    for sentence in sentences:
        say(sentence)
    return tree


def read_taxonomy(path: Path) -> Parents:
    """The parent of each name that has a row, ``""`` where that is empty.

    Args:
        path: A table with the columns ``class`` and ``parent``: CSV, JSON, JSON lines or Parquet.

    Raises:
        RequestError: When it cannot be read, lacks a column, or is no tree.
    """
    table = _table(path)
    name_at, parent_at = (_column(table, words) for words in (_CLASS, _PARENT))
    parents: dict[str, str] = {}
    rows: dict[str, int] = {}
    for number, cells in table.rows:
        name = _name(text_of(path, number, cells[name_at], "class"))
        above = _name(text_of(path, number, cells[parent_at], "parent"))
        if not name:
            raise RequestError(
                tr("Row {number} of {path} names no class.", number=number, path=path),
                got=repr(above),
                cure=tr("write a root as a class whose parent is empty"),
            )
        if parents.setdefault(name, above) != above:
            raise RequestError(
                tr("{path} gives {name} two parents.", path=path, name=repr(name)),
                allowed=tr("a tree: every class has one parent at most"),
                got=f"{parents[name]!r} ({tr('row {number}', number=rows[name])}), "
                f"{above!r} ({tr('row {number}', number=number)})",
                cure=tr("keep one of the rows, or give the class a parent that both belong to"),
            )
        rows.setdefault(name, number)
    require_tree(parents, path.name)
    return parents


def _table(path: Path) -> Table:
    if suffix_of(path.name) not in _ENDINGS:
        raise RequestError(
            tr("{path} is no table of classes and their parents.", path=path),
            allowed=tr("a file that ends in {endings}", endings=", ".join(_ENDINGS)),
            got=path.name,
        )
    if not path.is_file():
        raise RequestError(
            tr("There is no file {path}.", path=path),
            allowed=tr("a table with the columns class and parent, a row per name"),
        )
    return read_parquet(path) if suffix_of(path.name) == ".parquet" else read_table(path)


def _column(table: Table, words: Sequence[str]) -> int:
    """Where the column is that one of ``words`` names, the first of them before the others."""
    header = [str(name).strip().casefold() for name in table.header]
    for word in words:
        if word in header:
            return header.index(word)
    raise RequestError(
        tr("{path} has no column {name}.", path=table.path, name=words[0]),
        allowed=tr("a table with the columns class and parent, a row per name"),
        got=first_few([str(name) for name in table.header]),
    )


def _name(cell: Any) -> str:
    return one_spelling(str(cell).strip())
