"""Class folders -> :class:`Listing`: ``SPLIT/CLASS/photo`` or ``CLASS/photo``, subfolders of a class belonging to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr
from tsugiki.data.naming import one_spelling, split_of
from tsugiki.data.samples import LeftOut, Listing
from tsugiki.data.walking import Inside, Walk


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
