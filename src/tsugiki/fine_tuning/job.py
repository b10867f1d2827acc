"""One request, understood: which layers learn from which photos, computed how.

Nothing here loops; :mod:`tsugiki.fine_tuning.run` puts the pieces in order.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from tsugiki.backbones.backbone import WeightsOrigin
from tsugiki.backbones.freezing import unfreeze
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.processes import decided
from tsugiki.data.augmentation.views import Views
from tsugiki.data.images.decoded_photos import decoded, framed
from tsugiki.data.samples import Samples
from tsugiki.features.extract import weights_key
from tsugiki.fine_tuning.checkpoints import Checkpoints
from tsugiki.fine_tuning.course import Course
from tsugiki.fine_tuning.cross_fitting import cross_fit, deal_halves
from tsugiki.fine_tuning.dividing import divide
from tsugiki.fine_tuning.ema import Ema
from tsugiki.fine_tuning.inputs import FromPhotos, Inputs, Material, stored_inputs
from tsugiki.fine_tuning.kernels.choose_way import Workload
from tsugiki.fine_tuning.kernels.step_engine import Engine, Way, build_engine
from tsugiki.fine_tuning.layers import Phase, chosen_groups, norms_of, parameter_groups, phases_of, set_learning
from tsugiki.fine_tuning.planning import make_plan
from tsugiki.fine_tuning.request import Groundwork, check_processes
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import Row, State
from tsugiki.fine_tuning.totals import Tally

_FINE_TUNED = ", fine-tuned"


@dataclass(frozen=True)
class Job:
    """One request, understood."""

    classifier: Classifier
    samples: Samples
    settings: FineTuneSettings
    groundwork: Groundwork
    accelerator: Accelerator
    learned: list[int]
    checked: list[int]
    groups: list[LayerGroup]
    device: torch.device
    began_with: WeightsOrigin

    @classmethod
    def of(
        cls,
        classifier: Classifier,
        samples: Samples,
        settings: FineTuneSettings,
        groundwork: Groundwork,
        accelerator: Accelerator,
        device: torch.device,
    ) -> Job:
        """Understand a request, or refuse it; the job works on a copy of ``classifier``."""
        own = copy.deepcopy(classifier).to(device)
        unfreeze(own.backbone)
        own.temperature, own.unknown = 1.0, None
        samples = samples.with_classes(own.classes)
        divided = divide(samples, settings, groundwork.together)
        # Machines may round differently: what is a near copy is the main process's word, too.
        learned, checked = decided(lambda: divided, accelerator)
        check_processes(len(learned), settings, accelerator)
        return cls(
            own,
            samples,
            settings,
            groundwork,
            accelerator,
            learned,
            checked,
            chosen_groups(own.backbone, str(settings.unfreeze)),
            device,
            own.backbone.origin,
        )

    def start(self) -> State:
        """The state before the first step, once the head is fitted."""
        # Each process has a clock of its own, so the main one's decides: how many epochs, and in how much time.
        return self._state(decided(self._plan, self.accelerator))

    def resumed(self, saved: Mapping[str, Any]) -> State:
        """The state that a checkpoint holds."""
        state = self._state(saved["plan"])
        state.resume(saved)
        if not self.accelerator.is_main_process:
            state.tally = Tally()  # the main process's holds the sum over all
        if self.settings.micro_batch:
            state.micro = self.settings.micro_batch  # perhaps another one than before
        return state

    def _state(self, plan: dict[str, Any]) -> State:
        set_learning(self.classifier, self.groups)
        groups = parameter_groups(self.classifier.head, self.groups, self.settings)
        optimizer = torch.optim.AdamW(groups, fused=self.device.type in {"cpu", "cuda"})
        scaler = torch.amp.GradScaler(self.device.type, enabled=plan["way"]["precision"] == "fp16")
        weights = self._weights()
        micro = self.settings.micro_batch or self.settings.batch_size
        return State(weights, optimizer, scaler, Ema(weights, self.settings.ema_decay), micro, plan)

    def _weights(self) -> dict[str, torch.Tensor]:
        """What may change: parameters that learn, and BatchNorm statistics on request."""
        weights: dict[str, torch.Tensor] = {name: one for name, one in self.classifier.named_parameters() if one.requires_grad}
        if self.settings.batch_norm == "update":
            moving = {id(norm): norm for group in self.groups for part in group.modules for norm in norms_of(part)}
            for path, module in self.classifier.named_modules():
                if id(module) in moving:
                    weights |= {f"{path}.{name}": buffer for name, buffer in module.named_buffers(recurse=False)}
        return weights

    def phases(self, state: State) -> list[Phase]:
        """Which layers learn when."""
        return phases_of(len(self.groups), self.planned(state))

    def _is_stored(self, phase: Phase) -> bool:
        """Whether it pays to store what the frozen layers answer."""
        settings = self.settings
        return (
            0 < settings.stored_views < phase.last - phase.first + 1
            and not settings.augmentation.mixes
            and self.accelerator.num_processes == 1
        )

    def _plan(self) -> dict[str, Any]:
        """Decide what is decided by measuring: the way of computing, and with a budget the number of epochs."""
        settings = self.settings
        per_epoch = -(-len(self.learned) // settings.batch_size)
        phase = phases_of(len(self.groups), settings)[-1]
        share = -(-min(settings.batch_size, len(self.learned)) // self.accelerator.num_processes)
        photos = min(settings.micro_batch or share, share)
        workload = Workload(
            photos=photos,
            size=self.classifier.preprocess.size,
            steps=per_epoch * settings.epochs,
            learning=phase.learning,
            stored=self._is_stored(phase),
            parts=-(-share // photos),
        )
        return make_plan(self.classifier, settings, workload, self.groundwork.spent)

    def planned(self, state: State) -> FineTuneSettings:
        """The settings, with what was decided by measuring."""
        return replace(self.settings, epochs=int(state.plan["epochs"]), budget=float(state.plan["budget"]))

    def material(self, work: Path) -> Material:
        """The photos, decoded into files in ``work``."""
        preprocess, augmentation = self.classifier.preprocess, self.settings.augmentation
        paths = self.samples.paths
        photos = decoded([paths[row] for row in self.learned], augmentation.stored_side(preprocess), work)
        views = Views(photos, preprocess, augmentation, self.settings.seed)
        checked = framed([paths[row] for row in self.checked], preprocess, work)
        return Material(views, len(self.learned), checked, self.device, work)

    def course(self, state: State, checkpoints: Checkpoints, material: Material, on_epoch: Callable[[Row], None]) -> Course:
        """What the loop needs to know."""

        def set_up(phase: Phase) -> tuple[Engine, Inputs]:
            return self._engine(phase, Way(**state.plan["way"]), material)

        labels = torch.from_numpy(self.samples.labels).to(self.device)
        learned = labels[self.learned]
        return Course(
            settings=self.planned(state),
            accelerator=self.accelerator,
            photos=len(self.learned),
            labels=learned,
            checked=labels[self.checked],
            class_weights=_class_weights(learned, len(self.classifier.classes), balance=self.settings.balance),
            checkpoints=checkpoints,
            set_up=set_up,
            on_epoch=on_epoch,
        )

    def _engine(self, phase: Phase, way: Way, material: Material) -> tuple[Engine, Inputs]:
        learning = self.groups[len(self.groups) - phase.learning :]
        set_learning(self.classifier, learning)
        height, width = self.classifier.preprocess.size
        random = torch.Generator().manual_seed(0)
        example = torch.randn(2, 3, height, width, generator=random).to(self.device)
        if self._is_stored(phase):
            engine = build_engine(self.classifier, learning, way, example=example, stored=True)
            inputs = stored_inputs(engine, material, self.settings.stored_views) if engine.prefix else None
            if inputs is not None:
                return engine, inputs
        return build_engine(self.classifier, learning, way, example=example, stored=False), FromPhotos(material)

    def result(self, state: State) -> Classifier:
        """The classifier with the best weights: on the CPU, its backbone frozen, in evaluation mode."""
        for name, tensor in state.weights.items():
            tensor.detach().copy_(state.best_weights[name])
        tuned = self.classifier.to(memory_format=torch.contiguous_format).to("cpu")
        tuned.requires_grad_(requires_grad=False)
        tuned.head.requires_grad_(requires_grad=True)
        tuned.zero_grad(set_to_none=True)
        label = f"{self.began_with.label.removesuffix(_FINE_TUNED)}{_FINE_TUNED}"
        tuned.backbone.origin = WeightsOrigin(label, weights_key(tuned.backbone), self.began_with.licence)
        return tuned.eval()

    def notes(self, state: State) -> dict[str, Any]:
        """How it was trained, plain values."""
        return {
            "method": "fine-tune",
            "settings": self.settings.to_dict(),
            "epochs": len(state.history),
            "best_epoch": state.best_epoch,
            "blended": state.blended,
            "start": asdict(state.start),
            "best": asdict(state.best),
            "validation_photos": len(self.checked),
            "validated": self._validated(state),
            "unfrozen": [group.name for group in self.groups],
            "trainable_parameters": sum(tensor.numel() for tensor in state.weights.values()),
            "batch_norm": self._batch_norm(),
            "way": dict(state.plan["way"]),
            "began_with": {"label": self.began_with.label, "sha256": self.began_with.sha256},
        }

    def _validated(self, state: State) -> dict[str, Any] | None:
        """What fine-tuning is worth on validation photos that did not choose the epoch."""
        half = deal_halves(self.samples, self.checked, seed=self.settings.seed, together=self.groundwork.together)
        start, *epochs = state.answers
        return cross_fit(start, epochs, state.blends, blended=state.best_epoch, half=half)

    def _batch_norm(self) -> str:
        if not norms_of(self.classifier.backbone):
            return "none"
        return "frozen" if self.settings.batch_norm == "frozen" else "updated"


def _class_weights(labels: torch.Tensor, classes: int, *, balance: bool) -> torch.Tensor:
    """``[K]``: all 1, or such that every class counts the same and the mean over the photos is 1."""
    if not balance:
        return torch.ones(classes, device=labels.device)
    counts = torch.bincount(labels, minlength=classes)
    present = int((counts > 0).sum())
    return len(labels) / (present * counts.clamp(min=1).float())
