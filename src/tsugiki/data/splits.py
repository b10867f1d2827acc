"""Hold photos out, deal them into folds, and know what is wrong with a split: leaks, contradictions, empty classes.

Photos are held out seeded, in the same proportion of every class, and never two that belong together on both sides. Photos
belong together when they have the same content or the same group. What belongs together is a *unit*; units are drawn in an
order that comes from their content and the seed, so adding photos later moves hardly any other photo.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import DataError
from tsugiki.core.union_find import UnionFind
from tsugiki.data.sources.listing import kind_of, natural
from tsugiki.locale.messages import first_few, tr


@dataclass(frozen=True)
class Draw:
    """How photos are held out where the data set does not say: the same draw holds the same photos out again.

    Attributes:
        seed: Another seed, other photos.
        held_out: The share of every class.
        settled: Whether near copies have been looked for, too, and brought together: then photos are not drawn anew.
    """

    seed: int
    held_out: float
    settled: bool = False


def draw_splits(draw: Draw, labels: Sequence[str], digests: Sequence[str], groups: Sequence[str] | None) -> tuple[str, ...]:
    """``N`` of ``train`` / ``test``: the same share of every class held out for testing.

    Args:
        draw: How.
        labels: ``N`` class names.
        digests: ``N`` digests of content.
        groups: ``N`` names of subjects, or ``None``.

    Raises:
        DataError: When no photo can be held out because too many of them belong together.
    """
    chosen = hold_out(units_of(labels, digests, groups), share=draw.held_out, seed=draw.seed)
    if not chosen:
        _refuse_ties(draw, labels, digests, groups)
    return tuple("test" if row in chosen else "train" for row in range(len(labels)))


def draw_apart(
    draw: Draw,
    labels: Sequence[str],
    digests: Sequence[str],
    groups: Sequence[str] | None,
    near: Sequence[tuple[int, int]],
    splits: Sequence[str],
) -> tuple[str, ...]:
    """``N`` of ``train`` / ``test``: ``splits`` as they are or, where they part near copies, drawn anew with those together.

    Where that would leave a class without held-out photos that has some, they stay as they are: a leak is said with the score.

    Args:
        draw: How.
        labels: ``N`` class names.
        digests: ``N`` digests of content.
        groups: ``N`` names of subjects, or ``None``.
        near: Pairs of rows that show the same picture.
        splits: ``N`` of ``train`` / ``test``, from :func:`draw_splits`.
    """
    if all(splits[first] == splits[second] for first, second in near):
        return tuple(splits)
    chosen = hold_out(units_of(labels, digests, groups, near), share=draw.held_out, seed=draw.seed)
    judged = {label for label, split in zip(labels, splits, strict=True) if split == "test"}
    if judged - {labels[row] for row in chosen}:
        return tuple(splits)
    return tuple("test" if row in chosen else "train" for row in range(len(labels)))


def _refuse_ties(draw: Draw, labels: Sequence[str], digests: Sequence[str], groups: Sequence[str] | None) -> None:
    """Refuse photos of which none could be held out because they belong together."""
    ties = what_ties(labels, digests, groups, share=draw.held_out, seed=draw.seed)
    if ties == "groups" and groups is not None:
        raise DataError(
            tr("No photo can be held out: the groups keep too many of them together."),
            allowed=tr("photos of every class in two groups or more"),
            got=tr("groups per class: {counts}", counts=_different(labels, groups)),
            cure=tr(
                "name more groups, or the held-out photos in a column split, or take the column away that was read as group"
            ),
        )
    if ties == "copies":
        raise DataError(
            tr("No photo can be held out: too many of them are exact copies of each other."),
            allowed=tr("two different photos or more of every class"),
            got=tr("different photos per class: {counts}", counts=_different(labels, digests)),
            cure=tr("add photos that are no copies, or name the held-out photos yourself, in a folder test or a column split"),
        )


def _different(labels: Sequence[str], column: Sequence[str]) -> str:
    """How many different values each class has in ``column``; an empty one belongs to its row alone."""
    seen = {(label, value or row) for row, (label, value) in enumerate(zip(labels, column, strict=True))}
    counts = Counter(label for label, _ in seen)
    return first_few([f"{name}: {counts[name]}" for name in sorted(counts, key=natural)])


@dataclass(frozen=True)
class Unit:
    """Rows that stay together.

    Attributes:
        rows: Where they stand.
        key: What its place in the draw depends on, whatever other photos there are.
        classes: How many rows it has of each class.
    """

    rows: tuple[int, ...]
    key: str
    classes: Counter[str]


def hold_out(units: Sequence[Unit], *, share: float, seed: int) -> set[int]:
    """The rows to hold out.

    Every class keeps at least one photo for training; a class with two units or more has at least one photo held out where that
    is possible.

    Args:
        units: What stays together; together they cover all rows.
        share: The part of every class that is wanted, between 0 and 1.
        seed: Another seed, another draw.
    """
    draw = _Draw(units, share)
    order = sorted(units, key=lambda unit: hashlib.sha256(f"{seed}:{unit.key}".encode()).digest())
    for unit in order:
        if draw.gain(unit) > 0 and draw.leaves_training(unit):
            draw.take(unit)
    for candidates in draw.left_without(order):
        fitting = [unit for unit in candidates if draw.leaves_training(unit)]
        if fitting:
            draw.take(min(fitting, key=lambda unit: len(unit.rows)))
    return draw.rows


def what_ties(
    labels: Sequence[str], digests: Sequence[str], groups: Sequence[str] | None, *, share: float, seed: int
) -> Literal["groups", "copies", "nothing"]:
    """Why :func:`hold_out` takes no photo: without what it would.

    Args:
        labels: ``N`` class names.
        digests: ``N`` digests.
        groups: ``N`` names, or ``None``.
        share: As in :func:`hold_out`.
        seed: As in :func:`hold_out`.
    """
    if groups is not None and hold_out(units_of(labels, digests, None), share=share, seed=seed):
        return "groups"
    alone = [f"{row}" for row in range(len(labels))]
    return "copies" if hold_out(units_of(labels, alone, None), share=share, seed=seed) else "nothing"


class _Draw:
    """What has been held out so far, against what is wanted."""

    def __init__(self, units: Sequence[Unit], share: float) -> None:
        self.total: Counter[str] = Counter()
        for unit in units:
            self.total.update(unit.classes)
        self.wanted = {name: max(1.0, count * share) for name, count in self.total.items()}
        self.held: Counter[str] = Counter()
        self.rows: set[int] = set()

    def gain(self, unit: Unit) -> float:
        """How much nearer all classes come to what is wanted (in squared photos) when ``unit`` is held out."""
        return sum(count * (2 * (self.wanted[name] - self.held[name]) - count) for name, count in unit.classes.items())

    def leaves_training(self, unit: Unit) -> bool:
        return all(self.held[name] + count < self.total[name] for name, count in unit.classes.items())

    def take(self, unit: Unit) -> None:
        self.held.update(unit.classes)
        self.rows.update(unit.rows)

    def left_without(self, order: Sequence[Unit]) -> Iterator[list[Unit]]:
        """The units of every class that has nothing held out, class after class."""
        units: dict[str, list[Unit]] = {name: [] for name in self.total if not self.held[name]}
        for unit in order:
            for name in unit.classes.keys() & units.keys():
                units[name].append(unit)
        # A unit of several classes may serve a later class before its turn comes.
        return (candidates for name, candidates in units.items() if not self.held[name])


def units_of(
    labels: Sequence[str], digests: Sequence[str], groups: Sequence[str] | None, near: Sequence[tuple[int, int]] = ()
) -> list[Unit]:
    """Rows that belong together, each unit once.

    Args:
        labels: ``N`` class names.
        digests: ``N`` digests; rows with the same one belong together.
        groups: ``N`` names, likewise, an empty one belonging to nobody; or ``None``.
        near: Pairs of rows that belong together, too.
    """
    sets = UnionFind(len(labels))
    sets.union_equal(digests)
    if groups is not None:
        sets.union_equal(groups)
    for first, second in near:
        sets.union(first, second)
    members: dict[int, list[int]] = {}
    for row, root in enumerate(sets.roots()):
        members.setdefault(root, []).append(row)
    return [Unit(tuple(rows), _key(rows, digests, groups), Counter(labels[row] for row in rows)) for rows in members.values()]


def _key(rows: Sequence[int], digests: Sequence[str], groups: Sequence[str] | None) -> str:
    names = {groups[row] for row in rows} - {""} if groups is not None else set()
    return min(names) if names else min(digests[row] for row in rows)


SPLITS = ("train", "val", "test")

UNEVEN = 3
"""Classes whose photos differ by more than this factor are uneven: accuracy alone hides how the rare ones fare."""

_EXAMPLES = 3


@dataclass(frozen=True)
class Columns:
    """Photos column by column: ``N`` names, class names (``""``: none), splits and digests, groups or ``None``."""

    names: Sequence[str]
    labels: Sequence[str]
    splits: Sequence[str]
    digests: Sequence[str]
    groups: Sequence[str] | None
    classes: Sequence[str]

    def rows_of(self, split: str) -> list[int]:
        """The rows that belong to ``split``."""
        return [row for row, name in enumerate(self.splits) if name == split]

    def first_training_rows(self, values: Sequence[str]) -> dict[str, int]:
        """Per value, the first training row that has it."""
        return {values[row]: row for row in reversed(self.rows_of("train"))}


def warnings_about(photos: Columns) -> Iterator[str]:
    """Sentences about classes without photos, leaks between splits, copies with two classes, and files unlike all others."""
    yield from _coverage(photos)
    yield from _copies_across(photos)
    yield from _groups_across(photos)
    yield from _contradictions(photos)
    yield from _odd_files(photos)


def _coverage(photos: Columns) -> Iterator[str]:
    """Which classes have no photo held out, and which have one training photo only."""
    counts = Counter(zip(photos.splits, photos.labels, strict=True))
    for split in SPLITS[1:]:
        missing = [name for name in photos.classes if split in photos.splits and not counts[split, name]]
        if missing:
            yield tr(
                "{split} has no photo of: {classes}. Its score says nothing about them.",
                split=split,
                classes=first_few(missing),
            )
    uneven = uneven_sentence({name: counts["train", name] for name in photos.classes})
    if uneven:
        yield uneven
    lonely = [name for name in photos.classes if counts["train", name] == 1]
    if lonely:
        yield tr("Only one training photo: {classes}.", classes=first_few(lonely))


def uneven_sentence(counts: Mapping[str, int]) -> str:
    """That some classes have far more training photos than others; empty where they are about even.

    Args:
        counts: Training photos per class.
    """
    if not is_uneven(counts):
        return ""
    most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    return tr(
        "The classes are uneven: {most} has {many} training photos, {least} only {few}. --class-weights makes them count "
        "the same.",
        most=most,
        many=counts[most],
        least=least,
        few=counts[least],
    )


def is_uneven(counts: Mapping[str, int]) -> bool:
    """Whether the largest class has more than :data:`UNEVEN` times the photos of the smallest."""
    return bool(counts) and max(counts.values()) > UNEVEN * max(1, min(counts.values()))


def _copies_across(photos: Columns) -> Iterator[str]:
    training = photos.first_training_rows(photos.digests)
    for split in SPLITS[1:]:
        pairs = [(row, training[photos.digests[row]]) for row in photos.rows_of(split) if photos.digests[row] in training]
        if pairs:
            examples = [f"{photos.names[row]} = {photos.names[other]}" for row, other in pairs]
            yield tr(
                "Leak: exact copies of training photos in {split}: {count} ({examples}). The score on {split} is too good.",
                count=len(pairs),
                split=split,
                examples=_few(examples),
            )


def _groups_across(photos: Columns) -> Iterator[str]:
    if photos.groups is None:
        return
    training = photos.first_training_rows(photos.groups)
    for split in SPLITS[1:]:
        rows = [row for row in photos.rows_of(split) if photos.groups[row] and photos.groups[row] in training]
        if rows:
            yield tr(
                "Leak: photos in {split} whose group is in train too: {count} ({groups}). The score on {split} is too good.",
                count=len(rows),
                split=split,
                groups=_few(list(dict.fromkeys(photos.groups[row] for row in rows))),
            )


def _contradictions(photos: Columns) -> Iterator[str]:
    first: dict[str, int] = {}
    examples = []
    for row, digest in enumerate(photos.digests):
        other = first.setdefault(digest, row)
        if photos.labels[row] != photos.labels[other]:
            examples.append(f"{photos.names[other]} = {photos.names[row]}")
    if examples:
        yield tr(
            "Exact copies with different classes: {count} ({examples}). One of the two labels is wrong.",
            count=len(examples),
            examples=_few(examples),
        )


def _odd_files(photos: Columns) -> Iterator[str]:
    """Files in a format that hardly any other has: often not a photo at all but a placeholder that a website sent."""
    kinds = Counter(map(kind_of, photos.names))
    usual, count = kinds.most_common(1)[0]
    odd = [name for name in photos.names if kind_of(name) != usual]
    if odd and len(odd) <= _EXAMPLES and len(odd) * 50 <= count:
        yield tr(
            "Odd: {files}, among {count} {usual} files. What can be decoded counts; look whether these are photos.",
            files=", ".join(odd),
            count=count,
            usual=usual,
        )


def _few(examples: Sequence[str]) -> str:
    listed = ", ".join(examples[:_EXAMPLES])
    return listed + ", ..." if len(examples) > _EXAMPLES else listed


Ints = npt.NDArray[np.int64]
Groups = Sequence[str] | Ints
"""``N`` names or numbers; photos with the same one belong together, a photo with an empty name stands alone."""

MOST_FOLDS = 5

IN_NO_FOLD = -1
"""The fold of a photo that is learned from whichever fold is held out, and therefore judged by nobody."""


def deal_folds(labels: Ints, *, groups: Groups | None = None, seed: int = 0, folds: int | None = None) -> Ints:
    """The fold of each photo, ``[N]`` int64 in ``0 .. F-1``, or :data:`IN_NO_FOLD`.

    Whichever fold is held out, every class is among what is left. So photos of a class whose photos are all of one group (or
    that has one photo only) are in no fold: a head that has never seen a class cannot be judged on it. All photos are in no
    fold where that leaves fewer than two folds, or photos of one class only: cross-validation is impossible then.

    Args:
        labels: ``[N]`` class of each photo.
        groups: What must not be separated.
        seed: Of the dealing.
        folds: How many; as many as the smallest class has photos (or groups), 2 to :data:`MOST_FOLDS`, unless given.
    """
    units = None if groups is None else _units(len(labels), groups)
    if units is None or len(units) == len(labels):
        return _numbered(_singly(labels, seed, folds), labels)
    return _numbered(_dealt(labels, units, seed, folds), labels)


def _singly(labels: Ints, seed: int, folds: int | None) -> Ints:
    """Photo by photo, of one class after the other, in turn, going on where the class before ended."""
    counts = np.bincount(labels)
    dealable = np.flatnonzero(counts[labels] > 1)
    order = dealable[np.random.default_rng(seed).permutation(len(dealable))]
    by_class = order[np.argsort(labels[order], kind="stable")]
    dealt = np.full(len(labels), IN_NO_FOLD, np.int64)
    dealt[by_class] = np.arange(len(dealable)) % (folds or _how_many(counts))
    return dealt


def _dealt(labels: Ints, units: list[list[int]], seed: int, folds: int | None) -> Ints:
    """Group by group, the large ones first: the small ones can still even the folds out."""
    kinds = [set(labels[unit].tolist()) for unit in units]
    counts = np.bincount([label for kind in kinds for label in kind])
    dealable = [unit for unit, kind in zip(units, kinds, strict=True) if all(counts[label] > 1 for label in kind)]
    order = np.random.default_rng(seed).permutation(len(dealable))
    order = order[np.argsort([-len(dealable[place]) for place in order], kind="stable")]
    dealt = np.full(len(labels), IN_NO_FOLD, np.int64)
    _deal_evenly(dealt, labels, [dealable[place] for place in order], folds or _how_many(counts))
    _keep_every_class_learned(dealt, labels, dealable)
    return dealt


def _how_many(counts: Ints) -> int:
    """As many folds as the smallest class has groups; classes with only one are in no fold and have no say."""
    return int(counts[counts > 1].min(initial=MOST_FOLDS))


def _units(count: int, groups: Groups) -> list[list[int]]:
    sets = UnionFind(count)
    sets.union_equal(groups.tolist() if isinstance(groups, np.ndarray) else groups)
    members: dict[int, list[int]] = {}
    for row, root in enumerate(sets.roots()):
        members.setdefault(root, []).append(row)
    return list(members.values())


def _deal_evenly(dealt: Ints, labels: Ints, units: list[list[int]], folds: int) -> None:
    """Each group goes to the fold that has least of the group's most frequent class."""
    held = np.zeros((folds, int(labels.max()) + 1), np.int64)
    for unit in units:
        inside = np.bincount(labels[unit], minlength=held.shape[1])
        fold = int(np.lexsort((held.sum(axis=1), held[:, inside.argmax()]))[0])
        held[fold] += inside
        dealt[unit] = fold


def _keep_every_class_learned(dealt: Ints, labels: Ints, units: list[list[int]]) -> None:
    """Where a class (of groups that hold several) has come to lie in one fold, its smallest group is taken out again."""
    for label in np.unique(labels).tolist():
        where = set(dealt[labels == label].tolist())
        if len(where) == 1 and where != {IN_NO_FOLD}:
            unit = min((unit for unit in units if label in labels[unit]), key=len)
            dealt[unit] = IN_NO_FOLD


def _numbered(dealt: Ints, labels: Ints) -> Ints:
    """The folds without gaps; none where they are too few, or hold one class only (who always names it would look best)."""
    judged = dealt != IN_NO_FOLD
    used, numbers = np.unique(dealt[judged], return_inverse=True)
    if len(used) < 2 or len(np.unique(labels[judged])) < 2:
        return np.full(len(labels), IN_NO_FOLD, np.int64)
    numbered = dealt.copy()
    numbered[judged] = numbers
    return numbered
