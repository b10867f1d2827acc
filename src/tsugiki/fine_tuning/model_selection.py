"""Choosing by validation, and what the choice is worth: the best epoch, and fine-tuned or frozen backbone.

The best of twenty epochs looks better than it is, since chance helped to choose it (Cawley and Talbot, *On Over-fitting in
Model Selection and Subsequent Selection Bias in Performance Evaluation*, JMLR 2010). So the choice is cross-fitted: each
half of the validation photos chooses, its choice is scored on the other half, and the sum over both is what fine-tuning with
its choice is worth.

Where photos may have several labels, average precision stands for accuracy. It is no sum over photos, but says how well the
photos are ordered, and logits of two epochs make no common order: so either half is scored on its own, and the mean of the two
is what counts, for the frozen backbone likewise.

Letters: ``M`` validation photos, ``K`` classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.core.errors import TsugikiError
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, mean_over_classes
from tsugiki.locale.messages import tr

Metric = Literal["accuracy", "mean_average_precision"]


@dataclass(frozen=True)
class Score:
    """What a network is worth on the validation photos: accuracy first, loss where that is equal.

    Attributes:
        loss: Mean over the photos.
        value: Of the metric, in 0..1.
        metric: ``mean_average_precision`` where photos may have several labels.
    """

    loss: float
    value: float
    metric: Metric = "accuracy"

    def beats(self, other: Score) -> bool:
        """Whether this one is better."""
        return (self.value, -self.loss) > (other.value, -other.loss)

    def to_dict(self) -> dict[str, float]:
        """``loss`` and the value, under the name of its metric."""
        return {"loss": self.loss, self.metric: self.value}

    @classmethod
    def from_dict(cls, saved: Mapping[str, float]) -> Score:
        """From :meth:`to_dict`."""
        metric: Metric = "accuracy" if "accuracy" in saved else "mean_average_precision"
        return cls(saved["loss"], saved[metric], metric)


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

    @staticmethod
    def crossed(parts: Sequence[tuple[ValidationAnswers, torch.Tensor]]) -> float | None:
        """The accuracy over all photos, each part of them (bool ``[M]``) answered by a candidate of its own."""
        right = sum(int(answers.right[photos].sum()) for answers, photos in parts)
        return right / sum(int(photos.sum()) for _, photos in parts)

    def to_dict(self) -> dict[str, torch.Tensor]:
        """For a checkpoint."""
        return {"losses": self.losses, "right": self.right}


@dataclass(frozen=True)
class SetAnswers:
    """What one candidate's weights answer to validation photos that may have several labels each, on the CPU.

    Attributes:
        losses: float32 ``[M]``.
        logits: float32 ``[M, K]``.
        targets: ``[M, K]`` of 1, 0 and -1 (nobody knows).
    """

    losses: torch.Tensor
    logits: torch.Tensor
    targets: npt.NDArray[np.int8]

    def score(self, photos: torch.Tensor | None = None) -> Score:
        """Over all validation photos, or over those that bool ``[M]`` names."""
        losses = self.losses if photos is None else self.losses[photos]
        # Where no photo shows a class there is no order to be judged, and the loss decides.
        return Score(losses.double().mean().item(), self.precision(photos) or 0.0, "mean_average_precision")

    @staticmethod
    def crossed(parts: Sequence[tuple[SetAnswers, torch.Tensor]]) -> float | None:
        """The mean over the parts (bool ``[M]``) of the mean average precision; ``None`` where one of them shows no class."""
        found = [answers.precision(photos) for answers, photos in parts]
        return None if None in found else mean_over_classes(found)

    def precision(self, photos: torch.Tensor | None) -> float | None:
        """The mean average precision over ``photos`` (bool ``[M]``, all where left out); ``None`` where none shows a class."""
        rows = slice(None) if photos is None else photos.numpy()
        return mean_over_classes(average_precisions(self.targets[rows], self.logits.numpy()[rows]))

    def to_dict(self) -> dict[str, torch.Tensor]:
        """For a checkpoint: the targets are known without."""
        return {"losses": self.losses, "logits": self.logits}


Candidate = ValidationAnswers | SetAnswers


def candidate_from(saved: Mapping[str, torch.Tensor], targets: npt.NDArray[np.int8] | None) -> Candidate:
    """From ``to_dict``, and the targets ``[M, K]`` of validation photos that may have several labels."""
    if targets is None:
        return ValidationAnswers(saved["losses"], saved["right"])
    return SetAnswers(saved["losses"], saved["logits"], targets)


def best_of(candidates: Sequence[Candidate], photos: torch.Tensor | None = None) -> int:
    """Which candidate scores best on ``photos`` (bool ``[M]``, all where left out); the first of those that score the same."""
    best, score = 0, NOT_SCORED
    for number, candidate in enumerate(candidates):
        found = candidate.score(photos)
        if found.beats(score):
            best, score = number, found
    return best


def cross_fit(
    start: Candidate,
    epochs: Sequence[Candidate],
    blends: Sequence[Candidate],
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
        Plain values, ``None`` where one of the halves is empty, or shows no class::

            photos      how many validation photos there are
            start       accuracy of the head alone
            fine_tuned  accuracy of fine-tuning, each photo judged by what the half without it chose
            epochs      the epoch that each half chose
            metric      "mean_average_precision" where that stands for accuracy: the mean over the halves
    """
    if not half.any() or half.all():
        return None
    crossed: list[tuple[Any, torch.Tensor]] = []
    chosen = []
    for choosing in (half, ~half):
        epoch = best_of(epochs, choosing)
        candidates = [epochs[epoch], *(blends if epoch + 1 == blended else ())]
        best = candidates[best_of(candidates, choosing)]
        crossed.append((best, ~choosing))
        chosen.append(epoch + 1)
    unchosen: list[tuple[Any, torch.Tensor]] = [(start, photos) for _, photos in crossed]
    before, after = start.crossed(unchosen), start.crossed(crossed)
    if before is None or after is None:
        return None
    found: dict[str, Any] = {"photos": len(half), "start": before, "fine_tuned": after, "epochs": chosen}
    return found if isinstance(start, ValidationAnswers) else {**found, "metric": "mean_average_precision"}


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
    if validated.get("metric") == "mean_average_precision":
        return _choice_by_precision(prefers_fine_tuning(notes), numbers)
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


def _choice_by_precision(fine_tuned: bool, numbers: Mapping[str, Any]) -> str:
    if fine_tuned:
        return tr(
            "Kept: the fine-tuned classifier (mean average precision {after} on {n} validation photos, {before} before; no "
            "epoch is judged by the photos that chose it).",
            **numbers,
        )
    return tr(
        "Kept: the frozen backbone, the simpler one (mean average precision {before} on {n} validation photos; fine-tuned "
        "{after}; no epoch is judged by the photos that chose it).",
        **numbers,
    )
