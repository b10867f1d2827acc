"""Can something that has nothing to do with the subject predict the class? Then a classifier may have learned that instead.

Photos of one class that all have the same size, or another light, come from another camera; a network notices. Such a shortcut
breaks on the first photo from elsewhere. Letters: ``N`` photos, ``F`` measured values, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.arrays import Floats, Ints
from tsugiki.evaluation.intervals import Interval, mcnemar, share_of
from tsugiki.evaluation.metrics import majority_class

LEVEL = 0.01
"""How rarely chance alone may raise the alarm."""

_WORTH = 0.10
"""A gain over the majority guess below this is real at best, but no explanation of a good score."""


@dataclass(frozen=True)
class Shortcut:
    """How well one kind of measurement predicts the class by itself.

    Attributes:
        name: What was measured.
        accuracy: Of a small decision tree that sees nothing else, cross-validated.
        interval: Its Wilson interval.
        majority: Accuracy of always answering the largest class.
        p_value: Of the exact test of one against the other, on the same photos.
        suspicious: Whether it is better than the guess beyond chance, by ten points or more.
    """

    name: str
    accuracy: float
    interval: Interval
    majority: float
    p_value: float
    suspicious: bool


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


def _predicted(values: Floats, labels: Ints, folds: int, seed: int) -> npt.NDArray[np.int64]:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier

    # A tree finds "exactly 640 wide" as well as "brighter than"; small leaves would learn photos by heart.
    tree = DecisionTreeClassifier(max_depth=4, min_samples_leaf=5, random_state=seed)
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    predicted: npt.NDArray[np.int64] = cross_val_predict(tree, values, labels, cv=parts)
    return predicted
