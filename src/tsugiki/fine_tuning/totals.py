"""Exact means: sums over photos, whatever the batch sizes were. Letters: ``B`` photos, ``K`` classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from tsugiki.core.errors import DataError, TrainingError
from tsugiki.locale.messages import tr


def finite(loss: float) -> float:
    """``loss`` itself.

    Raises:
        TrainingError: When it is no finite number.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            tr("The loss is no finite number any more."),
            got=str(loss),
            cure=tr("start again with a smaller learning rate, and check that the photos are normalised"),
        )
    return loss


@dataclass
class Tally:
    """Sums over photos, from which means are exact whatever the batch sizes were."""

    loss: float = 0.0
    correct: int = 0
    photos: int = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        """Count one batch: its mean ``loss``, ``logits`` ``[B, K]`` and ``labels`` ``[B]``."""
        self.loss += finite(loss.item()) * len(labels)
        self.correct += int((logits.argmax(dim=1) == labels).sum().item())
        self.photos += len(labels)

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy per photo."""
        if not self.photos:
            raise DataError(tr("There is no photo in this DataLoader."))
        return self.loss / self.photos, self.correct / self.photos
