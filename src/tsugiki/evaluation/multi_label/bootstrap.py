"""Other photos that might have been judged instead: photos drawn anew with replacement, whole groups at a time.

A draw is a column of how often each photo was drawn. Every metric of all draws is computed at once from sums over photos that
were sorted once (B. Efron, 1979). Only the variance of the draws is asked for, which a few hundred of them tell within a few
percent. Letters: ``N`` photos, ``K`` classes, ``B`` draws.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import NOT_KNOWN, PRESENT
from tsugiki.evaluation.metrics import Bools, Floats, Ints
from tsugiki.evaluation.multi_label.set_metrics import last_of_ties

MOST_DRAWS = 500
FEWEST_DRAWS = 200
_CELLS = 1_000_000_000
"""Drawn cells in all, which take seconds; more photos get fewer draws."""
_STEPS = 500
"""Of precision over recall in a draw: where more photos show a class, those of neighbouring ranks are taken at once."""
_BLOCK = 8_000_000
"""Numbers in one block of draws: 32 MB of float32."""

Draws = npt.NDArray[np.float32]


def draws_for(num_photos: int, num_classes: int) -> int:
    """How many draws are made of so many photos and classes: 500, and down to 200 of millions of cells."""
    return int(np.clip(_CELLS // max(1, num_photos * num_classes), FEWEST_DRAWS, MOST_DRAWS))


def drawn_photos(groups: Ints | None, num_photos: int, *, draws: int, seed: int = 0) -> Iterator[Draws]:
    """Blocks of ``[N, B]``: how often each photo was drawn; photos of one group always together.

    Args:
        groups: ``[N]``; ``None``: every photo stands for itself.
        num_photos: ``N``.
        draws: How many in all blocks.
        seed: The same seed gives the same draws.
    """
    dice = np.random.default_rng(seed)
    own = np.arange(num_photos) if groups is None else np.unique(groups, return_inverse=True)[1].reshape(-1)
    units = int(own.max()) + 1
    step = max(1, _BLOCK // num_photos)
    for start in range(0, draws, step):
        width = min(step, draws - start)
        block = np.empty((units, width), np.float32)
        for column in range(width):
            block[:, column] = np.bincount(dice.integers(0, units, units), minlength=units)
        yield block if units == num_photos and groups is None else block[own]


class RankedClass:
    """One class's known photos, sorted by score once, for the average precision of any number of draws.

    Args:
        target: ``[N]`` cells of the class.
        scores: ``[N]`` the higher, the surer.
    """

    def __init__(self, target: Ints, scores: Floats) -> None:
        rows = np.flatnonzero(target != NOT_KNOWN)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        positive = np.flatnonzero(target[rows] == PRESENT)
        ends, step = np.unique(_coarse(last_of_ties(scores[rows])[positive]), return_inverse=True)
        self._rows = rows[: int(ends[-1]) + 1] if len(ends) else rows[:0]
        self._positives = rows[positive]
        self._starts = np.append(0, ends[:-1] + 1)  # of the steps: photos from behind the last positive's score to this one's
        self._first = np.flatnonzero(np.append(True, step[1:] != step[:-1]))  # of each step among the positives

    def average_precision(self, drawn: Draws) -> npt.NDArray[np.float64]:
        """``[B]`` of draws ``[N, B]``; NaN where no photo of the class was drawn, or there is none."""
        if not len(self._positives):
            return np.full(drawn.shape[1], np.nan)
        photos = np.cumsum(np.add.reduceat(drawn[self._rows], self._starts, axis=0), axis=0, dtype=np.float64)
        positives = np.add.reduceat(drawn[self._positives], self._first, axis=0)
        hits = np.cumsum(positives, axis=0, dtype=np.float64)
        summed = (positives * (hits / np.maximum(photos, 1))).sum(axis=0)
        return np.where(hits[-1] > 0, summed / np.maximum(hits[-1], 1), np.nan)


def _coarse(ends: Ints) -> Ints:
    """Growing places of which at most :data:`_STEPS` differ: of more, each becomes the last one of its block."""
    count = len(np.unique(ends))
    if count <= _STEPS:
        return ends
    blocks = np.unique(np.linspace(0, len(ends) - 1, _STEPS).astype(np.int64))
    return ends[blocks][np.searchsorted(ends[blocks], ends)]


def drawn_average_precisions(targets: Ints, scores: Floats, groups: Ints | None, *, draws: int, seed: int = 0) -> Floats:
    """``[K, B]`` the average precision of each class in each draw of photos; NaN where no photo of the class was drawn.

    Args:
        targets: ``[N, K]``.
        scores: ``[N, K]``.
        groups: ``[N]``; ``None``: every photo stands for itself.
        draws: ``B``.
        seed: The same seed draws the same photos, whatever the scores.
    """
    ranked = [RankedClass(targets[:, column], scores[:, column]) for column in range(targets.shape[1])]
    photos = drawn_photos(groups, len(targets), draws=draws, seed=seed)
    return np.hstack([np.stack([one.average_precision(block) for one in ranked]) for block in photos])


def drawn_shares(targets: Ints, groups: Ints | None, *, draws: int, seed: int = 0) -> Floats:
    """``[K, B]`` the share of the known cells of each class that show it, in each draw; NaN where no such cell was drawn.

    Args:
        targets: ``[N, K]``.
        groups: ``[N]``; ``None``: every photo stands for itself.
        draws: ``B``.
        seed: The same seed draws the same photos.
    """
    present, known = (targets == PRESENT).T.astype(np.float32), (targets != NOT_KNOWN).T.astype(np.float32)
    photos = drawn_photos(groups, len(targets), draws=draws, seed=seed)
    counts = [(present @ block, known @ block) for block in photos]
    return np.hstack([np.where(hits > 0, hits / np.maximum(asked, 1), np.nan) for hits, asked in counts]).astype(np.float64)


def drawn_macro_f1(targets: Ints, shown: Bools, groups: Ints | None, *, draws: int, seed: int = 0) -> Floats:
    """``[B]`` the mean F1 of the classes that have photos or answers in each draw; NaN where none has.

    Args:
        targets: ``[N, K]``.
        shown: ``[N, K]`` whether the class is answered.
        groups: ``[N]``; ``None``: every photo stands for itself.
        draws: ``B``.
        seed: The same seed draws the same photos.
    """
    present, answered = targets == PRESENT, shown & (targets != NOT_KNOWN)
    hits = (present & answered).T.astype(np.float32)
    whole = present.T.astype(np.float32) + answered.T
    photos = drawn_photos(groups, len(targets), draws=draws, seed=seed)
    return np.concatenate([_mean_f1(hits @ block, whole @ block) for block in photos])


def _mean_f1(hits: Floats, whole: Floats) -> Floats:
    asked = (whole > 0).sum(axis=0)
    summed = (2.0 * hits / np.maximum(whole, 1)).sum(axis=0, dtype=np.float64)
    return np.where(asked > 0, summed / np.maximum(asked, 1), np.nan)


def mean_of_classes(drawn: Floats) -> Floats:
    """``[B]`` the mean over the classes of ``[K, B]``, of those that are not NaN; NaN where all are."""
    known = ~np.isnan(drawn)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
