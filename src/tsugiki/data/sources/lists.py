"""What a Python program holds already -> :class:`~tsugiki.data.sources.listing.Listing`.

Lists of paths and of what is known of each, a ``DataFrame``, an ``ImageFolder``, pairs of path and label. Lists come from other
people's code: tuples, arrays of NumPy, columns of pandas, with the stand-ins for "nothing" that these have.

Letters: ``N`` photos.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, LeftOut, Listing, one_spelling, suffix_of
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.tables.column_words import NO_SPLIT
from tsugiki.data.sources.tables.table_columns import Columns, choose_columns, is_true
from tsugiki.data.sources.tables.table_file import Table
from tsugiki.data.sources.tables.table_labels import check_labels, several_labels
from tsugiki.locale.messages import first_few, tr


def list_paths(
    paths: Iterable[str | os.PathLike[str]],
    labels: Iterable[object] | None = None,
    splits: Iterable[object] | None = None,
    groups: Iterable[object] | None = None,
) -> Listing:
    """The candidate photos behind ``N`` paths.

    A photo without a label among photos with one is left out by name, as is a path that is named again.

    Args:
        paths: Files.
        labels: ``N`` class names, or ``None`` where the photos have none.
        splits: ``N`` words for train, val or test; empty ones where nobody said; or ``None``.
        groups: ``N`` names of subjects, empty ones for a subject of its own; or ``None``.

    Raises:
        RequestError: When the lists do not fit together, or one path is given two labels.
    """
    columns = _columns(paths=paths, labels=labels, splits=splits, groups=groups)
    places = [_place(number, path) for number, path in enumerate(columns.pop("paths"))]
    texts = {name: [_text(name, number, value) for number, value in enumerate(column)] for name, column in columns.items()}
    if "labels" in texts and not any(texts["labels"]):
        raise RequestError(tr("Not one of the photos has a label."), cure="labels=None")
    _refuse_strange_splits(texts.get("splits", ()))
    root = _common_folder(places)
    names = [_relative(place, root) for place in places]
    kept, left_out = _that_count(names, texts)

    def column(name: str) -> tuple[str, ...] | None:
        return tuple(texts[name][row] for row in kept) if name in texts else None

    return Listing(
        root=root,
        names=tuple(names[row] for row in kept),
        labels=column("labels") or ("",) * len(kept),
        splits=tuple(split_of(word) or "" for word in column("splits") or ("",) * len(kept)),
        groups=column("groups"),
        left_out=tuple(left_out),
    )


def names_of(name: str, column: Iterable[object], count: int) -> list[str]:
    """A column of an argument called ``name`` as ``count`` names, empty for what stands for nothing.

    Raises:
        RequestError: When it is no list, has another length, or an entry holds several values.
    """
    (values,) = (part for key, part in _columns(paths=range(count), **{name: column}).items() if key == name)
    return [_text(name, number, value) for number, value in enumerate(values)]


def _columns(**given: Any) -> dict[str, list[Any]]:
    """Those that are given, as lists of one length.

    Raises:
        RequestError: When they are something else.
    """
    columns: dict[str, list[Any]] = {}
    for name, column in given.items():
        if column is None and name != "paths":
            continue
        if isinstance(column, str | bytes | os.PathLike) or not isinstance(column, Iterable):
            raise RequestError(
                tr("{name} is no list.", name=name),
                allowed=tr("one entry per photo"),
                got=repr(column)[:80],
                cure=f"{name}=[...]",
            )
        columns[name] = list(column)
    count = len(columns["paths"])
    if not count:
        raise RequestError(tr("The list of photos is empty."), allowed=tr("one path or more"))
    for name, column in columns.items():
        if len(column) != count:
            raise RequestError(
                tr("The lists do not fit together."),
                allowed=f"{name}: {count}",
                got=f"{name}: {len(column)}",
                cure=f"{name}=[...]",
            )
    return columns


def _place(number: int, path: Any) -> str:
    """The absolute path; links stay links.

    Raises:
        RequestError: When it is no path.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = ""
    if not isinstance(name, str) or not name:
        raise RequestError(tr("Entry {number} of {name} is no path.", number=number, name="paths"), got=repr(path)[:80])
    return os.path.abspath(name)  # noqa: PTH100


