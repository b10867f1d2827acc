"""What changes while a fine-tuning runs; and what of it goes into a checkpoint.

Every step begins from random numbers that follow from the seed and the step alone (``seed_step`` in ``randomness``), so the
position is all the random state there is: Python's, NumPy's and PyTorch's generators, on every device and in every process,
need not be stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from tsugiki.fine_tuning.ema import Ema
from tsugiki.fine_tuning.scores import NOT_SCORED, Answers, Score
from tsugiki.fine_tuning.totals import Tally

Row = dict[str, float]
"""One epoch of a history: epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds."""


@dataclass
class State:
    """What changes while a fine-tuning runs.

    Attributes:
        weights: The tensors that learn (and BatchNorm statistics where they may move), by name; changed in place.
        optimizer: Of the learning parameters.
        scaler: Of the loss, for fp16; without effect otherwise.
        ema: Average of ``weights``.
        epoch: The epoch that is running or comes next, from 1.
        step: Steps of this epoch that are done.
        steps: Steps that are done in all.
        tally: Of this epoch's photos so far.
        seconds: That the training has taken, interruptions left out.
        epoch_seconds: Likewise for this epoch.
        history: One row per epoch.
        answers: To the validation photos: before the first step, then after every epoch.
        blends: Likewise, of weights between the start and the best epoch; tried anew wherever a training ends.
        start: Score before the first step, with the head alone fitted.
        best: Best score of an epoch so far.
        best_epoch: Its epoch; 0 while there is none.
        best_weights: Its (averaged) weights.
        start_weights: Where learning began.
        blended: What share of the way from the start to the best epoch the result went; 1 unless less validated better.
        micro: Photos computed at once per process; halved when memory runs out.
        plan: What was decided by measuring, which must not be decided again: plain values.
    """

    weights: dict[str, torch.Tensor]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: Ema
    micro: int
    plan: dict[str, Any] = field(default_factory=dict)
    answers: list[Answers] = field(default_factory=list)
    blends: list[Answers] = field(default_factory=list)
    start: Score = NOT_SCORED
    best: Score = NOT_SCORED
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    start_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    blended: float = 1.0
    best_epoch: int = 0
    epoch: int = 1
    step: int = 0
    steps: int = 0
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    epoch_seconds: float = 0.0
    history: list[Row] = field(default_factory=list)

    def position(self) -> dict[str, Any]:
        """Everything to continue from: tensors and plain values."""
        plain = {name: getattr(self, name) for name in _PLAIN}
        scores = {name: asdict(getattr(self, name)) for name in ("start", "best", "tally")}
        return {
            **plain,
            **scores,
            "answers": [{"losses": one.losses, "right": one.right} for one in self.answers],
            "weights": {name: tensor.detach() for name, tensor in self.weights.items()},
            "best_weights": self.best_weights,
            "start_weights": self.start_weights,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state(),
        }

    def resume(self, saved: Mapping[str, Any]) -> None:
        """Go on from :meth:`position`."""
        for name in _PLAIN:
            setattr(self, name, saved[name])
        self.start, self.best = Score(**saved["start"]), Score(**saved["best"])
        self.tally = Tally(**saved["tally"])
        self.answers = [Answers(**one) for one in saved["answers"]]
        for name, tensor in self.weights.items():
            tensor.detach().copy_(saved["weights"][name])
        for kind in ("best_weights", "start_weights"):
            setattr(self, kind, {name: tensor.to(self.weights[name].device) for name, tensor in saved[kind].items()})
        self.optimizer.load_state_dict(saved["optimizer"])
        if saved["scaler"]:
            self.scaler.load_state_dict(saved["scaler"])
        self.ema.load(saved["ema"]["steps"], saved["ema"]["average"])


_PLAIN = ("epoch", "step", "steps", "seconds", "epoch_seconds", "history", "best_epoch", "blended", "micro", "plan")
