"""Folds for cross-validation: stratified by class, subjects never split, the same for the same seed.

Letters: ``N`` photos, ``F`` folds, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MOST_FOLDS = 5


def deal_folds(labels: Ints, *, groups: Sequence[str] | None = None, seed: int = 0) -> Ints:
    """The fold of each photo, ``[N]`` int64 in ``0 .. F-1``.

    As many folds as the smallest class has photos (or groups), at least two and at most :data:`MOST_FOLDS`.

    Args:
        labels: ``[N]`` class of each photo.
        groups: ``N`` names; photos with the same name go to the same fold.
        seed: Of the dealing.
    """
    units = _units(labels, groups)
    dice = np.random.default_rng(seed)
    order = dice.permutation(len(units))
    if groups is None:
        return _dealt_in_turn(labels, order)
    # Large groups first: the small ones can still even the folds out.
    order = order[np.argsort([-len(units[unit]) for unit in order], kind="stable")]
    return _dealt_evenly(labels, [units[unit] for unit in order], _how_many(labels, groups))


def _units(labels: Ints, groups: Sequence[str] | None) -> list[list[int]]:
    if groups is None:
        return [[row] for row in range(len(labels))]
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group or f"\0{row}", []).append(row)  # no name: a group of its own
    return list(members.values())


def _how_many(labels: Ints, groups: Sequence[str] | None) -> int:
    names = [str(row) for row in range(len(labels))] if groups is None else groups
    kinds = {(int(label), name or f"\0{row}") for row, (label, name) in enumerate(zip(labels, names, strict=True))}
    smallest = np.bincount([label for label, _ in kinds])
    return int(np.clip(smallest[smallest > 0].min(), 2, MOST_FOLDS))


def _dealt_in_turn(labels: Ints, order: npt.NDArray[np.int64]) -> Ints:
    """Deal the photos of one class after the other, in turn, going on where the class before ended."""
    counts = np.bincount(labels)
    folds = int(np.clip(counts[counts > 0].min(), 2, MOST_FOLDS))
    by_class = order[np.argsort(labels[order], kind="stable")]
    dealt = np.empty(len(labels), np.int64)
    dealt[by_class] = np.arange(len(labels)) % folds
    return dealt


def _dealt_evenly(labels: Ints, units: list[list[int]], folds: int) -> Ints:
    """Each group goes to the fold that has least of the group's most frequent class."""
    held = np.zeros((folds, int(labels.max()) + 1), np.int64)
    dealt = np.empty(len(labels), np.int64)
    for unit in units:
        inside = np.bincount(labels[unit], minlength=held.shape[1])
        fold = int(np.lexsort((held.sum(axis=1), held[:, inside.argmax()]))[0])
        held[fold] += inside
        dealt[unit] = fold
    return dealt
