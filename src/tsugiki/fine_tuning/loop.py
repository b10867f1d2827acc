"""The fine-tuning loop. Read it top-down: :func:`train` -> ``_epoch`` -> ``_step`` -> ``_part``.

One step learns from one batch of the whole training, whatever the number of processes and however many parts the batch is
computed in: losses are added up over photos and divided by the photos of the whole batch, so gradients, learning rates and step
counts do not depend on how the work is divided.

Letters: ``B`` photos, ``K`` classes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from tsugiki.backbones.freezing import lone_photo
from tsugiki.core.console import progress, say
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.augmentation.views import Batch, ahead, epoch_order, steps_of, view_threads
from tsugiki.fine_tuning.course import Course, Running, agreed, set_up, summed
from tsugiki.fine_tuning.kernels.memory import give_back, not_enough, ran_out
from tsugiki.fine_tuning.layers import Phase, set_modes
from tsugiki.fine_tuning.randomness import seed_step
from tsugiki.fine_tuning.schedule import factor
from tsugiki.fine_tuning.scores import NOT_SCORED
from tsugiki.fine_tuning.scoring import blend, score_start, validate
from tsugiki.fine_tuning.state import State
from tsugiki.fine_tuning.totals import Tally
from tsugiki.locale.messages import tr


def train(course: Course, state: State, phases: list[Phase]) -> None:
    """Train from wherever ``state`` is to the end; ``state.best_weights`` is the result."""
    running = None
    for phase in phases:
        if state.epoch > phase.last or _is_over(course, state):
            continue
        running = set_up(course, phase)
        if state.start == NOT_SCORED:
            score_start(course, state, running)
            _checkpoint(course, state)
        while state.epoch <= phase.last and not _is_over(course, state):
            _epoch(course, state, running)
    if state.epoch <= phases[-1].last and not _has_settled(course, state) and _budget_is_spent(course, state):
        say(tr("The budget ends the training after epoch {epoch}.", epoch=state.epoch - 1))
    if course.settings.blend:
        blend(course, state, running or set_up(course, phases[-1]))


def _epoch(course: Course, state: State, running: Running) -> None:
    """Learn from every photo once, validate, write a row of the history and a checkpoint."""
    running.inputs.prepare(state.epoch)
    set_modes(running.engine.network, batch_norm=course.settings.batch_norm)
    steps = steps_of(epoch_order(course.settings.seed, state.epoch, course.photos), course.settings.batch_size)
    clock = _Clock(state)
    label = tr("epoch {epoch} of {epochs}", epoch=state.epoch, epochs=course.settings.epochs)
    with ContextThreadPool(view_threads()) as pool, progress(label, len(steps)) as tick:
        tick(state.step, "")
        for rows, batch in _batches(course, state, running, steps, pool):
            _step(course, state, running, batch, len(rows))
            tick(1, f"loss {state.tally.loss / state.tally.photos:.3f}")
            clock.tick()
            if state.step < len(steps):
                _perhaps_checkpoint(course, state, clock)
    _finish_epoch(course, state, running, clock)


def _step(course: Course, state: State, running: Running, batch: Batch, photos: int) -> None:
    """One change of the weights, from this process's ``batch`` out of a step's ``photos``."""
    settings = course.settings
    rate = factor(state.steps, settings.epochs * course.steps_per_epoch, settings.warmup)
    for group in state.optimizer.param_groups:
        group["lr"] = group["base_lr"] * rate
    _gather_gradients(course, state, running, batch, photos)
    if settings.clip:
        state.scaler.unscale_(state.optimizer)
        nn.utils.clip_grad_norm_(list(running.engine.network.parameters()), settings.clip)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad()
    state.ema.update()
    state.step += 1
    state.steps += 1


def _part(course: Course, state: State, running: Running, part: Batch, photos: int, tally: Tally) -> None:
    """Forward and backward pass of some of a step's photos."""
    network, settings = running.engine.network, course.settings
    labels, others = course.labels[part.rows], course.labels[part.others]
    with lone_photo(network, len(part)), running.engine.way.autocast(course.device):
        logits = running.parallel(running.engine.ready(part.inputs)).float()  # [B, K]
    losses = torch.zeros(len(part), device=course.device)
    for targets, share in ((labels, part.share), (others, 1 - part.share)):
        if share:
            each = functional.cross_entropy(logits, targets, reduction="none", label_smoothing=settings.label_smoothing)
            losses = losses + share * course.class_weights[targets] * each
    tally.add(losses.detach().mean(), logits.detach(), labels)
    # The processes' gradients are averaged: times their number, the sum over all photos divided by the photos comes out.
    state.scaler.scale(losses.sum() * course.accelerator.num_processes / photos).backward()


