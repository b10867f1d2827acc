"""Many linear heads at once, by minibatch Adam on stored features.

Heads that differ in their penalty or in the photos they may learn from share every minibatch: one matrix product serves them
all, and each photo's vector is read once per epoch however many heads there are.

Letters: ``N`` photos, ``B`` photos of a batch, ``D`` feature width, ``K`` classes, ``H`` heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.adam import adam

from tsugiki.core.devices import one_thread
from tsugiki.features.store import STREAMED_BLOCK, FeatureRows, Floats, Ints

_WORTH_THREADS = 50_000_000  # multiplications in a step, from where dividing them among threads is faster than not


@dataclass(frozen=True)
class Scaling:
    """Features are centred and scaled before they are learned from; the head that comes out takes them as they are.

    One scale for all features: divided each by its own deviation, rarely active features would be blown up and memorised.

    Attributes:
        mean: ``[D]``.
        scale: Root mean square deviation over all features.
    """

    mean: torch.Tensor
    scale: float

    @classmethod
    def of(cls, features: FeatureRows) -> Scaling:
        """Mean and deviation over all photos, in one pass."""
        total, squares = np.zeros(features.width), 0.0
        for _, block in features.blocks():
            total += block.sum(axis=0, dtype=np.float64)
            squares += float(np.square(block, dtype=np.float64).sum())
        mean = total / len(features)
        variance = squares / (len(features) * features.width) - float((mean**2).mean())
        return cls(torch.from_numpy(mean).float(), max(variance, 1e-12) ** 0.5)

    def __call__(self, vectors: Floats) -> torch.Tensor:
        """Scaled vectors ``[B, D]``."""
        return (torch.from_numpy(vectors) - self.mean) / self.scale

    def undo(self, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight ``[K, D]`` and bias ``[K]`` for plain features that answer like those given for scaled ones."""
        plain = weight / self.scale
        return plain, bias - plain @ self.mean


