"""Mean average precision with its interval, against guessing, and against another classifier.

The interval is Wilson's, of as many photos as the bootstrap says they are worth: the usual percentiles of the bootstrap say
nothing at all of a classifier that made no mistake, and where few photos show a class they seldom hold the truth. The lower
end is that of an average precision in which no photo vouches for itself: the usual one is too high then. How often intervals
hold is counted by ``benchmarks/multi_label_honesty.py``.

Letters: ``N`` photos, ``K`` classes, ``B`` draws of photos (:mod:`tsugiki.evaluation.multi_label.bootstrap`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import NOT_KNOWN, PRESENT
from tsugiki.evaluation.metrics import CONFIDENCE, Bools, Floats, Interval, Ints, Verdict, wilson
from tsugiki.evaluation.multi_label.bootstrap import (
    drawn_average_precisions,
    drawn_macro_f1,
    drawn_shares,
    draws_for,
    mean_of_classes,
)
from tsugiki.evaluation.multi_label.set_metrics import (
    average_precision_by_chance,
    average_precisions,
    average_precisions_among_others,
    mean_over_classes,
    photos_worth,
    present_shares,
    roc_areas,
)

_LITTLE = 0.25
_HALFWAY = 0.5
"""Of the way from guessing to a perfect order, as in :mod:`tsugiki.evaluation.chance`."""


@dataclass(frozen=True)
class Ranking:
    """How well the probabilities put photos that show a class before those that do not.

    Attributes:
        mean: Mean average precision; ``None`` where no photo is known to show any class.
        interval: Its interval.
        average_precisions: Of the ``K`` classes, ``None`` where no photo is known to show it.
        intervals: Theirs.
        mean_roc_area: The mean area under the ROC curve of the classes that have photos of either kind, ``None`` without any.
        shares: ``[K]`` of the known cells, how many show the class: the average precision of always guessing it.
        share: Their mean over the classes that have photos.
        by_chance: What a random order of so many photos has for a mean average precision.
        difference: ``mean - share``.
        difference_interval: Its interval.
        draws: How many draws of photos the intervals are made of.
    """

    mean: float | None
    interval: Interval
    average_precisions: list[float | None]
    intervals: list[Interval]
    mean_roc_area: float | None
    shares: npt.NDArray[np.float64]
    share: float | None
    by_chance: float | None
    difference: float | None
    difference_interval: Interval
    draws: int

    @property
    def verdict(self) -> Verdict:
        """Whether the order is proven better than a random one, or worse."""
        low, high = self.difference_interval
        return "helped" if low > 0 else "hurt" if high < 0 else "cannot tell"

    @property
    def near_chance(self) -> bool:
        """Whether nobody should rely on answers that are ordered like this.

        Asked of the area under the ROC curve, which is one half for any guesser, however rare the classes are: the counterpart
        of balanced accuracy.
        """
        if self.mean_roc_area is None:
            return True
        way = 2 * self.mean_roc_area - 1
        return way < _LITTLE or (self.verdict != "helped" and way < _HALFWAY)


def rank(targets: Ints, probabilities: Floats, groups: Ints | None = None, *, seed: int = 0) -> Ranking:
    """Judge the order of photos in each class.

    Args:
        targets: ``[N, K]``.
        probabilities: ``[N, K]``.
        groups: ``[N]`` numbers of photos that stand or fall together; ``None``: every photo stands for itself.
        seed: Of the draws.
    """
    judged, told = _Judged.of(targets, probabilities, groups, seed), _Told.of(targets, groups)
    own_shares = present_shares(targets)
    shares = mean_of_classes(drawn_shares(targets, groups, draws=judged.drawn.shape[1], seed=seed))
    share = mean_over_classes(
        [None if value is None else own for value, own in zip(judged.precisions, own_shares.tolist(), strict=True)]
    )
    gain = None if judged.mean is None or share is None else (judged.mean - share, judged.mean_among_others - share)
    by_class = zip(judged.precisions, judged.among_others, judged.drawn, told.shown_by, strict=True)
    return Ranking(
        mean=judged.mean,
        interval=told.interval_of_mean(judged.mean, judged.means, judged.mean_among_others),
        average_precisions=judged.precisions,
        intervals=[_interval(value, _variance(drawn, most), most, floor=floor) for value, floor, drawn, most in by_class],
        mean_roc_area=mean_over_classes(roc_areas(targets, probabilities)),
        shares=own_shares,
        share=share,
        by_chance=told.by_chance,
        difference=None if gain is None else gain[0],
        difference_interval=(-1.0, 1.0) if gain is None else told.difference(gain, judged.means - shares)[0],
        draws=judged.drawn.shape[1],
    )


@dataclass(frozen=True)
class _Judged:
    """One classifier's average precisions.

    Attributes:
        precisions: Of the ``K`` classes.
        among_others: Of the ``K`` classes, no photo vouching for itself: without what makes few photos look too good.
        drawn: ``[K, B]``.
    """

    precisions: list[float | None]
    among_others: list[float | None]
    drawn: Floats

    @classmethod
    def of(cls, targets: Ints, scores: Floats, groups: Ints | None, seed: int) -> _Judged:
        drawn = drawn_average_precisions(targets, scores, groups, draws=draws_for(*targets.shape), seed=seed)
        return cls(average_precisions(targets, scores), average_precisions_among_others(targets, scores, groups), drawn)

    @property
    def mean(self) -> float | None:
        return mean_over_classes(self.precisions)

    @property
    def mean_among_others(self) -> float:
        """One where no photo shows a class."""
        mean = mean_over_classes(self.among_others)
        return 1.0 if mean is None else mean

    @property
    def means(self) -> Floats:
        """``[B]``."""
        return mean_of_classes(self.drawn)


def macro_f1_interval(value: float, targets: Ints, shown: Bools, groups: Ints | None = None, *, seed: int = 0) -> Interval:
    """The interval of a macro F1 over ``[N, K]`` cells.

    Args:
        value: The macro F1.
        targets: ``[N, K]``.
        shown: ``[N, K]`` whether the class is answered.
        groups: ``[N]``; ``None``: every photo stands for itself.
        seed: Of the draws.
    """
    drawn = drawn_macro_f1(targets, shown, groups, draws=draws_for(*targets.shape), seed=seed)
    return _Told.of(targets, groups).interval_of_mean(value, drawn)


def _interval(
    value: float | None, variance: float, most: float, *, least: float | None = None, floor: float | None = None
) -> Interval:
    """Wilson's; its lower end from ``floor``, where that is lower."""
    if value is None:
        return 0.0, 1.0
    low, high = (
        wilson(share * worth, worth)
        for share in (value if floor is None else min(value, floor), value)
        for worth in [photos_worth(share, variance, most=most, least=least)]
    )
    return low[0], high[1]


