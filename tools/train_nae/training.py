"""The loop: epochs of shuffled batches until the budget is used up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from tools.train_nae.augment import random_views, whole_views
from tools.train_nae.photos import Photos
from tools.train_nae.schedule import Budget, Schedule
from tools.train_nae.student import Student

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        batch: Photos per step.
        momentum: Of SGD, Nesterov's kind.
        weight_decay: Of everything but biases and normalisation.
        schedule: Learning rate and resolution.
        seed: Of the order and the augmentation.
    """

    batch: int = 256
    momentum: float = 0.9
    weight_decay: float = 2e-4
    schedule: Schedule = field(default_factory=Schedule)
    seed: int = 0


@dataclass(frozen=True)
class Lessons:
    """What is learned from: photos, and the teacher's answers ``[N, T]`` to them."""

    photos: Photos
    answers: torch.Tensor


def train(student: Student, lessons: Lessons, val: Photos, plan: Plan, budget: Budget, report: Report) -> None:
    """Train ``student`` in place, on the device where it is, until ``budget`` is used up; ``report`` hears of every epoch."""
    student.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(student.parameter_groups(plan.weight_decay), lr=0.1, momentum=plan.momentum, nesterov=True)
    generator = torch.Generator().manual_seed(plan.seed)
    step = epoch = 0
    while budget.progress(step) < 1:
        losses = []
        student.train()
        for rows in _shuffled(len(lessons.photos), plan.batch, generator):
            progress = budget.progress(step)
            if progress >= 1:
                break
            _set_learning_rate(optimiser, plan.schedule.learning_rate(progress))
            losses.append(_train_step(student, optimiser, _batch(lessons, rows, plan.schedule.size(progress), generator)))
            step += 1
        epoch += 1
        accuracy = validate(student, val, plan.schedule.sizes[1])
        report({"epoch": epoch, "train_loss": sum(losses) / max(1, len(losses)), "val_acc": accuracy})


def _shuffled(count: int, batch: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Rows of whole batches in random order; a rest that does not fill a batch waits for another epoch's order."""
    order = torch.randperm(count, generator=generator)
    yield from (rows for rows in torch.split(order, batch) if len(rows) == min(batch, count))


def _batch(lessons: Lessons, rows: torch.Tensor, size: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    views = random_views(lessons.photos.pixels[rows], size, generator)
    return views, lessons.photos.labels[rows], lessons.answers[rows]


def _train_step(student: Student, optimiser: torch.optim.Optimizer, batch: tuple[torch.Tensor, ...]) -> float:
    device = _device_of(student)
    views, labels, answers = (part.to(device) for part in batch)
    with torch.autocast(device.type, torch.bfloat16):
        loss = student.loss(views, labels, answers)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    return loss.item()


@torch.inference_mode()
def validate(student: Student, val: Photos, size: int, batch: int = 256) -> float:
    """The share of ``val`` that the label head gets right, whole photos at ``size`` pixels."""
    student.eval()
    device = _device_of(student)
    right = 0
    for start in range(0, len(val), batch):
        views = whole_views(val.pixels[start : start + batch], size).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            answers = student(views)[0].argmax(1)
        right += int((answers.cpu() == val.labels[start : start + batch]).sum())
    return right / len(val)


def steps_in(epochs: float, photos: int, batch: int) -> int:
    """Steps that make up ``epochs``."""
    return max(1, round(epochs * max(1, photos // batch)))


def _set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
