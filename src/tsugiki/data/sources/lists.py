"""Lists of paths and of what is known of each -> :class:`~tsugiki.data.sources.listing.Listing`.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading, LabelSet
from tsugiki.data.sources.addresses.fetched import fetched_photos
from tsugiki.data.sources.in_memory.list_values import LabelLists, columns_of, labels_given, text_of_value
from tsugiki.data.sources.listing import LeftOut, Listing, with_writable_names
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.tables.column_words import NO_SPLIT
from tsugiki.data.sources.tables.label_cells import sets_of, why_several
from tsugiki.data.sources.tables.label_rows import SeveralRows, finished
from tsugiki.data.sources.tables.table_paths import is_address, path_of
from tsugiki.locale.messages import first_few, tr


def list_paths(
    paths: Iterable[str | os.PathLike[str]],
    labels: Iterable[object] | None = None,
    splits: Iterable[object] | None = None,
    groups: Iterable[object] | None = None,
    *,
    reading: LabelReading = AS_WRITTEN,
    classes: Sequence[str] | None = None,
) -> Listing:
    """The candidate photos behind ``N`` paths.

    A photo without a label among photos with one is left out by name, as is a path that is named again.

    Args:
        paths: Files, or addresses (``https://``, ``s3://``, ...), whose photos are fetched once into the cache.
        labels: ``N`` class names, or ``None`` where the photos have none. For photos with several labels ``N`` lists of names,
            an empty one for a photo that shows none of the classes; or ``[N, K]`` of 1, 0 and, where nobody knows, NaN or
            -1.
        splits: ``N`` words for train, val or test; empty ones where nobody said; or ``None``.
        groups: ``N`` names of subjects, empty ones for a subject of its own; or ``None``.
        reading: How labels are to be read.
        classes: ``K`` names of the columns of labels of 1 and 0; a ``DataFrame`` brings them along.

    Raises:
        RequestError: When the lists do not fit together, one path is given two labels, or columns of 1 and 0 have no names.
    """
    columns = columns_of(paths=paths, splits=splits, groups=groups)
    places = [place_of(number, path) for number, path in enumerate(columns.pop("paths"))]
    texts = {
        name: [text_of_value(name, number, value) for number, value in enumerate(column)] for name, column in columns.items()
    }
    refuse_strange_splits(texts.get("splits", ()))
    given = LabelLists() if labels is None else labels_given(labels, len(places), classes)
    if labels is not None and all(cell == "" for cell in given.cells):
        raise RequestError(tr("Not one of the photos has a label."), cure="labels=None")
    listing = listing_of(places, texts, given, reading, "labels")
    return with_writable_names(finished(listing, reading if labels is not None else AS_WRITTEN))


def listing_of(
    places: list[str], texts: dict[str, list[str]], given: LabelLists, reading: LabelReading, called: str
) -> Listing:
    """Photos at ``N`` places.

    Args:
        places: Absolute paths, and addresses, which are fetched.
        texts: ``N`` splits and groups, where they are known.
        given: ``N`` labels, or none.
        reading: How they are to be read.
        called: What the labels are called in sentences.

    Raises:
        RequestError: When one path is given two labels.
        DataError: When all are addresses, and nothing can be fetched.
    """
    fetched = fetched_photos(filter(is_address, places))
    gone = {row: LeftOut(place, fetched.reasons[place]) for row, place in enumerate(places) if place in fetched.reasons}
    if gone and len(gone) == len(places):
        raise fetched.nothing_came(called)
    places = [fetched.places.get(place, place) for place in places]
    root = _common_folder([place for row, place in enumerate(places) if row not in gone])
    names = [place if row in gone else _relative(place, root) for row, place in enumerate(places)]
    written = [(number, cell) for number, cell in enumerate(given.cells) if cell != ""]
    sets = sets_of(written, reading) if written else None
    decisions = [*fetched.decisions, *([] if sets is None else why_several(called, written, reading))]
    said: dict[int, str | LabelSet] = dict(
        zip([number for number, _ in written], sets or map(str, (c for _, c in written)), strict=True)
    )
    kept, left_out = _that_count(names, said if given.cells else None, reading, gone)
    if sets is not None:
        found = SeveralRows()
        said |= {rows[0]: found.joined([one for row in rows if isinstance(one := said[row], LabelSet)]) for rows in kept}
        decisions += found.sentences(marks=bool(given.classes))

    def column(name: str) -> tuple[str, ...] | None:
        if name not in texts:
            return None
        return tuple(next((texts[name][row] for row in rows if texts[name][row]), "") for rows in kept)

    return Listing(
        root=root,
        names=tuple(names[first] for first, *_ in kept),
        labels=tuple(str(said.get(first, "")) for first, *_ in kept),
        splits=tuple(split_of(word) or "" for word in column("splits") or ("",) * len(kept)),
        groups=column("groups"),
        left_out=tuple(left_out),
        decisions=tuple(decisions),
        label_sets=None if sets is None else tuple(one for first, *_ in kept if isinstance(one := said[first], LabelSet)),
        classes=given.classes,
    )


def names_of(name: str, column: Iterable[object], count: int) -> list[str]:
    """A column of an argument called ``name`` as ``count`` names, empty for what stands for nothing.

    Raises:
        RequestError: When it is no list, has another length, or an entry holds several values.
    """
    (values,) = (part for key, part in columns_of(paths=range(count), **{name: column}).items() if key == name)
    return [text_of_value(name, number, value) for number, value in enumerate(values)]


def place_of(number: int, path: Any) -> str:
    """The absolute path, where links stay links; or the address of a photo elsewhere, as it is.

    Raises:
        RequestError: When it is no path.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        name = ""
    if not isinstance(name, str) or not name:
        raise RequestError(tr("Entry {number} of {name} is no path.", number=number, name="paths"), got=repr(path)[:80])
    if is_address(name) and not os.path.exists(name):  # noqa: PTH110
        return name
    return os.path.abspath(path_of(name))  # noqa: PTH100


def refuse_strange_splits(words: Iterable[str]) -> None:
    """Refuse words that mean no split.

    Raises:
        RequestError: When there is one.
    """
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


def _that_count(
    names: list[str], labels: Mapping[int, object] | None, reading: LabelReading, gone: Mapping[int, LeftOut]
) -> tuple[list[list[int]], list[LeftOut]]:
    """The rows of each candidate, more than one where several say its labels together, and why others are none.

    Raises:
        RequestError: When one path has two labels.
    """
    rows: dict[str, list[int]] = {}
    left_out = []
    for row, name in enumerate(names):
        if row in gone:
            left_out.append(gone[row])
        elif labels is not None and row not in labels:
            left_out.append(LeftOut(name, tr("no label")))
        elif name not in rows:
            rows[name] = [row]
        elif labels is not None and reading.multi_label:
            rows[name].append(row)
        elif labels is not None and labels[row] != labels[rows[name][0]]:
            raise RequestError(
                tr("One photo is given two labels."),
                allowed=tr("each path once"),
                got=f"{name}: {labels[rows[name][0]]}, {labels[row]}",
                cure=tr("add {argument}, if photos may have several labels", argument=argument("multi_label", value=True)),
            )
        else:
            left_out.append(LeftOut(name, tr("named again: the first counts")))
    return [*rows.values()], left_out
