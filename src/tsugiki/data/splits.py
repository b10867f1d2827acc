"""Hold photos out: seeded, in the same proportion of every class, and never two that belong together on both sides.

Photos belong together when they have the same content or the same group. What belongs together is a *unit*; units are drawn in
an order that comes from their content and the seed, so adding photos later moves hardly any other photo.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tsugiki.core.errors import DataError
from tsugiki.core.union_find import UnionFind
from tsugiki.data.natural_order import natural
from tsugiki.data.stratification import Bag, bag_of, deal_bags
from tsugiki.locale.messages import first_few, tr

Label = str | frozenset[str]
"""The class of a photo; or its labels, where it may have several."""


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


def draw_splits(draw: Draw, labels: Sequence[Label], digests: Sequence[str], groups: Sequence[str] | None) -> tuple[str, ...]:
    """``N`` of ``train`` / ``test``: the same share of every class held out for testing.

    Args:
        draw: How.
        labels: ``N`` class names, or sets of them where photos may have several labels.
        digests: ``N`` digests of content.
        groups: ``N`` names of subjects, or ``None``.

    Raises:
        DataError: When no photo can be held out because too many of them belong together.
    """
    chosen = held_out_of(units_of(labels, digests, groups), share=draw.held_out, seed=draw.seed)
    if not chosen:
        _refuse_ties(draw, labels, digests, groups)
    return tuple("test" if row in chosen else "train" for row in range(len(labels)))


def draw_apart(
    draw: Draw,
    labels: Sequence[Label],
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
    chosen = held_out_of(units_of(labels, digests, groups, near), share=draw.held_out, seed=draw.seed)
    judged = {name for label, split in zip(labels, splits, strict=True) if split == "test" for name in names_in(label)}
    if judged - {name for row in chosen for name in names_in(labels[row])}:
        return tuple(splits)
    return tuple("test" if row in chosen else "train" for row in range(len(labels)))


def _refuse_ties(draw: Draw, labels: Sequence[Label], digests: Sequence[str], groups: Sequence[str] | None) -> None:
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


def _different(labels: Sequence[Label], column: Sequence[str]) -> str:
    """How many different values each class has in ``column``; an empty one belongs to its row alone."""
    rows = enumerate(zip(labels, column, strict=True))
    seen = {(name, value or row) for row, (label, value) in rows for name in names_in(label)}
    counts = Counter(label for label, _ in seen)
    return first_few([f"{name}: {counts[name]}" for name in sorted(counts, key=natural)])


@dataclass(frozen=True)
class Unit:
    """Rows that stay together.

    Attributes:
        rows: Where they stand.
        key: What its place in the draw depends on, whatever other photos there are.
        classes: How many rows it has of each class.
        bag: Where photos may have several labels: these, and their pairs.
    """

    rows: tuple[int, ...]
    key: str
    classes: Counter[str]
    bag: Bag | None = field(default=None, compare=False)


def names_in(label: Label) -> frozenset[str]:
    """The classes that a label names."""
    return frozenset({label}) if isinstance(label, str) else label


def held_out_of(units: Sequence[Unit], *, share: float, seed: int) -> set[int]:
    """The rows to hold out: :func:`hold_out`, or :func:`hold_out_sets` where photos may have several labels."""
    draw = hold_out if any(unit.bag is None for unit in units) else hold_out_sets
    return draw(units, share=share, seed=seed)


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


def hold_out_sets(units: Sequence[Unit], *, share: float, seed: int) -> set[int]:
    """The rows to hold out of photos that may have several labels, by iterative stratification.

    Every class keeps a unit for training; a class with two units or more has one held out where that is possible.

    Args:
        units: What stays together, with bags; together they cover all rows.
        share: The part of every class, and of every pair of classes, that is wanted, between 0 and 1.
        seed: Another seed, another draw.
    """
    draw = _Draw(units, share)
    order = sorted(units, key=lambda unit: hashlib.sha256(f"{seed}:{unit.key}".encode()).digest())
    total: Counter[Hashable] = Counter()
    several: Counter[str] = Counter()
    for unit in order:
        total.update(unit.bag or {})
        several.update(unit.classes.keys())
    held: Counter[Hashable] = Counter()
    kept: Counter[Hashable] = Counter()
    for name, count in total.items():
        # Of a class with few photos at least one is wanted on either side.
        least = 1.0 if isinstance(name, str) and several[name] > 1 else 0.0
        held[name] = max(least, share * count)  # type: ignore[assignment]
        kept[name] = count - held[name]
    rows = sum(len(unit.rows) for unit in order)
    # A pair of which no whole photo is due to be held out would send its photos to training: where most pairs are rare, these
    # are the photos of several labels, and the held-out ones would be those of a single label.
    dealt_by = {name for name in total if isinstance(name, str) or name == () or held[name] >= 1}
    bags = [Counter({name: n for name, n in (unit.bag or {}).items() if name in dealt_by}) for unit in order]
    sizes = [len(unit.rows) for unit in order]
    dealt = deal_bags(bags, sizes, [kept, held], [(1 - share) * rows, share * rows])
    for unit, part in zip(order, dealt, strict=True):
        if part and draw.leaves_training(unit):
            draw.take(unit)
    for candidates in draw.left_without(order):
        fitting = [unit for unit in candidates if draw.leaves_training(unit)]
        if fitting:
            draw.take(min(fitting, key=lambda unit: len(unit.rows)))
    return draw.rows


def what_ties(
    labels: Sequence[Label], digests: Sequence[str], groups: Sequence[str] | None, *, share: float, seed: int
) -> Literal["groups", "copies", "nothing"]:
    """Why :func:`hold_out` takes no photo: without what it would.

    Args:
        labels: ``N`` class names.
        digests: ``N`` digests.
        groups: ``N`` names, or ``None``.
        share: As in :func:`hold_out`.
        seed: As in :func:`hold_out`.
    """
    if groups is not None and held_out_of(units_of(labels, digests, None), share=share, seed=seed):
        return "groups"
    alone = [f"{row}" for row in range(len(labels))]
    return "copies" if held_out_of(units_of(labels, alone, None), share=share, seed=seed) else "nothing"


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
    labels: Sequence[Label], digests: Sequence[str], groups: Sequence[str] | None, near: Sequence[tuple[int, int]] = ()
) -> list[Unit]:
    """Rows that belong together, each unit once.

    Args:
        labels: ``N`` class names, or sets of them.
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
    return [_unit(rows, labels, _key(rows, digests, groups)) for rows in members.values()]


def _unit(rows: Sequence[int], labels: Sequence[Label], key: str) -> Unit:
    sets = [label for row in rows if isinstance(label := labels[row], frozenset)]
    classes = Counter(name for row in rows for name in names_in(labels[row]))
    return Unit(tuple(rows), key, classes, bag_of(sets) if sets else None)


def _key(rows: Sequence[int], digests: Sequence[str], groups: Sequence[str] | None) -> str:
    names = {groups[row] for row in rows} - {""} if groups is not None else set()
    return min(names) if names else min(digests[row] for row in rows)


SPLITS = ("train", "val", "test")
