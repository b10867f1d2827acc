"""What a Python program holds already -> :class:`~tsugiki.data.sources.listing.Listing`.

A ``DataFrame``, an ``ImageFolder``, pairs of path and label, or a dictionary of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.in_memory.list_values import LabelLists, label_of, text_of_value
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, LeftOut, Listing, one_spelling, suffix_of
from tsugiki.data.sources.lists import listing_of, place_of, refuse_strange_splits
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.tables.label_cells import Cell, are_split, marked, names_of_cells
from tsugiki.data.sources.tables.label_rows import finished
from tsugiki.data.sources.tables.table_columns import Columns, choose_columns, is_true
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.data.sources.tables.table_labels import check_labels
from tsugiki.locale.messages import tr

_READ = ("path", "split", "group")


class _Row(NamedTuple):
    path: str
    label: Cell
    split: str = ""
    group: str = ""


@dataclass
class _Told:
    """What is known of an object besides its rows, growing."""

    reading: LabelReading
    decisions: list[str] = field(default_factory=list)
    classes: dict[str, None] = field(default_factory=dict)


def list_object(photos: Any, reading: LabelReading = AS_WRITTEN) -> Listing:
    """The candidate photos that an object of a program names; none is opened.

    Args:
        photos: A torchvision ``ImageFolder`` (or a ``Subset`` of one); a pandas ``DataFrame`` with the columns ``path``,
            ``label`` and, if there are any, ``split`` and ``group``; pairs of path and label, or of path and labels; or a
            dictionary of these by split. Paths that are relative begin in the working folder.
        reading: How labels are to be read.

    Raises:
        RequestError: When it is something else, names no photos, or contradicts itself.
    """
    listing = _listed(photos, reading)
    if listing.label_sets is not None and not reading.several:
        # One of its parts has several labels in a row: then the others are read so, too.
        reading = replace(reading, multi_label=True)
        listing = _listed(photos, reading)
    return finished(listing, reading)


def _listed(photos: Any, reading: LabelReading) -> Listing:
    told = _Told(reading)
    rows = list(_rows(photos, told))
    named = [row for row in rows if row.path]
    if not named:
        raise RequestError(tr("This names no photos."), allowed=_allowed(), got=type(photos).__name__)
    if all(row.label == "" for row in named):
        raise RequestError(tr("Not one of the photos has a label."), cure="labels=None")
    texts = {"splits": [row.split for row in named], "groups": [row.group for row in named]}
    refuse_strange_splits(texts["splits"])
    if not any(texts["groups"]):
        del texts["groups"]
    places = [place_of(number, row.path) for number, row in enumerate(named)]
    given = LabelLists([row.label for row in named], tuple(told.classes))
    listing = listing_of(places, texts, given, reading, type(photos).__name__)
    nameless = [LeftOut(f"#{number}", tr("no path")) for number, row in enumerate(rows) if not row.path]
    return replace(listing, left_out=(*listing.left_out, *nameless), decisions=(*told.decisions, *listing.decisions))


def _rows(photos: Any, told: _Told, split: str = "") -> Iterator[_Row]:
    if isinstance(photos, Mapping) and photos and all(split_of(str(name)) for name in photos):
        for name, part in photos.items():
            yield from _rows(part, told, split_of(str(name)) or "")
    elif hasattr(photos, "columns") and hasattr(photos, "itertuples"):
        yield from _of_frame(photos, told, split)
    elif hasattr(photos, "indices") and hasattr(photos, "dataset"):
        whole = list(_rows(photos.dataset, told, split))
        yield from (whole[int(at)] for at in photos.indices)
    elif hasattr(photos, "samples") and hasattr(photos, "classes"):
        yield from (_Row(str(path), str(photos.classes[label]), split) for path, label in photos.samples)
    elif pairs := _pairs(photos):
        for number, (path, label) in enumerate(pairs):
            yield _Row(os.fspath(path), label_of("label", number, label), split)
    else:
        raise RequestError(
            tr("Photos cannot be listed from this."),
            allowed=_allowed(),
            got=type(photos).__name__,
            cure="Samples.from_lists(paths, labels)" if isinstance(photos, list | tuple) and photos else "",
        )


def _allowed() -> str:
    return tr("a path, an ImageFolder, a DataFrame with the columns path and label, or pairs of path and label")


def _pairs(photos: Any) -> Sequence[tuple[Any, Any]]:
    """Pairs of path and label, or one for each path of a class; none where it is something else."""
    if isinstance(photos, str | bytes) or not isinstance(photos, Sequence | Mapping):
        return ()
    pairs = list(photos.items() if isinstance(photos, Mapping) else photos)
    by_path = isinstance(photos, Mapping) and all(suffix_of(str(name)) in PHOTO_SUFFIXES for name in photos)
    if isinstance(photos, Mapping) and not by_path and all(_are_paths(paths) for paths in photos.values()):
        return [(path, name) for name, paths in pairs for path in paths]
    good = all(isinstance(one, tuple | list) and len(one) == 2 and isinstance(one[0], str | os.PathLike) for one in pairs)
    return pairs if good and all(_is_label(label) for _, label in pairs) else ()


def _is_label(label: Any) -> bool:
    return isinstance(label, str | Integral) or (
        isinstance(label, list | tuple | set | frozenset) and all(isinstance(name, str | Integral) for name in label)
    )


def _are_paths(photos: Any) -> bool:
    return isinstance(photos, list | tuple) and all(isinstance(path, str | os.PathLike) for path in photos)


def _of_frame(frame: Any, told: _Told, split: str) -> Iterator[_Row]:
    header = [str(name) for name in frame.columns]
    cells = zip(*(list(frame.iloc[:, place]) for place in range(len(header))), strict=True)
    table = Table(Path("DataFrame"), header, list(enumerate(map(list, cells))))
    columns = choose_columns(table, _are_files, reading=told.reading)
    rows = list(_rows_of(table, columns, split))
    written = [(number, row.label) for number, row in enumerate(rows) if row.label != ""]
    names = names_of_cells(written, told.reading)
    told.decisions += [*columns.sentences, *check_labels(table.path, names, split=are_split(written, told.reading))]
    told.classes |= dict.fromkeys(_class_names(table, columns) if columns.several else ())
    yield from rows


def _class_names(table: Table, columns: Columns) -> list[str]:
    return [one_spelling(table.header[place].strip()) for place in columns.labels]


def _rows_of(table: Table, columns: Columns, split: str) -> Iterator[_Row]:
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
        yield _Row(path, label, split or (flagged[0] if flagged else word), group)


def _are_files(texts: Sequence[str]) -> bool:
    """Whether most texts are paths of files, or look like it."""
    return 2 * sum(suffix_of(text) in PHOTO_SUFFIXES or os.path.isfile(text) for text in texts) > len(texts)  # noqa: PTH113
