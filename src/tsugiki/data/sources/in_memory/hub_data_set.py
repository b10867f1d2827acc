"""Data sets of the Hugging Face Hub that a program holds, known by what they have: the library need not be installed.

Letters: ``N`` pictures.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tsugiki.core.console import progress
from tsugiki.core.errors import RequestError
from tsugiki.data.sources.in_memory.pictures import Held, looked_at
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.locale.messages import listed, tr

_TEXT_OR_NUMBERS = {"Value", "ClassLabel", "Sequence", "List", "LargeList"}


def is_of_hub(photos: Any) -> bool:
    """Whether this is a ``datasets.Dataset``; it is known by what it has, since the library need not be installed."""
    return all(hasattr(photos, name) for name in ("features", "column_names", "cast_column", "select_columns", "__len__"))


def of_hub(photos: Any) -> tuple[Table, dict[int, Held]]:
    """The columns of a data set that hold text or numbers, as a table with a ``path``; and the pictures by row.

    A picture is the file that the data set has stored, whatever format or transform it would be given in.

    Raises:
        RequestError: When several columns hold pictures.
    """
    plain = photos.with_format(None)
    column = _column_of_pictures(photos)
    held, places = _files_of(plain, column) if column else ({}, [])
    others = [
        name
        for name, feature in photos.features.items()
        if type(feature).__name__ in _TEXT_OR_NUMBERS and not (column and name == "path")
    ]
    cells = [_named(photos.features[name], list(plain[name])) for name in others]
    header = [*others, "path"] if column else others
    rows = zip(*cells, *([places] if column else []), strict=True)
    unread = tuple(name for name in photos.column_names if name not in others and name != column)
    return Table(Path(type(photos).__name__), header, list(enumerate(map(list, rows))), unread=unread), held


def _column_of_pictures(photos: Any) -> str:
    found: list[str] = [name for name, feature in photos.features.items() if type(feature).__name__ == "Image"]
    chosen = [name for name in found if name.casefold() in {"image", "img"}]
    if len(found) > 1 and len(chosen) != 1:
        raise RequestError(
            tr("Several columns hold pictures."),
            allowed=tr("one of them called image"),
            got=listed(found),
            cure="dataset.select_columns([...])",
        )
    return (chosen or found or [""])[0]


def _files_of(photos: Any, column: str) -> tuple[dict[int, Held], list[str]]:
    """What is stored of each picture: a file of its own is left where it is, the content of one is held."""
    as_stored = type(photos.features[column])(decode=False)
    files = photos.select_columns([column]).cast_column(column, as_stored)
    contents, held, places = _Contents(files, column), {}, []
    with progress(tr("Reading photos"), total=len(files)) as tick:
        for at in range(len(files)):
            stored = files[at][column] or {}
            if content := stored.get("bytes"):
                held[at] = looked_at(contents, at, content)
            elif stored.get("path") and not os.path.isfile(stored["path"]):  # noqa: PTH113
                # Inside an archive, or on the network: only the library itself opens it.
                held[at] = looked_at(_Contents(photos, column), at, photos[at][column])
            places.append(f"{at}.png" if at in held else stored.get("path") or "")
            tick(1, "")
    return held, places


class _Contents:
    """One column."""

    def __init__(self, rows: Any, column: str) -> None:
        self._rows, self._column = rows, column

    def __getitem__(self, at: int) -> Any:
        found = self._rows[at][self._column]
        return found["bytes"] if isinstance(found, dict) else found


def _named(feature: Any, column: list[Any]) -> list[Any]:
    """Cells with names in place of numbers, where the data set says what these are called; -1 means that nobody knows."""
    inner = getattr(feature, "feature", feature)
    names = getattr(inner, "names", None)
    if not names:
        return column

    def name(cell: Any) -> Any:
        if isinstance(cell, list):
            return [name(one) for one in cell]
        return cell if not isinstance(cell, int) else names[cell] if 0 <= cell < len(names) else None

    return [name(cell) for cell in column]
