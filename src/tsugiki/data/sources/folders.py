"""Class folders -> :class:`Listing`: ``SPLIT/CLASS/photo`` or ``CLASS/photo``, subfolders of a class belonging to it.

A folder and an archive of it go through :func:`list_folder` alike, so that they are always understood the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.archives.archive import guessed_names
from tsugiki.data.sources.archives.packed import unpacked_inside
from tsugiki.data.sources.beside.columns_beside import columns_beside
from tsugiki.data.sources.beside.labels_beside import labelled_by_tables, labels_beside
from tsugiki.data.sources.beside.labels_in_files import labelled_in_files
from tsugiki.data.sources.beside.labels_unread import with_unread_labels
from tsugiki.data.sources.class_rows import ClassRows
from tsugiki.data.sources.layout_hints import wanted
from tsugiki.data.sources.layouts import (
    core_of,
    fault_of_classes,
    holds_the_others,
    layout_fault,
    splits_in,
    splits_in_classes,
    wrapped_in,
)
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling, says_no_label
from tsugiki.data.sources.split_lists import listed_splits
from tsugiki.data.sources.split_words import split_of
from tsugiki.data.sources.walk import Walk, joined
from tsugiki.locale.messages import first_few, listed, tr

_SPLIT_ORDER = ("train", "val", "test")


def list_folder(root: Path, reading: LabelReading = AS_WRITTEN) -> Listing:
    """The candidate photos of a folder; no photo is opened.

    Args:
        root: A folder that holds ``train`` with ``val`` (``valid``, ``validation``) and / or ``test``, each with one folder per
            class; or one folder per class; or photos with a table of their labels.
        reading: How labels are to be read.

    Raises:
        RequestError: When the folder is laid out in another way; the error says which way it seems to be.
    """
    listing = _list_folder(root, reading)
    if listing.label_sets is None or reading.several:
        return listing
    # One of its tables has several labels in a row: then the others are read so, too.
    return _list_folder(root, replace(reading, multi_label=True))


def _list_folder(root: Path, reading: LabelReading) -> Listing:
    rows = ClassRows(root, Walk(str(root)), reading)
    if listing := labelled_in_files(root):
        return listing
    splits = splits_in(rows.walk)
    if splits:
        _read_splits(rows, splits)
    elif by_class := splits_in_classes(rows.walk):
        _read_splits_of_classes(rows, by_class)
    elif inner := wrapped_in(rows.walk):
        return _wrapped(rows, inner)
    elif fault := layout_fault(root, rows.walk):
        return _by_tables(rows, fault)
    elif listing := _by_tables_of_one_folder(rows):
        return listing
    else:
        _read_classes(rows)
    rows.walk.left_out += [LeftOut(name, tr("in no class folder")) for name in rows.walk.inside().photos]
    if not rows.names:
        return _by_tables(
            rows, RequestError(tr("The photos in {folder} are not in class folders.", folder=root), cure=wanted())
        )
    if not any(rows.splits) and (found := listed_splits(rows.names, rows.walk, "")):
        rows.splits = list(found.splits)
        rows.decisions.append(found.sentence)
        rows.read |= set(found.read)
    rows.add_columns_beside()
    return rows.listing()


def _wrapped(rows: ClassRows, inner: str) -> Listing:
    """The data set in the one folder that holds everything, or what a table around it says of its photos."""
    try:
        return _with_what_is_around(_list_folder(rows.root / inner, rows.reading), rows, inner)
    except RequestError as fault:
        return _by_tables(rows, fault)


def _by_tables_of_one_folder(rows: ClassRows) -> Listing | None:
    """What tables say where one folder of photos is hardly a class: beside it, or inside, where it only wraps everything."""
    filled = rows.walk.folders_with_photos()
    if len(filled) > 1:
        return None
    if listing := labelled_by_tables(rows.root, rows.walk, reading=rows.reading):
        return listing
    for name in filled:
        inner = ClassRows(rows.root / name, Walk(str(rows.root / name)), rows.reading)
        if listing := _by_tables_of_one_folder(inner):
            return _with_what_is_around(listing, rows, name)
    return None


def _by_tables(rows: ClassRows, fault: RequestError) -> Listing:
    """What tables and packed photos give, where there are no class folders; without any, what is wrong with the folders."""
    if listing := labelled_by_tables(rows.root, rows.walk, fault, rows.reading):
        return listing
    if found := unpacked_inside(rows.root, rows.walk):
        folder, archives = found
        listing = _list_folder(folder, rows.reading)
        names = first_few(archives)
        sentence = tr("Archives inside were unpacked to {folder}, each as a folder: {archives}.", folder=folder, archives=names)
        guesses = filter(None, (guessed_names(rows.root / name) for name in archives))
        return replace(listing, decisions=(sentence, *guesses, *listing.decisions))
    if not rows.walk.has_photos("") and len(inner := rows.walk.inside().folders) == 1 and rows.walk.inside(inner[0]).others:
        return _list_folder(rows.root / inner[0], rows.reading)
    raise with_unread_labels(rows.root, rows.walk, fault)


def _read_splits(rows: ClassRows, splits: dict[str, str]) -> None:
    unlabelled: list[tuple[str, str]] = []
    for name, split in splits.items():
        folder = core_of(rows.walk, name, split)
        classes = rows.walk.inside(folder).folders
        if fault := fault_of_classes(rows.root, rows.walk, folder, rows.walk.folders_with_photos(folder)):
            raise fault
        filled = rows.walk.folders_with_photos(folder)
        if not filled or (split != "train" and len(filled) == 1 and _is_for_nobody(filled[0])):
            unlabelled.append((folder, split))
            continue
        if split_of(name) is None or folder != name or [*splits.values()].count(split) > 1:
            rows.decisions.append(tr("The folder {folder} is read as {split}.", folder=folder, split=split))
        rows.walk.left_out += [LeftOut(photo, tr("in no class folder")) for photo in rows.walk.inside(folder).photos]
        for class_name in classes:
            rows.add_class(joined(folder, class_name), split)
    used = set(splits)
    for folder, split in [*unlabelled, *_flat_splits(rows.walk, splits)]:
        _read_unlabelled(rows, folder, split, used)
    _say_what_is_beside(rows, used)
    if rows.names and not {"val", "test"} & set(rows.splits):
        rows.splits = [""] * len(rows.names)
        rows.decisions.append(tr("There is train but neither val nor test: some photos of train are held out."))


def _is_for_nobody(folder: str) -> bool:
    """Whether a folder, alone in a split, is there only because a program wants one: ``test/unknown``."""
    return says_no_label(folder) or folder.casefold() in {"unknown", "all", "none", "dummy"}


def _flat_splits(walk: Walk, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Folders at the top that are called after a split and hold photos without class folders."""
    for name in walk.folders_with_photos():
        split = split_of(name)
        if split and name not in known and not walk.inside(name).folders:
            yield name, split


