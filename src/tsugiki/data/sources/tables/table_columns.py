"""Which columns of a table hold paths, labels, splits and groups: by the program's own names, else by usual ones, and said.

Letters: ``N`` rows.
"""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, suffix_of
from tsugiki.data.sources.split_words import split_in, split_of
from tsugiki.data.sources.tables.column_words import (
    GROUPS,
    LABELS,
    NO_CLASSES,
    NO_SPLIT,
    NUMBERED_LABELS,
    PATHS,
    SEVERAL_LABELS,
    SPLITS,
    TRUTHS,
    YES_SAYS,
)
from tsugiki.data.sources.tables.mark_columns import LabelColumns, mark_columns
from tsugiki.data.sources.tables.table_file import Table, looks_headless
from tsugiki.locale.messages import first_few, listed, tr

COLUMNS = ("path", "label", "split", "group")
"""The columns that are read; the first two are needed."""

HEADER = "path,label[,split][,group]"
"""What a table looks like."""

_ROWS_TRIED = 200


@dataclass(frozen=True)
class Columns:
    """Where things stand in a table.

    Attributes:
        path: A column.
        labels: One column of class names, several with 1 for each class of the row (one-hot), or none.
        split: A column, or ``None``.
        group: Likewise.
        yes: What a true value in the column ``split`` means, and a false one; ``None`` where it holds words.
        flags: Columns of which each row has one true, and the split that this means; none where ``split`` says it.
        sentences: For the person: what was guessed, and what is not read.
        several: Whether a row may have a 1 in any number of the columns ``labels``.
        minus_is_absent: Whether -1 in them means that a class is not there.
    """

    path: int
    labels: tuple[int, ...]
    split: int | None = None
    group: int | None = None
    yes: tuple[str, str] | None = None
    flags: tuple[tuple[int, str], ...] = ()
    sentences: tuple[str, ...] = ()
    several: bool = False
    minus_is_absent: bool = False


def choose_columns(
    table: Table,
    leads_to_photos: Callable[[Sequence[str]], bool],
    *,
    labelled: bool = True,
    reading: LabelReading = AS_WRITTEN,
) -> Columns:
    """The columns to read.

    Args:
        table: Of ``N`` rows.
        leads_to_photos: Whether texts of a column are, mostly, names of photos that are there.
        labelled: Whether there have to be labels; where not, they are not read.
        reading: How labels are to be read.

    Raises:
        RequestError: When there is none for paths or labels, or several that could be.
    """
    names = [_plain(name) for name in table.header]
    _refuse_twins(table, names)
    if looks_headless(table):
        raise _missing(table, [name for name in ("path", "label") if name not in names])
    path = names.index("path") if "path" in names else _path_column(table, names, leads_to_photos)
    found = _labels(table, names, path, reading) if labelled else LabelColumns()
    labels = found.places
    missing = [name for name, there in (("path", path is not None), ("label", bool(labels) or not labelled)) if not there]
    if path is None or missing:
        raise _missing(table, missing, [] if path is None else _may_be_labels(table, names, path))
    split, yes = _split_column(table, names, {path, *labels})
    flags = () if split is not None else _flag_columns(table, names)
    group = names.index("group") if "group" in names else _group_column(table, names, {path, *labels})
    flagged = tuple(place for place, _ in flags)
    used = {path, *labels, *flagged, *(place for place in (split, group) if place is not None)}
    guessed = {"path": (path,), "label": labels, "split": flagged or (split,), "group": (group,)}
    sentences = [*_guesses(table, names, guessed), *_unread(table, used), *_beside(table, names, labels, path, reading)]
    if found.minus_is_absent:
        sentences.append(
            tr("-1 is read as 0 in {table}, where nothing else says that a class is not there.", table=table.path.name)
        )
    return Columns(path, labels, split, group, yes, flags, tuple(sentences), found.several, found.minus_is_absent)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().strip("\ufeff#").strip().casefold().replace(" ", "_").replace("-", "_")


def _refuse_twins(table: Table, names: list[str]) -> None:
    """``Label`` beside ``label``: nobody knows which of them is meant."""
    for name in COLUMNS:
        twins = [repr(table.header[place]) for place, other in enumerate(names) if other == name]
        if len(twins) > 1:
            raise RequestError(
                tr("The manifest {path} has several columns that are called {name}.", path=table.path, name=name),
                got=", ".join(twins),
                cure=tr("rename all but one of them"),
            )


