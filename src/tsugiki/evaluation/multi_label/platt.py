"""Probabilities of each class on its own that mean what they say.

J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999: ``sigmoid(slope * logit + offset)``, fitted per class on
out-of-fold logits. Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.metrics import CONFIDENCE, Bools, Floats, Ints

Doubles = npt.NDArray[np.float64]

_ROUNDS = 50  # of Newton's method, which needs some ten
_STEEPEST = 100.0
_GAIN = -2 * math.log(1 - CONFIDENCE)
"""What a fit of two numbers gains by chance, 19 times out of 20 at most: chi-squared with two degrees of freedom."""


def sigmoid(logits: Floats) -> Doubles:
    """Probabilities of logits ``[N, K]``, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits.astype(np.float64))), np.float64)


def fit_platt(logits: Floats, targets: Ints) -> tuple[Doubles, Doubles]:
    """Slope and offset ``[K]`` of each class; one and zero where its logits are as good as they are.

    As with :func:`tsugiki.evaluation.calibration.fit_temperature` a likelihood-ratio test asks for a change: heads whose
    penalty was chosen by log loss are mostly calibrated, and a few photos of a rare class are a roll of the dice. The answers
    are softened as Platt does.

    Args:
        logits: ``[N, K]`` out-of-fold.
        targets: ``[N, K]`` of 1, 0 and -1 (nobody knows).
    """
    slopes, offsets = np.ones(logits.shape[1]), np.zeros(logits.shape[1])
    for place in range(logits.shape[1]):
        known = targets[:, place] >= 0
        shown = targets[known, place] > 0
        if shown.any() and not shown.all():
            slopes[place], offsets[place] = _fitted(logits[known, place].astype(np.float64), shown)
    return slopes, offsets


def _fitted(logits: Doubles, shown: Bools) -> tuple[float, float]:
    positive = int(shown.sum())
    truth = np.where(shown, (positive + 1) / (positive + 2), 1 / (len(shown) - positive + 2))
    inputs = np.stack([logits, np.ones(len(logits))], axis=1)
    best = np.array([1.0, 0.0])
    for _ in range(_ROUNDS):
        chance = sigmoid(inputs @ best)
        slope = inputs.T @ (chance - truth)
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, slope)
        length = 1.0
        while _loss(inputs @ (best - length * step), truth) > _loss(inputs @ best, truth) and length > 1e-6:
            length /= 2
        best = best - length * step
        if float(np.abs(length * step).max()) < 1e-9:
            break
    gain = 2 * (_loss(logits, truth) - _loss(inputs @ best, truth))
    # A slope below zero would turn the ranking round: such logits know nothing.
    usable = gain > _GAIN and 0 < best[0] < _STEEPEST and bool(np.isfinite(best).all())
    return (float(best[0]), float(best[1])) if usable else (1.0, 0.0)


def _loss(logits: Doubles, truth: Doubles) -> float:
    return float((np.logaddexp(0, logits) - truth * logits).sum())
