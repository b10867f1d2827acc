"""What changes while a fine-tuning runs; and what of it goes into a checkpoint.

Every step begins from random numbers that follow from the seed and the step alone (:func:`seed_step`), so the position is all
the random state there is: Python's, NumPy's and PyTorch's generators, on every device and in every process, need not be stored.

Letters: ``B`` photos, ``K`` classes.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.core.arguments import argument
from tsugiki.core.errors import DataError, TrainingError
from tsugiki.core.seeds import set_seeds
from tsugiki.fine_tuning.model_selection import NOT_SCORED, Candidate, Score, candidate_from
from tsugiki.locale.messages import tr

Tensors = Mapping[str, torch.Tensor]

Row = dict[str, float]
"""One epoch of a history: epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds.

Where photos may have several labels, ``train_map`` and ``val_map`` (mean average precision) instead of accuracies.
"""


def out_of_memory(photos: int) -> TrainingError:
    """What to raise where even ``photos`` at once are too many."""
    return TrainingError(
        tr("There is not enough memory to train with {count} photos at once.", count=photos),
        cure=tr("{argument}, or a smaller backbone", argument=argument("micro_batch", max(1, photos // 2))),
    )


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
class RunningMeans:
    """Sums over photos, from which means are exact whatever the batch sizes were."""

    loss: float = 0.0
    correct: int = 0
    photos: int = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Count one batch: its mean ``loss``, ``logits`` ``[B, K]`` and ``labels`` ``[B]``.

        Of photos that may have several labels, ``labels`` are ``[B, K]`` of 1, 0 and, where nobody knows, NaN: a photo is
        right where every class that is known is above one half exactly if the photo shows it.
        """
        if labels.ndim == 2:
            right = (((logits > 0) == (labels > 0.5)) | labels.isnan()).all(dim=1)
        else:
            right = logits.argmax(dim=1) == labels
        self.count(loss, int(right.sum().item()), len(labels))

    def count(self, loss: torch.Tensor, correct: int, photos: int) -> None:
        """Count so many ``photos``: their mean ``loss`` (one number, ``[]``), and how many are answered right."""
        self.loss += finite(loss.item()) * photos
        self.correct += correct
        self.photos += photos

    def means(self) -> tuple[float, float]:
        """Mean loss and accuracy per photo.

        Raises:
            DataError: When there was no photo.
        """
        if not self.photos:
            raise DataError(tr("There is no photo in this DataLoader."))
        return self.loss / self.photos, self.correct / self.photos


