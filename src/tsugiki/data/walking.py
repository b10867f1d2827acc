"""Walk through folders fast: millions of files, no object kept per file but its name."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr
from tsugiki.data.naming import PHOTO_SUFFIXES, is_never_meant, is_writable_text, natural, shown, suffix_of
from tsugiki.data.samples import LeftOut


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
