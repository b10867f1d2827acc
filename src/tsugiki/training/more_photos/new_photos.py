"""The photos of a finished run, and new ones beside them: who is where, which label counts, which side each is on.

Photos stay on the side where they were: what was held out is never learned from, so scores before and after can be compared.
Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.label_sets import LabelSet, sets_of
from tsugiki.data.photo_index import Content
from tsugiki.data.samples import Samples, with_labels, with_targets, with_warnings
from tsugiki.data.sources.listing import LeftOut, Listing, doubtful_names
from tsugiki.data.splits import Draw, Label, held_out_of, units_of
from tsugiki.inspection.seen_photos import short_digest
from tsugiki.locale.messages import first_few, tr
from tsugiki.training.more_photos.known_labels import KnownHere, classes_here, known_here
from tsugiki.training.more_photos.known_photos import seen_from
from tsugiki.training.more_photos.subjects import Subjects, sides_of


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
        """The photos of the run and the new ones; ``draw`` tells how new ones were held out, where nobody named their splits.

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
        here = known_here(self.known, self.listing, self.contents, [row for row in rows if self.contents[row].digest in known])
        lost += [LeftOut(self.listing.names[row], tr("its copy counts with another label")) for row in here.torn]
        if not new and not here.moved:
            raise RequestError(
                tr("There is no photo here that {run} does not know already.", run=self.name),
                allowed=tr("photos of new classes, or more photos of its own"),
                got=tr("{count} photos, all of them known", count=len(rows)),
            )
        subjects = Subjects(self.name, *self._subjects(), here.again)
        labels = self._labels(new, here)
        photos = self._side_by_side(new, here.again, subjects.of_all(new))
        told = tr(
            "Photos of {run}: {known}, of which {again} are here, too; new ones: {new}.",
            run=self.name,
            known=len(self.known),
            again=len(here.again),
            new=len(new),
        )
        splits, is_drawn = self._splits(photos, _to_draw(labels), seed=seed, share=held_out)
        found = self._with_labels(
            replace(
                photos,
                splits=splits,
                left_out=(*self.listing.left_out, *lost),
                decisions=(
                    *self.listing.decisions,
                    told,
                    *here.told(self.name, self.known, self.listing),
                    *subjects.told(new),
                ),
            ),
            labels,
        )
        if not here.moved and known.issuperset(found.digests):
            raise self._only_held_out(found)
        told_of_classes = self._said_of_new_classes(found)
        draw = Draw(seed, held_out, settled=True) if is_drawn else None
        return with_warnings(replace(found, decisions=(*found.decisions, *told_of_classes), draw=draw))

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

    def _subjects(self) -> tuple[Sequence[str], Sequence[str]]:
        """Of the run's photos, and of the candidates."""
        return self.known.groups or ("",) * len(self.known), self.listing.groups or ("",) * len(self.listing)

    def _side_by_side(self, new: Sequence[int], again: Mapping[int, int], groups: tuple[str, ...] | None) -> Samples:
        """Names, contents and subjects of all photos, known ones where they lie now; labels and splits are yet to come."""
        known, listing, root = self.known, self.listing, self.listing.root.absolute()
        places = [listing.paths[again[row]] if row in again else path for row, path in enumerate(known.paths)]
        return replace(
            known,
            root=root,
            names=tuple(seen_from(root, path) for path in (*places, *(listing.paths[row] for row in new))),
            digests=(*known.digests, *(self.contents[row].digest for row in new)),
            groups=groups,
            splits=(*known.splits, *(self.listing.splits[row] for row in new)),
        )

    def _labels(self, new: Sequence[int], here: KnownHere) -> list[str] | list[LabelSet]:
        """What counts of every photo of the run and of the new ones: a class, or a set of labels."""
        known, listing = self.known, self.listing
        if known.targets is None:
            names = known.label_names()
            names = [next(iter(here.sets[row].present)) if row in here.sets else name for row, name in enumerate(names)]
            return [*names, *(listing.labels[row] for row in new)]
        named, sets = classes_here(listing), listing.label_sets or ()
        # Of classes that labels never name nobody knows whether photos show them.
        fresh, silent = named - {*known.classes}, {*known.classes} - named
        before = enumerate(sets_of(known.targets, known.classes))
        return [
            *(here.sets[row] if row in here.sets else LabelSet(one.present, one.unknown | fresh) for row, one in before),
            *(LabelSet(sets[row].present, sets[row].unknown | silent) for row in new),
        ]

    def _with_labels(self, photos: Samples, labels: Sequence[str] | Sequence[LabelSet]) -> Samples:
        """With classes, which are those of the training photos: nothing is learned of others."""
        sets = [one for one in labels if isinstance(one, LabelSet)]
        if self.known.targets is None:
            return with_labels(photos, [one for one in labels if isinstance(one, str)])
        return with_targets(photos, sets, (*self.known.classes, *self.listing.classes))

    def _splits(self, photos: Samples, labels: Sequence[Label], *, seed: int, share: float) -> tuple[tuple[str, ...], bool]:
        """The split of every photo: that of before; of a new one that of its subject's other photos, its own, or drawn.

        Whether new ones were drawn is the second answer.
        """
        held_out, first = self.known.held_out, len(self.known)
        own = photos.splits[first:]
        is_drawn = bool(held_out and share) and not {*own} & {"val", "test"}
        if not is_drawn:
            # One look at the end: where the run holds out one split, new photos that are held out belong to it.
            sides = {*self.known.splits, "train"}
            splits = [split if split in sides or not held_out else held_out for split in (one or "train" for one in own)]
        else:
            units = units_of(labels[first:], photos.digests[first:], None if photos.groups is None else photos.groups[first:])
            chosen = held_out_of(units, share=share, seed=seed) if own else set()
            splits = [held_out if at in chosen else "train" for at in range(len(own))]
        if photos.groups is not None:
            side = sides_of(photos.groups[:first], self.known.splits)
            splits = [side.get(group, split) for group, split in zip(photos.groups[first:], splits, strict=True)]
        return (*self.known.splits, *splits), is_drawn

    def _only_held_out(self, found: Samples) -> DataError:
        """That all new photos were left out, because nothing is learned about their classes."""
        lost = found.left_out[len(self.listing.left_out) :]
        return DataError(
            tr("All new photos are held out, and no training photo has their class: nothing can be learned."),
            allowed=tr("training photos of every class"),
            got=first_few([f"{one.name}: {one.reason}" for one in lost], 3),
            cure=tr("put some of them among the training photos, or leave the splits out: then a share is held out by lot"),
        )

    def _said_of_new_classes(self, photos: Samples) -> list[str]:
        fresh = [name for name in photos.classes if name not in self.known.classes]
        if not fresh:
            return []
        told = [tr("New classes: {names}.", names=first_few(fresh))]
        said = {*self.listing.decisions, *doubtful_names(self.known.classes)}
        told += [sentence for sentence in doubtful_names((*self.known.classes, *fresh)) if sentence not in said]
        if photos.targets is not None:
            told.append(tr("Whether other photos of {run} show them, nobody knows: that counts for nothing.", run=self.name))
        return told


def _to_draw(labels: Sequence[str] | Sequence[LabelSet]) -> list[Label]:
    return [one.present if isinstance(one, LabelSet) else one for one in labels]
