"""More photos to learn from: a table that a person has written labels into, beside the photos that are there.

``tsugiki next`` writes such tables, and so does ``tsugiki serve --keep``. What is in them is only learned from: the held-out
photos stay those that were drawn at first, so that scores before and after can be compared. (Near copies that a fit without
the table moves to one side stay where they were drawn, and are told as leaks.)
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.data.label_sets import AS_WRITTEN, LabelReading, LabelSet, combinations, target_matrix
from tsugiki.data.photo_index import PhotoIndex
from tsugiki.data.samples import Samples, with_warnings
from tsugiki.data.sources.listing import LeftOut, Listing
from tsugiki.data.sources.manifest import list_manifest
from tsugiki.locale.messages import tr
from tsugiki.training.more_photos.known_photos import seen_from


def with_further(
    samples: Samples, table: Path, *, index: PhotoIndex | None = None, reading: LabelReading = AS_WRITTEN
) -> Samples:
    """The samples, and as training photos those of a table that have a label.

    Rows without a label are passed over, and so are photos that are there already, known by their content: a held-out photo is
    never learned from.

    Args:
        samples: Not changed.
        table: ``path,label``, and whatever columns else.
        index: Where it is kept what files hold.
        reading: How labels are to be read; those of samples with several labels per photo always may be several.

    Raises:
        RequestError: When the table cannot be read, or gives no photo a label.
        UnknownName: When a label is none of the classes.
    """
    if samples.targets is not None:
        reading = replace(reading, multi_label=True)
    listing = list_manifest(table, reading=reading)
    contents = (index or PhotoIndex()).contents(listing.paths)
    there = set(samples.digests)
    rows, unreadable = [], []
    for row, content in enumerate(contents):
        if not content.digest:
            unreadable.append(LeftOut(listing.names[row], content.reason))
        elif content.digest not in there:
            there.add(content.digest)
            rows.append(row)
    if samples.targets is None:
        _check_classes(samples, [(listing.names[row], listing.labels[row]) for row in rows], table)
    told = tr(
        "Labels of {table}: {count} photos more to learn from; {known} were there already; rows without a label: {rest}.",
        table=table.name,
        count=len(rows),
        known=len(contents) - len(rows) - len(unreadable),
        rest=len(listing.left_out),
    )
    more = _appended(samples, listing, rows, [contents[row].digest for row in rows])
    return with_warnings(replace(more, left_out=(*samples.left_out, *unreadable), decisions=(*samples.decisions, told)))


def _check_classes(samples: Samples, labelled: list[tuple[str, str]], table: Path) -> None:
    for name, label in labelled:
        if label not in samples.classes:
            raise UnknownName(
                tr(
                    "{table} puts {photo} into the class {label}, which is none.",
                    table=table.name,
                    photo=name,
                    label=repr(label),
                ),
                name=label,
                known=samples.classes,
                cure=tr("a class begins with photos in the data set itself, some of them held out"),
            )


def _appended(samples: Samples, listing: Listing, rows: list[int], digests: list[str]) -> Samples:
    names = [seen_from(samples.root, listing.paths[row]) for row in rows]
    place = {name: label for label, name in enumerate(samples.classes)}
    labels = np.concatenate([samples.labels, np.array([place.get(listing.labels[row], -1) for row in rows], np.int64)])
    targets = samples.targets
    if targets is not None:
        sets = [_set_of(listing, row) for row in rows]
        targets = np.concatenate([targets, target_matrix(sets, samples.classes)])
        labels = combinations(targets)
    return replace(
        samples,
        names=(*samples.names, *names),
        labels=labels,
        targets=targets,
        splits=(*samples.splits, *("train" for _ in rows)),
        digests=(*samples.digests, *digests),
        groups=None if samples.groups is None else (*samples.groups, *("" for _ in rows)),
        draw=None,  # made again, it would hold some of the further photos out
    )


def _set_of(listing: Listing, row: int) -> LabelSet:
    if listing.label_sets is None:
        raise RequestError(tr("The labels of {photo} cannot be read as several.", photo=listing.names[row]))
    return listing.label_sets[row]
