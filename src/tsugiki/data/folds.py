"""Deal photos into folds for cross-validation: those that belong together go together, and every class is learned.

Letters: ``N`` photos, ``F`` folds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from tsugiki.core.union_find import UnionFind
from tsugiki.data.stratification import bag_of, deal_bags

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


def deal_folds_of_sets(
    targets: npt.NDArray[np.int8], *, groups: Groups | None = None, seed: int = 0, folds: int | None = None
) -> Ints:
    """What :func:`deal_folds` gives, for photos that may have several labels, by iterative stratification.

    Whichever fold is held out, every class is shown by a photo of what is left: where all photos of a class belong together,
    they are in no fold. All photos are in no fold where that leaves fewer than two folds.

    Args:
        targets: ``[N, K]``, above zero where a photo shows a class.
        groups: What must not be separated.
        seed: Of the dealing.
        folds: How many; :data:`MOST_FOLDS`, as far as there are groups, unless given.
    """
    units = [[row] for row in range(len(targets))] if groups is None else _units(len(targets), groups)
    rows = [[str(place) for place in np.flatnonzero(row > 0)] for row in targets]
    shown = [{label for row in unit for label in rows[row]} for unit in units]
    several = Counter(label for labels in shown for label in labels)
    dealable = [at for at, labels in enumerate(shown) if all(several[label] > 1 for label in labels)]
    dealt = np.full(len(targets), IN_NO_FOLD, np.int64)
    count = min(folds or MOST_FOLDS, len(dealable))
    if count < 2:
        return dealt
    order = [dealable[place] for place in np.random.default_rng(seed).permutation(len(dealable))]
    fold_of = dict(zip(order, _dealt_in_shares([[rows[row] for row in units[at]] for at in order], count), strict=True))
    for label in several:
        where = [at for at in order if label in shown[at]]
        inside = {fold_of.get(at, IN_NO_FOLD) for at in where}
        if len(inside) == 1 and inside != {IN_NO_FOLD}:  # nobody else would learn it
            del fold_of[min(where, key=lambda at: len(units[at]))]
    for at, fold in fold_of.items():
        dealt[units[at]] = fold
    return _without_gaps(dealt)


def _dealt_in_shares(units: list[list[list[str]]], count: int) -> list[int]:
    """The fold of each unit, given as the labels of its photos, such that each has its share of every label and pair."""
    bags = [bag_of(unit) for unit in units]
    total: Counter[Hashable] = Counter()
    for bag in bags:
        total.update(bag)
    wanted: Counter[Hashable] = Counter()
    wanted.update({label: number / count for label, number in total.items()})
    sizes = [len(unit) for unit in units]
    return deal_bags(bags, sizes, [wanted] * count, [sum(sizes) / count] * count)


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
    if len(np.unique(labels[dealt != IN_NO_FOLD])) < 2:
        return np.full(len(labels), IN_NO_FOLD, np.int64)
    return _without_gaps(dealt)


def _without_gaps(dealt: Ints) -> Ints:
    """The folds numbered from 0; none where there are fewer than two."""
    judged = dealt != IN_NO_FOLD
    used, numbers = np.unique(dealt[judged], return_inverse=True)
    if len(used) < 2:
        return np.full(len(dealt), IN_NO_FOLD, np.int64)
    numbered = dealt.copy()
    numbered[judged] = numbers
    return numbered
