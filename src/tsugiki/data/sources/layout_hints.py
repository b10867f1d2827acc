"""What to do about photos whose classes are nowhere to be seen: look into folders and tables nearby, and at their names."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tsugiki.core.files import cache_folder
from tsugiki.data.sources.listing import PHOTO_SUFFIXES, is_never_meant, suffix_of
from tsugiki.data.sources.split_words import means_pictures, split_in
from tsugiki.data.sources.walk import Walk
from tsugiki.locale.messages import first_few, tr

_FIRST_WORD = re.compile(r"([^\W\d_]{2,}(?:[_-][^\W\d_]+)*)[ ._-]*\(?\d")
_TABLES = frozenset({".csv", ".tsv", ".jsonl"})
_MOST_WORDS = 300
_ENTRIES_TRIED = 500  # of a folder that nobody named


def where_classes_are(root: Path, walk: Walk) -> str:
    """What to do about photos that are in no class folders: name the folder above, where its folders are the classes."""
    above = root.absolute().parent
    if words := _first_words(walk.photos_below("")):
        return tr(
            "the file names begin with what may be the classes ({words}): put the photos into folders of these names",
            words=first_few(words),
        )
    if walk.inside().photos and (table := _table_beside(root)):
        return tr("name the table beside it, if it has their labels: {path}", path=table)
    if walk.inside().photos and not split_in(root.name) and not means_pictures(root.name) and _holds_class_folders(above):
        return tr("name the folder above, if its folders are the classes: {folder}", folder=above)
    return wanted()


def _table_beside(root: Path) -> Path | None:
    above = root.absolute().parent
    try:
        names = sorted(entry.name for entry in islice(above.iterdir(), _ENTRIES_TRIED) if suffix_of(entry.name) in _TABLES)
    except OSError:
        return None
    if above == cache_folder() / "archives" or not names:
        return None
    of_split = (name for name in names if split_in(root.name) and split_in(name.rpartition(".")[0]) == split_in(root.name))
    return above / next(of_split, names[0])


def _first_words(photos: list[str]) -> list[str]:
    """The words before the numbers in names such as ``cat.0.jpg``, where every one is the beginning of several."""
    found = (_FIRST_WORD.match(name.rpartition("/")[2]) for name in photos)
    counts = Counter(match[1] for match in found if match)
    common = sorted(word for word, count in counts.items() if count > 1)
    return common if 1 < len(common) <= _MOST_WORDS and sum(counts[word] for word in common) > 0.5 * len(photos) else []


def places_with_several(root: Path, label: str) -> Iterator[Path]:
    """Folders that hold several folders of photos, where ``root`` has photos of the one class ``label`` only."""
    for folder in (root / label, root, root.absolute().parent):
        if _holds_class_folders(folder):
            yield folder


def _holds_class_folders(folder: Path) -> bool:
    """Whether several folders in ``folder`` hold photos themselves; nothing deeper is looked into, for it may be anything."""
    found = 0
    if folder == cache_folder() / "archives":  # what is beside an unpacked archive are other archives
        return False
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _ENTRIES_TRIED):
                if entry.is_dir() and not is_never_meant(entry.name) and not split_in(entry.name):
                    found += _holds_photos(entry.path)
    except OSError:
        return False
    return found > 1


def _holds_photos(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(suffix_of(entry.name) in PHOTO_SUFFIXES for entry in islice(entries, _ENTRIES_TRIED))
    except OSError:
        return False


def wanted() -> str:
    """What a folder of photos should look like."""
    return tr("put the photos of each class into a folder with the name of the class, as in PHOTOS/cat/1.jpg, PHOTOS/dog/2.jpg")
