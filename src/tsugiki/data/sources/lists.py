"""Lists of paths, and of what is known of each -> :class:`~tsugiki.data.sources.listing.Listing`.

Lists come from other people's code: lists, tuples, arrays of NumPy, columns of pandas, with the stand-ins for "nothing" that
these have.

Letters: ``N`` photos.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import split_of
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
    return "" if value is None or _is_nothing(value) else str(value)


def _is_nothing(value: object) -> bool:
    try:
        return bool(value != value)  # noqa: PLR0124 (NaN and NaT differ from themselves)
    except TypeError:  # pandas' NA answers with itself
        return True


def _refuse_strange_splits(words: Iterable[str]) -> None:
    strange = sorted({word for word in words if word and split_of(word) is None})
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