@dataclass(frozen=True)
class Cells:
    """Multi-label: whether each photo shows each class, and how much each such cell counts.

    A cell of which nobody knows weighs nothing. The others weigh such that the loss of a class is the mean over its known
    cells, and its penalty that of a data set of so many photos.

    Attributes:
        targets: ``[N, K]`` 1 or 0; 0 where nobody knows.
        weights: ``[N, K]``.
        penalty: ``[K]`` by which the penalty is multiplied.
        odds: ``[K]`` logarithm of the odds of each class: what a head answers that knows nothing else.
    """

    targets: torch.Tensor
    weights: torch.Tensor
    penalty: torch.Tensor
    odds: torch.Tensor

    @classmethod
    def of(cls, targets: npt.NDArray[np.int8], *, balanced: bool) -> Cells:
        """Cells of targets ``[N, K]`` of 1, 0 and -1; ``balanced``: in each class both answers count the same."""
        known, shown = targets >= 0, targets > 0
        seen, positive = known.sum(axis=0), shown.sum(axis=0)
        share = np.maximum(seen, 1) / len(targets)
        weights = known / share
        rate = (positive + 0.5) / (seen + 1)  # half a photo of either kind more: no class is certain
        if balanced:
            weights *= np.where(shown, 0.5 / rate, 0.5 / (1 - rate))
            rate = np.full_like(rate, 0.5)
        odds = np.log(rate / (1 - rate))
        return cls(*(torch.from_numpy(np.asarray(part, np.float32)) for part in (shown, weights, 1 / share, odds)))

    def losses(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """``[B, H]`` weighed binary cross-entropy of logits ``[B, H, K]``, mean over the classes."""
        truth = self.targets[rows][:, None].expand_as(logits)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        return (loss * self.weights[rows][:, None]).mean(dim=2)

    def part(self, rows: slice) -> Cells:
        """Of some of the photos."""
        return replace(self, targets=self.targets[rows], weights=self.weights[rows])

    def to(self, device: torch.device) -> Cells:
        """The same cells on a device."""
        return Cells(*(getattr(self, each.name).to(device) for each in fields(self)))


@dataclass(frozen=True)
class Plan:
    """What the heads have in common.

    Attributes:
        labels: ``[N]`` class of each photo.
        num_classes: ``K``.
        folds: ``[N]`` fold of each photo; a photo in no fold (-1) is learned from by every head.
        class_weights: ``[K]`` weight of each class in the loss.
        epochs: Passes over the photos.
        batch_size: ``B``.
        lr: Peak learning rate of Adam; it falls to zero along a cosine.
        seed: Of the order of the photos.
        cells: Multi-label: what is to be answered class by class, instead of the labels.
    """

    labels: Ints
    num_classes: int
    folds: Ints
    class_weights: torch.Tensor
    epochs: int
    batch_size: int
    lr: float
    seed: int
    cells: Cells | None = None

    @property
    def steps(self) -> int:
        """Optimiser steps in all."""
        return self.epochs * math.ceil(len(self.labels) / self.batch_size)


@dataclass(frozen=True)
class Heads:
    """``H`` heads for scaled features.

    Attributes:
        weight: ``[D, H, K]``.
        bias: ``[H, K]``.
        held_fold: ``[H]`` the fold each head must not learn from; -1 for one that learns from all.
        penalty: ``[H]`` strength of the penalty on the squared weights, per photo.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    held_fold: torch.Tensor
    penalty: torch.Tensor

    @classmethod
    def fresh(
        cls, width: int, num_classes: int, held_fold: list[int], penalty: list[float], bias: torch.Tensor | None = None
    ) -> Heads:
        """Heads that answer every class with the same probability, or with what ``bias`` ``[K]`` says."""
        count = len(held_fold)
        return cls(
            torch.zeros(width, count, num_classes),
            torch.zeros(count, num_classes) if bias is None else bias.repeat(count, 1),
            torch.tensor(held_fold),
            torch.tensor(penalty, dtype=torch.float32),
        )

    def logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """``[B, H, K]`` of scaled features ``[B, D]``."""
        width, count, classes = self.weight.shape
        flat = torch.addmm(self.bias.reshape(-1), inputs, self.weight.reshape(width, -1))
        return flat.view(-1, count, classes)


EpochDone = Callable[[int, float, Heads], None]
"""Called after each epoch with its number (from 1), the learning rate it ended with, and the heads."""


def train_heads(features: FeatureRows, scaling: Scaling, plan: Plan, heads: Heads, on_epoch: EpochDone) -> None:
    """Train ``heads`` in place.

    The loss of a head is the mean cross-entropy over the photos it may learn from plus ``penalty / 2`` times its squared
    weights. Multi-label, it is the sum over the classes of such a loss of each: one against the rest.

    Args:
        features: ``N`` photos.
        scaling: Of the features.
        plan: Labels, folds, epochs, rates.
        heads: Changed in place.
        on_epoch: Called after each epoch.
    """
    optimiser = _Adam([heads.weight, heads.bias])
    labels, folds = torch.from_numpy(plan.labels), torch.from_numpy(plan.folds)
    step = 0
    batches = _Batches(features, scaling, plan)
    with one_thread(when=plan.batch_size * heads.weight.numel() < _WORTH_THREADS):
        for epoch in range(1, plan.epochs + 1):
            for rows, inputs in batches.of_epoch(epoch):
                rate = plan.lr * 0.5 * (1 + math.cos(math.pi * step / plan.steps))
                if plan.cells is None:
                    _set_gradients(heads, inputs, labels[rows], folds[rows], plan.class_weights)
                else:
                    _set_cell_gradients(heads, inputs, plan.cells, rows, folds[rows])
                optimiser.step(rate)
                step += 1
            on_epoch(epoch, rate, heads)


class _Adam:
    """PyTorch's own step of Adam; making its optimiser object would import its compiler, which takes longer than all steps."""

    def __init__(self, parameters: list[torch.Tensor]) -> None:
        self._parameters = parameters
        self._means = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._steps = [torch.zeros(()) for _ in parameters]

    def step(self, rate: float) -> None:
        """Follow the gradients that the parameters hold."""
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        settings: dict[str, Any] = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0, "eps": 1e-8}
        settings |= {"lr": rate, "maximize": False, "fused": True}
        with torch.no_grad():
            adam(self._parameters, gradients, self._means, self._squares, [], self._steps, **settings)


