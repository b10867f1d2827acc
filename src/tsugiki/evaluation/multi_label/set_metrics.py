"""Metrics of several labels per photo, each re-derived naively in the tests.

Letters: ``N`` photos, ``K`` classes. A cell is one photo and one class: :data:`~tsugiki.data.label_sets.PRESENT`, ``ABSENT`` or
``NOT_KNOWN``. Cells that nobody knows count nowhere. ``groups`` ``[N]`` numbers the photos that stand or fall together: copies
of one photo, photos of one subject.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT
from tsugiki.evaluation.metrics import Bools, ClassScore, Floats, Interval, Ints, score_of_counts, wilson


def shown_cells(probabilities: Floats, thresholds: Floats) -> Bools:
    """``[N, K]`` which classes are shown: probability ``[N, K]`` at or above the class's threshold, ``[K]``.

    Both are compared as float32, whatever they come as: an engine answers in float32, thresholds are chosen in float64, and a
    probability must fall on the same side of them everywhere.
    """
    return np.greater_equal(np.asarray(probabilities, np.float32), np.asarray(thresholds, np.float32), dtype=np.bool_)


def average_precision(present: Bools, scores: Floats) -> float | None:
    """The area under the steps of precision over recall; ``None`` where no photo shows the class.

    Photos of equal scores are answered at once, as in scikit-learn: the precision at a photo is that of all photos with at
    least its score.

    Args:
        present: ``[N]`` whether each photo shows the class.
        scores: ``[N]`` the higher, the surer.
    """
    if not present.any():
        return None
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(present[order])
    last = last_of_ties(scores[order])
    return float((hits[last] / (last + 1.0))[present[order]].mean())


def last_of_ties(ordered: Floats) -> npt.NDArray[np.int64]:
    """``[N]`` for each place of sorted scores, the last place that has the same score."""
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    return ends[np.searchsorted(ends, np.arange(len(ordered)))].astype(np.int64)


def average_precisions(targets: Ints, scores: Floats) -> list[float | None]:
    """``K`` average precisions over the known cells of ``[N, K]``; ``None`` for classes that no photo is known to show."""
    return [average_precision(*column) for column in _columns(targets, scores)]


def average_precision_among_others(present: Bools, scores: Floats, groups: Ints) -> float | None:
    """Average precision in which a photo does not vouch for itself; ``None`` where no photo shows the class.

    :func:`average_precision` counts each photo among those above it, and so lies above what endless photos would give: far
    above where few photos show the class. Here the precision at a photo is that of the others with at least its score, those of
    its own group left out; 1 where there is no other.

    Args:
        present: ``[N]`` whether each photo shows the class.
        scores: ``[N]`` the higher, the surer.
        groups: ``[N]`` numbers below ``N`` of photos that stand or fall together.
    """
    if not present.any():
        return None
    order = np.argsort(-scores, kind="stable")
    hits, group = present[order], groups[order]
    ends = last_of_ties(scores[order])[hits]
    others = ends + 1 - _own_before(group, np.arange(len(hits)), group[hits], ends)
    right = np.cumsum(hits)[ends] - _own_before(group[hits], np.flatnonzero(hits), group[hits], ends)
    return float(np.where(others > 0, right / np.maximum(others, 1), 1.0).mean())


def _own_before(group: Ints, places: Ints, asked: Ints, ends: Ints) -> Ints:
    """How many of the photos at ``places`` are of the group ``asked`` and stand at or before ``ends``."""
    width = 1 + max(int(places[-1]), int(ends.max()))
    keys = np.sort(group.astype(np.int64) * width + places)
    return np.searchsorted(keys, asked.astype(np.int64) * width + ends, side="right") - np.searchsorted(keys, asked * width)


def average_precisions_among_others(targets: Ints, scores: Floats, groups: Ints | None = None) -> list[float | None]:
    """``K`` of :func:`average_precision_among_others` over the known cells of ``[N, K]``; ``groups`` ``[N]`` or ``None``."""
    own = np.arange(len(targets)) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    known = targets != NOT_KNOWN
    columns = zip(_columns(targets, scores), known.T, strict=True)
    return [average_precision_among_others(present, score, own[rows]) for (present, score), rows in columns]


def mean_over_classes(values: Sequence[float | None]) -> float | None:
    """The mean of those that are known; ``None`` where none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def average_precision_by_chance(positives: int, n: int) -> float | None:
    """The mean average precision of ``n`` photos in a random order, ``positives`` of which show the class.

    It lies above ``positives / n``, far above where there are few photos (Y. Bestgen, Exact expected average precision of the
    random baseline, 2015): whoever has to be proven better than guessing has to be better than this.
    """
    if not positives:
        return None
    if n == 1:
        return 1.0
    harmonic = float((1 / np.arange(1, n + 1)).sum())
    return harmonic / n + (positives - 1) / (n - 1) * (1 - harmonic / n)


def roc_area(present: Bools, scores: Floats) -> float | None:
    """How often a photo that shows the class has a higher score than one that does not; equal scores count one half.

    Args:
        present: ``[N]`` whether each photo shows the class.
        scores: ``[N]`` the higher, the surer.

    Returns:
        The area under the ROC curve; ``None`` where all photos show the class, or none.
    """
    positives = int(present.sum())
    negatives = len(present) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(scores, kind="stable")
    last = last_of_ties(scores[order])
    first = len(scores) - 1 - last_of_ties(scores[order][::-1])[::-1]
    ranks = (first + last) / 2 + 1
    above = ranks[present[order]].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def roc_areas(targets: Ints, scores: Floats) -> list[float | None]:
    """``K`` areas under the ROC curve over the known cells of ``[N, K]``; ``None`` where all or none show the class."""
    return [roc_area(*column) for column in _columns(targets, scores)]


