"""Photos with their label in a small file of its own beside them, as WebDataset has them: ``0001.jpg`` and ``0001.cls``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tsugiki.core.regular_files import parse_json, read_text
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
    labels = {photo: label for photo, file in beside.items() if (label := _label_in(root / file))}
    if 2 * len(labels) <= len(photos):
        return None
    names = tuple(photo for photo in photos if photo in labels)
    left_out = [LeftOut(photo, tr("no label beside it")) for photo in photos if photo not in labels]
    splits = tuple(_splits(names))
    said = tr("Each photo has its label in a file of its own beside it ({files}).", files=first_few([*beside.values()], 2))
    decisions = [said, *walk.passed_by({*beside.values()})]
    if any(splits):
        decisions.insert(1, tr("The names of shards say which photos are held out."))
    return Listing(
        root=root,
        names=names,
        labels=tuple(one_spelling(labels[photo]) for photo in names),
        splits=splits,
        left_out=(*walk.left_out, *left_out),
        decisions=tuple(decisions),
    )


def _perhaps(walk: Walk, folder: str) -> bool:
    """Whether the first folder with photos has files for them, too; the others are not looked into for that."""
    inside = walk.inside(folder)
    if inside.photos:
        keys = {_key(photo) for photo in inside.photos}
        return any(_key(name) in keys for name in inside.others if name.lower().endswith((_CLASS, _MORE)))
    return any(_perhaps(walk, joined(folder, name)) for name in inside.folders[:1])


def _key(name: str) -> str:
    """What the files of one photo have in common: the path up to the first dot of the file's name."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file[:1]}{file[1:].partition('.')[0]}"


def _label_in(file: Path) -> str:
    """The label that a file holds; nothing where it holds something else."""
    try:
        text = read_text(file)
        found = parse_json(text) if file.suffix.lower() == _MORE else text
    except (OSError, ValueError):
        return ""
    if isinstance(found, Mapping):
        found = _named(found)
    label = "" if found is None or isinstance(found, bool | float | list) else str(found).strip()
    return label if len(label) <= _LONGEST and len(label.splitlines()) == 1 else ""


def _named(document: Mapping[str, Any]) -> Any:
    return next((document[key] for key in _LABEL_KEYS if key in document), None)


def _splits(names: tuple[str, ...]) -> Iterator[str]:
    """What the names of the outermost folders say; nothing where any says nothing, or none holds photos out."""
    found = [split_in(name.partition("/")[0]) if "/" in name else None for name in names]
    told = None not in found and {"val", "test"} & {*found} and "train" in found
    for split in found:
        yield split or "" if told else ""