def _variance(drawn: Floats, units: float) -> float:
    """Of what so many photos say; drawing from them instead of from all photos makes it too small by one of them."""
    known = drawn[~np.isnan(drawn)]
    return float(known.var()) * (units / (units - 1) if units > 1 else 1.0) if len(known) else 0.0


@dataclass(frozen=True)
class _Told:
    """What cells can tell at most, photos of one group counted as one.

    Attributes:
        everyone: Photos.
        shown_by: For each class, the photos that are known to show it.
        by_chance: What a random order has for a mean average precision, photos of one group side by side.
    """

    everyone: int
    shown_by: list[int]
    by_chance: float | None

    @classmethod
    def of(cls, targets: Ints, groups: Ints | None) -> _Told:
        number = np.arange(len(targets)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
        everyone = int(number.max()) + 1

        def units(flags: Bools) -> list[int]:
            return [int(np.count_nonzero(np.bincount(number[column], minlength=everyone))) for column in flags.T]

        shown_by, known = units(targets == PRESENT), units(targets != NOT_KNOWN)
        chances: list[float | None] = []
        for share, positives, n in zip(present_shares(targets).tolist(), shown_by, known, strict=True):
            chance = average_precision_by_chance(positives, n)
            chances.append(None if chance is None else min(1.0, share + chance - positives / n))
        return cls(everyone, shown_by, mean_over_classes(chances))

    @property
    def usual(self) -> float:
        """The harmonic mean of how many photos show each class that has some: the scarce ones decide how much is known."""
        inverse = [1 / count for count in self.shown_by if count]
        return len(inverse) / sum(inverse) if inverse else 0.0

    @property
    def most(self) -> float:
        """How many photos a mean over classes is worth at most, were the classes independent: each counts the same."""
        return self.usual * sum(map(bool, self.shown_by))

    def interval_of_mean(self, value: float | None, drawn: Floats, floor: float | None = None) -> Interval:
        """The interval of a mean over classes, from its values in ``[B]`` draws."""
        least = min(self.most, self.everyone)
        return _interval(value, _variance(drawn, self.usual), self.most, least=least, floor=floor)

    def difference(self, values: tuple[float, float], drawn: Floats) -> tuple[Interval, float]:
        """Interval and p-value of a difference that has two values: as it is, and no photo vouching for itself.

        As if one photo more spoke for either side (Bonett and Price, 2012).
        """
        error = math.sqrt(_variance(drawn, self.usual) + 2 / (self.most + 2) ** 2)
        half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
        nearest = max(0.0, min(values), -max(values))  # to no difference at all
        return (max(-1.0, min(values) - half), min(1.0, max(values) + half)), 2 * NormalDist().cdf(-nearest / error)


@dataclass(frozen=True)
class SetComparison:
    """Two classifiers on the same ``n`` photos with several labels each.

    Attributes:
        n: Photos.
        mean_average_precision_a: Of the first.
        mean_average_precision_b: Of the second.
        interval_a: Interval of the first.
        interval_b: Interval of the second.
        difference: The second's minus the first's.
        difference_interval: Its interval, which knows that the photos are the same.
        p_value: How often chance alone makes a difference at least this large, by the normal distribution.
        verdict: Whether the second ``helped`` or ``hurt`` against the first, or nobody can tell from these photos.
    """

    n: int
    mean_average_precision_a: float
    mean_average_precision_b: float
    interval_a: Interval
    interval_b: Interval
    difference: float
    difference_interval: Interval
    p_value: float
    verdict: Verdict


def compare_sets(targets: Ints, first: Floats, second: Floats, groups: Ints | None = None, *, seed: int = 0) -> SetComparison:
    """Compare two classifiers on the same photos by their mean average precision: the same photos are drawn for either.

    Args:
        targets: ``[N, K]``, some cell of which is present.
        first: ``[N, K]`` probabilities of the one.
        second: ``[N, K]`` probabilities of the other.
        groups: ``[N]``; ``None``: every photo stands for itself.
        seed: Of the draws.

    Raises:
        ValueError: When the two are not about the same cells, or no photo shows a class.
    """
    if not targets.shape == first.shape == second.shape:
        raise ValueError(f"answers to the same photos have their shape, {targets.shape}; got {first.shape} and {second.shape}")
    one, other = (_Judged.of(targets, scores, groups, seed) for scores in (first, second))
    if one.mean is None or other.mean is None:
        raise ValueError("no photo is known to show a class")
    told = _Told.of(targets, groups)
    differences = other.mean - one.mean, other.mean_among_others - one.mean_among_others
    interval, p_value = told.difference(differences, other.means - one.means)
    return SetComparison(
        n=len(targets),
        mean_average_precision_a=one.mean,
        mean_average_precision_b=other.mean,
        interval_a=told.interval_of_mean(one.mean, one.means, one.mean_among_others),
        interval_b=told.interval_of_mean(other.mean, other.means, other.mean_among_others),
        difference=differences[0],
        difference_interval=interval,
        p_value=p_value,
        verdict="helped" if interval[0] > 0 else "hurt" if interval[1] < 0 else "cannot tell",
    )


def plain_comparison(comparison: SetComparison) -> dict[str, Any]:
    """The comparison as JSON values."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(comparison).items()}
