"""The fine-tuning loop. Read it top-down: :meth:`Trainer.fit` -> ``epoch`` -> ``step`` -> ``part``.

One step learns from one batch of the whole training, whatever the number of processes and however many parts the batch is
computed in: losses are added up over photos and divided by the photos of the whole batch, so gradients, learning rates and step
counts do not depend on how the work is divided.

Letters: ``B`` photos, ``K`` classes, ``N`` photos to learn from, ``M`` validation photos.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from accelerate import Accelerator
from torch import nn

from tsugiki.backbones.freezing import lone_photo
from tsugiki.core.console import progress, say
from tsugiki.core.devices import empty_cache, is_out_of_memory
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.augmentation.views import Batch, ahead, epoch_order, steps_of, view_threads
from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.kernels.prepared_model import PreparedModel
from tsugiki.fine_tuning.layers import Phase, lr_factor, set_modes
from tsugiki.fine_tuning.model_selection import NOT_SCORED, Candidate
from tsugiki.fine_tuning.objectives import Objective
from tsugiki.fine_tuning.score_sentences import HISTORY_NAMES, head_alone_sentence
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import Clock, Ema, Row, RunningMeans, TrainingState, finite, out_of_memory, seed_step
from tsugiki.fine_tuning.training_data import Batches
from tsugiki.locale.messages import tr

_VALIDATION_BATCH = 64
_BLENDS = (0.25, 0.5, 0.75)


@dataclass
class Trainer:
    """One training: what stays the same while it runs, and its ``state``, which does not.

    Attributes:
        settings: Every setting.
        accelerator: Devices and processes.
        objective: The truth about the photos, and what answers cost.
        checkpoints: Where to write them.
        prepare: Makes what a phase computes with: the model, and where its batches come from.
        state: What changes, and goes into checkpoints; its ``best_weights`` are the result.
        on_epoch: Called with each row of the history.
        model: What computes this phase's logits.
        batches: Where this phase's batches come from.
        parallel: ``model`` as it is called in training, wrapped where there are several processes.
    """

    settings: FineTuneSettings
    accelerator: Accelerator
    objective: Objective
    checkpoints: Checkpoints
    prepare: Callable[[Phase], tuple[PreparedModel, Batches]]
    state: TrainingState
    on_epoch: Callable[[Row], None]
    model: PreparedModel = field(init=False)
    batches: Batches = field(init=False)
    parallel: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        if self.state.train_logits is None:
            self.state.train_logits = self.objective.kept_logits()

    def fit(self, phases: list[Phase]) -> None:
        """Train from wherever the state is to the end of the last phase."""
        state, begun = self.state, False
        for phase in phases:
            if state.epoch > phase.last or self._is_over():
                continue
            self._begin(phase)
            begun = True
            if state.start == NOT_SCORED:
                self._score_start()
                self.checkpoint()
            while state.epoch <= phase.last and not self._is_over():
                self.epoch()
        if state.epoch <= phases[-1].last and not self._has_settled() and self._budget_is_spent():
            say(tr("The budget ends the training after epoch {epoch}.", epoch=state.epoch - 1))
        if self.settings.blend:
            if not begun:
                self._begin(phases[-1])
            self.blend()

    def epoch(self) -> None:
        """Learn from every photo once, validate, write a row of the history and a checkpoint."""
        state, settings = self.state, self.settings
        self.batches.prepare(state.epoch)
        set_modes(self.model.network, batch_norm=settings.batch_norm)
        steps = steps_of(epoch_order(settings.seed, state.epoch, self.objective.count), settings.batch_size)
        clock = Clock(state)
        label = tr("epoch {epoch} of {epochs}", epoch=state.epoch, epochs=settings.epochs)
        with ContextThreadPool(view_threads()) as pool, progress(label, len(steps)) as tick:
            tick(state.step, "")
            for rows, batch in self._batches_of(steps, pool):
                self.step(batch, len(rows))
                tick(1, f"loss {state.train_means.loss / state.train_means.photos:.3f}")
                clock.tick()
                if state.step < len(steps) and self._checkpoint_is_due(clock):
                    self.checkpoint()
                    clock.written()
        self._finish_epoch(clock)

    def step(self, batch: Batch, photos: int) -> None:
        """One change of the weights, from this process's ``batch`` out of a step's ``photos``."""
        state = self.state
        for group in state.optimizer.param_groups:
            group["lr"] = group["base_lr"] * self._lr_factor(state.steps)
        self._gradients(batch, photos)
        if self.settings.clip:
            state.scaler.unscale_(state.optimizer)
            nn.utils.clip_grad_norm_(list(self.model.network.parameters()), self.settings.clip)
        state.scaler.step(state.optimizer)
        state.scaler.update()
        state.optimizer.zero_grad()
        state.ema.update()
        state.step += 1
        state.steps += 1

    def part(self, part: Batch, photos: int, means: RunningMeans) -> None:
        """Forward and backward pass of some of a step's ``photos``; their losses are added to ``means``."""
        with lone_photo(self.model.network, len(part)), self.model.compute.autocast(self._device):
            logits = self.parallel(self.model.ready(part.inputs)).float()  # [B, K]
        losses = torch.zeros(len(part), device=self._device)
        for rows, share in ((part.rows, part.share), (part.others, 1 - part.share)):
            if share:
                losses = losses + share * self.objective.losses(logits, rows)
        # The processes' gradients are averaged: times their number, the sum over all photos divided by the photos comes out.
        self.state.scaler.scale(losses.sum() * self.accelerator.num_processes / photos).backward()
        # Only now: to tell a number, a device has to have done all that it was asked for, and would wait for more meanwhile.
        means.count(losses.detach().mean(), self.objective.correct(logits.detach(), part.rows), len(part))
        if self.state.train_logits is not None:
            self.state.train_logits[part.rows] = logits.detach().cpu()

    @torch.no_grad()
    def validate(self, ema: Ema) -> Candidate:
        """What the (averaged) weights answer to the validation photos, all processes together.

        Raises:
            TrainingError: When a loss is no finite number.
        """
        found = torch.zeros(self.objective.width, self.objective.val_count, device=self._device)
        mine = self._share_of(self.objective.val_count)
        starts = range(mine.start, mine.stop, _VALIDATION_BATCH)
        with ema.in_place(), progress(tr("Validating"), len(starts)) as tick:
            self.model.network.eval()
            for start in starts:
                rows = slice(start, min(start + _VALIDATION_BATCH, mine.stop))
                with self.model.compute.autocast(self._device):
                    logits = self.model.network(self.model.ready(self.batches.validation(rows))).float()  # [B, K]
                found[:, rows] = self.objective.found(logits, rows)
                tick(1, "")
        found = self._reduced(found).cpu()  # each process has left zeros in the others' places
        finite(found[0].sum().item())
        return self.objective.answers(found)

    def blend(self) -> None:
        """Go back some of the way to the start where that validates better.

        Weights between those of a pretrained and of a fine-tuned network often do better than either (WiSE-FT: Wortsman et al.,
        *Robust fine-tuning of zero-shot models*, CVPR 2022).
        """
        state = self.state
        self.batches.prepare(state.epoch)
        best, state.blends = state.best_weights, []
        for share in _BLENDS:
            mixed = {
                name: torch.lerp(state.start_weights[name], end, share) if end.is_floating_point() else end
                for name, end in best.items()
            }
            state.blends.append(self.validate(Ema.fixed(state.weights, mixed)))
            score = state.blends[-1].score()
            if score.beats(state.best):
                state.best, state.best_weights, state.blended = score, mixed, share

    def checkpoint(self) -> None:
        """Write everything to continue from."""
        if self.accelerator.num_processes > 1:
            total = self._summed(self.state.train_means)
            self.state.train_means = total if self.accelerator.is_main_process else RunningMeans()
            logits = self._all_logits()
            self.state.train_logits = logits if self.accelerator.is_main_process else self.objective.kept_logits()
        if self.accelerator.is_main_process:
            self.checkpoints.save_if_possible(self.state.to_checkpoint())

    def _begin(self, phase: Phase) -> None:
        self.model, self.batches = self.prepare(phase)
        self.parallel = self.model.call
        if self.accelerator.num_processes > 1:
            # Statistics that move are those of the main process's photos, in every process.
            self.parallel = self.accelerator.prepare_model(self.model.call)

    def _score_start(self) -> None:
        """The score to beat: that of the fitted head on the pretrained backbone."""
        state = self.state
        self.batches.prepare(state.epoch)
        state.answers = [self.validate(state.ema)]
        state.start = state.answers[0].score()
        state.start_weights = {name: tensor.detach().clone() for name, tensor in state.weights.items()}
        say(head_alone_sentence(state.start))

    def _batches_of(self, steps: list[list[int]], pool: ContextThreadPool) -> Iterator[tuple[list[int], Batch]]:
        """What is left of the epoch's steps, with this process's batch of each."""
        left = steps[self.state.step :]
        jobs = (
            partial(self.batches.batch, rows, self._share_of(len(rows)), epoch=self.state.epoch, step=number)
            for number, rows in enumerate(left, self.state.step)
        )
        return zip(left, ahead(jobs, pool, depth=view_threads()), strict=True)

    def _gradients(self, batch: Batch, photos: int) -> None:
        """Gradients of the whole ``batch``, in parts that fit into memory."""
        state = self.state
        # A forward pass moves BatchNorm statistics, even one that does not come to its end.
        statistics = {name: one.clone() for name, one in state.weights.items() if not isinstance(one, nn.Parameter)}
        while True:
            # Every attempt begins alike: the same random numbers, the same BatchNorm statistics.
            seed_step(self.settings.seed, state.epoch, state.step, self.accelerator.process_index)
            means = replace(state.train_means)
            try:
                self._all_parts(batch, photos, means)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if state.micro_batch == 1 or self.accelerator.num_processes > 1:
                    raise out_of_memory(state.micro_batch) from error
            else:
                state.train_means = means
                return
            # After the handler: as long as the error lives, so do the activations.
            self._halve_parts(statistics)

    def _all_parts(self, batch: Batch, photos: int, means: RunningMeans) -> None:
        parts = list(batch.parts(self.state.micro_batch))
        for number, part in enumerate(parts, 1):
            with self.accelerator.no_sync(self.parallel) if number < len(parts) else nullcontext():
                self.part(part, photos, means)

    def _halve_parts(self, statistics: dict[str, torch.Tensor]) -> None:
        """Make the parts smaller, and forget the attempt that failed."""
        state = self.state
        state.micro_batch = -(-state.micro_batch // 2)
        state.optimizer.zero_grad()
        for name, tensor in statistics.items():
            state.weights[name].copy_(tensor)
        empty_cache(self._device)
        say(
            tr(
                "Memory ran out: each step is now computed {count} photos at a time; it still learns from all of its photos "
                "at once.",
                count=state.micro_batch,
            )
        )

    def _finish_epoch(self, clock: Clock) -> None:
        state = self.state
        loss, accuracy = self._summed(state.train_means).means()
        state.answers.append(self.validate(state.ema))
        score = state.answers[-1].score()
        clock.tick()
        name = HISTORY_NAMES[score.metric]
        row = {
            "epoch": state.epoch,
            "train_loss": loss,
            f"train_{name}": self.objective.train_score(accuracy, self._all_logits()),
            "val_loss": score.loss,
            f"val_{name}": score.value,
            "lr": self.settings.lr * self._lr_factor(state.steps - 1),
            "seconds": round(state.epoch_seconds, 3),
        }
        state.history.append(row)
        if score.beats(state.best):
            state.best, state.best_epoch, state.best_weights = score, state.epoch, state.ema.values()
        self.on_epoch(row)
        state.epoch, state.step, state.train_means, state.epoch_seconds = state.epoch + 1, 0, RunningMeans(), 0.0
        state.train_logits = self.objective.kept_logits()
        # The processes' mean: whether the budget is spent must not be answered differently by each.
        state.seconds = self._reduced(torch.tensor(state.seconds, dtype=torch.float64), "mean").item()
        self.checkpoint()

    def _checkpoint_is_due(self, clock: Clock) -> bool:
        every = self.settings.checkpoint_steps
        # Clocks differ between processes, steps do not: several processes must agree on when to meet for a checkpoint.
        late = self.accelerator.num_processes == 1 and clock.minutes_since_checkpoint() >= self.settings.checkpoint_minutes
        return late or (every > 0 and self.state.steps % every == 0)

    def _is_over(self) -> bool:
        return self._has_settled() or self._budget_is_spent()

    def _has_settled(self) -> bool:
        """Whether validation has not got better for so many epochs that it hardly will."""
        patience, state = self.settings.patience, self.state
        return bool(patience) and state.step == 0 and state.epoch - 1 - state.best_epoch >= patience

    def _budget_is_spent(self) -> bool:
        """Whether one more epoch would take longer than what is left; the same answer in every process."""
        state, done = self.state, self.state.epoch - 1
        per_epoch = state.seconds / done if done else 0.0
        return bool(self.settings.budget) and done > 0 and state.step == 0 and state.seconds + per_epoch > self.settings.budget

    def _lr_factor(self, step: int) -> float:
        per_epoch = -(-self.objective.count // self.settings.batch_size)
        return lr_factor(step, self.settings.epochs * per_epoch, self.settings.warmup)

    @property
    def _device(self) -> torch.device:
        return self.objective.device

    def _share_of(self, photos: int) -> slice:
        """Which of so many photos this process computes."""
        count, mine = self.accelerator.num_processes, self.accelerator.process_index
        return slice(photos * mine // count, photos * (mine + 1) // count)

    def _summed(self, means: RunningMeans) -> RunningMeans:
        """Over all processes."""
        numbers = torch.tensor([means.loss, means.correct, means.photos], dtype=torch.float64)
        loss, correct, photos = self._reduced(numbers).tolist()
        return RunningMeans(loss, int(correct), int(photos))

    def _all_logits(self) -> torch.Tensor | None:
        """``[N, K]`` of this epoch's photos so far, those of all processes: each has left zeros in the others' places."""
        kept = self.state.train_logits
        return None if kept is None else self._reduced(kept).cpu()

    def _reduced(self, numbers: torch.Tensor, reduction: str = "sum") -> torch.Tensor:
        """The processes' sum or mean."""
        if self.accelerator.num_processes == 1:
            return numbers
        found: torch.Tensor = self.accelerator.reduce(numbers.to(self._device), reduction=reduction)
        return found