def _text(name: str, number: int, value: object) -> str:
    """A cell as a name; empty for what stands for nothing: ``None``, NaN, NaT, pandas' NA.

    Raises:
        RequestError: When it is a list of something.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return one_spelling(value.strip())
    if isinstance(value, Collection | Mapping):
        raise RequestError(
            tr("Entry {number} of {name} holds several values.", number=number, name=name),
            allowed=tr("one name per photo"),
            got=repr(value)[:80],
        )
    if value is None or _is_nothing(value):
        return ""
    # A gap in a column of whole numbers makes all of them fractions.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_nothing(value: object) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124 (NaN and NaT differ from themselves)
    except TypeError:  # pandas' NA answers with itself
        return True


def _refuse_strange_splits(words: Iterable[str]) -> None:
    strange = sorted({word for word in words if word and split_of(word) is None and word.casefold() not in NO_SPLIT})
    if strange:
        raise RequestError(tr("There is no such split."), allowed="train, val, test", got=first_few(strange))


def _common_folder(places: list[str]) -> Path:
    """The folder that all files lie in; none where they lie on several drives."""
    try:
        return Path(os.path.commonpath([os.path.dirname(place) for place in places]))  # noqa: PTH120
    except ValueError:
        return Path()


def _relative(place: str, root: Path) -> str:
    return Path(os.path.relpath(place, root)).as_posix() if root.is_absolute() else Path(place).as_posix()


def _that_count(names: list[str], texts: dict[str, list[str]]) -> tuple[list[int], list[LeftOut]]:
    """The rows that are candidates, and why the others are not.

    Raises:
        RequestError: When one path has two labels.
    """
    labels = texts.get("labels")
    first: dict[str, int] = {}
    kept, left_out = [], []
    for row, name in enumerate(names):
        if labels is not None and not labels[row]:
            left_out.append(LeftOut(name, tr("no label")))
        elif name not in first:
            first[name] = row
            kept.append(row)
        elif labels is not None and labels[row] != labels[first[name]]:
            raise RequestError(
                tr("One photo is given two labels."),
                allowed=tr("each path once"),
                got=f"{name}: {labels[first[name]]}, {labels[row]}",
            )
        else:
            left_out.append(LeftOut(name, tr("named again: the first counts")))
    return kept, left_out


_READ = ("path", "label", "split", "group")


class _Row(NamedTuple):
    path: str
    label: str
    split: str = ""
    group: str = ""


def list_object(photos: Any) -> Listing:
    """The candidate photos that an object of a program names; none is opened.

    Args:
        photos: A torchvision ``ImageFolder`` (or a ``Subset`` of one); a pandas ``DataFrame`` with the columns ``path``,
            ``label`` and, if there are any, ``split`` and ``group``; pairs of path and label; or a dictionary of these by
            split. Paths that are relative begin in the working folder.

    Raises:
        RequestError: When it is something else, names no photos, or contradicts itself.
    """
    decisions: list[str] = []
    rows = list(_rows(photos, decisions))
    named = [row for row in rows if row.path]
    if not named:
        raise RequestError(tr("This names no photos."), allowed=_allowed(), got=type(photos).__name__)
    paths, labels, splits, groups = zip(*named, strict=True)
    listing = list_paths(paths, labels, splits, groups if any(groups) else None)
    nameless = [LeftOut(f"#{number}", tr("no path")) for number, row in enumerate(rows) if not row.path]
    return replace(listing, left_out=(*listing.left_out, *nameless), decisions=tuple(decisions))


def _rows(photos: Any, decisions: list[str], split: str = "") -> Iterator[_Row]:
    if isinstance(photos, Mapping) and photos and all(split_of(str(name)) for name in photos):
        for name, part in photos.items():
            yield from _rows(part, decisions, split_of(str(name)) or "")
    elif hasattr(photos, "columns") and hasattr(photos, "itertuples"):
        yield from _of_frame(photos, decisions, split)
    elif hasattr(photos, "indices") and hasattr(photos, "dataset"):
        whole = list(_rows(photos.dataset, decisions, split))
        yield from (whole[int(at)] for at in photos.indices)
    elif hasattr(photos, "samples") and hasattr(photos, "classes"):
        yield from (_Row(str(path), str(photos.classes[label]), split) for path, label in photos.samples)
    elif pairs := _pairs(photos):
        yield from (_Row(os.fspath(path), str(label), split) for path, label in pairs)
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
    if isinstance(photos, Mapping) and all(_are_paths(paths) for paths in photos.values()):
        return [(path, name) for name, paths in pairs for path in paths]
    good = all(isinstance(one, tuple | list) and len(one) == 2 and isinstance(one[0], str | os.PathLike) for one in pairs)
    return pairs if good and all(isinstance(label, str | Integral) for _, label in pairs) else ()


def _are_paths(photos: Any) -> bool:
    return isinstance(photos, list | tuple) and all(isinstance(path, str | os.PathLike) for path in photos)


def _of_frame(frame: Any, decisions: list[str], split: str) -> Iterator[_Row]:
    header = [str(name) for name in frame.columns]
    cells = zip(*(list(frame.iloc[:, place]) for place in range(len(header))), strict=True)
    table = Table(Path("DataFrame"), header, list(enumerate(map(list, cells))))
    columns = choose_columns(table, _are_files)
    rows = list(_rows_of(table, columns, split))
    labels = [(number, row.label) for number, row in enumerate(rows) if row.label]
    decisions += [*columns.sentences, *check_labels(table.path, labels)]
    yield from rows


def _rows_of(table: Table, columns: Columns, split: str) -> Iterator[_Row]:
    for number, cells in table.rows:
        path, label, word, group = (
            "" if place is None else _text(name, number, cells[place])
            for name, place in zip(_READ, (columns.path, columns.labels[0], columns.split, columns.group), strict=True)
        )
        if len(columns.labels) > 1:
            found = [table.header[place] for place in columns.labels if is_true(cells[place])]
            if len(found) > 1:
                raise several_labels(table.path, number, ", ".join(found))
            label = "".join(found)
        if columns.yes is not None:
            word = columns.yes[not is_true(word)]
        flagged = [meant for place, meant in columns.flags if is_true(cells[place])]
        yield _Row(path, label, split or (flagged[0] if flagged else word), group)


def _are_files(texts: Sequence[str]) -> bool:
    """Whether most texts are paths of files, or look like it."""
    return 2 * sum(suffix_of(text) in PHOTO_SUFFIXES or os.path.isfile(text) for text in texts) > len(texts)  # noqa: PTH113
