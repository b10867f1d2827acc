"""Photos with their label in a small file of its own beside them, as WebDataset has them: ``0001.jpg`` and ``0001.cls``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tsugiki.core.regular_files import parse_json, read_text
from tsugiki.data.label_sets import LabelSet, set_text
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import split_in
from tsugiki.data.sources.walk import Walk, joined
from tsugiki.locale.messages import first_few, tr

_CLASS, _MORE = ".cls", ".json"
_LABEL_KEYS = ("cls", "label", "class", "class_name", "label_name")
_LONGEST = 200  # characters of a label


def labelled_in_files(root: Path) -> Listing | None:
    """The photos of a folder, where most have a file ``.cls``, or a ``.json`` with a label, of the same name beside them.

    Args:
        root: The folder; shards that were unpacked are folders in it.
    """
    walk = Walk(str(root))  # of its own: what it passes by is told of only where the labels are here
    if not _perhaps(walk, ""):
        return None
    photos = walk.photos_below("")
    files = {_key(name): name for kind in (_MORE, _CLASS) for name in walk.others() if name.lower().endswith(kind)}
    beside = {photo: files[_key(photo)] for photo in photos if _key(photo) in files}
    if not beside or 2 * len(beside) <= len(photos):
        return None
    told = {photo: labels for photo, file in beside.items() if (labels := _labels_in(root / file)) is not None}
    if 2 * len(told) <= len(photos):
        return None
    names = tuple(photo for photo in photos if photo in told)
    left_out = [LeftOut(photo, tr("no label beside it")) for photo in photos if photo not in told]
    splits, about_splits = _splits(names)
    said = tr("Each photo has its label in a file of its own beside it ({files}).", files=first_few([*beside.values()], 2))
    lists = [beside[photo] for photo in names if isinstance(told[photo], list)]
    sets = tuple(LabelSet(frozenset(told[photo])) for photo in names)
    return Listing(
        root=root,
        names=names,
        labels=tuple(set_text(one.present) for one in sets),
        splits=splits,
        left_out=(*walk.left_out, *left_out),
        decisions=(said, *about_splits, *walk.passed_by({*beside.values()})),
        label_sets=sets if lists else None,
        because=tuple(
            tr("Photos may have several labels (multi-label): the labels of {table} are lists.", table=file)
            for file in lists[:1]
        ),
    )


def _perhaps(walk: Walk, folder: str) -> bool:
    """Whether the first folder with photos has files for them, too; the others are not looked into for that."""
    inside = walk.inside(folder)
    if inside.photos:
        keys = {_key(photo) for photo in inside.photos}
        return any(_key(name) in keys for name in inside.others if name.lower().endswith((_CLASS, _MORE)))
    first = next((name for name in inside.folders if walk.has_photos(joined(folder, name))), None)
    return first is not None and _perhaps(walk, joined(folder, first))


def _key(name: str) -> str:
    """What the files of one photo have in common: the path up to the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file[:1]}{file[1:].partition('.')[0]}"


def _labels_in(file: Path) -> tuple[str] | list[str] | None:
    """The one label that a file holds, or the list of them; ``None`` where it holds something else."""
    try:
        text = read_text(file)
        found = parse_json(text) if file.suffix.lower() == _MORE else text
    except (OSError, ValueError):
        return None
    if isinstance(found, Mapping):
        found = _named(found)
    labels = [label for one in (found if isinstance(found, list) else [found]) if (label := _label(one))]
    if isinstance(found, list):
        return labels if len(labels) == len(found) else None
    return (labels[0],) if labels else None


def _label(value: Any) -> str:
    """A text or a whole number as the name of a class; nothing for anything else."""
    label = "" if isinstance(value, bool) or not isinstance(value, str | int) else one_spelling(str(value).strip())
    return label if len(label) <= _LONGEST and len(label.splitlines()) == 1 else ""


def _named(document: Mapping[str, Any]) -> Any:
    return next((document[key] for key in _LABEL_KEYS if key in document), None)


def _splits(names: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """What the names of the outermost folders say, where all tell it and some hold photos out; and what is said of it."""
    found = [split_in(name.partition("/")[0]) if "/" in name else None for name in names]
    if None not in found and "train" in found and {"val", "test"} & {*found}:
        return tuple(map(str, found)), [tr("The names of shards say which photos are held out.")]
    said = tr("Not all names of shards say a split, or none holds photos out: some photos are held out here.")
    return ("",) * len(names), [said] if any(found) else []
