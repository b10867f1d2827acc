"""Setting a fine-tuning up: which photos, which layers, which way of computing. Nothing here loops."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from tsugiki.backbones.freezing import unfreeze
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.classifier.answer import MultiLabel
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.processes import decided
from tsugiki.data.augmentation.views import Views
from tsugiki.data.images.decoded_photos import decoded, framed
from tsugiki.data.samples import Samples
from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.kernels.autotune import Workload, autotune
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings, PreparedModel, prepare_model
from tsugiki.fine_tuning.layers import Phase, chosen_groups, norms_of, parameter_groups, phases_of, set_learning
from tsugiki.fine_tuning.objectives import objective_of
from tsugiki.fine_tuning.request import StartingPoint, check_processes
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import Ema, Row, RunningMeans, TrainingState
from tsugiki.fine_tuning.trainer import Trainer
from tsugiki.fine_tuning.training_data import Batches, PhotoBatches, TrainingData, split_for_validation, stored_batches
from tsugiki.locale.messages import tr

_ON_TOP = 1.3  # validation and preparing views take about a third of the steps' time on top


@dataclass(frozen=True)
class Setup:
    """One request, understood.

    Attributes:
        classifier: A copy of the given one, on its device; the one that is trained.
        samples: All photos, classes in the classifier's order.
        settings: Every setting.
        starting_point: What has been done before.
        accelerator: Devices and processes.
        training: Rows of the samples to learn from.
        val: Rows to validate on.
        groups: The layer groups that may learn.
    """

    classifier: Classifier
    samples: Samples
    settings: FineTuneSettings
    starting_point: StartingPoint
    accelerator: Accelerator
    training: list[int]
    val: list[int]
    groups: list[LayerGroup]

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        samples: Samples,
        settings: FineTuneSettings,
        starting_point: StartingPoint,
        accelerator: Accelerator,
    ) -> Setup:
        """Understand a request, or refuse it.

        Args:
            classifier: On the device to train on, and to be trained.
            samples: Photos with their splits; their classes may be in another order.
            settings: Every setting.
            starting_point: What has been done before.
            accelerator: Devices and processes.

        Raises:
            RequestError: When there are fewer photos in a step than processes, or no such layers.
            DataError: When there are too few photos.
        """
        unfreeze(classifier.backbone)
        classifier.temperature, classifier.unknown = 1.0, None
        if classifier.multi_label is not None:
            classifier.multi_label = MultiLabel.fresh(len(classifier.classes))
        samples = samples.with_classes(classifier.classes)
        split = split_for_validation(samples, settings, starting_point.groups)
        # Machines may round differently: what is a near copy is the main process's word, too.
        training, val = decided(lambda: split, accelerator)
        check_processes(len(training), settings, accelerator)
        groups = chosen_groups(classifier.backbone, str(settings.unfreeze))
        return cls(classifier, samples, settings, starting_point, accelerator, training, val, groups)

    def begun(self) -> TrainingState:
        """The state before the first step, the head fitted."""
        if (fit_head := self.starting_point.fit_head) is not None:
            self.classifier.head.load_state_dict(decided(lambda: fit_head(self.training).state_dict(), self.accelerator))
        # Each process has a clock of its own, so the main one's decides: how many epochs, and in how much time.
        return self._state(decided(self._plan, self.accelerator))

    def resumed(self, saved: Mapping[str, Any]) -> TrainingState:
        """The state that a checkpoint holds."""
        state = self._state(saved["plan"])
        targets = self.samples.targets
        state.resume(saved, None if targets is None else targets[self.val])
        if not self.accelerator.is_main_process:
            state.train_means, state.train_logits = RunningMeans(), None  # the main process's hold the sum over all
        if self.settings.micro_batch:
            state.micro_batch = self.settings.micro_batch  # perhaps another one than before
        say(tr("Going on in epoch {epoch}, after step {step}.", epoch=state.epoch, step=state.step))
        return state

    def _state(self, plan: dict[str, Any]) -> TrainingState:
        set_learning(self.classifier, self.groups)
        groups = parameter_groups(self.classifier.head, self.groups, self.settings)
        device = self.classifier.device.type
        optimizer = torch.optim.AdamW(groups, fused=device in {"cpu", "cuda"})
        scaler = torch.amp.GradScaler(device, enabled=plan["compute"]["precision"] == "float16")
        weights = self._weights()
        micro_batch = self.settings.micro_batch or self.settings.batch_size
        return TrainingState(weights, optimizer, scaler, Ema(weights, self.settings.ema_decay), micro_batch, plan)

    def _weights(self) -> dict[str, torch.Tensor]:
        """What may change: parameters that learn, and BatchNorm statistics on request."""
        weights: dict[str, torch.Tensor] = {name: one for name, one in self.classifier.named_parameters() if one.requires_grad}
        if self.settings.batch_norm == "update":
            moving = {id(norm): norm for group in self.groups for part in group.modules for norm in norms_of(part)}
            for path, module in self.classifier.named_modules():
                if id(module) in moving:
                    weights |= {f"{path}.{name}": buffer for name, buffer in module.named_buffers(recurse=False)}
        return weights

    def _plan(self) -> dict[str, Any]:
        """Decide what is decided by measuring; what a budget cuts is said.

        Returns:
            Plain values for a checkpoint, since they must not be decided again::

                compute  fields of the compute settings
                seconds  per step: computed in that way, and in the plain one
                budget   seconds that are left, never less than a tenth of it; 0 sets no limit
                epochs   how many are planned
        """
        settings, spent, begun = self.settings, self.starting_point.spent, time.monotonic()
        workload = self._workload()
        choice = autotune(self.classifier, settings, workload)
        spent += time.monotonic() - begun  # trials are paid for, too
        budget = max(settings.budget - spent, settings.budget / 10)
        epochs = _epochs(settings.epochs, budget, choice.seconds * workload.steps / settings.epochs)
        seconds = [choice.seconds, choice.plain_seconds]
        return {"compute": asdict(choice.compute), "seconds": seconds, "budget": budget, "epochs": epochs}

    def _workload(self) -> Workload:
        settings, count = self.settings, len(self.training)
        phase = phases_of(len(self.groups), settings)[-1]
        share = -(-min(settings.batch_size, count) // self.accelerator.num_processes)
        photos = min(settings.micro_batch or share, share)
        return Workload(
            photos=photos,
            size=self.classifier.preprocess.size,
            steps=-(-count // settings.batch_size) * settings.epochs,
            learning=phase.learning,
            stored=self._is_stored(phase),
            parts=-(-share // photos),
        )

    def _is_stored(self, phase: Phase) -> bool:
        """Whether it pays to store what the frozen layers answer."""
        settings = self.settings
        return (
            0 < settings.stored_views < phase.last - phase.first + 1
            and not settings.augmentation.mixes
            and self.accelerator.num_processes == 1
        )

    def _planned(self, state: TrainingState, spent: float = 0.0) -> FineTuneSettings:
        """The settings, with what was decided by measuring; ``spent`` seconds of the budget have gone since."""
        left = float(state.plan["budget"])
        return replace(self.settings, epochs=int(state.plan["epochs"]), budget=max(left - spent, left / 10))

    def phases(self, state: TrainingState) -> list[Phase]:
        """Which layers learn when."""
        return phases_of(len(self.groups), self._planned(state))

    def trainer(self, state: TrainingState, checkpoints: Checkpoints, work: Path, on_epoch: Callable[[Row], None]) -> Trainer:
        """The loop over ``state``, its photos decoded into files in ``work``."""
        begun = time.monotonic()
        data = self._data(work)
        # Decoding is paid for, too; by the main process's clock, or one would train while the other has ended.
        spent = decided(lambda: time.monotonic() - begun, self.accelerator)

        def prepare(phase: Phase) -> tuple[PreparedModel, Batches]:
            return self._prepared(phase, ComputeSettings(**state.plan["compute"]), data)

        return Trainer(
            settings=self._planned(state, spent),
            accelerator=self.accelerator,
            objective=objective_of(self.samples, self.training, self.val, self.settings, self.classifier.device),
            checkpoints=checkpoints,
            prepare=prepare,
            state=state,
            on_epoch=on_epoch,
        )

    def _data(self, work: Path) -> TrainingData:
        preprocess, augmentation = self.classifier.preprocess, self.settings.augmentation
        paths = self.samples.paths
        photos = decoded([paths[row] for row in self.training], augmentation.stored_side(preprocess), work)
        views = Views(photos, preprocess, augmentation, self.settings.seed)
        val = framed([paths[row] for row in self.val], preprocess, work)
        return TrainingData(views, len(self.training), val, self.classifier.device, work)

    def _prepared(self, phase: Phase, compute: ComputeSettings, data: TrainingData) -> tuple[PreparedModel, Batches]:
        learning = self.groups[len(self.groups) - phase.learning :]
        set_learning(self.classifier, learning)
        height, width = self.classifier.preprocess.size
        random = torch.Generator().manual_seed(0)
        example = torch.randn(2, 3, height, width, generator=random).to(data.device)
        if self._is_stored(phase):
            model = prepare_model(self.classifier, learning, compute, example=example, stored=True)
            batches = stored_batches(model, data, self.settings.stored_views) if model.prefix else None
            if batches is not None:
                return model, batches
        return prepare_model(self.classifier, learning, compute, example=example, stored=False), PhotoBatches(data)


def _epochs(asked: int, budget: float, seconds: float) -> int:
    """How many of the epochs that were asked for, whose steps take so many ``seconds``, fit into the budget; one at least."""
    if not budget or not seconds:
        return asked
    fitting = int(budget / (_ON_TOP * seconds))
    numbers = {"budget": f"{budget:.3g}", "epochs": fitting, "asked": asked}
    if not fitting:
        say(tr("One epoch takes longer than the budget of {budget} s; one is trained nevertheless.", **numbers))
    elif fitting < asked:
        say(tr("The budget of {budget} s leaves time for {epochs} of {asked} epochs.", **numbers))
    return max(1, min(asked, fitting))
