"""Which columns of a table hold paths, labels, splits and groups: by the program's own names, else by usual ones, and said.

Letters: ``N`` rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, suffix_of
from tsugiki.data.sources.split_words import split_in, words_in
from tsugiki.data.sources.tables.table_file import Table, looks_headless
from tsugiki.locale.messages import first_few, listed, tr

COLUMNS = ("path", "label", "split", "group")
"""The columns that are read; the first two are needed."""

HEADER = "path,label[,split][,group]"
"""What a table looks like."""

_PATHS = words_in(
    "file_name filename file filepath file_path image_path img_path image_file image_name img_name "
    "image_id img_id imageid image img photo picture name fname id uuid path_to_image パス ファイル名 ファイル 画像 "
    "写真 文件名 图片 "
)
_LABELS = words_in(
    "class class_name classname label_name category category_name target target_name breed species "
    "diagnosis dx variety labels predictionstring tag tags choice ground_truth y ラベル クラス 分類 种类 类别 标签 "
)
_NUMBERED_LABELS = words_in("class_id classid label_id category_id target_id label_idx class_index ")
_SPLITS = words_in("splits subset set partition phase usage data_split split_name dataset dataset_split ")
_YES_SAYS = {
    "is_valid": ("val", "train"),
    "is_val": ("val", "train"),
    "is_validation": ("val", "train"),
    "is_test": ("test", "train"),
    "is_train": ("train", "test"),
    "is_training": ("train", "test"),
    "is_training_img": ("train", "test"),
}
_GROUPS = words_in(
    "patient_id patientid patient subject_id subjectid subject person_id person participant_id lesion_id "
    "case_id animal_id individual_id individual video_id video sequence_id session_id specimen_id "
    "group_id 患者 患者id 被験者 個体 "
)

_TRUTHS = {"true": True, "1": True, "1.0": True, "yes": True, "false": False, "0": False, "0.0": False, "no": False}
_ROWS_TRIED = 200


@dataclass(frozen=True)
class Columns:
    """Where things stand in a table.

    Attributes:
        path: A column.
        labels: One column of class names, or several with 1 for the class of the row (one-hot).
        split: A column, or ``None``.
        group: Likewise.
        yes: What a true value in the column ``split`` means, and a false one; ``None`` where it holds words.
        sentences: For the person: what was guessed, and what is not read.
    """

    path: int
    labels: tuple[int, ...]
    split: int | None = None
    group: int | None = None
    yes: tuple[str, str] | None = None
    sentences: tuple[str, ...] = ()


def choose_columns(table: Table, leads_to_photos: Callable[[Sequence[str]], bool]) -> Columns:
    """The columns to read.

    Args:
        table: Of ``N`` rows.
        leads_to_photos: Whether texts of a column are, mostly, names of photos that are there.

    Raises:
        RequestError: When there is none for paths or labels, or several that could be.
    """
    names = [_plain(name) for name in table.header]
    _refuse_twins(table, names)
    path = names.index("path") if "path" in names else _path_column(table, names, leads_to_photos)
    labels = (names.index("label"),) if "label" in names else _label_columns(table, names, path)
    missing = [name for name, found in (("path", path is not None), ("label", bool(labels))) if not found]
    if path is None or not labels:
        raise _missing(table, missing)
    split, yes = _split_column(table, names, {path, *labels})
    group = names.index("group") if "group" in names else _group_column(table, names, {path, *labels})
    used = {path, *labels, *(place for place in (split, group) if place is not None)}
    guessed = {"path": (path,), "label": labels, "split": (split,), "group": (group,)}
    sentences = [*_guesses(table, names, guessed), *_unread(table, used)]
    return Columns(path, labels, split, group, yes, tuple(sentences))


def _plain(name: str) -> str:
    return name.strip().strip("\ufeff").casefold().replace(" ", "_").replace("-", "_")


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


def _missing(table: Table, missing: list[str]) -> RequestError:
    cures = {
        "path": tr("rename the column with the names of the photo files to path"),
        "label": tr("rename the column with the classes to label"),
    }
    headless = looks_headless(table)
    return RequestError(
        tr("The manifest {path} has no column {names}.", path=table.path, names=", ".join(missing)),
        allowed=HEADER,
        got=", ".join(table.header) or tr("an empty file"),
        cure=tr("write the names of the columns into a first line: path,label")
        if headless
        else listed(cures[name] for name in missing),
    )


def _texts(table: Table, place: int) -> list[str]:
    """Some cells of a column as text, from all over the table."""
    step = max(1, len(table.rows) // _ROWS_TRIED)
    cells = (cells[place] for _, cells in table.rows[::step])
    return [str(cell).strip() for cell in cells if cell is not None and not isinstance(cell, bytes | list | dict)]


def _path_column(table: Table, names: list[str], leads_to_photos: Callable[[Sequence[str]], bool]) -> int | None:
    usual = sorted((_PATHS.index(name), place) for place, name in enumerate(names) if name in _PATHS)
    others = [place for place, name in enumerate(names) if name not in _PATHS and _are_file_names(_texts(table, place))]
    for place in [*(place for _, place in usual), *others]:
        if leads_to_photos(_texts(table, place)):
            return place
    return None


def _are_file_names(texts: list[str]) -> bool:
    return 2 * sum(suffix_of(text) in PHOTO_SUFFIXES for text in texts) > len(texts)


def _label_columns(table: Table, names: list[str], path: int | None) -> tuple[int, ...]:
    found = [place for place, name in enumerate(names) if name in _LABELS and place != path]
    found = found or [place for place, name in enumerate(names) if name in _NUMBERED_LABELS]
    if len(found) > 1:
        raise RequestError(
            tr("Several columns of {path} could hold the classes.", path=table.path),
            got=", ".join(table.header[place] for place in found),
            cure=tr("rename the one that is meant to label"),
        )
    return tuple(found) or _one_hot_columns(table, names, path)


def _one_hot_columns(table: Table, names: list[str], path: int | None) -> tuple[int, ...]:
    """Columns of nothing but 0 and 1, one per class; none where they are too few."""
    taken = {path, *(place for place, name in enumerate(names) if name in _YES_SAYS or name in {"split", "group", "fold", ""})}
    found = [place for place in range(len(names)) if place not in taken and _is_yes_or_no(table.column(place))]
    return tuple(found) if len(found) > 1 and table.rows else ()


def _is_yes_or_no(cells: Iterable[Any]) -> bool:
    return all(_TRUTHS.get(str(cell).strip().casefold()) is not None for cell in cells)


def is_true(cell: Any) -> bool:
    """Whether a cell of a column of 0 and 1 says 1."""
    return _TRUTHS.get(str(cell).strip().casefold(), False)


def _split_column(table: Table, names: list[str], taken: set[int]) -> tuple[int | None, tuple[str, str] | None]:
    if "split" in names:
        return names.index("split"), None
    free = [place for place in range(len(names)) if place not in taken]
    words = [place for place in free if names[place] in _SPLITS and _are_split_words(table.column(place))]
    flags = [place for place in free if names[place] in _YES_SAYS and _is_yes_or_no(table.column(place))]
    if len(words) == 1:
        return words[0], None
    if not words and len(flags) == 1:
        return flags[0], _YES_SAYS[names[flags[0]]]
    return None, None


def _are_split_words(cells: list[Any]) -> bool:
    words = {str(cell).strip() for cell in cells if cell is not None and str(cell).strip()}
    return len(words) > 1 and all(map(split_in, words))


def _group_column(table: Table, names: list[str], taken: set[int]) -> int | None:
    """The column of subjects; of several the coarsest, where each of the others divides its subjects further."""
    found = [place for place, name in enumerate(names) if name in _GROUPS and place not in taken]
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
    splits = [name for word, name in plain.items() if word in {*_SPLITS, *_YES_SAYS, "fold", "folds", "kfold"}]
    groups = [name for word, name in plain.items() if word in _GROUPS]
    if splits and not {"split"} & {_plain(table.header[place]) for place in used}:
        yield tr("If {names} should hold photos out, rename it to split, with train, val or test in it.", names=listed(splits))
    if groups and not {"group", *_GROUPS} & {_plain(table.header[place]) for place in used}:
        yield tr("If photos with the same {names} must stay together, rename it to group.", names=listed(groups))
