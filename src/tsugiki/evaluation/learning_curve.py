"""Will more photos help? Accuracy against the number of training photos, and where the curve is going.

Heads are fitted on growing parts of stored features and judged on photos that were left out. The error follows a power law in
many studies (Hestness et al., "Deep Learning Scaling is Predictable, Empirically", 2017): ``error(n) = floor + amount * n **
-rate``. The heads are linear discriminants in closed form, since there are hundreds of them: how the curve goes on is asked of
them, never how good the classifier is. Every class counts the same, so that a rare one is heard.

Letters: ``N`` photos, ``M`` of them judged, ``D`` feature width, ``K`` classes, ``S`` sizes, ``G`` groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.data.folds import IN_NO_FOLD, deal_folds
from tsugiki.evaluation.metrics import Floats, Ints, class_weights
from tsugiki.locale.messages import tr

Predict = Callable[[Floats], Ints]
FitHead = Callable[[Floats, Ints], Predict]
"""Features ``[n, D]`` and labels ``[n]`` to a function from features ``[m, D]`` to labels ``[m]``."""

_RATES = np.geomspace(0.05, 2.0, 120)
_BOOTSTRAPS = 400
_REPEATS = 3
_SHRINKAGE = 0.5
_WIDEST = 256
_ENOUGH_FOR_AXES = 512  # photos


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
        accuracy: Measured on left-out photos, every class counting the same, or said by the law for a forecast.
        low: Lower end of the 95% band of the law at this size, fitted to resampled photos (of measured points, too).
        high: Upper end of that band.
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
        measured: Accuracies by cross-validation, the smallest training set first.
        law: The fit.
        forecast: With all the photos at hand, with twice and with four times as many.
        gain: Accuracy won by twice as many photos: best guess, and the ends of its 95% band.
    """

    n: int
    measured: tuple[CurvePoint, ...]
    law: PowerLaw
    forecast: tuple[CurvePoint, ...]
    gain: tuple[float, float, float]


def learning_curve(
    features: Floats, labels: Ints, fit: FitHead, *, groups: Ints | None = None, folds: int = 5, seed: int = 0
) -> LearningCurve | None:
    """Fit heads on growing parts of the photos and look where the accuracy is going.

    Args:
        features: ``[N, D]`` of the training photos.
        labels: ``[N]``.
        fit: Trains a head on some of them.
        groups: ``[N]``; photos of one group (copies, one subject) are never on both sides, and parts grow by whole groups, as
            new photos are of new subjects. By default every photo stands alone.
        folds: Each photo is judged by heads that were fitted on other folds.
        seed: Of the folds and of the parts.

    Returns:
        ``None`` where there are too few photos for a curve (fewer than four sizes between two photos, or groups, per class and
        all), or where cross-validation is impossible.
    """
    photos = _Photos.of(features, labels, groups)
    dice = np.random.default_rng(seed)
    deals = [
        deal_folds(photos.labels, groups=photos.groups, folds=folds, seed=int(dice.integers(2**31))) for _ in range(_REPEATS)
    ]
    sizes = _sizes(photos, deals)
    if len(sizes) < 4:
        return None
    hits = _hits(photos, fit, sizes, deals, dice)
    judged = np.flatnonzero(~np.isnan(hits[0]))
    own = photos.labels[judged]
    weights = class_weights(own, int(own.max()) + 1)[own]
    return summarise_curve(sizes, hits[:, judged], groups=photos.groups[judged], weights=weights, n=len(labels), seed=seed)


@dataclass(frozen=True)
class _Photos:
    """Features ``[N, D]``, labels ``[N]``, and groups ``[N]`` numbered from 0."""

    features: Floats
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.int64]

    @classmethod
    def of(cls, features: Floats, labels: Ints, groups: Ints | None) -> _Photos:
        numbers = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
        return cls(features, labels.astype(np.int64), numbers.astype(np.int64))