def _set_gradients(
    heads: Heads, inputs: torch.Tensor, labels: torch.Tensor, folds: torch.Tensor, class_weights: torch.Tensor
) -> None:
    """The gradient of every head's loss, written out: softmax minus truth, for the photos that the head may see."""
    held_out = (folds[:, None] == heads.held_fold[None, :]) & (folds[:, None] >= 0)
    seen = (~held_out).float() * class_weights[labels][:, None]  # [B, H]
    share = seen / seen.sum(dim=0).clamp_min(1e-12)
    errors = torch.softmax(heads.logits(inputs), dim=2)  # [B, H, K]
    errors[torch.arange(len(labels)), :, labels] -= 1
    errors *= share[:, :, None]
    gradient = (inputs.T @ errors.view(len(labels), -1)).view(heads.weight.shape)
    heads.weight.grad = gradient + heads.penalty[None, :, None] * heads.weight
    heads.bias.grad = errors.sum(dim=0)


def _set_cell_gradients(heads: Heads, inputs: torch.Tensor, cells: Cells, rows: torch.Tensor, folds: torch.Tensor) -> None:
    """Likewise where each class is a question of its own: sigmoid minus truth, for the cells that are known."""
    held_out = (folds[:, None] == heads.held_fold[None, :]) & (folds[:, None] >= 0)
    seen = (~held_out).float()
    share = seen / seen.sum(dim=0).clamp_min(1e-12)  # [B, H]
    errors = torch.sigmoid(heads.logits(inputs)) - cells.targets[rows][:, None]  # [B, H, K]
    errors *= cells.weights[rows][:, None] * share[:, :, None]
    gradient = (inputs.T @ errors.view(len(rows), -1)).view(heads.weight.shape)
    heads.weight.grad = gradient + heads.penalty[None, :, None] * cells.penalty * heads.weight
    heads.bias.grad = errors.sum(dim=0)


class _Batches:
    """Scaled minibatches in a new random order every epoch."""

    def __init__(self, features: FeatureRows, scaling: Scaling, plan: Plan) -> None:
        self._features = features
        self._scaling = scaling
        self._plan = plan
        self._all = scaling(features.take(slice(None))) if features.fits_memory else None

    def of_epoch(self, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Row numbers ``[B]`` and scaled vectors ``[B, D]``."""
        dice = np.random.default_rng((self._plan.seed, epoch))
        size, count = self._plan.batch_size, len(self._features)
        if self._all is not None:
            for rows in torch.split(torch.from_numpy(dice.permutation(count)), size):
                yield rows, self._all[rows]
            return
        # Read in long runs, mix within many runs at a time: near random, without a seek per photo.
        run, together = 256, max(STREAMED_BLOCK * 4, size) // 256
        starts = dice.permutation(np.arange(0, count, run))
        left = np.empty(0, np.int64)
        for first in range(0, len(starts), together):
            runs = [np.arange(start, min(start + run, count)) for start in np.sort(starts[first : first + together])]
            mixed = np.concatenate([left, dice.permutation(np.concatenate(runs))])
            whole = len(mixed) // size * size if first + together < len(starts) else len(mixed)
            yield from self._read(mixed[:whole], size)
            left = mixed[whole:]

    def _read(self, rows: Ints, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        order = np.argsort(self._features.rows[rows])
        vectors = np.empty((len(rows), self._features.width), np.float32)
        vectors[order] = self._features.take(rows[order])
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            yield torch.from_numpy(rows[part]), self._scaling(vectors[part])
