"""How a folder is laid out: which folders are splits, which one only wraps the rest, and which cannot be classes."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.layout_hints import wanted, where_classes_are
from tsugiki.data.sources.split_words import are_parts, means_markings, means_pictures, split_in, split_of
from tsugiki.data.sources.walk import Walk, joined
from tsugiki.locale.messages import first_few, tr

_DATE = re.compile(r"(?:19|20)\d\d(?:[-_.]?[01]\d(?:[-_.]?[0-3]\d)?)?")
_MARKING_STEM = re.compile(
    r"[-_ ](?:masks?|seg|segmentation|gt|groundtruth|labels?|annotation|depth)(?:[-_ ]?\d+)?$", re.IGNORECASE
)
_ALIKE = 0.8
"""The share of file names two folders have in common when they hold two views of the same photos."""

_PAIRS_TRIED = 8  # classes by the hundred are no masks, and their pairs are many


def splits_in(walk: Walk) -> dict[str, str]:
    """The folders at the top that are splits, and which: those called so, and those with the word in their names.

    A word inside a name counts only where several splits are named: ``bullet_train`` may be a class.
    """
    folders = [name for name in walk.inside().folders if walk.inside(name).folders]
    exact = {name: split for name in folders if (split := split_of(name))}
    loose = {
        name: split
        for name in folders
        if name not in exact and (split := split_in(name)) and split not in exact.values() and walk.has_photos(name)
    }
    return exact | loose if len({*exact.values(), *loose.values()}) > 1 else exact


def core_of(walk: Walk, folder: str, split: str) -> str:
    """The folder inside a split's folder that holds its class folders: ``train/train`` and ``train/images`` wrap it."""
    while True:
        inside, filled = walk.inside(folder), walk.folders_with_photos(folder)
        if inside.photos or len(filled) != 1 or not (split_in(filled[0]) == split or means_pictures(filled[0])):
            return folder
        folder = joined(folder, filled[0])


def wrapped_in(walk: Walk) -> str | None:
    """The one folder that holds everything else, where that holds a data set."""
    filled = walk.folders_with_photos()
    return filled[0] if len(filled) == 1 and _is_data_set(walk, filled[0]) else None


def _is_data_set(walk: Walk, folder: str) -> bool:
    if walk.inside(folder).photos:
        return False
    filled = walk.folders_with_photos(folder)
    if len(filled) > 1:
        return True
    return any(_has_splits(walk, folder) or _is_data_set(walk, joined(folder, name)) for name in filled)


def _has_splits(walk: Walk, folder: str) -> bool:
    names = walk.inside(folder).folders
    if any(split_of(name) and walk.inside(joined(folder, name)).folders for name in names):
        return True
    splits = [split_in(name) for name in walk.folders_with_photos(folder)]
    return len(splits) > 1 and None not in splits and len(set(splits)) > 1


def holds_the_others(walk: Walk, folder: str) -> str:
    """The classes beside a folder that are in it once more, as data sets are packed by mistake; ``""`` where there are none."""
    inner = walk.folders_with_photos(folder)
    others = set(walk.inside().folders) - {folder}
    return first_few(inner, 3) if len(inner) > 1 and set(inner) <= others and not walk.inside(folder).photos else ""


def _only_splits(walk: Walk, folder: str) -> bool:
    """Whether a class folder has its splits inside, whatever else lies there."""
    inner = walk.folders_with_photos(folder)
    named = {split_of(name) for name in inner}
    return len(named) > 1 and None not in named and not any(walk.inside(joined(folder, name)).folders for name in inner)


def layout_fault(root: Path, walk: Walk) -> RequestError | None:
    """Why the folders at the top are no classes; ``None`` where they are."""
    top = walk.inside()
    filled = [name for name in walk.folders_with_photos() if not holds_the_others(walk, name)]
    if not filled and not top.photos:
        return RequestError(tr("There are no photos in {folder}.", folder=root), got=" ".join(walk.passed_by()), cure=wanted())
    if _are_split_words(filled) or _only_pictures(filled):
        return RequestError(
            tr("The photos in {folder} are not in class folders.", folder=root), cure=where_classes_are(root, walk)
        )
    divided = [name for name in filled if _only_splits(walk, name)]
    if len(divided) > 1 and (whole := [name for name in filled if name not in divided or walk.inside(name).photos]):
        return RequestError(
            tr(
                "Some class folders in {folder} are divided into splits ({divided}), "
                "and some hold photos outside of these ({whole}).",
                folder=root,
                divided=first_few(divided, 3),
                whole=first_few(whole, 3),
            ),
            cure=tr("divide all of them alike, as in cat/train and cat/test, or none"),
        )
    for name in filled:
        if _has_splits(walk, name):
            return RequestError(
                tr("{folder} is not a folder of classes: {name} inside it is.", folder=root, name=name),
                cure=tr("name that folder instead: {folder}", folder=root / name),
            )
    return fault_of_classes(root, walk, "", filled)


