"""The photos of a finished run, and new ones beside them: who is where, which label counts, which side each is on.

Photos stay on the side where they were: what was held out is never learned from, so scores before and after can be compared.
Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import LabelSet, combinations, sets_of, spoken, target_matrix
from tsugiki.data.natural_order import natural
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import Samples, with_warnings
from tsugiki.data.sources.listing import LeftOut, Listing
from tsugiki.data.splits import held_out_of, units_of
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import first_few, tr
from tsugiki.training.more_photos.known_photos import seen_from


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

        A photo that is among either stays in its split and, where all its copies here have another label than in the run, has
        that one; a copy with another label beside one that still has the old one is left out, and named.

        Args:
            seed: Of the draw that holds new photos out.
            held_out: The share of them, where they have no splits of their own.

        Raises:
            RequestError: When nothing is new.
        """
        rows, lost = self._usable()
        known = set(self.known.digests)
        new = [row for row in rows if self.contents[row].digest not in known]
        here = self._known_here([row for row in rows if self.contents[row].digest in known])
        again, moved = here.again, here.moved
        lost += [LeftOut(self.listing.names[row], tr("its copy counts with another label")) for row in here.torn]
        if not new and not moved:
            raise RequestError(
                tr("There is no photo here that {run} does not know already.", run=self.name),
                allowed=tr("photos of new classes, or more photos of its own"),
                got=tr("{count} photos, all of them known", count=len(rows)),
            )
        photos = self._labelled(self._side_by_side(new, again), new, again, moved)
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
            if not reason and short_digest(content.digest) in gone:
                reason = tr("excluded by the list")
            elif not reason and self.listing.label_sets is None and not self.listing.labels[row]:
                reason = tr("no label")
            if reason:
                lost.append(LeftOut(self.listing.names[row], reason))
            else:
                rows.append(row)
        return rows, lost

    def _known_here(self, rows: Sequence[int]) -> _KnownHere:
        """What the photos of the run among ``rows`` are here."""
        of_run, here = _by_content(self.known.digests), _by_content(self.contents[row].digest for row in rows)
        before = self.known.label_sets()
        decided = {(one.digest, one.label): one.now for one in self.known.corrections}
        listed = {digest for digest, _ in decided}
        found = _KnownHere()
        for digest, places in here.items():
            mine, theirs = of_run[digest], [rows[place] for place in places]
            found.again |= dict(zip(mine, theirs, strict=False))
            if self.listing.label_sets is not None:
                # New ones count: a folder of one class does not deny the others.
                if short_digest(digest) not in listed:
                    shown = frozenset().union(*(self.listing.label_sets[row].present for row in theirs))
                    found.moved |= {row: before[row] | shown for row in mine if shown - before[row]}
                continue
            # What a person's list has changed stays changed where a photo still lies with the label that was changed.
            labels = [
                frozenset({decided.get((short_digest(digest), name), name)})
                for name in map(self.listing.labels.__getitem__, theirs)
            ]
            count = {before[row] for row in mine}
            if count.isdisjoint(labels):
                count = {labels[0]}
                found.moved |= dict.fromkeys(mine, labels[0])
            found.torn += [row for row, label in zip(theirs, labels, strict=True) if label not in count]
        return found

    def _side_by_side(self, new: Sequence[int], again: Mapping[int, int]) -> Samples:
        """Names, contents and subjects of all photos, known ones where they lie now; labels and splits are yet to come."""
        known, listing, root = self.known, self.listing, self.listing.root.absolute()
        places = [listing.paths[again[row]] if row in again else path for row, path in enumerate(known.paths)]
        groups: tuple[str, ...] | None = None
        if known.groups is not None or listing.groups is not None:
            mine, theirs = known.groups or ("",) * len(known), listing.groups or ("",) * len(listing)
            groups = (*mine, *(theirs[row] for row in new))
        return replace(
            known,
            root=root,
            names=tuple(seen_from(root, path) for path in (*places, *(listing.paths[row] for row in new))),
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
            # One look at the end: where the run holds out one split, new photos that are held out belong to it.
            sides = {*self.known.splits, "train"}
            splits = [split if split in sides or not held_out else held_out for split in (one or "train" for one in own)]
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


@dataclass
class _KnownHere:
    """Photos of the run that are among the new ones.

    Attributes:
        again: By row of the run's photos, a row here.
        moved: By row of the run's photos, the classes that they are of here and were not of in the run.
        torn: Rows here with a label that does not count, because a copy has one that does.
    """

    again: dict[int, int] = field(default_factory=dict)
    moved: dict[int, frozenset[str]] = field(default_factory=dict)
    torn: list[int] = field(default_factory=list)


def _by_content(digests: Iterable[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, digest in enumerate(digests):
        rows.setdefault(digest, []).append(row)
    return rows
