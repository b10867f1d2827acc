"""Candidates that were looked at -> :class:`Samples`: unreadable ones out, classes mapped by name, every photo in one split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tsugiki.core.console import say
from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.check import look
from tsugiki.data.describe import describe_samples, findings
from tsugiki.data.samples import Draw, LeftOut, Listing, Look, Samples
from tsugiki.data.sources.listing import list_photos
from tsugiki.data.sources.names import natural
from tsugiki.data.splits import hold_out, units_of, what_ties
from tsugiki.locale.messages import tr

_NAMED = 5  # how many classes or reasons are named in one sentence


def settle(listing: Listing, looks: Sequence[Look], *, seed: int = DEFAULT_SEED, held_out: float = 0.2) -> Samples:
    """The photos that count.

    Classes are those of the training photos, in natural order; a held-out photo of another class cannot be scored and is left
    out by name, so no label ever shifts. Where no photos are held out yet, a part of the training photos is.

    Args:
        listing: ``N`` candidates.
        looks: ``N`` looks, one per candidate.
        seed: Of the draw that holds photos out.
        held_out: The share to hold out of every class, where nobody did.

    Raises:
        RequestError: When ``held_out`` is no share.
        DataError: When no photo can be read, there are no training photos, fewer than two classes, or nothing to hold out.
    """
    if not 0 < held_out < 1:
        raise RequestError(tr("held_out is the share of photos to hold out."), allowed="0 < held_out < 1", got=repr(held_out))
    table = _Table.of(listing, looks)
    table.place_unsplit(seed, held_out)
    table.require_training()
    table.drop_unknown_classes()
    table.require_held_out()
    samples = table.samples(listing)
    return replace(samples, decisions=(*samples.decisions, *_coverage(samples), *findings(samples)))


@dataclass
class _Table:
    """The readable photos, column by column."""

    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    groups: list[str] | None = None
    left_out: list[LeftOut] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    draw: Draw | None = None

    @classmethod
    def of(cls, listing: Listing, looks: Sequence[Look]) -> _Table:
        unreadable = [LeftOut(name, look.reason) for name, look in zip(listing.names, looks, strict=True) if look.reason]
        rows = [row for row, look in enumerate(looks) if not look.reason]
        if not rows:
            raise DataError(tr("Not one photo in {folder} can be read.", folder=listing.root), got=_first_reasons(unreadable))
        return cls(
            names=[listing.names[row] for row in rows],
            labels=[listing.labels[row] for row in rows],
            splits=[listing.splits[row] for row in rows],
            digests=[looks[row].digest for row in rows],
            groups=None if listing.groups is None else [listing.groups[row] for row in rows],
            left_out=unreadable,
        )

    def place_unsplit(self, seed: int, held_out: float) -> None:
        """Give a split to the photos that have none, and hold some out where nobody did."""
        unsplit = self.splits.count("")
        if {"val", "test"} & set(self.splits):
            if unsplit:
                self.decisions.append(tr("Photos without a split, counted as training photos: {count}.", count=unsplit))
            self.splits = [split or "train" for split in self.splits]
            return
        units = units_of(self.labels, self.digests, self.groups)
        chosen = hold_out(units, share=held_out, seed=seed)
        self.splits = ["test" if row in chosen else "train" for row in range(len(self.names))]
        sentence = tr(
            "Held out for testing: {count} of {total} photos (seed {seed}), the same share of every class; "
            "exact copies and groups stay together.",
            count=len(chosen),
            total=len(self.names),
            seed=seed,
        )
        self.decisions.append(sentence)
        self.draw = Draw(seed, held_out)

    def require_training(self) -> None:
        """Refuse what nothing can be learned from."""
        classes = self.classes
        if len(classes) > 1:
            return
        cure = tr("a classifier needs training photos of two classes or more")
        if not classes:
            counts = ", ".join(f"{split}: {count}" for split, count in Counter(self.splits).items())
            raise DataError(tr("There are no training photos."), got=counts, cure=cure)
        raise DataError(tr("There is only one class."), got=classes[0], cure=cure)

    def drop_unknown_classes(self) -> None:
        """Leave out the held-out photos whose class no training photo has."""
        known = set(self.classes)
        unknown = Counter(label for label in self.labels if label not in known)
        if not unknown:
            return
        sentence = tr(
            "Held-out photos left out because no training photo has their class ({classes}): {count}.",
            count=unknown.total(),
            classes=_some(sorted(unknown, key=natural)),
        )
        self.decisions.append(sentence)
        for name, label in zip(self.names, self.labels, strict=True):
            if label in unknown:
                self.left_out.append(LeftOut(name, tr("the class {name} is not among the training classes", name=label)))
        self._keep([row for row, label in enumerate(self.labels) if label in known])

    def require_held_out(self) -> None:
        """Refuse what could never be scored."""
        if {"val", "test"} & set(self.splits):
            return
        if self.draw is not None:
            self._refuse_ties(self.draw)
        raise DataError(
            tr("There are no held-out photos of the training classes: nothing could be scored."),
            allowed=_some(self.classes),
            got=_first_reasons(self.left_out),
            cure=tr("give every class two photos or more, and held-out folders the names of the training folders"),
        )

    def _refuse_ties(self, draw: Draw) -> None:
        """Refuse photos of which none could be held out because they belong together."""
        ties = what_ties(self.labels, self.digests, self.groups, share=draw.held_out, seed=draw.seed)
        if ties == "groups" and self.groups is not None:
            raise DataError(
                tr("No photo can be held out: the column group keeps too many of them together."),
                allowed=tr("photos of every class in two groups or more"),
                got=tr("groups per class: {counts}", counts=self._different(self.groups)),
                cure=tr("name more groups, or the held-out photos in a column split, or take the column group away"),
            )
        if ties == "copies":
            raise DataError(
                tr("No photo can be held out: too many of them are exact copies of each other."),
                allowed=tr("two different photos or more of every class"),
                got=tr("different photos per class: {counts}", counts=self._different(self.digests)),
                cure=tr(
                    "add photos that are no copies, or name the held-out photos yourself, in a folder test or a column split"
                ),
            )

    def _different(self, column: Sequence[str]) -> str:
        """How many different values each class has in ``column``; an empty one belongs to its row alone."""
        seen = {(label, value or row) for row, (label, value) in enumerate(zip(self.labels, column, strict=True))}
        counts = Counter(label for label, _ in seen)
        return _some([f"{name}: {counts[name]}" for name in self.classes])

    @property
    def classes(self) -> list[str]:
        seen = {label for label, split in zip(self.labels, self.splits, strict=True) if split == "train"}
        return sorted(seen, key=natural)

    def _keep(self, rows: Sequence[int]) -> None:
        for column in ("names", "labels", "splits", "digests", "groups"):
            values = getattr(self, column)
            if values is not None:
                setattr(self, column, [values[row] for row in rows])

    def samples(self, listing: Listing) -> Samples:
        classes = tuple(self.classes)
        index = {name: label for label, name in enumerate(classes)}
        return Samples(
            root=listing.root,
            names=tuple(self.names),
            labels=np.array([index[label] for label in self.labels], dtype=np.int64),
            splits=tuple(self.splits),
            classes=classes,
            digests=tuple(self.digests),
            groups=None if self.groups is None else tuple(self.groups),
            left_out=(*listing.left_out, *self.left_out),
            decisions=(*listing.decisions, *self.decisions),
            draw=self.draw,
        )


def _coverage(samples: Samples) -> Iterable[str]:
    """Which classes have no photo held out, and which have one photo only."""
    counts = samples.counts()
    for split in ("val", "test"):
        missing = [name for name, count in counts.get(split, {}).items() if not count]
        if missing:
            yield tr(
                "{split} has no photo of: {classes}. Its score says nothing about them.", split=split, classes=_some(missing)
            )
    lonely = [name for name, count in counts["train"].items() if count == 1]
    if lonely:
        yield tr("Only one training photo: {classes}.", classes=_some(lonely))


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(names[:_NAMED])
    return listed if len(names) <= _NAMED else tr("{names} and {count} more", names=listed, count=len(names) - _NAMED)


def _first_reasons(left_out: Sequence[LeftOut]) -> str:
    return _some([f"{photo.name}: {photo.reason}" for photo in left_out])


def load(source: str | Path, *, seed: int = DEFAULT_SEED, held_out: float = 0.2) -> Samples:
    """Read a data set and say what was decided: classes, counts, splits, files left out.

    Every photo is decoded once before it counts.

    Args:
        source: A folder of class folders (with or without ``train`` / ``val`` / ``test``), a ``.csv`` or ``.parquet`` manifest,
            a zip or tar archive of one of these, or ``sample:NAME``.
        seed: Of the draw that holds photos out, where nobody did.
        held_out: The share of every class to hold out then.

    Raises:
        RequestError: When there is nothing there, or it is laid out in another way.
        DataError: When the photos cannot be used as they are.
    """
    listing = list_photos(source)
    samples = settle(listing, look(listing.paths), seed=seed, held_out=held_out)
    say(describe_samples(samples))
    return samples
