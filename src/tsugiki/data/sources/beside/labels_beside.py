"""Labels of photos that are in no class folders: from tables inside their folder or beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.manifest import list_manifest
from tsugiki.data.sources.split_words import split_in
from tsugiki.data.sources.tables.label_rows import as_sets, names_of_classes
from tsugiki.data.sources.tables.table_columns import HEADER
from tsugiki.data.sources.tables.table_file import LIST_SUFFIXES, TABLE_SUFFIXES
from tsugiki.data.sources.walk import Walk, joined
from tsugiki.locale.messages import first_few, in_a_row, listed, tr

_MOST_TABLES = 50  # tried in one folder


def labels_beside(
    root: Path, walk: Walk, folder: str, split: str, classes: Collection[str] = (), reading: LabelReading = AS_WRITTEN
) -> tuple[Listing | None, str]:
    """The photos of a split that are in no class folders, as a table in there or at the top labels them, and the table.

    Without one, the sentence about a table that would be, if its labels were the class folders' names.

    Args:
        root: The data set's folder.
        walk: Of it.
        folder: Of the split.
        split: Which it is.
        classes: Those of the class folders; a table with others is not meant, unless there are none.
        reading: How labels are to be read.
    """
    outer = folder.partition("/")[0]
    inside = [name for place in dict.fromkeys((folder, outer)) for name in walk.inside(place).others]
    around = [name for name in walk.inside().others if split_in(Path(name).stem) == split]
    photos = set(walk.photos_below(folder))
    about = ""
    for name in _tables([*inside, *around], TABLE_SUFFIXES | LIST_SUFFIXES):
        try:
            listing = _moved(list_manifest(root / name, split=split, reading=reading), root)
        except RequestError:
            continue
        if 2 * len(photos & set(listing.names)) <= len(photos):
            continue
        strange = sorted({*names_of_classes(listing)} - set(classes)) if classes else []
        if not strange:
            return listing, name
        about = tr(
            "{table} is not used for the photos of {folder}: its labels ({labels}) are no names of class folders.",
            table=name,
            folder=folder,
            labels=first_few(strange, 3),
        )
    return None, about


def labelled_by_tables(
    root: Path, walk: Walk, fault: RequestError | None = None, reading: LabelReading = AS_WRITTEN
) -> Listing | None:
    """The photos of a folder without class folders, where tables name them; ``None`` where none does.

    Args:
        root: The folder.
        walk: Of it.
        fault: What is wrong with the folders, where there is nothing else to go by; tables that cannot be used are part of it.
        reading: How labels are to be read.

    Raises:
        RequestError: When several tables could be meant, or none can be used.
    """
    tables = _tables(walk.inside().others, TABLE_SUFFIXES)
    found: dict[str, Listing] = {}
    faults: list[RequestError] = []
    for name in tables:
        try:
            found[name] = list_manifest(root / name, reading=reading)
        except RequestError as reason:
            faults.append(reason)
    if not found:
        tables, found = _lists_of_labels(root, walk, reading)
    listing, inner = (_of_tables(root, found), []) if found else _of_splits(root, walk, reading)
    if listing is None:
        if fault is not None and walk.has_photos(""):
            _raise_for_tables(fault, faults or _faults_inside(root, walk, reading))
        return None
    return replace(listing, decisions=(*listing.decisions, *_what_else_is_there(walk, listing, [*tables, *inner], found)))


def _tables(names: Iterable[str], suffixes: Collection[str]) -> list[str]:
    found = [name for name in names if Path(name).suffix.lower() in suffixes and "submission" not in name.casefold()]
    if len(found) > _MOST_TABLES:  # one beside every photo: these are no tables of photos
        found = [name for name in found if Path(name).suffix.lower() in TABLE_SUFFIXES or split_in(Path(name).stem)]
    return found[:_MOST_TABLES]


def _lists_of_labels(root: Path, walk: Walk, reading: LabelReading) -> tuple[list[str], dict[str, Listing]]:
    """Text and JSON files of paths and labels that most photos are in, one of them or one per split."""
    photos = set(walk.photos_below(""))
    found = {}
    for name in _tables(walk.inside().others, LIST_SUFFIXES):
        try:
            listing = list_manifest(root / name, reading=reading)
        except RequestError:
            continue
        if 2 * len(photos & set(listing.names)) > len(listing):
            found[name] = listing
    whole = {name: listing for name, listing in found.items() if 2 * len(photos & set(listing.names)) > len(photos)}
    of_splits = {name: listing for name, listing in found.items() if split_in(Path(name).stem)}
    named = {photo for listing in of_splits.values() for photo in listing.names}
    if len(of_splits) > 1 and 2 * len(photos & named) > len(photos):
        return [*of_splits], of_splits
    return [*whole], whole


def _moved(listing: Listing, root: Path) -> Listing:
    """A listing of a folder below ``root``, relative to ``root``."""
    inner = listing.root.relative_to(root).as_posix()
    if inner == ".":
        return listing
    left_out = (
        replace(entry, name=_below(inner, entry.name)) if (listing.root / entry.name).exists() else entry
        for entry in listing.left_out
    )
    return replace(listing, root=root, names=tuple(_below(inner, name) for name in listing.names), left_out=tuple(left_out))


def _below(folder: str, name: str) -> str:
    while name.startswith("../") and folder:
        folder, name = folder.rpartition("/")[0], name[3:]
    return joined(folder, name)


def _of_tables(root: Path, found: dict[str, Listing]) -> Listing:
    """What usable tables say: the only one, one per split by their names, or the pieces of one that was cut."""
    sentence = tr("Labels are those in {table}.", table=first_few([*found], 3))
    if len(found) == 1:
        (listing,) = found.values()
        return replace(listing, decisions=(sentence, *listing.decisions))
    splits = [split_in(Path(name).stem) for name in found]
    roots = {listing.root for listing in found.values()}
    pieces = root not in roots and len(roots) == len(found)  # photos inside the tables themselves
    if not pieces and (None in splits or len(set(splits)) < len(splits)):
        raise RequestError(
            tr("Several tables in {folder} could be meant.", folder=root),
            got=listed(found),
            cure=tr("name the one that is: {path}", path=root / next(iter(found))),
        )
    base = root if not pieces else next(iter(roots)).parent
    parts = [
        replace(_moved(listing, base), splits=tuple(split or own for own in listing.splits))
        for split, listing in zip(splits, found.values(), strict=True)
    ]
    return _merged(base, parts, sentence)


def _merged(root: Path, parts: Sequence[Listing], sentence: str) -> Listing:
    """Listings of one folder as one."""
    grouped = any(part.groups for part in parts)
    several = any(part.label_sets is not None for part in parts)
    return _without_lone_train(
        Listing(
            root=root,
            names=tuple(name for part in parts for name in part.names),
            labels=tuple(label for part in parts for label in part.labels),
            splits=tuple(split for part in parts for split in part.splits),
            groups=tuple(group for part in parts for group in part.groups or ("",) * len(part)) if grouped else None,
            left_out=tuple(dict.fromkeys(entry for part in parts for entry in part.left_out)),
            decisions=(sentence, *dict.fromkeys(said for part in parts for said in part.decisions)),
            label_sets=tuple(one for part in parts for one in as_sets(part)) if several else None,
            because=next((part.because for part in parts if part.because), ()),
            classes=tuple(dict.fromkeys(name for part in parts for name in part.classes)),
        )
    )


def _without_lone_train(listing: Listing) -> Listing:
    """Photos that are all for training: some of them are held out, as in a folder that has ``train`` alone."""
    if {"val", "test"} & set(listing.splits) or not any(listing.splits):
        return listing
    sentence = tr("There is train but neither val nor test: some photos of train are held out.")
    return replace(listing, splits=("",) * len(listing), decisions=(*listing.decisions, sentence))


def _of_splits(root: Path, walk: Walk, reading: LabelReading) -> tuple[Listing | None, list[str]]:
    """The photos of split folders that hold a table of their own, and these tables."""
    parts, tables, unlabelled = [], [], []
    for name in walk.folders_with_photos():
        split = split_in(name)
        listing, table = labels_beside(root, walk, name, split, reading=reading) if split else (None, "")
        if listing is None:
            unlabelled.append(name)
            continue
        parts.append(listing)
        tables.append(table)
    if not parts:
        return None, []
    listing = _merged(root, parts, tr("Labels are those in {table}.", table=listed(tables)))
    if not unlabelled:
        return listing, tables
    sentence = tr("Not used, because nothing labels their photos: {folders}.", folders=first_few(unlabelled))
    return replace(listing, decisions=(*listing.decisions, sentence)), tables


def _raise_for_tables(fault: RequestError, faults: list[RequestError]) -> None:
    """Raise what is wrong with a table that was meant, or add to ``fault`` what other tables lack."""
    meant = [reason for reason in faults if reason.allowed != HEADER]
    if meant:
        raise meant[0]
    if faults:
        lacks = f"{faults[0].what} ({faults[0].got})"
        raise RequestError(fault.what, got=lacks, cure=tr("{one}; or {other}", one=fault.cure, other=faults[0].cure))


def _faults_inside(root: Path, walk: Walk, reading: LabelReading) -> list[RequestError]:
    """Why tables inside of split folders cannot be used."""
    faults = []
    for folder in filter(split_in, walk.folders_with_photos()):
        for name in _tables(walk.inside(folder).others, TABLE_SUFFIXES):
            try:
                list_manifest(root / name, reading=reading)
            except RequestError as fault:
                faults.append(fault)
    return faults


def _what_else_is_there(walk: Walk, listing: Listing, tables: list[str], found: Collection[str]) -> list[str]:
    """Sentences about tables and photos that are not used."""
    sentences = []
    others = [name for name in tables if name not in found and found]
    if others:
        sentences.append(tr("Tables that are not read: {tables}.", tables=first_few(others)))
    named = {*listing.names, *(entry.name for entry in listing.left_out)}
    unnamed = [name for name in walk.photos_below("") if name not in named]
    if unnamed:
        sentences.append(
            tr(
                "Photos that no row names, so they are not used: {count} ({names}).",
                count=len(unnamed),
                names=first_few(unnamed, 3),
            )
        )
    return [*sentences, *walk.passed_by(tables)]


@dataclass(frozen=True)
class UnreadTables:
    """Tables at the top of a data set whose class folders are read, and what has to be said about them."""

    names: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


def unread_tables(root: Path, walk: Walk, read: Collection[str], labels: Mapping[str, str]) -> UnreadTables:
    """The tables of a data set that nobody has read, and where the first of them contradicts the class folders.

    Args:
        root: The data set's folder.
        walk: Of it.
        read: Tables that were read.
        labels: By photo, its class by its folder.
    """
    names = [name for name in _tables(walk.inside().others, TABLE_SUFFIXES) if name not in read]
    if not names:
        return UnreadTables()
    try:
        listing = list_manifest(root / names[0])
        hint = tr("To go by it instead, name it: {path}", path=root / names[0])
        other = [name for name, label in zip(listing.names, listing.labels, strict=True) if labels.get(name, label) != label]
        if other:
            hint = in_a_row(
                tr("Photos with another label in it: {count} ({names}).", count=len(other), names=first_few(other, 3)), hint
            )
    except RequestError as fault:
        hint = f"{fault.what} ({fault.got})" if fault.got else fault.what
    sentence = tr("Tables that are not read, because class folders say the labels: {tables}.", tables=first_few(names))
    return UnreadTables(tuple(names), (in_a_row(sentence, hint),))
