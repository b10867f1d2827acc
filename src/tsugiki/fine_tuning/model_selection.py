"""Choosing by validation, and what the choice is worth: the best epoch, fine-tuned or frozen backbone, and the two compared.

The best of twenty epochs looks better than it is, since chance helped to choose it (Cawley and Talbot, *On Over-fitting in
Model Selection and Subsequent Selection Bias in Performance Evaluation*, JMLR 2010). So the choice is cross-fitted: each
half of the validation photos chooses, its choice is scored on the other half, and the sum over both is what fine-tuning with
its choice is worth.

Letters: ``M`` validation photos.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from tsugiki.core.errors import TsugikiError
from tsugiki.evaluation.metrics import CONFIDENCE, mcnemar, verdict
from tsugiki.evaluation.predictions import Predictions
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class Score:
    """What a network is worth on the validation photos: accuracy first, loss where that is equal."""

    loss: float
    accuracy: float

    def beats(self, other: Score) -> bool:
        """Whether this one is better."""
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


NOT_SCORED = Score(math.inf, -1.0)
"""Worse than any score."""


@dataclass(frozen=True)
class ValidationAnswers:
    """What one candidate's weights answer to the validation photos, on the CPU.

    Attributes:
        losses: float32 ``[M]``.
        right: bool ``[M]``.
    """

    losses: torch.Tensor
    right: torch.Tensor

    def score(self, photos: torch.Tensor | None = None) -> Score:
        """Over all validation photos, or over those that bool ``[M]`` names."""
        losses, right = (self.losses, self.right) if photos is None else (self.losses[photos], self.right[photos])
        return Score(losses.double().mean().item(), right.double().mean().item())


def best_of(candidates: Sequence[ValidationAnswers], photos: torch.Tensor | None = None) -> int:
    """Which candidate scores best on ``photos`` (bool ``[M]``, all where left out); the first of those that score the same."""
    best, score = 0, NOT_SCORED
    for number, candidate in enumerate(candidates):
        found = candidate.score(photos)
        if found.beats(score):
            best, score = number, found
    return best


def cross_fit(
    start: ValidationAnswers,
    epochs: Sequence[ValidationAnswers],
    blends: Sequence[ValidationAnswers],
    *,
    blended: int,
    half: torch.Tensor,
) -> dict[str, Any] | None:
    """Choose on each half as the training chooses on all photos, and judge the choice on the other half.

    Args:
        start: Of the head alone, which nothing was chosen for.
        epochs: Of every epoch.
        blends: Of the weights between the start and epoch ``blended``. A half that likes another epoch best does without: no
            blends of that epoch were tried.
        blended: An epoch, from 1.
        half: Bool ``[M]``.

    Returns:
        Plain values, ``None`` where one of the halves is empty::

            photos      how many validation photos there are
            start       accuracy of the head alone
            fine_tuned  accuracy of fine-tuning, each photo judged by what the half without it chose
            epochs      the epoch that each half chose
    """
    if not half.any() or half.all():
        return None
    correct, chosen = 0, []
    for choosing in (half, ~half):
        epoch = best_of(epochs, choosing)
        candidates = [epochs[epoch], *(blends if epoch + 1 == blended else ())]
        best = candidates[best_of(candidates, choosing)]
        correct += int(best.right[~choosing].sum())
        chosen.append(epoch + 1)
    photos = len(half)
    return {"photos": photos, "start": int(start.right.sum()) / photos, "fine_tuned": correct / photos, "epochs": chosen}


def prefers_fine_tuning(notes: Mapping[str, Any]) -> bool:
    """Whether validation prefers the fine-tuned classifier; on a tie the simpler one, whose backbone stayed frozen, is kept.

    The epoch that is kept was chosen for its score on the validation photos, so that very score would prefer it nearly always:
    what counts is each photo's answer by the epoch that the photos of the other half chose.

    Args:
        notes: Of a fine-tuning; its start is the frozen backbone with the head fitted on the very photos that fine-tuning
            learned from, judged on the very photos that it was judged on.
    """
    validated = notes["validated"]
    return validated is not None and bool(validated["fine_tuned"] > validated["start"])


def given_up_sentence(error: TsugikiError) -> str:
    """That the frozen backbone is kept since fine-tuning did not come to its end, and why."""
    return tr("Kept: the frozen backbone, the simpler one: fine-tuning was not possible. {reason}", reason=error.what)


def choice_sentence(notes: Mapping[str, Any]) -> str:
    """Which of the two is kept, and why."""
    validated = notes["validated"]
    if validated is None:
        return tr(
            "Kept: the frozen backbone, the simpler one: too few validation photos to choose an epoch and to judge it, too."
        )
    numbers = {
        "before": f"{validated['start']:.1%}",
        "after": f"{validated['fine_tuned']:.1%}",
        "n": validated["photos"],
    }
    if prefers_fine_tuning(notes):
        return tr(
            "Kept: the fine-tuned classifier ({after} of {n} validation photos, {before} before; no epoch is judged by the "
            "photos that chose it).",
            **numbers,
        )
    return tr(
        "Kept: the frozen backbone, the simpler one ({before} of {n} validation photos; fine-tuned {after}; no epoch is judged "
        "by the photos that chose it).",
        **numbers,
    )


def compare(frozen: Predictions, tuned: Predictions) -> dict[str, Any]:
    """McNemar's exact test on the photos that both classifiers answered, and whose class they know.

    Args:
        frozen: Of the classifier whose backbone stayed frozen.
        tuned: Of the fine-tuned one; without those photos that have vanished meanwhile.

    Returns:
        Plain values for ``evaluation.json``::

            verdict              "helped" | "hurt" | "cannot tell"
            p_value              of McNemar's exact test
            n                    photos
            only_frozen          photos that only the frozen-head classifier answered right
            only_fine_tuned      photos that only the fine-tuned one answered right
            frozen_head          {accuracy, accuracy_interval}
            fine_tuned           {accuracy, accuracy_interval}
            difference           fine-tuned minus frozen head
            difference_interval  [low, high]
            confidence           0.95
    """
    place = {name: row for row, name in enumerate(tuned.names)}
    frozen = frozen.take(row for row, name in enumerate(frozen.names) if name in place)
    tuned = tuned.take(place[name] for name in frozen.names)
    found = mcnemar(frozen.scored().correct, tuned.scored().correct)
    return {
        "verdict": verdict(found),
        "p_value": found.p_value,
        "n": found.n,
        "only_frozen": found.only_a,
        "only_fine_tuned": found.only_b,
        "frozen_head": {"accuracy": found.accuracy_a, "accuracy_interval": list(found.interval_a)},
        "fine_tuned": {"accuracy": found.accuracy_b, "accuracy_interval": list(found.interval_b)},
        "difference": found.difference,
        "difference_interval": list(found.difference_interval),
        "confidence": CONFIDENCE,
    }


def verdict_sentence(document: Mapping[str, Any]) -> str:
    """What :func:`compare` found, in one sentence."""
    numbers = {
        "before": _share(document["frozen_head"]),
        "after": _share(document["fine_tuned"]),
        "n": document["n"],
        "p": f"{document['p_value']:.2g}",
    }
    if document["verdict"] == "helped":
        return tr("Fine-tuning helped: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    if document["verdict"] == "hurt":
        return tr("Fine-tuning hurt: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    return tr(
        "Whether fine-tuning helped cannot be told from {n} held-out photos: {before} with the backbone frozen, {after} "
        "fine-tuned (McNemar p = {p}).",
        **numbers,
    )


def _share(part: Mapping[str, Any]) -> str:
    low, high = part["accuracy_interval"]
    return tr("{share} ({low} to {high})", share=f"{part['accuracy']:.1%}", low=f"{low:.1%}", high=f"{high:.1%}")
