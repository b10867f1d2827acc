"""The nearest photos by feature: behind "not sure" and "because it looks like these".

Similarity is the cosine of two feature vectors. An ``N x N`` table is never held: it is worked off in blocks.
Letters: ``N`` photos asked about, ``M`` photos to compare with, ``D`` feature width, ``k`` neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.arrays import Floats, Ints, blocks, unit_rows


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
