"""Answers to photos of known labels become rows and numbers: the same for a fit and for whoever evaluates later.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.classifier.answer import AnswerHead
from tsugiki.data.samples import Samples
from tsugiki.evaluation.levels.level_scores import score_levels, score_set_levels
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.multi_label.platt import sigmoid
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.features.store import Floats, Ints

Doubles = npt.NDArray[np.float64]
AnyPredictions = Predictions | MultiLabelPredictions
"""One row per photo, of one class each or of several."""


@dataclass(frozen=True)
class Answers:
    """What was answered to ``N`` photos.

    Attributes:
        probabilities: ``[N, K]``.
        known: ``[N]`` whether the photo is like those that were learned from; ``None`` where nobody has looked.
        logits: Multi-label: ``[N, K]`` that the probabilities were made of.
        thresholds: Multi-label: ``[N, K]`` where they are not the head's own.
    """

    probabilities: Doubles
    known: npt.NDArray[np.bool_] | None = None
    logits: npt.NDArray[Any] | None = None
    thresholds: Doubles | None = None

    @classmethod
    def of(cls, head: AnswerHead, features: Floats) -> Answers:
        """What a head answers to features ``[N, D]``."""
        logits = None if head.multi_label is None else head.logits(features)
        return cls(head.probabilities(features).astype(np.float64), head.known(features), logits)


@dataclass(frozen=True)
class Circumstances:
    """What has to be known about ``N`` photos to tell what a score on them is worth.

    Attributes:
        split: What stands for it: a split, or one of the marks in :mod:`tsugiki.evaluation.predictions`.
        temperature: That the probabilities were made with; ``None`` where none could be estimated.
        leaked: Path of each photo that has a twin elsewhere, to the twin's path; ``None`` where nobody has looked.
        different: How many different photos there are, near copies counted once; ``None`` where nobody has looked.
        groups: Multi-label: ``[N]`` numbers of what belongs together.
        learned: Paths of photos that the backbone has learned from: they have leaked, too.
    """

    split: str
    temperature: float | None
    leaked: Mapping[str, str] | None
    different: int | None
    groups: Ints | None = None
    learned: frozenset[str] = frozenset()

    @property
    def lost(self) -> Mapping[str, str] | None:
        """All photos that leaked, as :attr:`leaked` has them; those that the backbone has learned from have no twin."""
        return {**dict.fromkeys(sorted(self.learned), ""), **(self.leaked or {})} if self.learned else self.leaked


def score(
    head: AnswerHead, photos: Samples, answers: Answers, about: Circumstances, *, splits: Sequence[str]
) -> tuple[AnyPredictions, dict[str, Any]]:
    """One row per photo, and everything that the rows say.

    Args:
        head: That answered.
        photos: ``N``, with labels in the order of the head's classes.
        answers: To these photos.
        about: What is known about them.
        splits: ``N``, as the rows name them.
    """
    if head.multi_label is None or photos.targets is None:
        rows = Predictions(photos.names, tuple(splits), photos.labels, answers.probabilities, head.classes, answers.known)
        document = evaluate_rows(
            rows, split=about.split, temperature=about.temperature, leaked=about.lost, different=about.different
        )
        if head.taxonomy is not None:
            document["taxonomy"] = score_levels(head.taxonomy, rows, split=about.split, leaked=about.lost)
        return rows, _with_learned(document, about)
    sets = head.multi_label
    thresholds = sets.thresholds.astype(np.float64) if answers.thresholds is None else answers.thresholds
    found = MultiLabelPredictions(
        photos.names, tuple(splits), photos.targets, answers.probabilities, thresholds, head.classes, answers.known
    )
    plain = None if answers.logits is None else sigmoid(answers.logits)
    document = evaluate_sets(
        found,
        split=about.split,
        uncalibrated=plain,
        leaked=about.lost,
        different=about.different,
        groups=about.groups,
    )
    if head.taxonomy is not None:
        levels = score_set_levels(head.taxonomy, found, split=about.split, leaked=about.lost, groups=about.groups)
        document["taxonomy"] = levels
    return found, _with_learned(document, about)


def _with_learned(document: dict[str, Any], about: Circumstances) -> dict[str, Any]:
    """The numbers, in which it is marked which photos leaked because the backbone has learned from them."""
    for photo in document["leaks"]["photos"] if about.learned else ():
        if photo["path"] in about.learned and not photo["twin"]:
            photo["learned"] = True
    return document
