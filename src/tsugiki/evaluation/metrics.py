"""Metrics of rows: each is a count over photos, never a mean of means over batches.

Letters: ``N`` photos, ``K`` classes. A share of nothing (the precision of a class that was never
answered) is ``None``, not zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.arrays import Floats, Ints
from tsugiki.evaluation.intervals import Interval, f1_interval, mean_share_interval, wilson


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
    return [_class_score(n, answered, hits) for n, answered, hits in counts]


def _class_score(n: int, answered: int, hits: int) -> ClassScore:
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
    """Mean of minus the natural logarithm of the right class's probability.

    A probability of zero counts as the smallest step of a float64 (2.2e-16), as in scikit-learn, so that the mean stays finite.
    """
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(own, np.finfo(np.float64).eps)).mean())


def majority_class(labels: Ints, num_classes: int) -> int:
    """The class with the most photos; the first of them where several have as many."""
    return int(np.bincount(labels, minlength=num_classes).argmax())
