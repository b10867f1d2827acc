"""What stays the same while a fine-tuning runs, and what a phase computes with.

Letters: ``N`` photos to learn from, ``M`` validation photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import nn

from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.inputs import Inputs
from tsugiki.fine_tuning.kernels.step_engine import Engine
from tsugiki.fine_tuning.layers import Phase
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import Row
from tsugiki.fine_tuning.totals import Tally


@dataclass(frozen=True)
class Course:
    """What stays the same while a fine-tuning runs.

    Attributes:
        settings: Every knob.
        accelerator: Devices and processes.
        photos: How many photos are learned from.
        labels: ``[N]`` of those, on the device.
        checked: ``[M]`` labels of the validation photos, on the device.
        class_weights: ``[K]``, mean 1 over the photos.
        checkpoints: Where to write them.
        set_up: Prepares a phase: what computes, and where batches come from.
        on_epoch: Called with each row of the history.
    """

    settings: FineTuneSettings
    accelerator: Accelerator
    photos: int
    labels: torch.Tensor
    checked: torch.Tensor
    class_weights: torch.Tensor
    checkpoints: Checkpoints
    set_up: Callable[[Phase], tuple[Engine, Inputs]]
    on_epoch: Callable[[Row], None] = field(default=lambda _row: None)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.labels.device

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch."""
        return -(-self.photos // self.settings.batch_size)

    def share_of(self, photos: int) -> slice:
        """Which of a step's ``photos`` this process computes."""
        count, mine = self.accelerator.num_processes, self.accelerator.process_index
        return slice(photos * mine // count, photos * (mine + 1) // count)


@dataclass(frozen=True)
class Running:
    """What a phase computes with."""

    engine: Engine
    inputs: Inputs
    parallel: nn.Module


def set_up(course: Course, phase: Phase) -> Running:
    """What the epochs of ``phase`` compute with."""
    engine, inputs = course.set_up(phase)
    return Running(engine, inputs, _parallel(course, engine))


def _parallel(course: Course, engine: Engine) -> nn.Module:
    if course.accelerator.num_processes == 1:
        return engine.call  # type: ignore[no-any-return]
    # Statistics that move are those of the main process's photos, in every process.
    prepared: nn.Module = course.accelerator.prepare_model(engine.call)
    return prepared


def summed(course: Course, tally: Tally) -> Tally:
    """The sum over all processes."""
    if course.accelerator.num_processes == 1:
        return tally
    numbers = torch.tensor([tally.loss, tally.correct, tally.photos], dtype=torch.float64, device=course.device)
    loss, correct, photos = course.accelerator.reduce(numbers, reduction="sum").tolist()
    return Tally(loss, int(correct), int(photos))


def gathered(course: Course, mine: torch.Tensor) -> torch.Tensor:
    """What all processes found, where each has left zeros in the others' places."""
    if course.accelerator.num_processes == 1:
        return mine
    every: torch.Tensor = course.accelerator.reduce(mine, reduction="sum")
    return every


def agreed(course: Course, seconds: float) -> float:
    """The processes' mean: whether the budget is spent must not be answered differently by each."""
    if course.accelerator.num_processes == 1:
        return seconds
    mean: torch.Tensor = course.accelerator.reduce(torch.tensor(seconds, device=course.device), reduction="mean")
    return mean.item()