def _gather_gradients(course: Course, state: State, running: Running, batch: Batch, photos: int) -> None:
    """Gradients of the whole ``batch``, in parts that fit into memory."""
    statistics = _statistics(state)
    while True:
        # Every attempt begins alike: the same random numbers, the same BatchNorm statistics.
        seed_step(course.settings.seed, state.epoch, state.step, course.accelerator.process_index)
        tally = replace(state.tally)
        try:
            _all_parts(course, state, running, batch, photos, tally)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            if state.micro == 1 or course.accelerator.num_processes > 1:
                raise not_enough(state.micro) from error
        else:
            state.tally = tally
            return
        # After the handler: as long as the error lives, so do the activations.
        _halve(course, state, statistics)


def _all_parts(course: Course, state: State, running: Running, batch: Batch, photos: int, tally: Tally) -> None:
    parts = list(batch.parts(state.micro))
    for number, part in enumerate(parts, 1):
        wait = number < len(parts)
        with course.accelerator.no_sync(running.parallel) if wait else nullcontext():
            _part(course, state, running, part, photos, tally)


def _statistics(state: State) -> dict[str, torch.Tensor]:
    """Copies of the BatchNorm statistics that may move: a forward pass moves them, even one that does not come to its end."""
    return {name: tensor.clone() for name, tensor in state.weights.items() if not isinstance(tensor, nn.Parameter)}


def _halve(course: Course, state: State, statistics: dict[str, torch.Tensor]) -> None:
    """Make the parts smaller, and forget the attempt that failed."""
    state.micro = -(-state.micro // 2)
    state.optimizer.zero_grad()
    for name, tensor in statistics.items():
        state.weights[name].copy_(tensor)
    give_back(course.device)
    say(
        tr(
            "Memory ran out: each step is now computed {count} photos at a time; it still learns from all of its photos "
            "at once.",
            count=state.micro,
        )
    )


def _batches(
    course: Course, state: State, running: Running, steps: list[list[int]], pool: ContextThreadPool
) -> Iterator[tuple[list[int], Batch]]:
    """What is left of the epoch's steps, with this process's batch of each."""
    left = steps[state.step :]
    jobs = (
        partial(running.inputs.batch, rows, course.share_of(len(rows)), epoch=state.epoch, step=number)
        for number, rows in enumerate(left, state.step)
    )
    return zip(left, ahead(jobs, pool, depth=view_threads()), strict=True)


def _finish_epoch(course: Course, state: State, running: Running, clock: _Clock) -> None:
    loss, accuracy = summed(course, state.tally).means()
    state.answers.append(validate(course, state.ema, running))
    score = state.answers[-1].score()
    clock.tick()
    rate = factor(state.steps - 1, course.settings.epochs * course.steps_per_epoch, course.settings.warmup)
    row = {
        "epoch": state.epoch,
        "train_loss": loss,
        "train_acc": accuracy,
        "val_loss": score.loss,
        "val_acc": score.accuracy,
        "lr": course.settings.lr * rate,
        "seconds": round(state.epoch_seconds, 3),
    }
    state.history.append(row)
    if score.beats(state.best):
        state.best, state.best_epoch, state.best_weights = score, state.epoch, state.ema.values()
    course.on_epoch(row)
    state.epoch, state.step, state.tally, state.epoch_seconds = state.epoch + 1, 0, Tally(), 0.0
    state.seconds = agreed(course, state.seconds)
    _checkpoint(course, state)


def _is_over(course: Course, state: State) -> bool:
    return _has_settled(course, state) or _budget_is_spent(course, state)


def _has_settled(course: Course, state: State) -> bool:
    """Whether validation has not got better for so many epochs that it hardly will."""
    patience = course.settings.patience
    return bool(patience) and state.step == 0 and state.epoch - 1 - state.best_epoch >= patience


def _budget_is_spent(course: Course, state: State) -> bool:
    """Whether one more epoch would take longer than what is left; the same answer in every process."""
    done = state.epoch - 1
    per_epoch = state.seconds / done if done else 0.0
    return bool(course.settings.budget) and done > 0 and state.step == 0 and state.seconds + per_epoch > course.settings.budget


class _Clock:
    """Adds what time has passed to the state, and knows when the last checkpoint was written."""

    def __init__(self, state: State) -> None:
        self._state, self._last = state, time.monotonic()
        self.written = self._last

    def tick(self) -> None:
        now = time.monotonic()
        self._state.seconds += now - self._last
        self._state.epoch_seconds += now - self._last
        self._last = now

    def minutes_since_checkpoint(self) -> float:
        return (self._last - self.written) / 60


def _perhaps_checkpoint(course: Course, state: State, clock: _Clock) -> None:
    every = course.settings.checkpoint_steps
    # Clocks differ between processes, steps do not: several processes must agree on when to meet for a checkpoint.
    due = course.accelerator.num_processes == 1 and clock.minutes_since_checkpoint() >= course.settings.checkpoint_minutes
    if due or (every and state.steps % every == 0):
        _checkpoint(course, state)
        clock.written = time.monotonic()


def _checkpoint(course: Course, state: State) -> None:
    if course.accelerator.num_processes > 1:
        total = summed(course, state.tally)
        state.tally = total if course.accelerator.is_main_process else Tally()
    if course.accelerator.is_main_process:
        course.checkpoints.save(state.position())
