"""What a Python program holds already -> :class:`~tsugiki.data.sources.listing.Listing`.

Photos by their paths: a ``DataFrame``, an ``ImageFolder``, pairs of path and label. Pictures themselves: data sets of PyTorch
and of the Hugging Face Hub, arrays, lists of Pillow images. Or a dictionary of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.in_memory.holders import (
    are_pictures_and_labels,
    is_of_pictures,
    of_arrays,
    of_dataset,
    of_pictures,
)
from tsugiki.data.sources.in_memory.hub_data_set import is_of_hub, of_hub
from tsugiki.data.sources.in_memory.list_values import LabelLists, label_of
from tsugiki.data.sources.in_memory.pictures import are_pictures, write_pictures
from tsugiki.data.sources.in_memory.rows import Row, Told, of_table
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, LeftOut, Listing, suffix_of
from tsugiki.data.sources.lists import listing_of, place_of, refuse_strange_splits
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.tables.label_rows import finished
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.locale.messages import tr


def list_object(photos: Any, reading: LabelReading = AS_WRITTEN) -> Listing:
    """The candidate photos that an object of a program names or holds; of those that it names none is opened.

    Args:
        photos: A torchvision ``ImageFolder`` (or a ``Subset`` of one); a pandas ``DataFrame`` with the columns ``path``,
            ``label`` and, if there are any, ``split`` and ``group``; pairs of path and label, or of path and labels; a
            map-style data set of PyTorch or a list that gives pairs of a picture and its label; a ``datasets.Dataset`` with
            a column of pictures; a tuple of pictures and labels, where pictures are an array ``[N, H, W, 3]`` or
            ``[N, H, W]`` of uint8, or a list; or a dictionary of these by split. Paths that are relative begin in the working
            folder.
        reading: How labels are to be read.

    Raises:
        RequestError: When it is something else, names no photos, contradicts itself, or holds what is no picture (any more).
    """
    listing = _listed(photos, reading)
    if listing.label_sets is not None and not reading.several:
        # One of its parts has several labels in a row: then the others are read so, too.
        reading = replace(reading, multi_label=True)
        listing = _listed(photos, reading)
    return finished(listing, reading)


def _listed(photos: Any, reading: LabelReading) -> Listing:
    told = Told(reading)
    rows = _with_files(list(_rows(photos, told)), told)
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
    nameless = [
        LeftOut(f"#{number}", row.picture.reason if row.picture else tr("no path"))
        for number, row in enumerate(rows)
        if not row.path
    ]
    return replace(listing, left_out=(*listing.left_out, *nameless), decisions=(*told.decisions, *listing.decisions))


def _with_files(rows: list[Row], told: Told) -> list[Row]:
    """The rows with the files that their pictures were written to."""
    places = [number for number, row in enumerate(rows) if row.picture and not row.picture.reason]
    if not places:
        return rows
    folder, names = write_pictures([(row.split, row.picture) for row in (rows[at] for at in places) if row.picture])
    told.decisions.append(tr("Pictures of this program were written to {folder}: {count}.", folder=folder, count=len(names)))
    for at, name in zip(places, names, strict=True):
        rows[at] = rows[at]._replace(path=str(folder / name))
    return rows


def _rows(photos: Any, told: Told, split: str = "") -> Iterator[Row]:
    """The rows of an object: of its parts, of the paths that it names, or of the pictures that it holds."""
    kind = type(photos).__name__
    if isinstance(photos, Mapping) and photos and all(split_of(str(name)) for name in photos):
        for name, part in photos.items():
            yield from _rows(part, told, split_of(str(name)) or "")
    elif hasattr(photos, "columns") and hasattr(photos, "itertuples"):
        yield from _of_frame(photos, told, split)
    elif hasattr(photos, "indices") and hasattr(photos, "dataset") and not _holds_pictures(photos.dataset):
        whole = list(_rows(photos.dataset, told, split))
        yield from (whole[int(at)] for at in photos.indices)
    elif hasattr(photos, "samples") and hasattr(photos, "classes"):
        _say_of_transform(
            photos, told, tr("A transform is not applied: the photos of {kind} are taken as they are.", kind=kind)
        )
        yield from (Row(str(path), str(photos.classes[label]), split) for path, label in photos.samples)
    elif hasattr(photos, "datasets") and hasattr(photos, "cumulative_sizes"):
        for part in photos.datasets:
            yield from _rows(part, told, split)
    elif pairs := _pairs(photos):
        for number, (path, label) in enumerate(pairs):
            yield Row(os.fspath(path), label_of("label", number, label), split)
    else:
        yield from _held_rows(photos, told, split)


def _held_rows(photos: Any, told: Told, split: str) -> Iterator[Row]:
    """Rows whose photos are pictures of the program."""
    kind = type(photos).__name__
    if is_of_hub(photos):
        table, held = of_hub(photos)
        for number, row in enumerate(of_table(table, told, split)):
            yield row._replace(path="", picture=held[number]) if number in held else row
    elif are_pictures_and_labels(photos):
        pictures, given = of_arrays(*photos)
        told.classes |= dict.fromkeys(given.classes)
        yield from (Row("", cell, split, picture=one) for one, cell in zip(pictures, given.cells, strict=True))
    elif isinstance(photos, Mapping) and photos and all(map(are_pictures, photos.values())):
        for name, pictures in photos.items():
            yield from (Row("", label_of("label", 0, name), split, picture=one) for one in of_pictures(pictures))
    elif is_of_pictures(photos):
        _say_of_transform(photos, told, tr("The photos of {kind} are what its transform makes of them.", kind=kind))
        yield from (Row("", label, split, picture=one) for one, label in of_dataset(photos))
    else:
        raise RequestError(
            tr("Photos cannot be listed from this."),
            allowed=_allowed(),
            got=kind,
            cure=_cure_of(photos),
        )


def _cure_of(photos: Any) -> str:
    """What to give instead, where that can be told."""
    if _are_paths(photos) and len(photos):
        return "Samples.from_lists(paths, labels)"
    if isinstance(photos, tuple | list) and photos and all(map(are_pictures_and_labels, photos)):
        return tr("say which split each of them is: {code}", code='{"train": (pictures, labels), "test": ...}')
    if hasattr(photos, "batch_size") and hasattr(photos, "dataset"):
        return tr("give the data set itself: {code}", code="LOADER.dataset")
    if isinstance(photos, Mapping) and photos:
        return tr("call its parts by their splits: {code}", code='{"train": ..., "val": ..., "test": ...}')
    streams = hasattr(photos, "__iter__") and not hasattr(photos, "__len__")
    if streams and hasattr(photos, "column_names"):
        return tr("load it whole: {code}", code="load_dataset(..., streaming=False)")
    return tr("what can only be gone through once has to become a list first: list(...)") if streams else ""


def _say_of_transform(photos: Any, told: Told, sentence: str) -> None:
    """Where a data set has one, once."""
    while hasattr(photos, "indices") and hasattr(photos, "dataset"):
        photos = photos.dataset
    if getattr(photos, "transform", None) is not None and sentence not in told.decisions:
        told.decisions.append(sentence)


def _holds_pictures(photos: Any) -> bool:
    """Whether a data set behind subsets names no files."""
    if hasattr(photos, "indices") and hasattr(photos, "dataset"):
        return _holds_pictures(photos.dataset)
    return not (hasattr(photos, "samples") or hasattr(photos, "columns") or is_of_hub(photos)) and is_of_pictures(photos)


def _allowed() -> str:
    return tr(
        "a path, an ImageFolder, a DataFrame with the columns path and label, pairs of path and label, "
        "a Dataset of (PIL image, label), a datasets.Dataset, "
        "or (pictures, labels) with uint8 arrays [N, H, W, 3] or PIL images"
    )


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


def _of_frame(frame: Any, told: Told, split: str) -> Iterator[Row]:
    header = [str(name) for name in frame.columns]
    cells = zip(*(list(frame.iloc[:, place]) for place in range(len(header))), strict=True)
    yield from of_table(Table(Path("DataFrame"), header, list(enumerate(map(list, cells)))), told, split)
