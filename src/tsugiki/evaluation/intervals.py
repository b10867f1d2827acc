"""How far a measured share can be from the true one, and whether two classifiers really differ.

Every interval is two-sided at a stated confidence, 95% unless said otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np

from tsugiki.evaluation.arrays import Bools

CONFIDENCE = 0.95

Interval = tuple[float, float]
"""Lower and upper end."""

Verdict = Literal["helped", "hurt", "cannot tell"]


def wilson(successes: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval for a share (E. B. Wilson, 1927); ``(0, 1)`` where there is nothing to count.

    It stays inside of 0..1 and keeps its coverage for shares near one, where the usual "plus or minus" breaks.

    Args:
        successes: How many of ``n``.
        n: How many there are.
        confidence: How often such an interval holds the true share.
    """
    if n == 0:
        return 0.0, 1.0
    z = _z(confidence)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the formula is exact on paper and a rounding error off in floats.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def f1_interval(hits: int, misses: int, *, confidence: float = CONFIDENCE) -> Interval:
    """An interval for F1, from Wilson's.

    Among the photos that are of the class or were called so, the share ``g`` that is both is an ordinary share; F1 is
    ``2 g / (1 + g)``, which grows with ``g``, so the ends of one interval are mapped to the ends of the other.

    Args:
        hits: Photos of the class that were called so.
        misses: Photos of the class called otherwise, and others called so.
        confidence: How often such an interval holds the true value.
    """
    low, high = wilson(hits, hits + misses, confidence=confidence)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_share_interval(successes: Sequence[int], totals: Sequence[int], *, confidence: float = CONFIDENCE) -> Interval:
    """An interval for the plain mean of independent shares, such as balanced accuracy.

    The distances from each share to the ends of its Wilson interval are added as independent errors are: the MOVER method
    (Zou and Donner, Statistics in Medicine, 2008).

    Args:
        successes: Per share, how many.
        totals: Per share, of how many; each at least one.
        confidence: How often such an interval holds the true mean.
    """
    shares = [hits / total for hits, total in zip(successes, totals, strict=True)]
    ends = [wilson(hits, total, confidence=confidence) for hits, total in zip(successes, totals, strict=True)]
    below = math.sqrt(sum((share - low) ** 2 for share, (low, _) in zip(shares, ends, strict=True)))
    above = math.sqrt(sum((high - share) ** 2 for share, (_, high) in zip(shares, ends, strict=True)))
    mean = sum(shares) / len(shares)
    return max(0.0, mean - below / len(shares)), min(1.0, mean + above / len(shares))


def share_of(flags: Bools) -> tuple[float, Interval]:
    """The share of ``flags`` that are true, with its Wilson interval; 0 where there are none."""
    hits, n = int(np.count_nonzero(flags)), len(flags)
    return (hits / n if n else 0.0), wilson(hits, n)


@dataclass(frozen=True)
class Comparison:
    """Two classifiers on the same ``n`` photos.

    Attributes:
        n: Photos.
        only_a: Photos that only the first got right.
        only_b: Photos that only the second got right.
        accuracy_a: Share that the first got right.
        accuracy_b: Share that the second got right.
        interval_a: Wilson interval of ``accuracy_a``.
        interval_b: Wilson interval of ``accuracy_b``.
        difference: ``accuracy_b - accuracy_a``.
        difference_interval: Its interval, which knows that the photos are the same.
        p_value: Of McNemar's exact test: how often chance alone makes a difference at least this large.
    """

    n: int
    only_a: int
    only_b: int
    accuracy_a: float
    accuracy_b: float
    interval_a: Interval
    interval_b: Interval
    difference: float
    difference_interval: Interval
    p_value: float


def mcnemar(correct_a: Bools, correct_b: Bools) -> Comparison:
    """Compare two classifiers on the same photos (Q. McNemar, 1947; the exact two-sided test).

    Args:
        correct_a: ``[N]`` whether the first got each photo right.
        correct_b: ``[N]`` likewise for the second, photos in the same order.

    Raises:
        ValueError: When the two are not about equally many photos.
    """
    if correct_a.shape != correct_b.shape:
        raise ValueError(f"two answers to the same photos have the same shape, got {correct_a.shape} and {correct_b.shape}")
    n = len(correct_a)
    right_a, right_b = int(correct_a.sum()), int(correct_b.sum())
    only_a, only_b = int((correct_a & ~correct_b).sum()), int((correct_b & ~correct_a).sum())
    return Comparison(
        n=n,
        only_a=only_a,
        only_b=only_b,
        accuracy_a=right_a / n if n else 0.0,
        accuracy_b=right_b / n if n else 0.0,
        interval_a=wilson(right_a, n),
        interval_b=wilson(right_b, n),
        difference=(right_b - right_a) / n if n else 0.0,
        difference_interval=_paired_difference(only_a, only_b, n),
        p_value=_exact_p(only_a, only_b),
    )


def verdict(comparison: Comparison, *, level: float = 1 - CONFIDENCE) -> Verdict:
    """Whether the second classifier ``helped`` or ``hurt`` against the first, or nobody can tell from these photos."""
    if comparison.p_value >= level or comparison.only_a == comparison.only_b:
        return "cannot tell"
    return "helped" if comparison.only_b > comparison.only_a else "hurt"


def _exact_p(only_a: int, only_b: int) -> float:
    # Where the two do not differ, each photo on which they disagree is a fair coin. Whole numbers, so nothing is rounded.
    tosses = only_a + only_b
    term = total = 1  # ways to get no heads
    for heads in range(1, min(only_a, only_b) + 1):
        term = term * (tosses - heads + 1) // heads
        total += term
    return min(1.0, 2 * total / (1 << tosses))


def _paired_difference(only_a: int, only_b: int, n: int) -> Interval:
    # Bonett and Price, Journal of Educational and Behavioral Statistics, 2012: one photo more in each cell that differs.
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    centre = share_b - share_a
    half = _z(CONFIDENCE) * math.sqrt((share_a + share_b - centre**2) / (n + 2))
    return max(-1.0, centre - half), min(1.0, centre + half)


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf((1 + confidence) / 2)
