"""Looking into folders: which files are photos, which are not, and what was written by programs such as this one."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from tsugiki.core.regular_files import open_regular
from tsugiki.data.images.file_type import starts_like_a_picture
from tsugiki.data.natural_order import natural
from tsugiki.data.sources.listing import (
    PHOTO_SUFFIXES,
    LeftOut,
    is_never_meant,
    is_writable_text,
    shown,
    suffix_of,
)
from tsugiki.locale.messages import first_few, tr

_WRITTEN_BY_PROGRAMS = (
    frozenset({"classifier.json", "weights.safetensors"}),
    frozenset({"audit.json", "audit.html"}),
    frozenset({"args.yaml", "weights"}),  # of ultralytics
    frozenset({"events.out.tfevents"}),
    frozenset({"pyvenv.cfg"}),
    frozenset({".package-lock.json"}),
)
"""Files that stand together in a folder of results: what is in there was drawn, not photographed."""

_ODD_SUFFIX = re.compile(
    r"|\.\d+|\.(?:jpe?g|png|gif|webp|bmp|tiff?)[^a-z0-9].*|\.(?:jpe?g|png|webp)[_-]?(?:large|small|orig|\d+)"
)
"""Endings that say nothing, so that the first bytes are asked: none, a number, ``.jpg_large``, ``.jpeg!d``."""


@dataclass
class Inside:
    """What one folder holds itself: names in natural order; photos with the folder's own name before them."""

    folders: list[str] = field(default_factory=list)
    photos: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class Walk:
    """Looks into folders below one root, into each once, and keeps account of what it passed by.

    Args:
        root: The folder that all names are relative to.

    Attributes:
        left_out: What was meant as a photo or folder but cannot be used.
        results: Folders that hold what a program wrote; they are not looked into.
        by_content: Photos that are known by their first bytes only.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.left_out: list[LeftOut] = []
        self.results: list[str] = []
        self.by_content: list[str] = []
        self._known: dict[str, Inside] = {}
        self._below: dict[str, list[str]] = {}

    def inside(self, folder: str = "") -> Inside:
        """The folders and photos directly in ``folder``."""
        if folder not in self._known:
            self._known[folder] = self._look_into(folder)
        return self._known[folder]

    def photos_below(self, folder: str) -> list[str]:
        """Every photo in ``folder`` and its subfolders, in natural order. No link is followed back up."""
        if folder not in self._below:
            self._below[folder] = self._all_below(folder)
        return self._below[folder]

    def folders_with_photos(self, folder: str = "") -> list[str]:
        """The names of the folders directly in ``folder`` that hold photos at any depth."""
        return [name for name in self.inside(folder).folders if self.has_photos(joined(folder, name))]

    def has_photos(self, folder: str, above: tuple[tuple[int, int], ...] | None = None) -> bool:
        """Whether there is a photo in ``folder`` at any depth; ``above`` are the folders that it was reached through."""
        above = self._above(folder) if above is None else above
        identity = self._identity(folder)
        if len({*above, identity}) <= len(above):
            return False
        inside = self.inside(folder)
        return bool(inside.photos) or any(self.has_photos(joined(folder, name), (*above, identity)) for name in inside.folders)

    def others(self) -> list[str]:
        """Every file that was seen and is no photo."""
        return [name for inside in self._known.values() for name in inside.others]

    def passed_by(self, used: Collection[str] = (), but: str = "") -> list[str]:
        """Sentences about what was seen and is not used.

        Args:
            used: Files that were read although they are no photos.
            but: A folder that is told of elsewhere.
        """

        def here(names: Iterable[str]) -> list[str]:
            return [name for name in names if not (but and name.startswith(f"{but}/"))]

        sentences = []
        if by_content := here(self.by_content):
            sentences.append(
                tr(
                    "Taken for photos by their first bytes, because their names have no usual ending: {count} ({names}).",
                    count=len(by_content),
                    names=first_few(by_content, 3),
                )
            )
        if results := here(self.results):
            sentences.append(tr("Not used, because a program wrote its results there: {folders}.", folders=first_few(results)))
        names = here(self.others())
        if others := Counter(suffix_of(name) for name in names if name not in used):
            kinds = ", ".join(f"{count} {suffix or tr('without an ending')}" for suffix, count in others.most_common())
            sentences.append(tr("Not used, because they are no photos by their names or first bytes: {kinds}.", kinds=kinds))
        return sentences

    def _look_into(self, folder: str) -> Inside:
        entries = self._entries(folder)
        found = Inside()
        if folder and _hold_results({entry.name for entry in entries}):
            self.results.append(folder)
            return found
        for entry in entries:
            name = joined(folder, entry.name)
            if _is_folder(entry):
                found.folders.append(entry.name)
            elif self._is_photo(entry, name):
                found.photos.append(name)
            elif suffix_of(name) not in PHOTO_SUFFIXES:
                found.others.append(name)
        found.folders.sort(key=natural)
        found.photos.sort(key=natural)
        found.others.sort(key=natural)
        return found

    def _all_below(self, folder: str) -> list[str]:
        names: list[str] = []
        above, identity = self._above(folder), self._identity(folder)
        if len({*above, identity}) <= len(above):
            self.left_out.append(LeftOut(folder, tr("a link that leads back to its own folder")))
            return []
        waiting = [(folder, (*above, identity))]
        while waiting:
            here, above = waiting.pop()
            inside = self.inside(here)
            names += inside.photos
            for part in inside.folders:
                name = joined(here, part)
                if (identity := self._identity(name)) in above:
                    self.left_out.append(LeftOut(name, tr("a link that leads back to its own folder")))
                else:
                    waiting.append((name, (*above, identity)))
        names.sort(key=natural)
        return names

    def _above(self, folder: str) -> tuple[tuple[int, int], ...]:
        """What the folders are that ``folder`` is in, up to the root."""
        parts = folder.split("/") if folder else []
        return tuple(self._identity("/".join(parts[:depth])) for depth in range(len(parts)))

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
        self.left_out.append(
            LeftOut(shown(f"{folder}/{name}" if folder else name), tr("its name is not valid UTF-8: rename it"))
        )
        return False

    def _is_photo(self, entry: os.DirEntry[str], name: str) -> bool:
        suffix = suffix_of(name)
        if suffix not in PHOTO_SUFFIXES:
            if not _ODD_SUFFIX.fullmatch(suffix) or not _is_picture(entry):
                return False
            self.by_content.append(name)
            return True
        if _is_special(entry):
            self.left_out.append(LeftOut(name, tr("no regular file")))
            return False
        return True


def joined(folder: str, name: str) -> str:
    """The name of what is in a folder; ``folder`` is empty at the root."""
    return f"{folder}/{name}" if folder else name


def _hold_results(names: set[str]) -> bool:
    known = {"events.out.tfevents" if name.startswith("events.out.tfevents") else name for name in names}
    return any(mark <= known for mark in _WRITTEN_BY_PROGRAMS)


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


def _is_picture(entry: os.DirEntry[str]) -> bool:
    try:
        if not entry.is_file():
            return False
        with open_regular(entry.path) as stream:
            return starts_like_a_picture(stream.read(16))
    except OSError:
        return False
