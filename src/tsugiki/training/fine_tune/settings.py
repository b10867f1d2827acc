"""Every knob of fine-tuning in one place, with values that a beginner never has to touch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.core.messages import tr
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.augmentation import NO_AUGMENTATION, Augmentation

Precision = Literal["auto", "float32", "bf16", "fp16"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
Compile = Literal["auto", "on", "off"]
BatchNorm = Literal["frozen", "update"]


@dataclass(frozen=True)
class FineTuneSettings:
    """How to fine-tune.

    Attributes:
        epochs: How often each photo is seen, at most.
        batch_size: Photos per step, over all processes and parts together.
        lr: Learning rate of the head.
        lr_decay: Each layer group below the head learns this much slower than the one above it.
        weight_decay: Of AdamW; never on norms and biases.
        warmup: Share of the steps in which the learning rate rises from zero; afterwards it falls along a cosine.
        clip: Largest norm of the gradient; 0 clips nothing.
        label_smoothing: Share of each label that is spread over all classes.
        ema_decay: Averages the weights over about ``1 / (1 - ema_decay)`` steps; 0 does not.
        blend: At the end, try weights between the start and the best epoch, and keep what validates best.
        patience: Stop after so many epochs that validate no better (accuracy first, loss on a tie); 0 never stops early.
        val_share: Share of the training photos that is kept for validation, where the data name no validation photos.
        unfreeze: ``all``, the number of layer groups below the head that learn, or the name of the lowest that does.
        unfreeze_every: Unfreeze one group more every so many epochs, from the head down; 0 unfreezes all at once.
        batch_norm: ``frozen`` keeps the pretrained BatchNorm statistics, ``update`` moves them.
        balance: Weigh photos so that every class counts the same; validation is never weighed.
        augmentation: What may happen to a photo.
        stored_views: Where the lowest layers stay frozen: how many views of each photo they are stored for; 0 stores none.
        precision: ``auto`` times the choices on this machine.
        memory_format: Likewise.
        compile: ``auto`` tries ``torch.compile`` when the run is long enough to earn it back.
        micro_batch: Photos computed at once per process; 0 computes the whole batch at once. Halved when memory runs out.
        checkpoint_minutes: Write a checkpoint this often; and at every epoch.
        checkpoint_steps: Write a checkpoint every so many steps, too; 0 does not.
        budget: Seconds that the training may take; 0 sets no limit.
        seed: Of everything random.

    Raises:
        RequestError: With every impossible value at once.
    """

    epochs: int = 20
    batch_size: int = 32
    lr: float = 2e-4
    lr_decay: float = 0.8
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    label_smoothing: float = 0.1
    ema_decay: float = 0.95
    blend: bool = True
    patience: int = 6
    val_share: float = 0.2
    unfreeze: str = "all"
    unfreeze_every: int = 0
    batch_norm: BatchNorm = "frozen"
    balance: bool = False
    augmentation: Augmentation = field(default_factory=Augmentation)
    stored_views: int = 4
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"
    compile: Compile = "auto"
    micro_batch: int = 0
    checkpoint_minutes: float = 5.0
    checkpoint_steps: int = 0
    budget: float = 0.0
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        faults = [*self._faults_of_numbers(), *self._faults_of_choices()]
        if faults:
            raise RequestError(tr("These fine-tuning settings cannot work."), got="; ".join(faults))

    def _faults_of_numbers(self) -> Iterator[str]:
        for name, (low, high) in _WHOLE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                yield tr("{name}={got} (a whole number, {range})", name=name, got=repr(value), range=_range(low, high))
        for name, (low, high) in _REAL.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                yield tr("{name}={got} (a number, {range})", name=name, got=repr(value), range=_range(low, high))

    def _faults_of_choices(self) -> Iterator[str]:
        for name, kind in _CHOICES.items():
            if getattr(self, name) not in get_args(kind):
                choices = ", ".join(get_args(kind))
                yield tr("{name}={got} (one of {choices})", name=name, got=repr(getattr(self, name)), choices=choices)
        if (
            not isinstance(self.unfreeze, str)
            or not self.unfreeze
            or (self.unfreeze.lstrip("-").isdigit() and int(self.unfreeze) < 0)
        ):
            yield tr("unfreeze={got} (all, a number, or the name of a layer group)", got=repr(self.unfreeze))

    @classmethod
    def preset(cls, name: str = "default", **changes: Any) -> FineTuneSettings:
        """The settings called ``name``, with ``changes``.

        Raises:
            RequestError: When there is no such preset or knob, or a value is impossible.
        """
        if name not in PRESETS:
            raise UnknownName(tr("There is no preset called {name}.", name=repr(name)), name=name, known=PRESETS)
        known = {each.name for each in dataclasses.fields(cls)}
        for knob in changes:
            if knob not in known:
                raise UnknownName(tr("Fine-tuning has no setting {name}.", name=repr(knob)), name=knob, known=known)
        return cls(**{**PRESETS[name], **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    # A few photos per class: change little, and only near the head.
    "gentle": {"lr": 1e-4, "unfreeze": "2", "epochs": 15},
    # Thousands of photos and time: more epochs, stronger augmentation.
    "thorough": {
        "epochs": 60,
        "patience": 12,
        "ema_decay": 0.99,
        "augmentation": Augmentation(crop=(0.3, 1.0), trivial=True, mixup=0.2, cutmix=1.0, erase=0.25),
    },
    # To see what augmentation is worth.
    "plain": {"augmentation": NO_AUGMENTATION, "label_smoothing": 0.0, "ema_decay": 0.0, "blend": False},
}

_CHOICES = {"batch_norm": BatchNorm, "precision": Precision, "memory_format": MemoryFormat, "compile": Compile}

_WHOLE: dict[str, tuple[float, float]] = {
    "epochs": (1, math.inf),
    "batch_size": (1, math.inf),
    "patience": (0, math.inf),
    "unfreeze_every": (0, math.inf),
    "stored_views": (0, 1000),
    "micro_batch": (0, math.inf),
    "checkpoint_steps": (0, math.inf),
    "seed": (0, 2**32 - 1),
}

_REAL: dict[str, tuple[float, float]] = {
    "lr": (1e-12, 10),
    "lr_decay": (0.01, 1),
    "weight_decay": (0, 1),
    "warmup": (0, 1),
    "clip": (0, 1e6),
    "label_smoothing": (0, 0.9),
    "ema_decay": (0, 0.99999),
    "val_share": (0.01, 0.9),
    "checkpoint_minutes": (0.01, 1e6),
    "budget": (0, 1e9),
}


def _range(low: float, high: float) -> str:
    if high == math.inf:
        return tr("{low} or more", low=f"{low:g}")
    return tr("{low} to {high}", low=f"{low:g}", high=f"{high:g}")