def _are_split_words(names: list[str]) -> bool:
    """Whether folders without class folders are splits all the same; ``bullet_train`` beside ``car`` is a class."""
    if all(split_of(name) for name in names):
        return True
    exact = {split for name in names if (split := split_of(name))}
    return len(exact) > 1 or (all(map(split_in, names)) and len(set(map(split_in, names))) > 1)


def _only_pictures(names: list[str]) -> bool:
    return len(names) == 1 and means_pictures(names[0])


def fault_of_classes(root: Path, walk: Walk, above: str, names: list[str]) -> RequestError | None:
    """Why the folders ``names`` in ``above`` cannot be classes beside each other; ``None`` where they can."""
    place = root / above
    if any(map(means_markings, names)) and all(means_markings(name) or means_pictures(name) for name in names):
        pictures = [name for name in names if means_pictures(name)]
        cure = tr("name that folder instead: {folder}", folder=place / pictures[0]) if pictures else wanted()
        return _no_classes(place, names, tr("photos and what belongs to them"), cure)
    if are_parts(names):
        cure = tr("put what is in them together, or call one of them train and another one test")
        return _no_classes(place, names, tr("parts of one set of photos"), cure)
    if shared := _shared_folders(walk, above, names):
        return RequestError(
            tr("The folders in {folder} hold the same folders: {names}.", folder=place, names=first_few(shared)),
            got=first_few(names),
            cure=tr(
                "if {inner} are the classes, name one of the folders, put them together, or call them train and test; "
                "if {outer} are, put the photos into these folders themselves",
                inner=first_few(shared, 3),
                outer=first_few(names, 3),
            ),
        )
    for one, other in combinations(names[:_PAIRS_TRIED], 2):
        if example := _same_photos_twice(walk, joined(above, one), joined(above, other)):
            return RequestError(
                tr(
                    "{one} and {other} hold files of the same names ({example}), as photos and their masks do: no classes.",
                    one=place / one,
                    other=place / other,
                    example=example,
                ),
                cure=tr(
                    "name the folder with the photos; if they are classes all the same, write a table path,label,group "
                    "with the same group for the photos that belong together"
                ),
            )
    return None


def _no_classes(place: Path, names: list[str], what: str, cure: str) -> RequestError:
    return RequestError(
        tr("The folders in {folder} are no classes but {what}, by their names.", folder=place, what=what),
        got=first_few(names),
        cure=cure,
    )


def _shared_folders(walk: Walk, above: str, names: list[str]) -> list[str]:
    """The names of folders that several would-be classes hold; dates and what any folder holds do not count."""
    cores = [_core(walk, joined(above, name)) for name in names]
    counts = Counter(inner for core in cores for inner in walk.folders_with_photos(core))
    shared = [
        inner for inner, count in counts.items() if count > 1 and not means_pictures(inner) and not _DATE.fullmatch(inner)
    ]
    return shared if len(shared) > 1 else []


def _core(walk: Walk, folder: str) -> str:
    """The first folder inside that does more than to wrap another one."""
    while not walk.inside(folder).photos and len(filled := walk.folders_with_photos(folder)) == 1:
        folder = joined(folder, filled[0])
    return folder


def splits_in_classes(walk: Walk) -> dict[str, dict[str, str]]:
    """Class folders that are divided into splits themselves (``cat/train``), as folder -> split by class; else nothing."""
    found: dict[str, dict[str, str]] = {}
    for name in walk.folders_with_photos():
        inner = {part: split for part in walk.folders_with_photos(name) if (split := split_of(part))}
        if walk.inside(name).photos or len(inner) < len(walk.folders_with_photos(name)):
            return {}
        if any(walk.inside(f"{name}/{part}").folders for part in inner):
            return {}
        found[name] = inner
    several = len(found) > 1 and len({split for inner in found.values() for split in inner.values()}) > 1
    return found if several else {}


def _same_photos_twice(walk: Walk, one: str, other: str) -> str:
    """A name that shows it where two folders hold two views of the same photos, else ``""``."""
    first, second = ({_stem(name) for name in walk.photos_below(folder)} for folder in (one, other))
    shared = first & second
    if len(shared) < 3 or len(shared) < _ALIKE * min(len(first), len(second)):
        return ""
    words = [folder.rpartition("/")[2] for folder in (one, other)]
    marked = any(means_markings(word) and "label" not in word.casefold() for word in words)  # labels may be things on boxes
    return "" if _only_counted(shared) and not marked else min(shared)


def _stem(name: str) -> str:
    base, _, ending = name.rpartition("/")[2].rpartition(".")
    return _MARKING_STEM.sub("", base or ending)


def _only_counted(stems: set[str]) -> bool:
    """Whether names only count on from a first number, as cameras and downloaders name files in any folder."""
    patterns = {re.sub(r"\d+", "#", stem) for stem in stems}
    numbers = sorted(int(found[-1][-18:]) for stem in stems if (found := re.findall(r"\d+", stem)))
    if len(patterns) > 2 or not numbers:
        return False
    return numbers[-1] - numbers[0] < 1.5 * len(numbers) + 2
