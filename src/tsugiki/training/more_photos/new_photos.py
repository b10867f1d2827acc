"""The photos of a finished run, and new ones beside them: who is where, which label counts, which side each is on.

Photos stay on the side where they were: what was held out is never learned from, so scores before and after can be compared.
Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import LabelSet, combinations, sets_of, spoken, target_matrix
from tsugiki.data.natural_order import natural
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import Samples, with_warnings
from tsugiki.data.sources.listing import LeftOut, Listing
from tsugiki.data.splits import held_out_of, units_of
from tsugiki.locale.messages import first_few, tr

_DIGITS = 16  # of a digest, as a run notes what a person has decided


@dataclass(frozen=True)
class NewPhotos:
    """New photos beside those of a run.

    Attributes:
        name: Of the run, for sentences.
        known: Its photos, in their splits, labelled as they counted.
        listing: Candidates; photos of the run may be among them.
        contents: Of all candidates.
    """

    name: str
    known: Samples
    listing: Listing
    contents: Sequence[Content]

    def joined(self, *, seed: int, held_out: float) -> Samples:
        """The photos of the run and the new ones.

        A photo that is among either stays in its split and, where it has another label now than in the run, has that one.

        Args:
            seed: Of the draw that holds new photos out.
            held_out: The share of them, where they have no splits of their own.

        Raises:
            RequestError: When nothing is new.
        """
        rows, lost = self._usable()
        place = {digest: row for row, digest in enumerate(self.known.digests)}
        new = [row for row in rows if self.contents[row].digest not in place]
        again = {place[self.contents[row].digest]: row for row in rows if self.contents[row].digest in place}
        moved = self._relabelled(again)
        if not new and not moved:
            raise RequestError(
                tr("There is no photo here that {run} does not know already.", run=self.name),
                allowed=tr("photos of new classes, or more photos of its own"),
                got=tr("{count} photos, all of them known", count=len(rows)),
            )
        photos = self._labelled(self._side_by_side(new), new, again, moved)
        splits = (*self.known.splits, *self._splits_of(photos, new, seed=seed, share=held_out))
        told = tr(
            "Photos of {run}: {known}, of which {again} are here, too; new ones: {new}.",
            run=self.name,
            known=len(self.known),
            again=len(again),
            new=len(new),
        )
        others = [] if not moved else [self._said_of_moved(again, moved)]
        told_of_classes = self._said_of_new_classes(photos)
        return with_warnings(
            replace(
                photos,
                splits=splits,
                left_out=(*self.listing.left_out, *lost),
                decisions=(*self.listing.decisions, told, *others, *told_of_classes),
                draw=None,  # made again, it would move photos of the run to the other side
            )
        )

    def _usable(self) -> tuple[list[int], list[LeftOut]]:
        """Rows that can be read, have a label, and were not left out by a person's list before; and why the others do not."""
        gone = {one.digest for one in self.known.corrections if not one.now}
        rows, lost = [], []
        for row, content in enumerate(self.contents):
            reason = content.reason
            if not reason and content.digest[:_DIGITS] in gone:
                reason = tr("excluded by the list")
            elif not reason and self.listing.label_sets is None and not self.listing.labels[row]:
                reason = tr("no label")
            if reason:
                lost.append(LeftOut(self.listing.names[row], reason))
            else:
                rows.append(row)
        return rows, lost

    def _relabelled(self, again: Mapping[int, int]) -> dict[int, frozenset[str]]:
        """By row of the run's photos: the classes that they are of here and were not of in the run.

        What a person's list has changed stays changed where a photo still lies with the label that was changed. Of several
        labels new ones count: a folder of one class does not deny the others.
        """
        decided = {(one.digest, one.label): one.now for one in self.known.corrections}
        listed = {digest for digest, _ in decided}
        before, sets = self.known.label_sets(), self.listing.label_sets
        moved = {}
        for row, there in again.items():
            short = self.known.digests[row][:_DIGITS]
            if sets is None:
                label = self.listing.labels[there]
                now = frozenset({decided.get((short, label), label)})
            else:
                now = before[row] if short in listed else before[row] | sets[there].present
            if now != before[row]:
                moved[row] = now
        return moved

    def _side_by_side(self, new: Sequence[int]) -> Samples:
        """Names, contents and subjects of all photos; labels and splits of the new ones are yet to come."""
        known, listing, root = self.known, self.listing, self.listing.root.absolute()
        groups: tuple[str, ...] | None = None
        if known.groups is not None or listing.groups is not None:
            mine, theirs = known.groups or ("",) * len(known), listing.groups or ("",) * len(listing)
            groups = (*mine, *(theirs[row] for row in new))
        return replace(
            known,
            root=root,
            names=tuple(_seen_from(root, path) for path in (*known.paths, *(listing.paths[row] for row in new))),
            digests=(*known.digests, *(self.contents[row].digest for row in new)),
            groups=groups,
            splits=(*known.splits, *("" for _ in new)),
        )

    def _labelled(
        self, photos: Samples, new: Sequence[int], again: Mapping[int, int], moved: Mapping[int, frozenset[str]]
    ) -> Samples:
        known, listing = self.known, self.listing
        if known.targets is None:
            labels = [next(iter(moved[row])) if row in moved else label for row, label in enumerate(known.label_names())]
            labels += [listing.labels[row] for row in new]
            classes = tuple(sorted({*labels}, key=natural))
            place = {name: number for number, name in enumerate(classes)}
            return replace(photos, classes=classes, labels=np.array([place[name] for name in labels], np.int64))
        sets = listing.label_sets or ()
        here = {*listing.classes, *(name for one in sets for name in one.present)}
        fresh = here - {*known.classes}
        # Of classes that labels never name nobody knows whether photos show them.
        answers = [
            LabelSet(moved.get(row, one.present), one.unknown | (frozenset() if row in again else fresh))
            for row, one in enumerate(sets_of(known.targets, known.classes))
        ]
        answers += [LabelSet(sets[row].present, sets[row].unknown | ({*known.classes} - here)) for row in new]
        classes = tuple(sorted({*known.classes} | here, key=natural))
        targets = target_matrix(answers, classes)
        return replace(photos, classes=classes, targets=targets, labels=combinations(targets))

    def _splits_of(self, photos: Samples, new: Sequence[int], *, seed: int, share: float) -> list[str]:
        """A split for each new photo: that of its subject's other photos, its own, or drawn."""
        held_out, first = self.known.held_out, len(self.known)
        own = [self.listing.splits[row] for row in new]
        if {*own} & {"val", "test"} or not held_out or not share:
            splits = [split or "train" for split in own]
        else:
            labels = photos.label_sets() if photos.targets is not None else photos.label_names()
            units = units_of(labels[first:], photos.digests[first:], None if photos.groups is None else photos.groups[first:])
            chosen = held_out_of(units, share=share, seed=seed) if new else set()
            splits = [held_out if at in chosen else "train" for at in range(len(new))]
        if photos.groups is None:
            return splits
        side = {group: split for group, split in zip(photos.groups, self.known.splits, strict=False) if group}
        return [side.get(group, split) for group, split in zip(photos.groups[first:], splits, strict=True)]

    def _said_of_moved(self, again: Mapping[int, int], moved: Mapping[int, frozenset[str]]) -> str:
        before, now = self.known.label_sets(), {row: spoken(names) for row, names in moved.items()}
        examples = [f"{self.listing.names[again[row]]}: {spoken(before[row])} -> {now[row]}" for row in sorted(moved)]
        return tr(
            "Another label here than in {run}; that of here counts: {count} ({examples}).",
            run=self.name,
            count=len(moved),
            examples=first_few(examples),
        )

    def _said_of_new_classes(self, photos: Samples) -> list[str]:
        fresh = [name for name in photos.classes if name not in self.known.classes]
        if not fresh:
            return []
        told = [tr("New classes: {names}.", names=first_few(fresh))]
        if photos.targets is not None:
            told.append(tr("Whether other photos of {run} show them, nobody knows: that counts for nothing.", run=self.name))
        return told


def _seen_from(root: Path, path: Path) -> str:
    return Path(os.path.relpath(path.absolute(), root)).as_posix()
