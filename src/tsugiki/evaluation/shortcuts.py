"""Can something that has nothing to do with the subject predict the class? Then a classifier may have learned that instead.

Photos of one class that all have the same size, or another light, come from another camera; a network notices. Such a shortcut
breaks on the first photo from elsewhere. Letters: ``N`` photos, ``F`` measured values, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.metrics import Floats, Interval, Ints, blocks, majority_class, mcnemar, share_of

LEVEL = 0.01
"""How rarely chance alone may raise the alarm."""

_WORTH = 0.15
"""A gain over the majority guess below this is real at best, but no explanation of a good score."""

_MOST_CLASSES = 20  # that are asked about, where photos may have several labels
_NEIGHBOURS = 9
_MOST_KNOWN = 1_000  # photos that are asked; more would hardly change the answer


@dataclass(frozen=True)
class Shortcut:
    """How well one kind of measurement predicts the class by itself.

    Attributes:
        name: What was measured.
        accuracy: Of asking the nearest other photos by that measurement alone, cross-validated.
        interval: Its Wilson interval.
        majority: Accuracy of always answering the largest class.
        p_value: Of the exact test of one against the other, on the same photos.
        suspicious: Whether it is better than the guess beyond chance, by fifteen points or more.
        label: Where photos may have several labels: of which class it tells whether a photo shows it.
    """

    name: str
    accuracy: float
    interval: Interval
    majority: float
    p_value: float
    suspicious: bool
    label: str = ""


def find_shortcuts(measured: Mapping[str, Floats], labels: Ints, *, folds: int = 5, seed: int = 0) -> list[Shortcut]:
    """Try each kind of measurement by itself, the best predictor first.

    Args:
        measured: Name to ``[N, F]`` values: width and height, mean colour, bytes per pixel.
        labels: ``[N]``.
        folds: Of the cross-validation; fewer where the smallest class has fewer photos.
        seed: Of the folds.

    Returns:
        One per measurement, or none where a class has fewer than two photos or there is only one class.
    """
    counts = np.bincount(labels)
    counts = counts[counts > 0]
    if len(counts) < 2 or counts.min() < 2:
        return []
    guess = labels == majority_class(labels, len(counts))
    found = []
    for name, values in measured.items():
        right = _predicted(values, labels, min(folds, int(counts.min())), seed) == labels
        comparison, (share, interval) = mcnemar(guess, right), share_of(right)
        suspicious = comparison.p_value < LEVEL and comparison.difference >= _WORTH
        found.append(Shortcut(name, share, interval, comparison.accuracy_a, comparison.p_value, suspicious))
    return sorted(found, key=lambda shortcut: -shortcut.accuracy)


def find_set_shortcuts(
    measured: Mapping[str, Floats], targets: Ints, classes: Sequence[str], *, folds: int = 5, seed: int = 0
) -> list[Shortcut]:
    """Likewise where photos may have several labels: each class is a question of its own.

    Of every kind of measurement the class is told that it gives away most; that so many classes were asked makes chance alone
    no more likely to raise the alarm.

    Args:
        measured: Name to ``[N, F]`` values.
        targets: ``[N, K]`` of 1, 0 and -1 (nobody knows).
        classes: ``K`` class names.
        folds: Of the cross-validation.
        seed: Of the folds.
    """
    often = np.argsort(-(targets > 0).sum(axis=0), kind="stable")[:_MOST_CLASSES].tolist()
    found: list[Shortcut] = []
    for label in often:
        known = np.flatnonzero(targets[:, label] >= 0)
        part = {name: values[known] for name, values in measured.items()}
        shown = (targets[known, label] > 0).astype(np.int64)
        for one in find_shortcuts(part, shown, folds=folds, seed=seed):
            suspicious = one.suspicious and one.p_value < LEVEL / len(often)
            found.append(replace(one, suspicious=suspicious, label=classes[label]))
    worst = {
        name: max((one for one in found if one.name == name), key=lambda one: (one.suspicious, one.accuracy - one.majority))
        for name in dict.fromkeys(one.name for one in found)
    }
    return sorted(worst.values(), key=lambda one: (not one.suspicious, one.majority - one.accuracy))


def _predicted(values: Floats, labels: Ints, folds: int, seed: int) -> npt.NDArray[np.int64]:
    """``[N]`` the class that most of the nearest photos of the other folds have.

    Nearness is by rank, so that "exactly 640 wide" is as visible as "brighter than", in whatever unit.
    """
    dice = np.random.default_rng(seed)
    places = np.stack([_ranks(column) for column in np.asarray(values, dtype=np.float64).T], axis=1)  # [N, F]
    fold = _dealt(labels, folds, dice)
    predicted = np.empty(len(labels), np.int64)
    for held in range(folds):
        asked = np.flatnonzero(fold == held)
        known = dice.permutation(np.flatnonzero(fold != held))[:_MOST_KNOWN]  # shuffled: equally near ones come by chance
        for part in blocks(len(asked), len(known)):
            rows = asked[part]
            apart = np.square(places[rows, None] - places[None, known]).sum(axis=2)  # [B, M]
            count = min(_NEIGHBOURS, len(known))
            nearest = known[np.argpartition(apart, count - 1, axis=1)[:, :count]]  # [B, k]
            votes = (labels[nearest][:, :, None] == np.arange(labels.max() + 1)).sum(axis=1)  # [B, K]
            predicted[rows] = votes.argmax(axis=1)
    return predicted


def _ranks(column: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """0 to 1, equal values alike."""
    kinds, kind, counts = np.unique(column, return_inverse=True, return_counts=True)
    del kinds
    middle = np.cumsum(counts) - (counts + 1) / 2
    return np.asarray(middle[kind] / max(1, len(column) - 1))


def _dealt(labels: Ints, folds: int, dice: np.random.Generator) -> npt.NDArray[np.int64]:
    order = dice.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(len(labels), np.int64)
    fold[order] = np.arange(len(labels)) % folds
    return fold
