"""Probabilities that mean what they say: temperature, calibration error, reliability diagram.

Fit on out-of-fold logits of the training photos, measure on held-out photos. Guo et al., "On Calibration of Modern Neural
Networks", 2017. Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.metrics import CONFIDENCE, Bools, Floats, Interval, Ints, log_softmax, softmax, wilson

Binning = Literal["width", "mass"]

_COLDEST, _HOTTEST = 0.01, 100.0
_CHANCES = 200  # worlds in which every percentage is true
_MOST_TOSSED = 1_000_000  # statements that are tossed one by one; the sums of more are normal


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: the photos whose confidence lies between ``lower`` and ``upper``.

    Attributes:
        lower: Lower end, excluded (except 0).
        upper: Upper end, included.
        n: Photos.
        confidence: Their mean confidence.
        accuracy: The share of them that was answered right.
        interval: Its Wilson interval.
    """

    lower: float
    upper: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


def fit_temperature(logits: Floats, labels: Ints, *, level: float = 1 - CONFIDENCE) -> float:
    """The temperature at which ``softmax(logits / temperature)`` has the least log loss; 1 where that is as good.

    The log loss is convex in ``1 / temperature``, so its slope has one root, found by halving. The answers are softened by the
    rule of succession, as if one photo more had been seen and answered wrong (as J. Platt did in 1999 for two classes): without
    it, photos that are all answered right would ask for a temperature of zero, that is, for certainty.

    A head whose penalty was chosen by its log loss is mostly calibrated already; the best temperature of a few hundred photos
    is then a roll of the dice around one, and makes new photos' probabilities worse more often than better. So it has to beat
    one in a likelihood-ratio test.

    Args:
        logits: ``[N, K]`` out-of-fold, so that no photo helped to train the head that judged it.
        labels: ``[N]``.
        level: How rarely a calibrated head may be given another temperature by chance; 1 takes the best one whatever it gains.

    Returns:
        Between 0.01 and 100; above one where the head was too sure of itself.
    """
    wide, targets = logits.astype(np.float64), _softened(labels, logits.shape[1])
    best = _best_temperature(wide, targets)
    gain = 2 * float((targets * (log_softmax(wide, best) - log_softmax(wide))).sum())
    needed = NormalDist().inv_cdf(1 - level / 2) ** 2  # chi-squared with one degree of freedom
    return best if gain > needed else 1.0


def _best_temperature(logits: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> float:
    target = float((targets * logits).sum())
    coldest, hottest = math.log(_COLDEST), math.log(_HOTTEST)
    for _ in range(60):
        middle = (coldest + hottest) / 2
        mean_logit = float((softmax(logits, math.exp(middle)) * logits).sum())
        # Mean logit above the target: too sure, the temperature has to rise.
        coldest, hottest = (middle, hottest) if mean_logit > target else (coldest, middle)
    return math.exp((coldest + hottest) / 2)


def _softened(labels: Ints, num_classes: int) -> npt.NDArray[np.float64]:
    wrong = 1 / (len(labels) + 2)
    targets = np.full((len(labels), num_classes), wrong / max(1, num_classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - wrong
    return targets


def at_temperature(probabilities: Floats, temperature: float) -> npt.NDArray[np.float64]:
    """Probabilities ``[N, K]`` as they would be with another temperature: ``softmax(log(probabilities) / temperature)``.

    With ``1 / temperature`` it undoes a calibration, so that "before" can be computed from the same rows as "after".
    """
    return softmax(np.log(np.maximum(probabilities, np.finfo(np.float64).tiny)), temperature)


def reliability(labels: Ints, probabilities: Floats, *, bins: int = 15, binning: Binning = "width") -> list[Bin]:
    """The bars of a reliability diagram: how often answers of about the same confidence are right. Empty bars are left out.

    Args:
        labels: ``[N]``.
        probabilities: ``[N, K]``.
        bins: How many bars at most.
        binning: ``width``: equally wide bars; ``mass``: equally many photos in each, as far as equal confidences allow.
    """
    right = np.equal(probabilities.argmax(axis=1), labels, dtype=np.bool_)
    return bars_of(probabilities.max(axis=1).astype(np.float64), right, bins=bins, binning=binning)


def bars_of(confidence: npt.NDArray[np.float64], right: Bools, *, bins: int = 15, binning: Binning = "width") -> list[Bin]:
    """The bars of a reliability diagram of any statements: how sure each was, and whether it was right.

    Args:
        confidence: ``[N]`` in 0..1.
        right: ``[N]``.
        bins: How many bars at most.
        binning: As in :func:`reliability`.
    """
    edges = _edges(confidence, bins, binning)
    place = _place(edges, confidence)
    bars = []
    for index in np.unique(place).tolist():
        inside = place == index
        n, hits = int(inside.sum()), int(right[inside].sum())
        mean = float(confidence[inside].mean())
        bars.append(Bin(float(edges[index]), float(edges[index + 1]), n, mean, hits / n, wilson(hits, n)))
    return bars


def _place(edges: npt.NDArray[np.float64], confidence: npt.NDArray[np.float64]) -> npt.NDArray[np.intp]:
    """``[N]`` which bar each falls into; the lower end belongs to the bar below, except 0."""
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)


def _edges(confidence: npt.NDArray[np.float64], bins: int, binning: Binning) -> npt.NDArray[np.float64]:
    if binning == "width":
        return np.linspace(0, 1, bins + 1)
    last = np.arange(1, bins) * len(confidence) // bins - 1  # the last photo of each bar, in order of confidence
    inner = np.sort(confidence)[last[last >= 0]]
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


def error_by_chance(probabilities: Floats, *, bins: int = 15) -> float:
    """The calibration error that a perfectly calibrated classifier stays below 19 times out of 20: that of few photos is large.

    Args:
        probabilities: ``[N, K]``, taken at their word: each answer is right as often as it says.
        bins: Equally wide bars, as :func:`reliability` has them.
    """
    return chance_error(probabilities.max(axis=1).astype(np.float64), bins=bins)


def chance_error(confidence: npt.NDArray[np.float64], *, bins: int = 15) -> float:
    """The calibration error of statements ``[N]`` each of which is right as often as it says: below it 19 times out of 20.

    Args:
        confidence: ``[N]`` in 0..1.
        bins: Equally wide bars.
    """
    if not len(confidence):
        return 0.0
    place = _place(_edges(confidence, bins, "width"), confidence)
    dice = np.random.default_rng(0)
    if len(confidence) > _MOST_TOSSED:
        spread = np.sqrt(np.bincount(place, weights=confidence * (1 - confidence)))
        sums = np.abs(dice.normal(size=(_CHANCES, len(spread))) * spread).sum(axis=1)
        return float(np.quantile(sums / len(confidence), CONFIDENCE))
    errors = []
    for _ in range(_CHANCES):
        surplus = confidence - (dice.random(len(confidence)) < confidence)
        errors.append(float(np.abs(np.bincount(place, weights=surplus)).sum()) / len(confidence))
    return float(np.quantile(errors, CONFIDENCE))


def calibration_error(bars: list[Bin]) -> float:
    """Expected calibration error: the distance of confidence and accuracy, averaged over photos."""
    total = sum(bar.n for bar in bars)
    return sum(bar.n / total * abs(bar.confidence - bar.accuracy) for bar in bars)