def _sizes(photos: _Photos, deals: Sequence[Ints]) -> list[int]:
    if any(dealt.max(initial=IN_NO_FOLD) == IN_NO_FOLD for dealt in deals):
        return []
    whole = len(photos.labels) - max(int(np.bincount(dealt[dealt != IN_NO_FOLD]).max()) for dealt in deals)
    together = -(-len(photos.labels) // (int(photos.groups.max()) + 1))  # photos of a usual group
    smallest = max(2 * len(np.unique(photos.labels)) * together, 8, whole // 32)
    if smallest >= whole:
        return []
    return sorted({round(size) for size in np.geomspace(smallest, whole, 6).tolist()})


def _hits(
    photos: _Photos, fit: FitHead, sizes: Sequence[int], deals: Sequence[Ints], dice: np.random.Generator
) -> npt.NDArray[np.float64]:
    """``[S, N]`` how often each photo was answered right by heads fitted on so many photos of other folds; NaN: not asked."""
    features, labels = photos.features, photos.labels
    hits, asked = np.zeros((len(sizes), len(labels))), np.zeros(len(labels))
    for dealt in deals:
        for fold in range(int(dealt.max()) + 1):
            test, rest = np.flatnonzero(dealt == fold), np.flatnonzero(dealt != fold)
            training = rest[_growing(labels[rest], photos.groups[rest], dice)]
            asked[test] += 1
            for place, size in enumerate(sizes):
                part = training[:size]
                hits[place, test] += fit(features[part], labels[part])(features[test]) == labels[test]
    hits[:, asked == 0] = np.nan
    return hits / np.maximum(asked, 1)


def _growing(labels: Ints, groups: Ints, dice: np.random.Generator) -> npt.NDArray[np.int64]:
    """``[N]`` rows, group by group in random order such that every beginning holds the classes in about their true shares.

    A group counts as of its first photo's class.
    """
    _, first, number, sizes = np.unique(groups, return_index=True, return_inverse=True, return_counts=True)
    key = np.empty(len(first))
    for label in np.unique(labels[first]):
        own = np.flatnonzero(labels[first] == label)
        own = own[dice.permutation(len(own))]
        key[own] = (np.cumsum(sizes[own]) - sizes[own]) / sizes[own].sum()
    place = np.empty(len(first), np.int64)
    place[np.lexsort((dice.random(len(first)), key))] = np.arange(len(first))
    return np.argsort(place[number], kind="stable").astype(np.int64)


def summarise_curve(
    sizes: Sequence[int],
    hits: Floats,
    *,
    groups: Ints | None = None,
    weights: Floats | None = None,
    n: int | None = None,
    seed: int = 0,
) -> LearningCurve:
    """The law through what was measured, and its band from resampled photos.

    Args:
        sizes: ``S`` numbers of training photos.
        hits: ``[S, M]`` how often each photo was answered right.
        groups: ``[M]``; photos of one group are drawn together: they are not independent. By default each stands alone.
        weights: ``[M]`` how much each photo counts; by default all count the same.
        n: Photos at hand; ``M`` unless given.
        seed: Of the resampling.
    """
    count = n or hits.shape[1]
    asked = np.array([*sizes, count, 2 * count, 4 * count], dtype=np.float64)
    share = np.ones(hits.shape[1]) if weights is None or np.ptp(weights) == 0 else np.asarray(weights, np.float64)
    means = (hits * share).mean(axis=1) / share.mean()
    law = fit_power_law(np.array(sizes, dtype=np.float64), 1 - means)
    everyone = np.arange(hits.shape[1])
    drawn = _resampled(hits, everyone if groups is None else groups, share, np.random.default_rng(seed))
    laws = [fit_power_law(asked[: len(sizes)], 1 - resampled) for resampled in drawn]
    said = np.array([[one.accuracy(n) for n in asked] for one in laws])  # [_BOOTSTRAPS, S + 3]
    low, high = np.quantile(said, [0.025, 0.975], axis=0)
    best = [*means.tolist(), *(law.accuracy(n) for n in asked[len(sizes) :])]
    points = [CurvePoint(int(n), *map(float, ends)) for n, *ends in zip(asked, best, low, high, strict=True)]
    gains = np.quantile(said[:, -2] - said[:, -3], [0.025, 0.975]).tolist()
    gain = (best[-2] - best[-3], gains[0], gains[1])
    return LearningCurve(count, tuple(points[:-3]), law, tuple(points[-3:]), gain)


def _resampled(hits: Floats, groups: Ints, share: Floats, dice: np.random.Generator) -> Iterator[npt.NDArray[np.float64]]:
    """``[S]`` accuracies of groups drawn with replacement, again and again; photos count by their ``share`` ``[M]``."""
    number = np.unique(groups, return_inverse=True)[1]
    weights = np.bincount(number, share)  # [G]
    sums = np.stack([np.bincount(number, row * share) for row in hits])  # [S, G]
    for _ in range(_BOOTSTRAPS):
        chosen = dice.integers(0, len(weights), len(weights))
        yield sums[:, chosen].sum(axis=1) / weights[chosen].sum()


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
        "n": curve.n,
        "twice": twice.n,
        "now": f"{now.accuracy:.1%}",
        "then": f"{twice.accuracy:.1%}",
        "low": f"{low:.1f}",
        "high": f"{high:.1f}",
        "gain": f"{gain:.1f}",
    }
    if low >= 0.5:
        return tr(
            "More photos will help: with twice as many ({twice} instead of {n}), cross-validated accuracy would go from {now} "
            "to about {then} (a gain of {low} to {high} points).",
            **values,
        )
    if high < 1.0:
        return tr(
            "More photos of the same kind will hardly help: twice as many ({twice} instead of {n}) would add about {gain} "
            "points ({low} to {high}).",
            **values,
        )
    return tr(
        "Nobody can tell yet whether more photos will help: twice as many ({twice} instead of {n}) would add {low} to {high} "
        "points, best guess {gain}.",
        **values,
    )


def fit_discriminant(features: Floats, labels: Ints) -> Predict:
    """A linear discriminant from features ``[N, D]`` and labels ``[N]``; classes without photos are never answered.

    Its covariance is half way to a multiple of the identity: one system of equations, no steps, no rate.
    """
    classes, place = np.unique(labels, return_inverse=True)
    counts = np.bincount(place)
    order = np.argsort(place, kind="stable")
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(features[order], starts, axis=0) / counts[:, None]  # [K, D]
    # Squares inside the classes: all squares less those of the means.
    spread = (features.T @ features - (means.T * counts) @ means) / len(features)  # [D, D]
    level = max(float(np.trace(spread)) / max(len(spread), 1), 1e-12)  # photos that are all alike differ on no axis
    shrunk = (1 - _SHRINKAGE) * spread + _SHRINKAGE * level * np.eye(len(spread))
    weight = np.linalg.solve(shrunk, means.T)  # [D, K]
    bias = -0.5 * np.einsum("kd,dk->k", means, weight)

    def predict(asked: Floats) -> Ints:
        answers: Ints = classes[(asked @ weight + bias).argmax(axis=1)]
        return answers

    return predict


def narrowed(features: Floats, width: int = _WIDEST) -> npt.NDArray[np.float32]:
    """Features ``[N, D]`` turned so that the first ``width`` axes hold most of what differs between photos, the rest left out.

    The axes are those of at most 512 photos, evenly taken. With fewer photos than ``width`` nothing is lost: distances between
    photos stay what they are.
    """
    centred = np.asarray(features - features.mean(axis=0), np.float32)
    some = centred[:: -(-len(centred) // _ENOUGH_FOR_AXES)]
    sizes, sides = np.linalg.eigh(some @ some.T)  # of photos instead of features: few photos are faster
    kept = sizes > sizes[-1] * 1e-6
    sizes, sides = sizes[kept][-width:], sides[:, kept][:, -width:]
    return np.asarray(centred @ (some.T @ (sides / np.sqrt(sizes))), np.float32)
