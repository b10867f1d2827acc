"""Every setting of fine-tuning in one place, with values that a beginner never has to touch."""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tsugiki.core.errors import UnknownName
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.core.validation import Checks, is_whole, plain
from tsugiki.data.augmentation.augment import NO_AUGMENTATION, Augmentation
from tsugiki.locale.messages import tr

Precision = Literal["auto", "float32", "bfloat16", "float16"]
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
        unfreeze: ``all``, the number of layer groups below the head that learn (kept as text), or the name of the lowest one.
        unfreeze_every: Unfreeze one group more every so many epochs, from the head down; 0 unfreezes all at once.
        batch_norm: ``frozen`` keeps the pretrained BatchNorm statistics, ``update`` moves them.
        class_weights: Weigh photos so that every class counts the same; validation is never weighed.
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
    unfreeze: str | int = "all"
    unfreeze_every: int = 0
    batch_norm: BatchNorm = "frozen"
    class_weights: bool = False
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
        checks = Checks()
        kept = {name: checks.whole(name, getattr(self, name), *limits) for name, limits in _WHOLE.items()}
        kept |= {name: checks.real(name, getattr(self, name), *limits) for name, limits in _REAL.items()}
        kept |= {name: checks.switch(name, getattr(self, name)) for name in ("blend", "class_weights")}
        for name, kind in _CHOICES.items():
            checks.choice(name, getattr(self, name), get_args(kind))
        kept["unfreeze"] = self._checked_unfreeze(checks)
        given: object = self.augmentation
        if not isinstance(given, Augmentation):
            parts = ", ".join(each.name for each in dataclasses.fields(Augmentation))
            allowed = tr("Augmentation(...), of these parts: {parts}", parts=parts)
            checks.fault("augmentation", given, allowed)
        checks.refuse(
            tr("These fine-tuning settings cannot work."),
            cure=tr("change them as allowed, or leave them out: what is left out has a usual value"),
        )
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    def _checked_unfreeze(self, checks: Checks) -> str:
        text = str(plain(self.unfreeze)) if isinstance(self.unfreeze, str) or is_whole(self.unfreeze) else ""
        # Names of layers begin with a letter, a digit or _; what begins otherwise is a number that makes no sense here.
        if not re.match("[0-9A-Za-z_]", text):
            checks.fault("unfreeze", self.unfreeze, tr("all, a number, 0 or more, or the name of a layer group"))
        return text

    @classmethod
    def preset(cls, name: str = "default", **changes: Any) -> FineTuneSettings:
        """The settings called ``name``, with ``changes``.

        Raises:
            RequestError: When there is no such preset or setting, or a value is impossible.
        """
        if str(name) not in PRESETS:
            cure = tr("leave it out: the usual settings are those of default")
            raise UnknownName(
                tr("There is no preset called {name}.", name=repr(name)), name=str(name), known=PRESETS, cure=cure
            )
        known = {each.name for each in dataclasses.fields(cls)}
        for given in changes:
            if given not in known:
                raise UnknownName(tr("Fine-tuning has no setting {name}.", name=repr(given)), name=given, known=known)
        return cls(**{**PRESETS[name], **changes})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


USUAL_BUDGET = 600.0
"""Seconds that ``--method auto`` may take, where nobody says how long."""


def with_budget(settings: FineTuneSettings) -> FineTuneSettings:
    """The settings with a budget, the usual one where nobody gave one."""
    return settings if settings.budget else dataclasses.replace(settings, budget=USUAL_BUDGET)


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
