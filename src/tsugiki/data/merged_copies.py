"""One photo in several class folders: a photo with several labels, where a person has said that photos may have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tsugiki.data.label_sets import LabelSet
from tsugiki.data.photo_index import Content
from tsugiki.data.sources.listing import Listing
from tsugiki.locale.messages import first_few, tr


def listed_once(listing: Listing, contents: Sequence[Content]) -> tuple[Listing, list[Content]]:
    """A listing in which photos that lie in several class folders are named once, with all their labels.

    Args:
        listing: With label sets.
        contents: Of all its photos.

    Returns:
        The listing and the contents of its photos; those that cannot be read stay.
    """
    readable = [row for row, content in enumerate(contents) if not content.reason]
    merged, kept, _ = one_photo_once(listing, readable, contents)
    rows = sorted({*range(len(listing))} - {*readable} | {*kept})
    return merged.take(rows), [contents[row] for row in rows]


def one_photo_once(listing: Listing, rows: Sequence[int], contents: Sequence[Content]) -> tuple[Listing, list[int], list[str]]:
    """Photos that lie in several class folders, each once, with all its labels.

    Only where every photo is named with one label at a time: where a table names several, copies with others contradict each
    other.

    Args:
        listing: With label sets.
        rows: Those of its photos that can be read.
        contents: Of all photos of the listing.

    Returns:
        The listing with the labels of the copies, the rows that count, and what is to be said.
    """
    sets = listing.label_sets or ()
    if any(len(one.present) != 1 or one.unknown for one in sets):
        return listing, [*rows], []
    first: dict[tuple[str, str], int] = {}
    names: dict[int, set[str]] = {}
    for row in rows:
        at = first.setdefault((contents[row].digest, listing.splits[row]), row)
        names.setdefault(at, set()).update(sets[row].present)
    if len(first) == len(rows):
        return listing, [*rows], []
    merged = list(sets)
    for row, present in names.items():
        merged[row] = LabelSet(frozenset(present))
    several = [row for row, present in names.items() if len(present) > 1]
    told = tr(
        "Files with the same content are one photo with all their labels: {files} files, {photos} photos; with several labels: "
        "{several} ({examples}).",
        files=len(rows),
        photos=len(first),
        several=len(several),
        examples=first_few([f"{listing.names[row]}: {merged[row]}" for row in several], 3) or "-",
    )
    labels = tuple(str(one) for one in merged)
    return replace(listing, label_sets=tuple(merged), labels=labels), [*first.values()], [told]
