"""Photos that count: each can be read, and has a class and a split.

A ``Listing`` says what was found; :class:`Samples` says what counts. Splits are drawn over photos
that can be read, and the samples know which rows play which role in a training, so that nobody else has to.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.core.arguments import argument
from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.label_sets import (
    PRESENT,
    LabelReading,
    LabelSet,
    Task,
    combinations,
    joined,
    sets_of,
    target_matrix,
)
from tsugiki.data.merged_copies import one_photo_once
from tsugiki.data.natural_order import natural
from tsugiki.data.photo_index import Content, PhotoIndex
from tsugiki.data.sources.listing import LeftOut, Listing, look_the_same
from tsugiki.data.sources.lists import list_paths
from tsugiki.data.split_warnings import Columns, warnings_about
from tsugiki.data.splits import SPLITS, Draw, Label, draw_apart, draw_splits
from tsugiki.locale.messages import first_few, tr

UNKNOWN_CLASS = -1
"""The label of a photo whose class is none of the classes, or that has none."""

_SHOWN = 30  # classes in a notebook

DEFAULT_HELD_OUT = 0.2
"""The share of every class that is held out, where nobody says which photos are."""


@dataclass(frozen=True)
class Correction:
    """What a person decided about one photo, known by its content.

    Attributes:
        digest: SHA-256 of its content.
        label: The class that it was found in.
        now: The class that it counts as, or ``""`` where it is left out.
    """

    digest: str
    label: str
    now: str


@dataclass(frozen=True, repr=False)
class Samples:
    """Photos that count.

    Attributes:
        root: The folder that ``names`` are relative to.
        names: ``N`` POSIX paths relative to ``root``.
        labels: ``[N]`` int64, index into ``classes``, or :data:`UNKNOWN_CLASS`. Multi-label: the same number where the targets
            are the same, and no index.
        splits: ``N`` of ``train`` / ``val`` / ``test``.
        classes: ``K`` class names in the order of the labels; none where the photos have no labels.
        digests: ``N`` SHA-256 of the files' content.
        groups: ``N`` names of subjects that are never split, or ``None``.
        left_out: Files that do not count, each with its reason.
        decisions: Sentences for the person: what was decided and why.
        warnings: Sentences for the person: what to know before trusting a score.
        draw: How photos were held out, or ``None`` where the data set has splits of its own.
        corrections: What a person's list changed, photo by photo.
        targets: Multi-label: ``[N, K]`` int8 of :data:`~tsugiki.data.label_sets.PRESENT` (1), ``ABSENT`` (0) or ``NOT_KNOWN``
            (-1); ``None`` where every photo is of one class.
        separator: What a person said stands between the names of several labels; ``None`` where nobody did.
    """

    root: Path
    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    draw: Draw | None = None
    corrections: tuple[Correction, ...] = ()
    targets: npt.NDArray[np.int8] | None = None
    separator: str | None = None

    @classmethod
    def from_listing(
        cls, listing: Listing, contents: Sequence[Content], *, seed: int = DEFAULT_SEED, held_out: float = DEFAULT_HELD_OUT
    ) -> Samples:
        """The photos of a listing that count.

        Classes are those of the training photos, in natural order; a held-out photo of another class cannot be scored and is
        left out by name, so no label ever shifts. Where no photos are held out yet, a share of every class is.

        Args:
            listing: ``N`` candidates.
            contents: ``N``, one per candidate.
            seed: Of the draw that holds photos out.
            held_out: The share to hold out of every class, where nobody did; 0 holds nothing out.

        Raises:
            RequestError: When ``held_out`` is no share.
            DataError: When no photo can be read, there are no training photos, fewer than two classes, or nothing to hold out.
        """
        require_share(held_out)
        rows, unreadable = _readable(listing, contents)
        labels: list[Label] = [listing.labels[row] for row in rows]
        merged: list[str] = []
        if listing.label_sets is not None:
            listing, rows, merged = one_photo_once(listing, rows, contents)
            labels = [listing.label_sets[row].present for row in rows]  # type: ignore[index]
        found = cls(
            root=listing.root,
            names=tuple(listing.names[row] for row in rows),
            labels=np.full(len(rows), UNKNOWN_CLASS),
            splits=tuple(listing.splits[row] for row in rows),
            classes=(),
            digests=tuple(contents[row].digest for row in rows),
            groups=None if listing.groups is None else tuple(listing.groups[row] for row in rows),
            left_out=(*listing.left_out, *unreadable),
            decisions=(*listing.decisions, *merged, *_lost_splits(listing, rows, held_out)),
            separator=listing.separator,
        )
        found = _with_splits(found, labels, Draw(seed, held_out))
        if listing.label_sets is None:
            return with_warnings(with_labels(found, [str(label) for label in labels]))
        return with_warnings(with_targets(found, [listing.label_sets[row] for row in rows], listing.classes))

    @classmethod
    def from_lists(
        cls,
        paths: Iterable[str | os.PathLike[str]],
        labels: Iterable[object] | None = None,
        splits: Iterable[object] | None = None,
        groups: Iterable[object] | None = None,
        *,
        seed: int = DEFAULT_SEED,
        held_out: float = DEFAULT_HELD_OUT,
        index: PhotoIndex | None = None,
        multi_label: bool = False,
        classes: Sequence[str] | None = None,
    ) -> Samples:
        """Photos from lists of ``N`` paths and, for each, what is known of it.

        Args:
            paths: Files, or addresses (``https://``, ``s3://``, ...), whose photos are fetched once into the cache; lists,
                arrays and columns of pandas are all lists here.
            labels: Class names, a photo without one among others being left out by name; ``None`` for photos without labels:
                they can be answered, and nothing is learned from them. For photos with several labels: lists of names, or
                ``[N, K]`` of 1, 0 and, where nobody knows, NaN or -1.
            splits: ``train``, ``val`` or ``test``; ``train`` alone holds nothing out, and a score is out-of-fold. ``None``
                holds a share of every class out.
            groups: Names of subjects that must not be in two splits; ``""`` is a subject of its own.
            seed: Of the draw that holds photos out.
            held_out: The share to hold out where there are no ``splits``; 0 holds nothing out.
            index: Where it is kept what the files hold.
            multi_label: Whether a photo may show any number of classes, even where each has one label.
            classes: ``K`` names of the columns of labels of 1 and 0; a ``DataFrame`` brings them along.

        Raises:
            RequestError: When the lists do not fit together, or one path is given two labels.
            DataError: When the photos cannot be used, or not one can be read.
        """
        listing = list_paths(paths, labels, splits, groups, reading=LabelReading(multi_label), classes=classes)
        contents = (index or PhotoIndex()).contents(listing.paths)
        if labels is None:
            return cls.unlabelled(listing, contents)
        # Who names the splits has said all: photos are held out only if they are named.
        return cls.from_listing(listing, contents, seed=seed, held_out=held_out if splits is None else 0.0)

    @classmethod
    def unlabelled(cls, listing: Listing, contents: Sequence[Content]) -> Samples:
        """The photos of a listing that can be read, without labels; where nobody said, they are in the split ``test``.

        Args:
            listing: ``N`` candidates.
            contents: ``N``, one per candidate.

        Raises:
            DataError: When no photo can be read.
        """
        rows, unreadable = _readable(listing, contents)
        return cls(
            root=listing.root,
            names=tuple(listing.names[row] for row in rows),
            labels=np.full(len(rows), UNKNOWN_CLASS),
            splits=tuple(listing.splits[row] or "test" for row in rows),
            classes=(),
            digests=tuple(contents[row].digest for row in rows),
            groups=None if listing.groups is None else tuple(listing.groups[row] for row in rows),
            left_out=(*listing.left_out, *unreadable),
        )

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        counts = ", ".join(f"{split} {count}" for split, count in sorted(Counter(self.splits).items(), key=_split_order))
        return visible(
            f"<Samples: {len(self)} photos, {len(self.classes)} classes ({first_few(self.classes)}); {counts}>", one_line=True
        )

    def _repr_html_(self) -> str:
        """For a notebook: photos per class and split, and what was decided."""
        counts = self.counts()
        rows = [(name, *(counts[split][name] for split in counts)) for name in self.classes[:_SHOWN]]
        more = [tr("... and {count} more", count=len(self.classes) - _SHOWN)] if len(self.classes) > _SHOWN else []
        left = [tr("Left out: {count}", count=len(self.left_out))] if self.left_out else []
        table = [("", *counts), *rows] if rows else []
        return cell_html(repr(self)[1:-1], table, [*more, *self.decisions, *self.warnings, *left])

    @property
    def task(self) -> Task:
        """``multi`` where a photo may show any number of the classes, ``single`` where it is of one."""
        return "single" if self.targets is None else "multi"

    @property
    def paths(self) -> list[Path]:
        """``N`` paths that can be opened."""
        return [self.root / name for name in self.names]

    @property
    def held_out(self) -> str:
        """The split that is looked at once, at the end: ``test`` where there is one, else ``val``; ``""`` without either."""
        return next((split for split in ("test", "val") if split in self.splits), "")

    @property
    def train_rows(self) -> list[int]:
        """The rows that are learned from."""
        return self.rows_of("train")

    @property
    def val_rows(self) -> list[int]:
        """Rows of ``val`` where there is a ``test`` as well: they give the curves and are never learned from."""
        return self.rows_of("val") if self.held_out == "test" else []

    @property
    def held_out_rows(self) -> list[int]:
        """The rows that are looked at once, at the end; none where nothing is held out."""
        return self.rows_of(self.held_out) if self.held_out else []

    def take(self, rows: Iterable[int]) -> Samples:
        """The photos at ``rows``, in that order."""
        picked = list(rows)
        return replace(
            self,
            names=tuple(self.names[row] for row in picked),
            labels=self.labels[picked],
            splits=tuple(self.splits[row] for row in picked),
            digests=tuple(self.digests[row] for row in picked),
            groups=None if self.groups is None else tuple(self.groups[row] for row in picked),
            targets=None if self.targets is None else self.targets[picked],
        )

    def rows_of(self, split: str) -> list[int]:
        """The rows that belong to ``split``."""
        return [row for row, name in enumerate(self.splits) if name == split]

    def of(self, split: str) -> Samples:
        """The photos of one split; they stay in it, whatever becomes of some of them."""
        return replace(self.take(self.rows_of(split)), draw=None)

    def label_names(self) -> list[str]:
        """``N`` class names; ``""`` where a photo has none of the classes. Multi-label: several as ``a|b``."""
        if self.targets is not None:
            return [joined(names) for names in self.label_sets()]
        return [self.classes[label] if label != UNKNOWN_CLASS else "" for label in self.labels.tolist()]

    def label_sets(self) -> list[frozenset[str]]:
        """``N`` sets of the classes that a photo shows."""
        if self.targets is None:
            return [frozenset({name} if name else ()) for name in self.label_names()]
        return [one.present for one in sets_of(self.targets, self.classes)]

    def counts(self) -> dict[str, dict[str, int]]:
        """Photos per split and class name, classes in order, absent ones as 0."""
        if self.targets is not None:
            shown = {split: (self.targets[self.rows_of(split)] == PRESENT).sum(axis=0) for split in SPLITS}
            return {
                split: {name: int(shown[split][place]) for place, name in enumerate(self.classes)}
                for split in SPLITS
                if split in self.splits
            }
        seen = Counter(zip(self.splits, self.labels.tolist(), strict=True))
        return {
            split: {name: seen[split, label] for label, name in enumerate(self.classes)}
            for split in SPLITS
            if split in self.splits
        }

    def with_classes(self, classes: tuple[str, ...]) -> Samples:
        """The same photos with labels in the order of ``classes``.

        Raises:
            RequestError: When one of the two has a class that the other does not have, or the photos have no labels.
        """
        require_labels(self)
        if self.classes == classes:
            return self
        if set(self.classes) != set(classes):
            # A class may be missing because none of its photos can be read.
            missing = set(classes) - set(self.classes)
            lost = [entry for entry in self.left_out if missing & set(entry.name.split("/"))]
            raise RequestError(
                tr("The photos' classes are not the classifier's."),
                allowed=", ".join(classes),
                got="; ".join(filter(None, (", ".join(self.classes), _reasons(lost)))),
                cure="Classifier(..., classes=data.classes)",
            )
        if self.targets is not None:
            return replace(self, classes=classes, targets=self.targets[:, [self.classes.index(name) for name in classes]])
        place = np.array([classes.index(name) for name in self.classes] + [UNKNOWN_CLASS])
        return replace(self, classes=classes, labels=place[self.labels])

    def without_unreadable(self, reasons: Mapping[int, str]) -> Samples:
        """The samples without rows that turned out unreadable, which are named with their reasons.

        Where photos were held out by a draw, they are drawn again over those that can be read.

        Args:
            reasons: By row.

        Raises:
            DataError: When a class is left without training photos, or nothing is held out any more.
        """
        lost = tuple(LeftOut(self.names[row], reason) for row, reason in sorted(reasons.items()))
        kept = self.take(row for row in range(len(self)) if row not in reasons)
        if self.draw is not None and len(kept):
            before = _said_of_draw(self, self.draw)
            kept = replace(kept, decisions=tuple(sentence for sentence in kept.decisions if sentence != before))
            kept = _with_drawn_splits(kept, labels_to_draw(kept), replace(self.draw, settled=False))
        learned = kept.counts().get("train", {})
        empty = [name for name in self.classes if not learned.get(name) and self.train_rows]
        if empty:
            raise DataError(
                tr("No training photo of these classes can be read: {names}.", names=", ".join(empty)),
                got=_reasons(lost),
                cure=tr("put readable photos there, or take the folder away"),
            )
        if self.held_out and not kept.rows_of(self.held_out):
            raise DataError(tr("No held-out photo can be read."), got=_reasons(lost), cure=tr("put readable photos there"))
        return with_warnings(replace(kept, left_out=(*self.left_out, *lost)))


def settled(samples: Samples, near: Sequence[tuple[int, int]]) -> Samples:
    """The samples such that near copies are in one split, where a draw had parted them; the same samples where nobody drew.

    Args:
        samples: Not changed.
        near: Pairs of rows that show the same picture.
    """
    draw = samples.draw
    if draw is None or draw.settled:
        return samples
    splits = draw_apart(draw, labels_to_draw(samples), samples.digests, samples.groups, near, samples.splits)
    told = samples.decisions
    if moved := sum(new != old for new, old in zip(splits, samples.splits, strict=True)):
        sentence = tr("Near copies stay together, too: {count} photos changed sides for that.", count=moved)
        before, after = _said_of_draw(samples, draw), _said_of_draw(replace(samples, splits=splits), draw)
        told = (*(after if one == before else one for one in told), sentence)
    return with_warnings(replace(samples, splits=splits, draw=replace(draw, settled=True), decisions=told))


def labels_to_draw(samples: Samples) -> list[Label]:
    """``N`` class names; multi-label: sets of them."""
    return [*samples.label_names()] if samples.targets is None else [*samples.label_sets()]


def require_share(held_out: float) -> None:
    """Refuse what is no share of photos to hold out.

    Raises:
        RequestError: When it is below 0, 1 or more.
    """
    if not 0 <= held_out < 1:
        raise RequestError(
            tr("{argument} is the share of photos to hold out.", argument=argument("held_out")),
            allowed=tr("0 or more, and less than 1"),
            got=argument("held_out", held_out),
        )


def require_labels(samples: Samples) -> None:
    """Refuse photos without labels where labels are needed.

    Raises:
        RequestError: When none of the photos has a label.
    """
    if not samples.classes:
        raise RequestError(
            tr("These photos have no labels: nothing can be learned from them or checked."),
            allowed=tr("photos of two classes or more"),
            got=tr("{count} photos without labels", count=len(samples)),
            cure="Samples.from_lists(paths, labels)",
        )


def _readable(listing: Listing, contents: Sequence[Content]) -> tuple[list[int], list[LeftOut]]:
    """The rows that can be read, and why the others cannot.

    Raises:
        DataError: When not one can be read.
    """
    rows = [row for row, content in enumerate(contents) if not content.reason]
    unreadable = [LeftOut(listing.names[row], content.reason) for row, content in enumerate(contents) if content.reason]
    if not rows:
        raise DataError(tr("Not one photo in {folder} can be read.", folder=listing.root), got=_reasons(unreadable))
    return rows, unreadable


def _lost_splits(listing: Listing, rows: Sequence[int], held_out: float) -> list[str]:
    """What has to be said where the held-out photos that somebody named cannot be read."""
    named = {"val", "test"} & set(listing.splits)
    if not named or named & {listing.splits[row] for row in rows}:
        return []
    split = ", ".join(sorted(named))
    if held_out:
        return [tr("Not one photo of {split} can be read: others are held out instead.", split=split)]
    return [tr("Not one photo of {split} can be read: nothing is held out.", split=split)]


def _with_splits(samples: Samples, names: Sequence[Label], draw: Draw) -> Samples:
    """With a split for the photos that have none, some of them held out where nobody did."""
    unsplit = samples.splits.count("")
    if {"val", "test"} & set(samples.splits) or not draw.held_out:
        # Where nobody named a split, and nothing is to be held out, that all photos are for training was just asked for.
        asked_for = not draw.held_out and unsplit == len(samples)
        told = [tr("Photos without a split, counted as training photos: {count}.", count=unsplit)]
        splits = tuple(split or "train" for split in samples.splits)
        return replace(samples, splits=splits, decisions=(*samples.decisions, *(told if unsplit and not asked_for else [])))
    return _with_drawn_splits(samples, names, draw)


def _with_drawn_splits(samples: Samples, names: Sequence[Label], draw: Draw) -> Samples:
    """With photos held out by ``draw``, and that said."""
    found = replace(samples, splits=draw_splits(draw, names, samples.digests, samples.groups), draw=draw)
    return replace(found, decisions=(*samples.decisions, _said_of_draw(found, draw)))


def _said_of_draw(samples: Samples, draw: Draw) -> str:
    return tr(
        "Held out for testing: {count} of {total} photos (seed {seed}), the same share of every class; "
        "exact copies and groups stay together.",
        count=samples.splits.count("test"),
        total=len(samples),
        seed=draw.seed,
    )


def with_labels(samples: Samples, names: Sequence[str]) -> Samples:
    """With labels: classes are those of the training photos, and held-out photos of others are left out.

    Args:
        samples: In their splits.
        names: ``N`` labels.

    Raises:
        DataError: When there are fewer than two classes, or nothing is held out any more.
    """
    classes = sorted({names[row] for row in samples.train_rows}, key=natural)
    _require_training(samples, classes)
    index = {name: label for label, name in enumerate(classes)}
    labels = np.array([index.get(name, UNKNOWN_CLASS) for name in names], dtype=np.int64)
    labelled = replace(samples, classes=tuple(classes), labels=labels)
    unknown = Counter(name for name in names if name not in index)
    if unknown:
        labelled = _without_classes(labelled, names, unknown)
    if not labelled.held_out and (samples.held_out or samples.draw):
        raise DataError(
            tr("There are no held-out photos of the training classes: nothing could be scored."),
            allowed=first_few(classes),
            got=_reasons(labelled.left_out),
            cure=_renamed(unknown, classes)
            or tr("give every class two photos or more, and held-out folders the names of the training folders"),
        )
    return labelled


def with_targets(samples: Samples, sets: Sequence[LabelSet], declared: Sequence[str]) -> Samples:
    """With targets: classes are those that a training photo shows; what else is named is said.

    Args:
        samples: In their splits.
        sets: ``N`` sets of labels.
        declared: Classes that somebody names, whether or not a photo shows them.

    Raises:
        DataError: When there are fewer than two classes.
    """
    learned = {name for row in samples.train_rows for name in sets[row].present}
    classes = sorted(learned, key=natural)
    _require_training(samples, classes)
    named = {name for one in sets for name in one.present}
    told = []
    if never := sorted({*declared} - named, key=natural):
        told.append(tr("No photo shows {classes}: these are no classes.", classes=first_few(never)))
    if strange := sorted(named - learned, key=natural):
        told.append(
            tr(
                "Labels of held-out photos that no training photo has are not scored: {classes}. Their photos count.",
                classes=first_few(strange),
            )
        )
    targets = target_matrix(sets, classes)
    return replace(
        samples,
        classes=tuple(classes),
        targets=targets,
        labels=combinations(targets),
        decisions=(*samples.decisions, *told),
    )


def _renamed(unknown: Iterable[str], classes: Sequence[str]) -> str:
    """What to rename where classes of held-out photos look like those of training photos."""
    pairs = [f"{name!r} -> {other!r}" for name in unknown for other in classes if look_the_same(name, other)]
    return tr("rename the held-out classes as the training ones: {pairs}", pairs=first_few(pairs)) if pairs else ""


def _require_training(samples: Samples, classes: Sequence[str]) -> None:
    """Refuse what nothing can be learned from."""
    if len(classes) > 1:
        return
    cure = tr("a classifier needs training photos of two classes or more")
    if not classes:
        counts = ", ".join(f"{split}: {count}" for split, count in Counter(samples.splits).items())
        raise DataError(tr("There are no training photos."), got=counts, cure=cure)
    raise DataError(tr("There is only one class."), got=classes[0], cure=cure)


def _without_classes(samples: Samples, names: Sequence[str], unknown: Counter[str]) -> Samples:
    sentence = tr(
        "Held-out photos left out because no training photo has their class ({classes}): {count}.",
        count=unknown.total(),
        classes=first_few(sorted(unknown, key=natural)),
    )
    lost = [
        LeftOut(photo, tr("the class {name} is not among the training classes", name=name))
        for photo, name in zip(samples.names, names, strict=True)
        if name in unknown
    ]
    kept = samples.take(row for row, name in enumerate(names) if name not in unknown)
    return replace(kept, left_out=(*samples.left_out, *lost), decisions=(*samples.decisions, sentence))


def with_warnings(samples: Samples) -> Samples:
    """With the warnings that these very photos deserve."""
    of_photos = (samples.names, labels_to_draw(samples), samples.splits, samples.digests, samples.groups)
    photos = Columns(*of_photos, samples.classes, samples.targets)
    return replace(samples, warnings=tuple(warnings_about(photos)) if len(samples) else ())


def _split_order(counted: tuple[str, int]) -> int:
    return SPLITS.index(counted[0]) if counted[0] in SPLITS else len(SPLITS)


def _reasons(left_out: Sequence[LeftOut]) -> str:
    return first_few([f"{photo.name}: {photo.reason}" for photo in left_out])
