"""What networks are worth for these photos: cross-validated on training photos only.

Letters: ``N`` photos that are judged, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.console import quiet
from tsugiki.evaluation.metrics import Interval, log_loss, mcnemar, softmax, verdict, wilson
from tsugiki.evaluation.multi_label.set_ranking import compare_sets
from tsugiki.evaluation.multi_label.set_ranking import rank as rank_sets
from tsugiki.features.store import FeatureStore, Floats, Ints
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import HeadSettings, fit_head, judged_rows

_DECIMALS = 4  # of logits that are kept: their order is what counts


@dataclass(frozen=True)
class Judgement:
    """Answers to training photos by heads that have not learned from them.

    Attributes:
        photos: How many photos were learned from and, fold after fold, judged.
        judged: How many of them were judged: one whose class has nothing else to learn from is not.
        value: Share answered right; with several labels per photo, mean average precision.
        interval: Its interval.
        log_loss: Natural logarithm, mean over photos; with several labels ``None``.
        correct: ``[N]`` whether each judged photo was answered right; with several labels ``None``.
        guessed: ``[N]`` whether always answering the commonest class is right; likewise.
        logits: ``[N, K]`` with several labels.
        targets: ``[N, K]`` of the same photos.
        groups: ``[N]`` of the same photos.
        found_again: Whether it was known from before.
    """

    photos: int
    judged: int
    value: float
    interval: Interval
    log_loss: float | None = None
    correct: npt.NDArray[np.bool_] | None = None
    guessed: npt.NDArray[np.bool_] | None = None
    logits: Floats | None = None
    targets: npt.NDArray[np.int8] | None = None
    groups: Ints | None = None
    found_again: bool = False

    @property
    def cost(self) -> float:
        """What a choice goes by, less is better.

        The log loss: it says more of so few photos than how many were right (`python -m benchmarks.choosing`).
        With several labels the mean average precision.
        """
        return 1 - self.value if self.log_loss is None else self.log_loss


def judge_features(
    table: FeatureTable, num_classes: int, settings: HeadSettings, *, store: FeatureStore, about: str
) -> Judgement | None:
    """Cross-validate a head on the training photos of a table; ``None`` where that is impossible.

    Args:
        table: Photos and features; its ``val`` and held-out photos have no say.
        num_classes: ``K``.
        settings: Of the head.
        store: Where it is looked up, and kept.
        about: What the features depend on, but for the photos.
    """
    samples, rows = table.samples, table.samples.train_rows
    groups = table.groups_of(rows)
    computed = False

    def compute() -> list[Any] | None:
        nonlocal computed
        computed = True
        with quiet():
            head = fit_head(table, num_classes, settings)
        if head.out_of_fold is None:
            return None
        judged = judged_rows(head.out_of_fold)
        logits = head.out_of_fold[judged]
        if samples.targets is not None:
            return [judged.tolist(), np.round(logits.astype(np.float64), _DECIMALS).tolist()]
        truth = samples.labels[rows][judged]
        right = (logits.argmax(axis=1) == truth).astype(int)
        return [judged.tolist(), [right.tolist(), log_loss(truth, softmax(logits))]]

    labels = samples.labels[rows] if samples.targets is None else samples.targets[rows]
    told = [samples.digests[row] for row in rows]
    whole = repr((about, told, labels.tolist(), groups.tolist(), num_classes, settings))
    found = store.remembered("judged-2", whole, compute)
    if found is None:
        return None
    judged, answers = found
    if samples.targets is None:
        correct = np.array(answers[0], bool)
        hits, count = int(correct.sum()), len(correct)
        return Judgement(
            len(rows),
            count,
            hits / count,
            wilson(hits, count),
            log_loss=answers[1],
            correct=correct,
            guessed=labels[judged] == np.bincount(labels).argmax(),
            found_again=not computed,
        )
    targets, logits = samples.targets[rows][judged], np.array(answers, np.float64)
    order = rank_sets(targets, logits, groups[judged])
    return Judgement(
        len(rows),
        len(judged),
        order.mean or 0.0,
        order.interval,
        logits=logits.astype(np.float32),
        targets=targets,
        groups=groups[judged],
        found_again=not computed,
    )


def beats_guessing(found: Judgement) -> bool:
    """Whether it is proven better than always answering the commonest class; with several labels nobody asks."""
    return found.correct is None or found.guessed is None or verdict(mcnemar(found.guessed, found.correct)) == "helped"


def can_be_told_apart(first: Judgement, second: Judgement) -> bool:
    """Whether one is proven better than the other, both having answered the same photos."""
    if first.correct is not None and second.correct is not None:
        return verdict(mcnemar(first.correct, second.correct)) != "cannot tell"
    assert first.targets is not None and first.logits is not None and second.logits is not None  # noqa: S101, PT018 (one task)
    return compare_sets(first.targets, first.logits, second.logits, first.groups).verdict != "cannot tell"
