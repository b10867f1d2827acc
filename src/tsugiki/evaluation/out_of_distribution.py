"""Photos unlike anything seen: a score, a threshold with a stated false-reject rate, and how well both work.

The score is the cosine distance to the nearest training photos' features (Sun et al., "Out-of-Distribution Detection with Deep
Nearest Neighbors", 2022); the energy of the logits (Liu et al., "Energy-based Out-of-distribution Detection", 2020) is the
alternative that needs no training photos at hand. Higher always means less known. What is decided in a run needs the distance
only; :func:`energy`, :func:`auroc` and :func:`judge_rejection` are for measuring, and ``benchmarks/honesty.py`` measures with
them which score tells more. Letters: ``N`` photos, ``D`` feature width,
``K`` classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.metrics import Floats, Interval, Ints, blocks, share_of, unit_rows

FALSE_REJECT_RATE = 0.05


def distance(features: Floats, training: Floats, *, k: int = 1) -> npt.NDArray[np.float64]:
    """``[N]`` mean cosine distance, 0..2, of ``features`` ``[N, D]`` to their ``k`` nearest training photos."""
    return _mean_distance(nearest(features, training, k=k))


def training_distance(training: Floats, *, k: int = 1, groups: Ints | None = None) -> npt.NDArray[np.float64]:
    """``[N]`` the distance of every training photo to the others, as if it had not been trained on.

    Args:
        training: ``[N, D]``.
        k: How many neighbours the distance is averaged over.
        groups: ``[N]``; photos of one group (duplicates, one subject) are not compared with each other: a twin would make a
            photo look better known than new photos will be.
    """
    return _mean_distance(nearest_others(training, k=k, groups=groups))


def _mean_distance(neighbours: Neighbours) -> npt.NDArray[np.float64]:
    found = neighbours.rows >= 0
    total = np.where(found, 1 - neighbours.similarity.astype(np.float64), 0).sum(axis=1)
    # With nobody to compare with, a photo is as unlike as can be.
    return np.where(found.any(axis=1), total / np.maximum(found.sum(axis=1), 1), 2.0)


def energy(logits: Floats, *, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """``[N]`` minus the temperature-scaled ``logsumexp`` of ``[N, K]`` logits."""
    scaled = logits.astype(np.float64) / temperature
    top = scaled.max(axis=1)
    return np.asarray(-temperature * (top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))))


def threshold_at(known: Floats, *, false_reject_rate: float = FALSE_REJECT_RATE) -> float:
    """The score above which a photo is unknown, such that a new known photo is rejected at most that often on average.

    The threshold is the ``ceil((N + 1) (1 - rate))``-th smallest score: the rank that split conformal prediction takes. With
    too few photos for the rate that was asked for, it is the largest score seen.

    Args:
        known: ``[N]`` scores of photos that are known but did not help: out-of-fold, or :func:`training_distance`.
        false_reject_rate: The share of known photos that may be rejected.

    Raises:
        ValueError: Without photos.
    """
    if not len(known):
        raise ValueError("a threshold needs at least one known photo")
    # 0.95 x 20 is 19.000000000000004 in floats; a hair less keeps the rank that is meant.
    rank = math.ceil((len(known) + 1) * (1 - false_reject_rate) - 1e-9)
    return float(np.sort(known)[min(max(rank, 1), len(known)) - 1])


def auroc(known: Floats, unknown: Floats) -> float:
    """The chance that an unknown photo scores higher than a known one, a tie counting half: the area under the ROC curve.

    Args:
        known: ``[N]`` scores.
        unknown: ``[M]`` scores.
    """
    everyone = np.concatenate([known, unknown])
    _, place, counts = np.unique(everyone, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]  # tied scores share the mean of their ranks
    count = len(unknown)
    above = ranks[len(known) :].sum() - count * (count + 1) / 2
    return float(above / (len(known) * count))


@dataclass(frozen=True)
class Rejection:
    """How a threshold did on photos that are known and photos that are not.

    Attributes:
        auroc: See :func:`auroc`.
        threshold: Scores above it are rejected.
        false_reject: Share of the known photos that was rejected.
        false_reject_interval: Its interval.
        rejected: Share of the unknown photos that was rejected.
        rejected_interval: Its interval.
    """

    auroc: float
    threshold: float
    false_reject: float
    false_reject_interval: Interval
    rejected: float
    rejected_interval: Interval


def judge_rejection(known: Floats, unknown: Floats, threshold: float) -> Rejection:
    """Measure a threshold on scores of known ``[N]`` and unknown ``[M]`` photos, none of which set it."""
    false_reject, false_interval = share_of(known > threshold)
    rejected, interval = share_of(unknown > threshold)
    return Rejection(auroc(known, unknown), threshold, false_reject, false_interval, rejected, interval)


@dataclass(frozen=True)
class Neighbours:
    """The ``k`` nearest of each photo, nearest first.

    Attributes:
        rows: ``[N, k]`` which ones; -1 where there are fewer than ``k``.
        similarity: ``[N, k]`` cosine in -1..1; -1 where there are fewer than ``k``.
    """

    rows: npt.NDArray[np.int64]
    similarity: npt.NDArray[np.float32]


def nearest(features: Floats, gallery: Floats, *, k: int = 1) -> Neighbours:
    """The ``k`` photos of ``gallery`` ``[M, D]`` that are nearest to each of ``features`` ``[N, D]``."""
    nobody = np.full(len(features), -1)
    return _nearest(unit_rows(features), unit_rows(gallery), k, (nobody, np.zeros(len(gallery), dtype=np.int64)))


def nearest_others(features: Floats, *, k: int = 1, groups: Ints | None = None) -> Neighbours:
    """The ``k`` nearest of each photo among all the others ("leave one out").

    Args:
        features: ``[N, D]``.
        k: How many.
        groups: ``[N]``; photos of the same group do not count as others either: folds, subjects or duplicates.
    """
    own = np.arange(len(features)) if groups is None else np.asarray(groups)
    unit = unit_rows(features)
    return _nearest(unit, unit, k, (own, own))


def _nearest(unit: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32], k: int, groups: tuple[Ints, Ints]) -> Neighbours:
    count = min(k, len(gallery))
    rows = np.full((len(unit), k), -1, dtype=np.int64)
    similarity = np.full((len(unit), k), -1.0, dtype=np.float32)
    for part in blocks(len(unit), len(gallery)):
        table = unit[part] @ gallery.T
        table[groups[0][part, None] == groups[1]] = -np.inf
        best = _largest(table, count)
        values = np.take_along_axis(table, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        best, values = np.take_along_axis(best, order, axis=1), np.take_along_axis(values, order, axis=1)
        rows[part, :count] = np.where(np.isfinite(values), best, -1)
        similarity[part, :count] = np.clip(values, -1.0, 1.0)  # a rounding error can push equal vectors past one
    return Neighbours(rows, similarity)


def _largest(table: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """``[N, count]`` the columns with the largest values of each row, in any order."""
    if count == 0:
        return np.empty((len(table), 0), np.int64)
    best: npt.NDArray[np.int64] = (
        table.argmax(axis=1)[:, None] if count == 1 else np.argpartition(-table, count - 1, axis=1)[:, :count]
    )
    return best
