"""Will more photos help? Accuracy against the number of training photos, and where the curve is going.

Heads are fitted on growing parts of stored features and judged on photos that were left out. The error follows a power law in
many studies (Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017): ``error(n) = floor + amount * n **
-rate``. Letters: ``N`` photos, ``D`` feature width, ``S`` sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.core.messages import tr
from tsugiki.evaluation.arrays import Floats, Ints

Predict = Callable[[Floats], Ints]
FitHead = Callable[[Floats, Ints], Predict]
"""Features ``[n, D]`` and labels ``[n]`` to a function from features ``[m, D]`` to labels ``[m]``."""

_RATES = np.geomspace(0.05, 2.0, 120)
_BOOTSTRAPS = 400
_REPEATS = 3


@dataclass(frozen=True)
class PowerLaw:
    """``error(n) = floor + amount * n ** -rate``."""

    floor: float
    amount: float
    rate: float

    def accuracy(self, n: float) -> float:
        """The accuracy with ``n`` training photos."""
        return 1 - min(1.0, self.floor + self.amount / float(n**self.rate))


@dataclass(frozen=True)
class CurvePoint:
    """One size of training set.

    Attributes:
        n: Training photos.
        accuracy: Measured on left-out photos, or said by the law for a forecast.
        low: Lower end of the 95% band.
        high: Upper end of the 95% band.
    """

    n: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class LearningCurve:
    """What was measured, the law through it, and what it says about more photos.

    Attributes:
        n: Photos at hand.
        measured: Smallest training set first.
        law: The fit.
        forecast: With all the photos at hand, with twice and with four times as many.
        gain: Accuracy won by twice as many photos: best guess, and the ends of its 95% band.
    """

    n: int
    measured: tuple[CurvePoint, ...]
    law: PowerLaw
    forecast: tuple[CurvePoint, ...]
    gain: tuple[float, float, float]


def learning_curve(features: Floats, labels: Ints, fit: FitHead, *, folds: int = 5, seed: int = 0) -> LearningCurve | None:
    """Fit heads on growing parts of the photos and look where the accuracy is going.

    Args:
        features: ``[N, D]`` of the training photos.
        labels: ``[N]``.
        fit: Trains a head on some of them.
        folds: Each photo is judged by heads that were fitted on other folds.
        seed: Of the folds and of the parts.

    Returns:
        ``None`` where there are too few photos for a curve: fewer than four sizes between two photos per class and all.
    """
    sizes = _sizes(labels, folds)
    if len(sizes) < 4:
        return None
    return summarise_curve(sizes, _hits(features, labels, fit, (sizes, folds, seed)), seed=seed)


def _sizes(labels: Ints, folds: int) -> list[int]:
    classes = len(np.unique(labels))
    whole = len(labels) - -(-len(labels) // folds)  # what the smallest training part has
    smallest = max(2 * classes, 8, whole // 32)
    if smallest >= whole:
        return []
    return sorted({round(size) for size in np.geomspace(smallest, whole, 6).tolist()})


def _hits(features: Floats, labels: Ints, fit: FitHead, plan: tuple[list[int], int, int]) -> npt.NDArray[np.float64]:
    """``[S, N]`` how often each photo was answered right by heads fitted on so many photos of the other folds."""
    sizes, folds, seed = plan
    rng = np.random.default_rng(seed)
    hits = np.zeros((len(sizes), len(labels)))
    for order in (_dealt(labels, rng) for _ in range(_REPEATS)):
        for fold in range(folds):
            test, rest = order[fold::folds], np.delete(order, np.s_[fold::folds])
            training = rest[_dealt(labels[rest], rng)]
            for place, size in enumerate(sizes):
                part = training[:size]
                hits[place, test] += fit(features[part], labels[part])(features[test]) == labels[test]
    return hits / _REPEATS


def _dealt(labels: Ints, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """``[N]`` rows in random order such that every beginning holds the classes in about their true shares, none left out."""
    key = np.empty(len(labels))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        key[rows[rng.permutation(len(rows))]] = np.arange(len(rows)) / len(rows)
    return np.lexsort((rng.random(len(labels)), key)).astype(np.int64)


def summarise_curve(sizes: Sequence[int], hits: Floats, *, seed: int = 0) -> LearningCurve:
    """The law through ``hits`` ``[S, N]`` (how often right, per size and photo), its band from resampled photos."""
    count = hits.shape[1]
    asked = np.array([*sizes, count, 2 * count, 4 * count], dtype=np.float64)
    law = fit_power_law(np.array(sizes, dtype=np.float64), 1 - hits.mean(axis=1))
    rng = np.random.default_rng(seed)
    drawn = [hits[:, rng.integers(0, count, count)].mean(axis=1) for _ in range(_BOOTSTRAPS)]
    laws = [fit_power_law(asked[: len(sizes)], 1 - means) for means in drawn]
    said = np.array([[one.accuracy(n) for n in asked] for one in laws])  # [_BOOTSTRAPS, S + 3]
    low, high = np.quantile(said, [0.025, 0.975], axis=0)
    best = [*hits.mean(axis=1).tolist(), *(law.accuracy(n) for n in asked[len(sizes) :])]
    points = [CurvePoint(int(n), *map(float, ends)) for n, *ends in zip(asked, best, low, high, strict=True)]
    gains = np.quantile(said[:, -2] - said[:, -3], [0.025, 0.975]).tolist()
    gain = (best[-2] - best[-3], gains[0], gains[1])
    return LearningCurve(count, tuple(points[:-3]), law, tuple(points[-3:]), gain)


def fit_power_law(sizes: Floats, errors: Floats) -> PowerLaw:
    """The law with the least squared distance to ``errors`` ``[S]`` at ``sizes`` ``[S]``, floor and amount not below zero.

    For a given rate the rest is a straight line, solved exactly; the rate is the best of a grid.
    """
    shrunk = sizes[None, :].astype(np.float64) ** -_RATES[:, None]  # [R, S]
    mean_error, mean = errors.mean(), shrunk.mean(axis=1, keepdims=True)
    spread = ((shrunk - mean) ** 2).sum(axis=1)
    slope = ((shrunk - mean) * (errors - mean_error)).sum(axis=1) / spread
    through_zero = (shrunk * errors).sum(axis=1) / (shrunk**2).sum(axis=1)
    floor = mean_error - slope * mean[:, 0]
    amount = np.where(slope < 0, 0.0, np.where(floor < 0, through_zero, slope))
    floor = np.where(slope < 0, mean_error, np.maximum(floor, 0.0))
    missed = ((floor[:, None] + amount[:, None] * shrunk - errors) ** 2).sum(axis=1)
    best = int(missed.argmin())
    return PowerLaw(float(floor[best]), float(amount[best]), float(_RATES[best]))


def more_photos_sentence(curve: LearningCurve) -> str:
    """Whether more photos will help, in one sentence."""
    gain, low, high = (100 * value for value in curve.gain)
    now, twice, _ = curve.forecast
    values = {
        "n": twice.n,
        "now": f"{now.accuracy:.1%}",
        "then": f"{twice.accuracy:.1%}",
        "low": f"{low:.1f}",
        "high": f"{high:.1f}",
        "gain": f"{gain:.1f}",
    }
    if low >= 0.5:
        return tr(
            "More photos will help: with {n} of them, accuracy would go from {now} to about {then} "
            "(a gain of {low} to {high} points).",
            **values,
        )
    if high < 1.0:
        return tr(
            "More photos of the same kind will hardly help: {n} of them would add about {gain} points ({low} to {high}).",
            **values,
        )
    return tr(
        "Nobody can tell yet whether more photos will help: {n} of them would add {low} to {high} points, best guess {gain}.",
        **values,
    )