@dataclass
class TrainingState:
    """What changes while a fine-tuning runs.

    Attributes:
        weights: The tensors that learn (and BatchNorm statistics where they may move), by name; changed in place.
        optimizer: Of the learning parameters.
        scaler: Of the loss, for float16; without effect otherwise.
        ema: Average of ``weights``.
        epoch: The epoch that is running or comes next, from 1.
        step: Steps of this epoch that are done.
        steps: Steps that are done in all.
        train_means: Of this epoch's photos so far.
        train_logits: ``[N, K]`` of this epoch's photos so far, where only all of them together make a score.
        seconds: That the training has taken, interruptions left out.
        epoch_seconds: Likewise for this epoch.
        history: One row per epoch.
        answers: To the validation photos: before the first step, then after every epoch.
        blends: Likewise, of weights between the start and the best epoch; tried anew wherever a training ends.
        start: Score before the first step, of the fitted head on the pretrained backbone.
        best: Best score of an epoch so far.
        best_epoch: Its epoch; 0 while there is none.
        best_weights: Its (averaged) weights.
        start_weights: Where learning began.
        blended: What share of the way from the start to the best epoch the result went; 1 unless less validated better.
        micro_batch: Photos computed at once per process; halved when memory runs out.
        plan: What was decided by measuring, which must not be decided again: plain values.
    """

    weights: dict[str, torch.Tensor]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: Ema
    micro_batch: int
    plan: dict[str, Any] = field(default_factory=dict)
    answers: list[Candidate] = field(default_factory=list)
    blends: list[Candidate] = field(default_factory=list)
    start: Score = NOT_SCORED
    best: Score = NOT_SCORED
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    start_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    blended: float = 1.0
    best_epoch: int = 0
    epoch: int = 1
    step: int = 0
    steps: int = 0
    train_means: RunningMeans = field(default_factory=RunningMeans)
    train_logits: torch.Tensor | None = None
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    history: list[Row] = field(default_factory=list)

    def to_checkpoint(self) -> dict[str, Any]:
        """Everything to continue from: tensors and plain values."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        return {
            **plain,
            "start": self.start.to_dict(),
            "best": self.best.to_dict(),
            "train_means": asdict(self.train_means),
            "train_logits": self.train_logits,
            "answers": [one.to_dict() for one in self.answers],
            "weights": {name: tensor.detach() for name, tensor in self.weights.items()},
            "best_weights": self.best_weights,
            "start_weights": self.start_weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state(),
        }

    def resume(self, saved: Mapping[str, Any], val_targets: npt.NDArray[np.int8] | None = None) -> None:
        """Go on from :meth:`to_checkpoint`; with the targets ``[M, K]`` of validation photos that may have several labels."""
        for name in _PLAIN:
            setattr(self, name, saved[name])
        self.start, self.best = Score.from_dict(saved["start"]), Score.from_dict(saved["best"])
        self.train_means = RunningMeans(**saved["train_means"])
        self.train_logits = saved.get("train_logits")
        self.answers = [candidate_from(one, val_targets) for one in saved["answers"]]
        for name, tensor in self.weights.items():
            tensor.detach().copy_(saved["weights"][name])
        for kind in ("best_weights", "start_weights"):
            setattr(self, kind, {name: tensor.to(self.weights[name].device) for name, tensor in saved[kind].items()})
        self.optimizer.load_state_dict(saved["optimizer"])
        if saved["scaler"]:
            self.scaler.load_state_dict(saved["scaler"])
        self.ema.load(saved["ema"]["steps"], saved["ema"]["average"])


_PLAIN = ("epoch", "step", "steps", "seconds", "epoch_seconds", "history", "best_epoch", "blended", "micro_batch", "plan")


class Clock:
    """Adds what time has passed to a training's state, and knows when the last checkpoint was written.

    Args:
        state: Of the training; its seconds grow with every :meth:`tick`.
    """

    def __init__(self, state: TrainingState) -> None:
        self._state, self._last = state, time.monotonic()
        self._written = self._last

    def tick(self) -> None:
        """Count the time since the last tick."""
        now = time.monotonic()
        self._state.seconds += now - self._last
        self._state.epoch_seconds += now - self._last
        self._last = now

    def written(self) -> None:
        """A checkpoint was written just now."""
        self._written = time.monotonic()

    def minutes_since_checkpoint(self) -> float:
        """Up to the last tick."""
        return (self._last - self._written) / 60


class Ema:
    """Moving averages of tensors by name: steadier than the last step's (Polyak and Juditsky, 1992).

    The average remembers about ``1 / (1 - decay)`` steps; while there are fewer, it remembers all of them, so that it does not
    hang on where it began.

    Args:
        tensors: What to average: the network's own, which change in place.
        decay: 0 keeps no average: the network's own tensors are what :meth:`in_place` shows.
    """

    def __init__(self, tensors: Tensors, decay: float) -> None:
        self._tensors, self.decay, self.steps = dict(tensors), decay, 0
        self.average = {name: tensor.detach().clone() for name, tensor in tensors.items()} if decay else {}

    @classmethod
    def fixed(cls, tensors: Tensors, values: Tensors) -> Ema:
        """Given ``values`` in the place of an average of ``tensors``."""
        made = cls(tensors, 0.0)
        made.average = dict(values)
        return made

    @torch.no_grad()
    def update(self) -> None:
        """Take the tensors' values after one more step in."""
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        pairs = [(average, self._tensors[name].detach()) for name, average in self.average.items()]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        if floats:
            torch._foreach_lerp_([a for a, _ in floats], [t for _, t in floats], weight)
        for average, tensor in pairs:
            if not average.is_floating_point():
                average.copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this block the network holds the average; afterwards exactly what it held before."""
        own = {name: self._tensors[name].detach().clone() for name in self.average}
        _copy(self.average, self._tensors)
        try:
            yield
        finally:
            _copy(own, self._tensors)

    def values(self) -> dict[str, torch.Tensor]:
        """A copy of the averages, or of the network's own tensors where there is no average."""
        return {name: tensor.detach().clone() for name, tensor in (self.average or self._tensors).items()}

    def state(self) -> dict[str, object]:
        """Everything to continue from."""
        return {"steps": self.steps, "average": self.average}

    def load(self, steps: int, average: Tensors) -> None:
        """Continue from a :meth:`state`."""
        self.steps = steps
        _copy(average, self.average)


@torch.no_grad()
def _copy(source: Tensors, target: Tensors) -> None:
    for name, tensor in source.items():
        target[name].detach().copy_(tensor)


def seed_step(seed: int, epoch: int, step: int, process: int) -> None:
    """Seed every generator for one step of one process."""
    (number,) = np.random.SeedSequence([seed, epoch, step, process]).generate_state(1)
    set_seeds(int(number))


@contextmanager
def generators_kept() -> Iterator[None]:
    """Whatever the block draws, Python's, NumPy's and PyTorch's generators are afterwards what they were before."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(range(torch.accelerator.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
