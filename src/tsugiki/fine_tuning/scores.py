"""What weights are worth on the validation photos, photo by photo and in sum. Letters: ``M`` validation photos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch


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
class Answers:
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


def best_of(candidates: Sequence[Answers], photos: torch.Tensor | None = None) -> int:
    """Which candidate scores best on ``photos`` (bool ``[M]``, all where left out); the first of those that score the same."""
    best, score = 0, NOT_SCORED
    for number, candidate in enumerate(candidates):
        found = candidate.score(photos)
        if found.beats(score):
            best, score = number, found
    return best
