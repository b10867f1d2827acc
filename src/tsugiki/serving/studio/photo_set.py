"""The photos that a studio has opened: those of a folder, with the classes of its class folders, and those that were added.

A photo is asked for by its number, never by a path. The folder itself is only read; what is dropped on the page is kept in a
folder of its own beside the decisions. Letters: ``N`` photos.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.files import write_atomically
from tsugiki.data.images.decode import check_pixels, content_digest, open_photo
from tsugiki.data.images.file_type import ending_of
from tsugiki.data.label_sets import LabelReading, set_text
from tsugiki.data.load import SAMPLE_MARK, list_photos
from tsugiki.data.sources.folders import photos_in
from tsugiki.data.sources.listing import LeftOut, Listing, says_no_label
from tsugiki.locale.messages import tr

_MOST_ADDED_BYTES = 5_000_000_000


class PhotoSet:
    """Photos by number; new ones are put at the end, so that a number stays the same photo's.

    Args:
        folder: The opened folder; one that is not there is empty.
        added: Where photos are kept that are put on the page; made when the first one comes.
        several: Whether a person wants photos to have several labels.

    Attributes:
        paths: ``N`` that can be opened.
        names: ``N`` as a person reads them.
        labels: ``N`` classes that the folders say, ``""`` where they say none; several labels as ``a|b``.
        several: Whether photos may have several labels, as the data set has it.
        half_known: How many photos it does not say of every class whether they show it: they are without a label here.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or ``""``.
        left_out: What was meant as a photo and cannot be used.

    Raises:
        RequestError: When it is no folder.
    """

    def __init__(self, folder: Path, added: Path, *, several: bool = False) -> None:
        if folder.exists() and not folder.is_dir():
            raise RequestError(
                tr("The studio opens a folder of photos."),
                allowed=tr("a folder with or without class folders, sample:NAME, or nothing"),
                got=str(folder),
            )
        self.folder, self.added = folder, added
        self.paths: list[Path] = []
        self.names: list[str] = []
        self.labels: list[str] = []
        self.splits: list[str] = []
        self.left_out: list[LeftOut] = []
        self._lock = threading.Lock()
        self._bytes = 0
        self._roots = [root.resolve() for root in (folder, added)]
        listing = _listing_of(folder, LabelReading(several))
        sets = None if listing is None else listing.label_sets
        self.several, self.half_known = sets is not None, sum(bool(one.unknown) for one in sets or ())
        self._take(folder, {} if listing is None else _classes_of(folder, listing))
        self._take(added, {})
        self._bytes = sum(path.stat().st_size for path in self.paths if path.parent == added)

    def __len__(self) -> int:
        return len(self.paths)

    def _take(self, folder: Path, known: dict[str, tuple[str, str]]) -> None:
        try:
            paths, left_out = photos_in(folder)
        except (OSError, RequestError):  # it is not there, or holds no photo yet
            return
        self.left_out += left_out
        for path in paths:
            name = path.relative_to(folder).as_posix()
            label, split = known.get(name, ("", ""))
            self._append(path, name, label, split)

    def _append(self, path: Path, name: str, label: str = "", split: str = "") -> int:
        self.names.append(name)
        self.labels.append(label)
        self.splits.append(split)
        self.paths.append(path)
        return len(self.paths) - 1

    def path_of(self, number: int) -> Path | None:
        """Where a photo lies; ``None`` where there is no such number, or a link leads out of the opened folders."""
        if not 0 <= number < len(self.paths):
            return None
        path = self.paths[number]
        try:
            real = path.resolve(strict=True)
        except OSError:
            return None
        return path if any(real.is_relative_to(root) for root in self._roots) else None

    def add(self, content: bytes, *, most_pixels: int) -> tuple[int, bool]:
        """Keep a photo that was put on the page, named by its content; the same one is kept once.

        Args:
            content: Of the file.
            most_pixels: That it may have.

        Returns:
            Its number, and whether it is new.

        Raises:
            UnreadablePhoto: When it is no photo, or too large.
            DataError: When no more can be kept.
        """
        check_pixels(content, most_pixels)
        open_photo(content)
        path = self.added / f"{content_digest(content)[:32]}{ending_of(content)}"
        with self._lock:
            if path in self.paths:
                return self.paths.index(path), False
            if self._bytes + len(content) > _MOST_ADDED_BYTES:
                raise DataError(
                    tr("The studio keeps no more photos."),
                    allowed=tr("{size} GB", size=f"{_MOST_ADDED_BYTES / 1e9:.0f}"),
                    cure=tr("put them into a folder, and open that"),
                )
            write_atomically(path, content)
            self._bytes += len(content)
            return self._append(path, path.name), True


def folder_of(data: str | None) -> Path:
    """The folder that a person names: ``sample:NAME`` is drawn, and nothing means ``photos`` here.

    Raises:
        RequestError: When there is no such sample, or no such folder.
    """
    if data is None:
        return Path("photos")
    if data.startswith(SAMPLE_MARK):
        from tsugiki.data.synthetic.sample import sample_folder

        return sample_folder(data.removeprefix(SAMPLE_MARK))
    folder = Path(data).expanduser()
    if not folder.exists():
        raise RequestError(
            tr("There is no {path}.", path=folder), cure=tr("make the folder, or leave it out and put photos on the page")
        )
    return folder


def _listing_of(folder: Path, reading: LabelReading) -> Listing | None:
    """What class folders (or a table inside) say; ``None`` where they say nothing."""
    try:
        return list_photos(folder, reading)
    except (RequestError, DataError):
        return None


def _classes_of(folder: Path, listing: Listing) -> dict[str, tuple[str, str]]:
    """Class and split by name."""
    inside = os.path.relpath(listing.root, folder)
    names = listing.names if inside == "." else [f"{Path(inside).as_posix()}/{name}" for name in listing.names]
    labels = [_label_of(listing, row) for row in range(len(names))]
    return {name: (label, split) for name, label, split in zip(names, labels, listing.splits, strict=True)}


def _label_of(listing: Listing, row: int) -> str:
    """What is known of a photo; a text has no place for a class of which nobody knows."""
    label = listing.labels[row]
    if listing.label_sets is None:
        return "" if says_no_label(label) else label
    one = listing.label_sets[row]
    return "" if one.unknown or (one.present and says_no_label(label)) else set_text(one.present)
