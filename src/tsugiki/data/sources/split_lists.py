"""Lists that say which photos of class folders are for training and which are held out, as data sets bring them along.

``meta/train.txt`` or ``train.json`` with names of photos (Food-101), ``images.txt`` with ``train_test_split.txt`` (CUB).

Letters: ``N`` photos.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.regular_files import parse_json
from tsugiki.data.sources.split_words import split_in
from tsugiki.data.sources.tables.encodings import read_encoded
from tsugiki.data.sources.walk import Walk, joined
from tsugiki.locale.messages import first_few, in_a_row, listed, tr

_LARGEST = 256 << 20  # bytes: the lists of a million photos are smaller
_ENOUGH = 0.9
"""The share of a list's names that must be photos of the data set, for it to be its list."""


@dataclass(frozen=True)
class ListedSplits:
    """What lists say.

    Attributes:
        splits: ``N`` splits; ``""`` where no list names the photo.
        sentence: For the person: which lists were read, or why they are not used.
        read: The files that were.
    """

    splits: tuple[str, ...]
    sentence: str
    read: tuple[str, ...]


def listed_splits(names: Sequence[str], walk: Walk, inner: str) -> ListedSplits | None:
    """The splits that lists beside photos name; ``None`` where there are none.

    Args:
        names: ``N`` photos from class folders.
        walk: Of the data set's own folder, where lists are looked for, and in its folders without photos.
        inner: The folder in there that ``names`` are relative to; ``""`` where it is the same.
    """
    files = [name for folder in _folders_of_lists(walk) for name in walk.inside(folder).others]
    return _of_cub(names, walk, files) or _of_lists(names, walk, files, inner)


def _folders_of_lists(walk: Walk) -> list[str]:
    return ["", *(name for name in walk.inside().folders if not walk.has_photos(name))]


def _of_lists(photos: Sequence[str], walk: Walk, files: list[str], inner: str) -> ListedSplits | None:
    place = _places(photos, inner)
    lists: dict[str, list[str]] = defaultdict(list)
    rows_of: dict[str, list[int]] = {}
    for name in files:
        split = split_in(Path(name).stem) if name.endswith((".txt", ".json", ".lst", ".list")) else None
        rows = _rows_named(Path(walk.root, name), place) if split else []
        if split and rows:
            rows_of[name] = rows
            lists[split].append(name)
    chosen = {split: names[0] for split, names in lists.items() if _say_the_same([rows_of[name] for name in names])}
    if "train" in lists and "train" not in chosen:
        chosen = {}
    if not {"val", "test"} & set(chosen):
        return ListedSplits(("",) * len(photos), _not_used([*rows_of]), ()) if rows_of else None
    splits = [""] * len(photos)
    for split in ("val", "test", "train"):  # what two lists name is never held out
        for row in rows_of[chosen[split]] if split in chosen else ():
            splits[row] = split
    sentence = tr("Splits are those of {files}.", files=listed(f"{name} ({split})" for split, name in chosen.items()))
    if twice := sum(len(set(rows_of[name])) for name in chosen.values()) - sum(map(bool, splits)):
        sentence = in_a_row(sentence, tr("Photos that two of them name, and that are not held out: {count}.", count=twice))
    return ListedSplits(tuple(splits), sentence, tuple(rows_of))


def _not_used(files: list[str]) -> str:
    return tr(
        "Lists of splits that are not used, because there are several of one split or none of held-out photos: {files}.",
        files=first_few(files),
    )


def _say_the_same(lists: list[list[int]]) -> bool:
    return all(set(rows) == set(lists[0]) for rows in lists[1:])


def _places(photos: Sequence[str], inner: str) -> dict[str, int]:
    """The row of every photo by the names that a list may have for it: with or without its ending and the folder around."""
    place: dict[str, int] = {}
    for row, name in enumerate(photos):
        for full in (name, joined(inner, name)):
            place[full] = row
            place.setdefault(full.rpartition(".")[0] or full, row)
    return place


def _rows_named(path: Path, place: Mapping[str, int]) -> list[int]:
    """The rows that a list names; none where it is another kind of file."""
    try:
        text = read_encoded(path, limit=_LARGEST).text
        lines = list(_names_in_json(parse_json(text))) if path.suffix == ".json" else text.splitlines()
    except (OSError, ValueError, RecursionError):
        return []
    lines = [line.strip() for line in lines if line.strip()]
    rows = [row for line in lines if (row := _row_of(line, place)) is not None]
    return rows if rows and len(rows) >= _ENOUGH * len(lines) else []


def _names_in_json(found: object) -> Iterator[str]:
    """Names in a list, or in lists by class."""
    if isinstance(found, dict):
        for names in found.values():
            yield from _names_in_json(names)
    elif isinstance(found, list):
        yield from (name for name in found if isinstance(name, str))


def _row_of(line: str, place: Mapping[str, int]) -> int | None:
    """The photo that a line names, alone or before its label."""
    for name in (line, line.rsplit(None, 1)[0], line.rsplit(",", 1)[0].strip()):
        name = name.replace("\\", "/").removeprefix("./")  # noqa: PLW2901
        if name in place:
            return place[name]
        _, _, shorter = name.partition("/")
        if shorter in place:
            return place[shorter]
    return None


def _of_cub(photos: Sequence[str], walk: Walk, files: list[str]) -> ListedSplits | None:
    """``images.txt`` numbers the photos, ``train_test_split.txt`` has 1 for those to train on."""
    by_base = {name.rpartition("/")[2]: name for name in files}
    if not {"images.txt", "train_test_split.txt"} <= set(by_base):
        return None
    names, is_train = (_numbered(Path(walk.root, by_base[base])) for base in ("images.txt", "train_test_split.txt"))
    split_of_name = {name: "train" if is_train.get(number) == "1" else "test" for number, name in names.items()}
    splits = tuple(split_of_name.get(name, "") for name in photos)
    if sum(map(bool, splits)) < _ENOUGH * len(splits) or "test" not in splits:
        return None
    read = (by_base["images.txt"], by_base["train_test_split.txt"])
    return ListedSplits(splits, tr("Splits are those of {files}.", files=listed(read)), read)


def _numbered(path: Path) -> dict[str, str]:
    try:
        lines = read_encoded(path).text.splitlines()
    except (OSError, ValueError):
        return {}
    return {number: value.strip() for number, _, value in (line.strip().partition(" ") for line in lines)}
