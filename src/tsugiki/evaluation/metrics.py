"""The shapes that this floor speaks in, and the few array operations that every part of it needs.

Letters: ``N`` photos, ``K`` classes, ``D`` feature width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]

_TILE = 8_000_000
"""Numbers in one block of an ``N x N`` table that is never held as a whole: 32 MB of float32."""


def softmax(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """``[N, K]`` logits to probabilities, after division by ``temperature``."""
    return np.exp(log_softmax(logits, temperature))


def log_softmax(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """``[N, K]`` the natural logarithm of :func:`softmax`, without its underflow."""
    scaled = logits.astype(np.float64) / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def unit_rows(vectors: Floats) -> npt.NDArray[np.float32]:
    """``[N, D]`` with every row scaled to length one (a row of zeros stays as it is)."""
    rows = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    rows /= np.where(lengths > 0, lengths, 1.0)
    return rows


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of ``rows`` such that a block of ``rows x columns`` numbers stays small."""
    step = max(1, _TILE // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


CONFIDENCE = 0.95

Interval = tuple[float, float]
"""Lower and upper end."""

Verdict = Literal["helped", "hurt", "cannot tell"]


def wilson(successes: float, n: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval for a share (E. B. Wilson, 1927); ``(0, 1)`` where there is nothing to count.

    It stays inside of 0..1 and keeps its coverage for shares near one, where the usual "plus or minus" breaks.

    Args:
        successes: How many of ``n``.
        n: How many there are; parts of one, too, where photos tell the same and are worth fewer than they are.
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
    """The share of ``flags`` ``[N]`` that are true, with its Wilson interval; 0 where there are none."""
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


@dataclass(frozen=True)
class ClassScore:
    """How one class fared.

    Attributes:
        n: Photos of the class.
        answered: Photos that were called so.
        hits: Photos of the class that were called so.
        precision: ``hits / answered``.
        precision_interval: Its interval.
        recall: ``hits / n``.
        recall_interval: Its interval.
        f1: ``2 hits / (n + answered)``.
        f1_interval: Its interval.
    """

    n: int
    answered: int
    hits: int
    precision: float | None
    precision_interval: Interval
    recall: float | None
    recall_interval: Interval
    f1: float | None
    f1_interval: Interval


def confusion_matrix(labels: Ints, predicted: Ints, num_classes: int) -> npt.NDArray[np.int64]:
    """``[K, K]`` counts: row = the photo's class, column = the answer."""
    cells = np.bincount(labels * num_classes + predicted, minlength=num_classes * num_classes)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def class_scores(confusion: Ints) -> list[ClassScore]:
    """Precision, recall and F1 with intervals, for each of the ``K`` classes of a ``[K, K]`` confusion matrix."""
    counts = zip(confusion.sum(axis=1).tolist(), confusion.sum(axis=0).tolist(), confusion.diagonal().tolist(), strict=True)
    return [score_of_counts(n, answered, hits) for n, answered, hits in counts]


def score_of_counts(n: int, answered: int, hits: int) -> ClassScore:
    """Precision, recall and F1 with intervals.

    Args:
        n: Photos of the class.
        answered: Photos that were called so.
        hits: Photos of the class that were called so.
    """
    return ClassScore(
        n=n,
        answered=answered,
        hits=hits,
        precision=_share(hits, answered),
        precision_interval=wilson(hits, answered),
        recall=_share(hits, n),
        recall_interval=wilson(hits, n),
        f1=_share(2 * hits, n + answered),
        f1_interval=f1_interval(hits, n + answered - 2 * hits),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def balanced_accuracy(scores: Sequence[ClassScore]) -> tuple[float, Interval]:
    """The mean recall of the classes that have photos, with its interval: every class counts the same."""
    present = [score for score in scores if score.n]
    hits, totals = [score.hits for score in present], [score.n for score in present]
    return sum(score.hits / score.n for score in present) / len(present), mean_share_interval(hits, totals)


def macro_f1(scores: Sequence[ClassScore]) -> float:
    """The mean F1 of the classes that have photos or answers."""
    known = [score.f1 for score in scores if score.f1 is not None]
    return sum(known) / len(known)


def true_class_rank(labels: Ints, probabilities: Floats) -> npt.NDArray[np.int64]:
    """``[N]`` how many classes were answered before the right one, 0 where the answer is right.

    Classes that are equally probable are answered in their own order, as ``argmax`` does.
    """
    own = probabilities[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    before = (probabilities > own) | ((probabilities == own) & earlier)
    rank: npt.NDArray[np.int64] = before.sum(axis=1)
    return rank


def log_loss(labels: Ints, probabilities: Floats) -> float:
    """Mean of minus the natural logarithm of the right class's probability, of labels ``[N]`` and probabilities ``[N, K]``.

    A probability of zero counts as the smallest step of a float64 (2.2e-16), as in scikit-learn, so that the mean stays finite.
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(own, np.finfo(np.float64).eps)).mean())


def majority_class(labels: Ints, num_classes: int) -> int:
    """The class that most of the labels ``[N]`` are; the first of them where several are as frequent."""
    return int(np.bincount(labels, minlength=num_classes).argmax())


def class_weights(labels: Ints, num_classes: int) -> npt.NDArray[np.float64]:
    """``[K]`` such that every class counts the same and the mean over the photos is 1; for labels ``[N]``."""
    counts = np.bincount(labels, minlength=num_classes)
    return np.asarray(len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1)), np.float64)
