"""Class folders -> :class:`Listing`: ``SPLIT/CLASS/photo`` or ``CLASS/photo``, subfolders of a class belonging to it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import (
    PHOTO_SUFFIXES,
    LeftOut,
    Listing,
    is_never_meant,
    is_writable_text,
    natural,
    one_spelling,
    shown,
    split_of,
    suffix_of,
)
from tsugiki.locale.messages import tr


def list_folder(root: Path) -> Listing:
    """The candidate photos of a folder of class folders; no photo is opened.

    Args:
        root: A folder that holds ``train`` with ``val`` (``valid``, ``validation``) and / or ``test``, each with one folder per
            class; or one folder per class.

    Raises:
        RequestError: When the folder is laid out in another way; the error says which way it seems to be.
    """
    rows = _Rows(Walk(str(root)))
    top = rows.walk.inside()
    splits = {name: split for name in top.folders if (split := split_of(name)) and rows.walk.inside(name).folders}
    rows.walk = Walk(str(root))  # looking ahead must not count anything twice
    if splits:
        _read_splits(rows, top, splits)
    else:
        _refuse_other_layouts(root, top, rows.walk)
        _read_classes(rows, top.folders)
    rows.walk.left_out += [LeftOut(name, tr("in no class folder")) for name in top.photos]
    rows.walk.inside()  # counts the other files at the top
    if not rows.names:
        raise RequestError(tr("There are no photos in {folder}.", folder=root), cure=_wanted())
    return rows.listing(root)


@dataclass
class _Rows:
    """The columns of a listing, growing."""

    walk: Walk
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    def add_class(self, folder: str, split: str = "") -> None:
        photos = self.walk.photos_below(folder)
        if not photos:
            self.decisions.append(tr("The folder {folder} holds no photos: it is no class.", folder=folder))
        self.names += photos
        self.labels += [one_spelling(folder.rpartition("/")[2])] * len(photos)
        self.splits += [split] * len(photos)

    def listing(self, root: Path) -> Listing:
        if others := self.walk.others:
            kinds = ", ".join(f"{count} {suffix or tr('without an ending')}" for suffix, count in others.most_common())
            self.decisions.append(tr("Not opened, because they are no photos by their names: {kinds}.", kinds=kinds))
        return Listing(
            root=root,
            names=tuple(self.names),
            labels=tuple(self.labels),
            splits=tuple(self.splits),
            left_out=tuple(self.walk.left_out),
            decisions=tuple(self.decisions),
        )


def _read_splits(rows: _Rows, top: Inside, splits: dict[str, str]) -> None:
    for name, split in splits.items():
        inside = rows.walk.inside(name)
        rows.walk.left_out += [LeftOut(photo, tr("in no class folder")) for photo in inside.photos]
        for class_name in inside.folders:
            rows.add_class(f"{name}/{class_name}", split)
    beside = [name for name in top.folders if name not in splits]
    if beside:
        sentence = tr(
            "Not used, because they are not train, val or test with class folders inside: {folders}.", folders=", ".join(beside)
        )
        rows.decisions.append(sentence)
    if set(splits.values()) == {"train"}:
        rows.splits = [""] * len(rows.names)
        rows.decisions.append(tr("There is train but neither val nor test: some photos of train are held out."))


def _read_classes(rows: _Rows, folders: list[str]) -> None:
    for name in folders:
        if split_of(name):
            rows.decisions.append(tr("The folder {folder} holds photos, no class folders: it counts as a class.", folder=name))
        rows.add_class(name)


def _refuse_other_layouts(root: Path, top: Inside, walk: Walk) -> None:
    if not top.folders and not top.photos:
        raise RequestError(tr("There are no photos in {folder}.", folder=root), cure=_wanted())
    if not top.folders or all(split_of(name) for name in top.folders):
        raise RequestError(tr("The photos in {folder} are not in class folders.", folder=root), cure=_wanted())
    for name in top.folders:
        if _is_data_set(Walk(walk.root), name, alone=len(top.folders) == 1):
            raise RequestError(
                tr("{folder} is not a folder of classes: {name} inside it is.", folder=root, name=name),
                cure=tr("name that folder instead: {folder}", folder=root / name),
            )


def _is_data_set(walk: Walk, name: str, *, alone: bool) -> bool:
    """Whether a would-be class is a data set of its own, one level too deep."""
    inside = walk.inside(name)
    if any(split_of(part) and walk.inside(f"{name}/{part}").folders for part in inside.folders):
        return True
    return alone and not inside.photos and len(inside.folders) > 1


def _wanted() -> str:
    return tr("put the photos of each class into a folder with the name of the class, as in PHOTOS/cat/1.jpg, PHOTOS/dog/2.jpg")


@dataclass
class Inside:
    """What one folder holds itself: names in natural order."""

    folders: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)


class Walk:
    """Looks into folders below one root and keeps account of what it passed by.

    Args:
        root: The folder that all names are relative to.

    Attributes:
        others: How many files are no photos by their name, per ending.
        left_out: What was meant as a photo or folder but cannot be used.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.others: Counter[str] = Counter()
        self.left_out: list[LeftOut] = []

    def inside(self, folder: str = "") -> Inside:
        """The folders and photos directly in ``folder``."""
        found = Inside()
        for entry in self._entries(folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                found.folders.append(entry.name)
            elif self._is_photo(entry, name):
                found.photos.append(name)
        found.folders.sort(key=natural)
        found.photos.sort(key=natural)
        return found

    def photos_below(self, folder: str) -> list[str]:
        """Every photo in ``folder`` and its subfolders, in natural order. No link is followed back up."""
        names: list[str] = []
        waiting: list[tuple[str, tuple[tuple[int, int], ...]]] = [(folder, (self._identity(folder),))]
        while waiting:
            here, above = waiting.pop()
            for entry in self._entries(here):
                name = f"{here}/{entry.name}"
                if not _is_folder(entry):
                    if self._is_photo(entry, name):
                        names.append(name)
                elif (identity := self._identity(name)) in above:
                    self.left_out.append(LeftOut(name, tr("a link that leads back to its own folder")))
                else:
                    waiting.append((name, (*above, identity)))
        names.sort(key=natural)
        return names

    def _identity(self, folder: str) -> tuple[int, int]:
        status = os.stat(f"{self.root}/{folder}")  # noqa: PTH116  no Path objects in here
        return status.st_dev, status.st_ino

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self.root}/{folder}") as entries:
                meant = [entry for entry in entries if not is_never_meant(entry.name)]
        except OSError as fault:
            self.left_out.append(LeftOut(shown(folder), tr("cannot be read: {detail}", detail=fault.strerror or fault)))
            return []
        return [entry for entry in meant if self._has_usable_name(folder, entry.name)]

    def _has_usable_name(self, folder: str, name: str) -> bool:
        if is_writable_text(name):
            return True
        self.left_out.append(LeftOut(shown(f"{folder}/{name}"), tr("its name is not valid UTF-8: rename it")))
        return False

    def _is_photo(self, entry: os.DirEntry[str], name: str) -> bool:
        suffix = suffix_of(name)
        if suffix not in PHOTO_SUFFIXES:
            self.others[suffix] += 1
            return False
        if _is_special(entry):
            self.left_out.append(LeftOut(name, tr("no regular file")))
            return False
        return True


def photos_in(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    """Every photo below ``folder``, in natural order; and what was meant as one and cannot be used, by its path.

    Raises:
        RequestError: When there is neither.
    """
    walk = Walk(str(folder))
    paths = [folder / name for name in walk.photos_below(".")]
    if not paths and not walk.left_out:
        raise RequestError(tr("There is no photo in {path}.", path=folder))
    return paths, [LeftOut(str(folder / entry.name), entry.reason) for entry in walk.left_out]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in circles: as a file it is named when it cannot be opened
        return False


def _is_special(entry: os.DirEntry[str]) -> bool:
    """A device, pipe or socket: opening one could wait for ever. A link that leads nowhere is not special, only unreadable."""
    try:
        return not entry.is_file() and not (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110
    except OSError:
        return False