def _missing(table: Table, missing: list[str], perhaps: Sequence[int] = ()) -> RequestError:
    cures = {
        "path": tr("rename the column with the names of the photo files to path"),
        "label": tr("rename the column with the classes to label"),
    }
    if perhaps:
        named = first_few([table.header[place] for place in perhaps])
        cures["label"] = tr("rename the column with the classes to label; it may be one of these: {names}", names=named)
    cure = listed(cures[name] for name in missing)
    if looks_headless(table):
        cure = tr("write the names of the columns into a first line: path,label")
    elif len(table.header) == 1 and any(letter in table.header[0] for letter in "，、；"):
        cure = tr("put an ordinary comma between the cells, not a full-width one")
    return RequestError(
        tr("The manifest {path} has no column {names}.", path=table.path, names=", ".join(missing)),
        allowed=HEADER,
        got=", ".join(table.header) or tr("an empty file"),
        cure=cure,
    )


def _texts(table: Table, place: int) -> list[str]:
    """Some cells of a column as text, from all over the table."""
    step = max(1, len(table.rows) // _ROWS_TRIED)
    cells = (cells[place] for _, cells in table.rows[::step])
    return [str(cell).strip() for cell in cells if cell is not None and not isinstance(cell, bytes | list | dict)]


def _path_column(table: Table, names: list[str], leads_to_photos: Callable[[Sequence[str]], bool]) -> int | None:
    usual = sorted((PATHS.index(name), place) for place, name in enumerate(names) if name in PATHS)
    others = [place for place, name in enumerate(names) if name not in PATHS]
    others.sort(key=lambda place: not _are_file_names(_texts(table, place)))
    others = [place for place in others if _are_file_names(_texts(table, place)) or _all_differ(table.column(place))]
    for place in [*(place for _, place in usual), *others]:
        if leads_to_photos(_texts(table, place)):
            return place
    # Where they lead nowhere, that is what has to be said, and not that there is no such column.
    return next((place for _, place in usual if _are_file_names(_texts(table, place))), None)


def _are_file_names(texts: list[str]) -> bool:
    return 2 * sum(suffix_of(text) in PHOTO_SUFFIXES for text in texts) > len(texts)


def _all_differ(cells: list[Any]) -> bool:
    return len({str(cell) for cell in cells}) == len(cells) > 1


def _labels(table: Table, names: list[str], path: int | None, reading: LabelReading) -> LabelColumns:
    named = (names.index("label"),) if "label" in names else _named_labels(table, names, path)
    if named:
        return LabelColumns(named)
    if (found := _mark_columns(table, names, path, reading)).places:
        return found
    left = [] if path is None else _may_be_labels(table, names, path)
    return LabelColumns(tuple(left) if len(left) == 1 else ())


def _named_labels(table: Table, names: list[str], path: int | None) -> tuple[int, ...]:
    found = [place for place, name in enumerate(names) if name in LABELS and place != path]
    for words in (NUMBERED_LABELS, SEVERAL_LABELS):
        found = found or [place for place, name in enumerate(names) if name in words and place != path]
    if len(found) > 1 and _say_the_same([[str(cell) for cell in table.column(place)] for place in found]):
        found = sorted(found, key=lambda place: all(text.isdecimal() for text in _texts(table, place)))[:1]
    if len(found) > 1:
        raise RequestError(
            tr("Several columns of {path} could hold the classes.", path=table.path),
            got=", ".join(table.header[place] for place in found),
            cure=tr("rename the one that is meant to label"),
        )
    return tuple(found)


def _say_the_same(columns: list[list[str]]) -> bool:
    """Whether columns divide the rows alike, as names of classes and their numbers do."""
    return (
        len(set(zip(*columns, strict=True)))
        == max(len(set(column)) for column in columns)
        == min(len(set(column)) for column in columns)
    )


def _may_be_labels(table: Table, names: list[str], path: int) -> list[int]:
    """Columns without a usual name whose cells repeat, so that they could be classes."""
    known = {*COLUMNS, *SPLITS, *YES_SAYS, *GROUPS, *NO_CLASSES, "fold", "folds", "kfold", ""}
    left = [place for place, name in enumerate(names) if place != path and name not in known]
    return [place for place in left if 1 < len(set(map(str, table.column(place)))) <= len(table.rows) // 2]


def _mark_columns(table: Table, names: list[str], path: int | None, reading: LabelReading) -> LabelColumns:
    """Columns of 0 and 1, one per class."""
    taken = {place for place, name in enumerate(names) if name in YES_SAYS or name in {"split", "group", "fold", ""}}
    others = {place for place, name in enumerate(names) if name in {*SPLITS, *GROUPS, *NO_CLASSES, "folds", "kfold"}}
    try:
        return mark_columns(table, taken | ({path} if path is not None else set()), others, reading)
    except RequestError:
        if path is None:  # this is no table of photos
            return LabelColumns()
        raise


def _beside(table: Table, names: list[str], labels: tuple[int, ...], path: int, reading: LabelReading) -> Iterator[str]:
    """A word about columns of 0 and 1 beside the one that says the labels, where photos are to have several."""
    marks: list[int] = []
    if len(labels) != 1 or not reading.several:
        return
    with contextlib.suppress(RequestError):
        marks = [place for place in _mark_columns(table, names, path, reading).places if place not in labels]
    if len(marks) > 1:
        yield tr(
            "The labels are those in the column {label}; to go by the columns of 0 and 1 instead ({names}), take it out.",
            label=table.header[labels[0]],
            names=first_few([table.header[place] for place in marks]),
        )


def _is_yes_or_no(cells: Iterable[Any]) -> bool:
    return all(TRUTHS.get(str(cell).strip().casefold()) is not None for cell in cells)


def is_true(cell: Any) -> bool:
    """Whether a cell of a column of 0 and 1 says 1."""
    return TRUTHS.get(str(cell).strip().casefold(), False)


def _split_column(table: Table, names: list[str], taken: set[int]) -> tuple[int | None, tuple[str, str] | None]:
    if "split" in names:
        return names.index("split"), None
    free = [place for place in range(len(names)) if place not in taken]
    words = [place for place in free if names[place] in SPLITS and _are_split_words(table.column(place))]
    flags = [place for place in free if names[place] in YES_SAYS and _is_yes_or_no(table.column(place))]
    if not words and not flags:
        words = [place for place in free if _are_splits(table.column(place))]
    if len(words) == 1:
        return words[0], None
    if not words and len(flags) == 1:
        return flags[0], YES_SAYS[names[flags[0]]]
    return None, None


def _are_split_words(cells: list[Any]) -> bool:
    words = _split_words(cells)
    return len(words) > 1 and all(map(split_in, words))


def _are_splits(cells: list[Any]) -> bool:
    """Whether cells are the very words for splits, so that any column of them is meant so, whatever its name."""
    splits = {split_of(word) for word in _split_words(cells)}
    return len(splits) > 1 and None not in splits and "train" in splits


def _split_words(cells: list[Any]) -> set[str]:
    words = {str(cell).strip() for cell in cells if cell is not None and str(cell).strip()}
    return {word for word in words if word.casefold() not in NO_SPLIT}


def _flag_columns(table: Table, names: list[str]) -> tuple[tuple[int, str], ...]:
    """Columns such as ``is_train``, ``is_val`` and ``is_test``, where every row has exactly one true."""
    flags = [place for place, name in enumerate(names) if name in YES_SAYS and _is_yes_or_no(table.column(place))]
    one_each = all(sum(is_true(cells[place]) for place in flags) == 1 for _, cells in table.rows)
    return tuple((place, YES_SAYS[names[place]][0]) for place in flags) if len(flags) > 1 and one_each else ()


def _group_column(table: Table, names: list[str], taken: set[int]) -> int | None:
    """The column of subjects; of several the coarsest, where each of the others divides its subjects further."""
    found = [place for place, name in enumerate(names) if name in GROUPS and place not in taken]
    columns = {place: [str(cell) for cell in table.column(place)] for place in found}
    useful = [place for place in found if len(set(columns[place])) > 1]
    for place in useful:
        if all(_divides(columns[other], columns[place]) for other in useful if other != place):
            return place
    return None


def _divides(fine: list[str], coarse: list[str]) -> bool:
    return len(set(zip(fine, coarse, strict=True))) == len(set(fine))


def _guesses(table: Table, names: list[str], guessed: dict[str, Any]) -> Iterator[str]:
    """What was read under another name than the program's own."""
    read = [
        f"{name}: {first_few([table.header[place] for place in places])}"
        for name, places in guessed.items()
        if any(place is not None and names[place] != name for place in places)
    ]
    if read:
        yield tr("Columns of {table} were read as {columns}.", table=table.path.name, columns="; ".join(read))


def _unread(table: Table, used: set[int]) -> Iterator[str]:
    unread = [
        name or "''"
        for place, name in enumerate(table.header)
        if place not in used and (name or any(str(cell or "").strip() for cell in table.column(place)))
    ]
    unread += table.unread
    if unread:
        yield tr("Columns of {table} that are not read: {names}.", table=table.path.name, names=first_few(unread, 12))
        yield from _maybe_meant(table, used)


def _maybe_meant(table: Table, used: set[int]) -> Iterator[str]:
    """A word about columns that look as if photos of one subject, or parts of the data, should be kept apart."""
    plain = {_plain(name): name for place, name in enumerate(table.header) if place not in used}
    splits = [name for word, name in plain.items() if word in {*SPLITS, *YES_SAYS, "fold", "folds", "kfold"}]
    groups = [name for word, name in plain.items() if word in GROUPS]
    if splits and not {"split"} & {_plain(table.header[place]) for place in used}:
        yield tr("If {names} should hold photos out, rename it to split, with train, val or test in it.", names=listed(splits))
    if groups and not {"group", *GROUPS} & {_plain(table.header[place]) for place in used}:
        yield tr("If photos with the same {names} must stay together, rename it to group.", names=listed(groups))