def _read_unlabelled(rows: ClassRows, folder: str, split: str, used: set[str]) -> None:
    """Photos of a split that are in no class folders: a table in there, or beside, may name their classes."""
    listing, table = labels_beside(rows.root, rows.walk, folder, split, set(rows.labels), rows.reading)
    if listing is None:
        used.discard(folder.partition("/")[0])
        rows.decisions += [table] * bool(table)
        return
    used.add(folder.partition("/")[0])
    rows.read.add(table)
    rows.names += listing.names
    rows.labels += listing.labels
    rows.splits += [split] * len(listing)
    rows.sets |= zip(listing.names, listing.label_sets or (), strict=bool(listing.label_sets))
    rows.walk.left_out += listing.left_out
    rows.decisions += [tr("Labels of {folder} are those in {table}.", folder=folder, table=table), *listing.decisions]


def _say_what_is_beside(rows: ClassRows, used: set[str]) -> None:
    beside = [name for name in rows.walk.inside().folders if name not in used and name not in rows.walk.results]
    beside = [name for name in beside if rows.walk.has_photos(name) or not rows.walk.inside(name).others]
    if beside:
        sentence = tr(
            "Not used, because they are not train, val or test with class folders inside: {folders}.", folders=", ".join(beside)
        )
        rows.decisions.append(sentence)


def _read_splits_of_classes(rows: ClassRows, by_class: Mapping[str, Mapping[str, str]]) -> None:
    """``CLASS/SPLIT/photo``: the splits are inside the classes."""
    for name, splits in by_class.items():
        for part, split in splits.items():
            photos = rows.walk.photos_below(f"{name}/{part}")
            rows.names += photos
            rows.labels += [one_spelling(name)] * len(photos)
            rows.splits += [split] * len(photos)
    named = sorted(set(rows.splits), key=_SPLIT_ORDER.index)
    rows.decisions.append(tr("Every class folder is divided into splits: {splits}.", splits=listed(named)))


def _read_classes(rows: ClassRows) -> None:
    folders = rows.walk.inside().folders
    for name in folders:
        if again := holds_the_others(rows.walk, name):
            rows.decisions.append(
                tr("Not used, because it holds the classes beside it once more ({inner}): {folder}.", inner=again, folder=name)
            )
            continue
        if split_of(name) and rows.walk.has_photos(name):
            rows.decisions.append(tr("The folder {folder} holds photos, no class folders: it counts as a class.", folder=name))
        if rows.walk.has_photos(name) or not rows.walk.inside(name).others:  # a folder of lists is no empty class
            rows.add_class(name)


def _with_what_is_around(listing: Listing, rows: ClassRows, inner: str) -> Listing:
    """The listing of the one folder with photos, with what the folder around it says."""
    around = [tr("Read: the folder {folder}, the only one with photos.", folder=inner)]
    found = None if any(listing.splits) else listed_splits(listing.names, rows.walk, inner)
    if found:
        around.append(found.sentence)
        rows.read |= set(found.read)
    unsplit = not found and not any(listing.splits)
    beside = columns_beside([joined(inner, name) for name in listing.names], rows.walk, split=unsplit)
    around += beside.sentences
    rows.read |= set(beside.read)
    strays = [LeftOut(name, tr("in no class folder")) for name in rows.walk.inside().photos]
    strays += [entry for entry in rows.walk.left_out if not entry.name.startswith(f"{inner}/")]
    return replace(
        listing,
        splits=found.splits if found else beside.splits or listing.splits,
        groups=listing.groups or beside.groups or None,
        left_out=(*listing.left_out, *(LeftOut(f"../{entry.name}", entry.reason) for entry in strays)),
        decisions=(
            *around,
            *listing.decisions,
            *rows.passed_by(but=inner),
        ),
    )


def photos_in(folder: Path) -> tuple[list[Path], list[LeftOut]]:
    """Every photo below ``folder``, in natural order; and what was meant as one and cannot be used, by its path.

    Raises:
        RequestError: When there is neither.
    """
    walk = Walk(str(folder))
    paths = [folder / name for name in walk.photos_below("")]
    if not paths and not walk.left_out:
        raise RequestError(tr("There is no photo in {path}.", path=folder))
    return paths, [LeftOut(str(folder / entry.name), entry.reason) for entry in walk.left_out]
