"""What a network is asked for, and what its answers cost: one class per photo, or whether each class is shown.

Letters: ``B`` photos, ``K`` classes, ``N`` photos to learn from, ``M`` validation photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from tsugiki.data.samples import Samples
from tsugiki.evaluation.metrics import class_weights
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, mean_over_classes
from tsugiki.fine_tuning.model_selection import Candidate, SetAnswers, ValidationAnswers
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.heads.solver import Cells

Targets = npt.NDArray[np.int8]


class Objective(Protocol):
    """The truth about the photos of one training, on its device; photos are known by their rows."""

    @property
    def count(self) -> int:
        """``N``."""

    @property
    def val_count(self) -> int:
        """``M``."""

    @property
    def device(self) -> torch.device:
        """Where the truth is."""

    @property
    def width(self) -> int:
        """How many numbers :meth:`found` gives per photo."""

    def losses(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """``[B]`` what the logits ``[B, K]`` of photos to learn from cost, weighed and smoothed."""

    def plain_loss(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """The mean over ``B`` of what logits ``[B, K]`` cost, neither weighed nor smoothed."""

    def correct(self, logits: torch.Tensor, rows: Sequence[int]) -> int:
        """How many photos to learn from are answered right by logits ``[B, K]``; 0 where that says nothing."""

    def kept_logits(self) -> torch.Tensor | None:
        """``[N, K]`` zeros for the logits of an epoch, where only all of them together make a score."""

    def train_score(self, accuracy: float, logits: torch.Tensor | None) -> float:
        """The score of an epoch's answers to the photos to learn from: their accuracy, or that of all logits ``[N, K]``."""

    def found(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """``[width, B]`` what has to be known of logits ``[B, K]`` of validation photos."""

    def answers(self, found: torch.Tensor) -> Candidate:
        """All validation photos' :meth:`found`, ``[width, M]`` on the CPU, as answers to choose by."""


def objective_of(
    samples: Samples, training: list[int], val: list[int], settings: FineTuneSettings, device: torch.device
) -> Objective:
    """What is asked of a network that learns from some photos and is validated on others.

    Args:
        samples: All photos, in the order of the network's classes.
        training: Rows to learn from.
        val: Rows to validate on.
        settings: Class weights and label smoothing.
        device: Where to compute.
    """
    if samples.targets is not None:
        return ManyLabels.of(samples.targets[training], samples.targets[val], settings, device)
    labels, classes = torch.from_numpy(samples.labels).to(device), len(samples.classes)
    weights = torch.ones(classes, device=device)
    if settings.class_weights:
        weights = torch.from_numpy(class_weights(samples.labels[training], classes)).float().to(device)
    return OneClass(labels[training], labels[val], weights, settings.label_smoothing)


@dataclass(frozen=True)
class OneClass:
    """Each photo is of one class: cross-entropy.

    Attributes:
        labels: ``[N]``.
        val_labels: ``[M]``.
        class_weights: ``[K]``, mean 1 over the photos.
        smoothing: Share of each label that is spread over all classes.
    """

    labels: torch.Tensor
    val_labels: torch.Tensor
    class_weights: torch.Tensor
    smoothing: float
    width: int = 2

    @property
    def count(self) -> int:
        """``N``."""
        return len(self.labels)

    @property
    def val_count(self) -> int:
        """``M``."""
        return len(self.val_labels)

    @property
    def device(self) -> torch.device:
        """Where the labels are."""
        return self.labels.device

    def losses(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """Weighed, smoothed cross-entropy ``[B]``."""
        targets = self.labels[rows]
        each = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=self.smoothing)
        return self.class_weights[targets] * each

    def plain_loss(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """Mean cross-entropy of logits ``[B, K]``."""
        return functional.cross_entropy(logits, self.labels[rows])

    def correct(self, logits: torch.Tensor, rows: Sequence[int]) -> int:
        """Photos whose class has the largest logit of ``[B, K]``."""
        return int((logits.argmax(dim=1) == self.labels[rows]).sum().item())

    def kept_logits(self) -> torch.Tensor | None:
        """None of ``[N, K]``: accuracies are sums over photos."""
        return None

    def train_score(self, accuracy: float, logits: torch.Tensor | None) -> float:
        """The accuracy; no logits ``[N, K]`` were kept."""
        del logits
        return accuracy

    def found(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """``[2, B]`` losses, and 1 where the answer is right."""
        labels = self.val_labels[rows]
        losses = functional.cross_entropy(logits, labels, reduction="none")
        return torch.stack([losses, (logits.argmax(dim=1) == labels).float()])

    def answers(self, found: torch.Tensor) -> Candidate:
        """Losses, and which photos are answered right, of ``[2, M]``."""
        losses, right = found
        return ValidationAnswers(losses.clone(), right > 0)


@dataclass(frozen=True)
class ManyLabels:
    """Each photo may show any number of classes: binary cross-entropy over the cells that are known.

    Photos that are blended count with the labels of either, each by its share, cell by cell; a cell that nobody knows in one of
    the two is learned from the other one alone.

    Attributes:
        cells: Of the ``N`` photos; what they weigh makes the loss of a class the mean over its known cells.
        plain_cells: Likewise, not weighed by class.
        val_cells: Of the ``M`` validation photos.
        targets: ``[N, K]`` of 1, 0 and -1 (nobody knows).
        val_targets: ``[M, K]``.
        smoothing: Share of each cell that is replaced by how often the class is shown. (One half instead would push the many
            rare classes up.)
    """

    cells: Cells
    plain_cells: Cells
    val_cells: Cells
    targets: Targets
    val_targets: Targets
    smoothing: float

    @classmethod
    def of(cls, targets: Targets, val_targets: Targets, settings: FineTuneSettings, device: torch.device) -> ManyLabels:
        """The cells of photos to learn from, ``[N, K]``, and to validate on, ``[M, K]``."""
        cells = Cells.of(targets, balanced=settings.class_weights).to(device)
        plain, val = (Cells.of(part, balanced=False).to(device) for part in (targets, val_targets))
        return cls(cells, plain, val, targets, val_targets, settings.label_smoothing)

    @property
    def count(self) -> int:
        """``N``."""
        return len(self.targets)

    @property
    def val_count(self) -> int:
        """``M``."""
        return len(self.val_targets)

    @property
    def device(self) -> torch.device:
        """Where the cells are."""
        return self.cells.targets.device

    @property
    def width(self) -> int:
        """A loss, and the logits."""
        return 1 + int(self.targets.shape[1])

    def losses(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """Weighed, smoothed binary cross-entropy ``[B]``, mean over the classes."""
        return _cell_losses(self.cells, logits, list(rows), self.smoothing)

    def plain_loss(self, logits: torch.Tensor, rows: Sequence[int]) -> torch.Tensor:
        """Mean binary cross-entropy of logits ``[B, K]``."""
        return _cell_losses(self.plain_cells, logits, list(rows)).mean()

    def correct(self, logits: torch.Tensor, rows: Sequence[int]) -> int:
        """0, whatever the logits ``[B, K]``: the order of all photos counts."""
        del logits, rows
        return 0

    def kept_logits(self) -> torch.Tensor | None:
        """Room for ``[N, K]``."""
        return torch.zeros(self.targets.shape)

    def train_score(self, accuracy: float, logits: torch.Tensor | None) -> float:
        """The mean average precision of logits ``[N, K]``."""
        del accuracy
        assert logits is not None  # noqa: S101 (there is room for them)
        return mean_over_classes(average_precisions(self.targets, logits.numpy())) or 0.0

    def found(self, logits: torch.Tensor, rows: slice) -> torch.Tensor:
        """``[1 + K, B]`` losses, and the logits themselves."""
        return torch.cat([_cell_losses(self.val_cells, logits, rows)[None], logits.T])

    def answers(self, found: torch.Tensor) -> Candidate:
        """Losses and logits of ``[1 + K, M]``."""
        return SetAnswers(found[0].clone(), found[1:].T.contiguous(), self.val_targets)


def _cell_losses(cells: Cells, logits: torch.Tensor, rows: list[int] | slice, smoothing: float = 0.0) -> torch.Tensor:
    truth = cells.targets[rows]
    if smoothing:
        truth = torch.lerp(truth, torch.sigmoid(cells.odds).expand_as(truth), smoothing)
    losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (losses * cells.weights[rows]).mean(dim=1)