def _columns(targets: Ints, scores: Floats) -> list[tuple[Bools, Floats]]:
    """For each class whether its known cells show it, and their scores."""
    known = targets != NOT_KNOWN
    return [
        (targets[known[:, column], column] == PRESENT, scores[known[:, column], column]) for column in range(targets.shape[1])
    ]


def set_class_scores(targets: Ints, shown: Bools, groups: Ints | None = None) -> list[ClassScore]:
    """Precision, recall and F1 of each of ``K`` classes over its known cells.

    Args:
        targets: ``[N, K]``.
        shown: ``[N, K]`` whether the class is answered.
        groups: ``[N]``; ``None``: every photo stands for itself.
    """
    return [_class_score(targets[:, column], shown[:, column], groups) for column in range(targets.shape[1])]


def _class_score(target: Ints, shown: Bools, groups: Ints | None) -> ClassScore:
    present, answered = target == PRESENT, shown & (target != NOT_KNOWN)
    hits = present & answered
    score = score_of_counts(int(present.sum()), int(answered.sum()), int(hits.sum()))
    if groups is None:
        return score
    low, high = grouped_interval(hits, present | answered, groups)
    return dataclasses.replace(
        score,
        precision_interval=grouped_interval(hits, answered, groups),
        recall_interval=grouped_interval(hits, present, groups),
        f1_interval=(2 * low / (1 + low), 2 * high / (1 + high)),
    )


def grouped_interval(flags: Bools, asked: Bools, groups: Ints | None) -> Interval:
    """Wilson's interval for the share of ``flags`` ``[N]`` among ``asked`` ``[N]``, of as many photos as they are worth.

    Photos of one group tell the same: the variance of the share over groups says how many photos of their own they are worth
    (the design effect, L. Kish). Where it says nothing, as all are right or all wrong, every group counts as one photo.

    Args:
        flags: Whether a photo counts as one of the share; only where ``asked``.
        asked: Whether it counts at all.
        groups: ``[N]``; ``None``: every photo stands for itself.
    """
    n, hits = int(asked.sum()), int(flags.sum())
    if groups is None or not n:
        return wilson(hits, n)
    number = np.unique(groups[asked], return_inverse=True)[1].reshape(-1)
    units = int(number.max()) + 1
    share = hits / n
    surplus = np.bincount(number, weights=flags[asked] - share)
    scale = units / (units - 1) if 1 < units < n else 1.0
    worth = photos_worth(share, scale * float((surplus**2).sum()) / n**2, most=n, least=units)
    return wilson(share * worth, worth)


def photos_worth(share: float, variance: float, *, most: float, least: float | None = None) -> float:
    """How many photos of their own have this variance of a share.

    Args:
        share: In 0..1.
        variance: Of the share.
        most: There are no more.
        least: What they are worth where the variance says nothing, because the share is 0 or 1; ``None``: ``most``.
    """
    spread = share * (1 - share)
    if spread <= 0 or variance <= 0:
        return most if least is None else least
    return min(most, spread / variance)


def micro_f1(targets: Ints, shown: Bools) -> float | None:
    """F1 of all known cells ``[N, K]`` taken as one class; ``None`` where none is present or shown."""
    present, answered = targets == PRESENT, shown & (targets != NOT_KNOWN)
    whole = int(present.sum()) + int(answered.sum())
    return 2 * int((present & answered).sum()) / whole if whole else None


def complete_rows(targets: Ints) -> Bools:
    """``[N]`` photos all of whose cells ``[N, K]`` are known: only they can be answered exactly right."""
    return np.asarray((targets != NOT_KNOWN).all(axis=1), np.bool_)


def exact_rows(targets: Ints, shown: Bools) -> Bools:
    """``[N]`` photos whose ``[N, K]`` cells are all known and all answered right."""
    return np.asarray(((targets == PRESENT) == shown).all(axis=1) & complete_rows(targets), np.bool_)


def hamming_loss(targets: Ints, shown: Bools) -> float:
    """The share of the known cells ``[N, K]`` that are answered wrong; there has to be one."""
    known = targets != NOT_KNOWN
    return float(((targets == PRESENT) != shown)[known].mean())


def cell_log_loss(targets: Ints, probabilities: Floats) -> float:
    """Mean of minus the natural logarithm of the probability of what is known, over the known cells ``[N, K]``.

    Probabilities of 0 and 1 count as one smallest step of a float64 (2.2e-16) away from there, as in scikit-learn.
    """
    known, step = targets != NOT_KNOWN, np.finfo(np.float64).eps
    chance = np.clip(probabilities[known].astype(np.float64), step, 1 - step)
    return float(-np.log(np.where(targets[known] == PRESENT, chance, 1 - chance)).mean())


def present_shares(targets: Ints) -> npt.NDArray[np.float64]:
    """``[K]`` the share of the known cells ``[N, K]`` of each class that show it; 0 where none is known."""
    present, absent = (targets == PRESENT).sum(axis=0), (targets == ABSENT).sum(axis=0)
    return np.asarray(present / np.maximum(present + absent, 1), np.float64)
