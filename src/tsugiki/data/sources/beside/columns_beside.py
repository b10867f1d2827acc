"""What tables say of photos in class folders besides their classes: splits and groups.

Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import Listing
from tsugiki.data.sources.manifest import list_manifest
from tsugiki.data.sources.split_words import split_in
from tsugiki.data.sources.tables.table_file import TABLE_SUFFIXES
from tsugiki.data.sources.walk import Walk
from tsugiki.locale.messages import listed, tr


@dataclass(frozen=True)
class ColumnsBeside:
    """What tables say.

    Attributes:
        splits: ``N`` splits, or none where no table says any.
        groups: ``N`` groups, likewise.
        sentences: For the person.
        read: The tables.
    """

    splits: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


def columns_beside(photos: Sequence[str], walk: Walk, *, split: bool) -> ColumnsBeside:
    """The splits and groups that tables at the top of a data set name.

    Args:
        photos: ``N`` photos, relative to its folder.
        walk: Of the data set.
        split: Whether splits are wanted, because folders name none.
    """
    kinds = TABLE_SUFFIXES - {".parquet"}  # which holds photos of its own
    tables = [name for name in walk.inside().others if Path(name).suffix.lower() in kinds]
    found = {name: listing for name in tables if (listing := _about(Path(walk.root, name), set(photos)))}
    splits = _column(photos, {name: (listing, listing.splits) for name, listing in found.items()}) if split else {}
    if not {"val", "test"} & set(splits.values()):
        splits = {}
    groups = _column(photos, {name: (one, one.groups or ("",) * len(one)) for name, one in found.items()})
    read = [name for name, one in found.items() if (splits and any(one.splits)) or (groups and one.groups)]
    if not read:
        return ColumnsBeside()
    sentences = []
    if splits:
        sentences.append(tr("Splits are those of {files}.", files=listed(name for name in read if any(found[name].splits))))
    if groups:
        sentences.append(tr("Groups are those of {files}.", files=listed(name for name in read if found[name].groups)))
    sentences += dict.fromkeys(said for name in read for said in found[name].decisions)
    return ColumnsBeside(
        tuple(splits.get(name, "") for name in photos) if splits else (),
        tuple(groups.get(name, "") for name in photos) if groups else (),
        tuple(sentences),
        tuple(read),
    )


def _about(table: Path, photos: set[str]) -> Listing | None:
    """What a table says of these photos; ``None`` where it is about others, or cannot be read."""
    try:
        listing = list_manifest(table, labelled=False)
    except RequestError:
        return None
    if not any(listing.splits) and (split := split_in(table.stem)):
        listing = replace(listing, splits=(split,) * len(listing))
    return listing if 2 * len(photos & set(listing.names)) > len(listing) else None


def _column(photos: Sequence[str], tables: Mapping[str, tuple[Listing, Sequence[str]]]) -> dict[str, str]:
    """What each photo has in a column; nothing where two tables contradict each other."""
    known = set(photos)
    found: dict[str, str] = {}
    for listing, column in tables.values():
        for name, value in zip(listing.names, column, strict=True):
            if name in known and value and found.setdefault(name, value) != value:
                return {}
    return found
