"""From which probability on a class is shown, class by class, chosen on photos that the head has not learned from.

At one half a rare class is hardly ever shown. Letters: ``N`` photos, ``K`` classes, ``F`` folds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.evaluation.metrics import Bools, Floats, Ints
from tsugiki.locale.messages import tr

Doubles = npt.NDArray[np.float64]

FEW = 5
"""Photos that show a class: with fewer, it takes the threshold that is best over all classes."""

_NEVER = 1.0  # a probability that nothing reaches but certainty
_Kind = Literal["f1", "precision", "recall"]


@dataclass(frozen=True)
class ThresholdGoal:
    """What a threshold is chosen for.

    Attributes:
        kind: ``f1``: the best F1. ``precision``: the lowest threshold at which a class is right as often as asked, when it is
            shown. ``recall``: the highest at which as many of its photos are found as asked.
        least: The precision or recall that is asked for, above 0, at most 1.
    """

    kind: _Kind = "f1"
    least: float = 0.0

    @classmethod
    def read(cls, text: str) -> ThresholdGoal:
        """The goal that a person writes: ``f1``, ``precision=0.9``, ``recall=0.9``.

        Raises:
            RequestError: When it is no goal.
        """
        match = re.fullmatch(r"\s*(?:(f1)|(precision|recall)\s*=\s*(\d*\.?\d+)(%?))\s*", text, re.IGNORECASE)
        least = float(match[3]) / (100 if match[4] else 1) if match and match[3] else 0.0
        if not match or (match[2] and not 0 < least <= 1):
            raise RequestError(
                tr("{argument} says what the thresholds are chosen for.", argument=argument("threshold")),
                allowed="f1, precision=0.9, recall=0.9",
                got=repr(text),
            )
        return cls("f1") if match[1] else cls(_kind(match[2]), least)

    def __str__(self) -> str:
        return self.kind if self.kind == "f1" else f"{self.kind}={self.least:g}"


def _kind(word: str) -> _Kind:
    return next(kind for kind in get_args(_Kind) if kind == word.lower())


@dataclass(frozen=True)
class Thresholds:
    """From which probability on each class is shown.

    Attributes:
        values: ``[K]``.
        shared: ``[K]`` whether the class had too few photos for one of its own.
    """

    values: Doubles
    shared: Bools

    def notes(self, goal: ThresholdGoal, classes: tuple[str, ...]) -> dict[str, Any]:
        """What was chosen and for what, plain values."""
        few = [name for name, shared in zip(classes, self.shared, strict=True) if shared]
        return {"goal": str(goal), "chosen_on": "out-of-fold", "shared_by": few}


def choose_thresholds(probabilities: Floats, targets: Ints, goal: ThresholdGoal | None = None) -> Thresholds:
    """A threshold per class.

    Args:
        probabilities: ``[N, K]`` out-of-fold, calibrated.
        targets: ``[N, K]`` of 1, 0 and -1 (nobody knows).
        goal: What for; the best F1 where left out.
    """
    goal = goal or ThresholdGoal()
    columns = [_Column.of(probabilities[:, place], targets[:, place]) for place in range(targets.shape[1])]
    shared = np.array([column.positive < FEW for column in columns], np.bool_)
    values = np.array([column.best(goal) for column in columns])
    if shared.any():
        values[shared] = _Column.of(probabilities.ravel(), targets.ravel()).best(goal)
    return Thresholds(values, shared)


def crossed_thresholds(probabilities: Floats, targets: Ints, folds: Ints, goal: ThresholdGoal | None = None) -> Doubles:
    """``[N, K]``: for each photo the thresholds that the photos of other folds choose: its own answer had no say in them.

    Args:
        probabilities: ``[N, K]`` out-of-fold, calibrated.
        targets: ``[N, K]``.
        folds: ``[N]``.
        goal: As in :func:`choose_thresholds`.
    """
    values = np.empty(probabilities.shape)
    for fold in np.unique(folds).tolist():
        others = folds != fold if (folds != fold).any() else folds == fold
        values[folds == fold] = choose_thresholds(probabilities[others], targets[others], goal).values
    return values


@dataclass(frozen=True)
class _Column:
    """One class at every threshold that makes a difference, from the highest down.

    Attributes:
        cuts: Thresholds, between two probabilities.
        hits: Photos that show the class and reach the threshold.
        answered: Photos that reach it.
        positive: Photos that show the class.
    """

    cuts: Doubles
    hits: Doubles
    answered: Doubles
    positive: int

    @classmethod
    def of(cls, probabilities: Floats, target: Ints) -> _Column:
        known = target >= 0
        chance, shown = probabilities[known].astype(np.float64), target[known] > 0
        order = np.argsort(-chance, kind="stable")
        chance, shown = chance[order], shown[order]
        last = np.flatnonzero(np.append(chance[1:] != chance[:-1], True)) if len(chance) else np.empty(0, np.int64)
        below = np.append(chance, 0.0)[last + 1]
        # Half way to the next probability: a new photo is as likely a little above as a little below.
        hits, answered = np.cumsum(shown)[last].astype(np.float64), (last + 1).astype(np.float64)
        return cls((chance[last] + below) / 2, hits, answered, int(shown.sum()))

    def f1(self) -> Doubles:
        return 2 * self.hits / np.maximum(self.answered + self.positive, 1)

    def best(self, goal: ThresholdGoal) -> float:
        if not self.positive or not len(self.cuts):
            return _NEVER
        if goal.kind == "f1":
            return float(self.cuts[int(self.f1().argmax())])
        if goal.kind == "precision":
            good = np.flatnonzero(self.hits >= goal.least * self.answered)
            return float(self.cuts[good[-1]]) if len(good) else _NEVER
        return float(self.cuts[int(np.argmax(self.hits >= goal.least * self.positive))])
