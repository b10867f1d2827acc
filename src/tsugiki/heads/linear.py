"""Fit the head on stored features: choose its penalty by cross-validation, then train it, and watch.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes, ``F`` folds, ``H`` heads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.core.console import Tick, progress, say
from tsugiki.core.errors import TrainingError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.core.validation import Checks
from tsugiki.data.folds import IN_NO_FOLD, Groups, deal_folds, deal_folds_of_sets
from tsugiki.data.samples import Samples
from tsugiki.evaluation.metrics import class_weights
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, mean_over_classes
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal
from tsugiki.features.store import FeatureRows, Floats, Ints
from tsugiki.features.table import FeatureTable
from tsugiki.heads.solver import Cells, Heads, Plan, Scaling, train_heads
from tsugiki.locale.messages import tr

# Inverse strength per photo, as scikit-learn's C, for features scaled to unit variance.
_STRENGTHS = tuple(float(value) for value in np.logspace(-3, 0, 7))
_USUAL_STRENGTH = _STRENGTHS[len(_STRENGTHS) // 2]  # where nothing can be cross-validated
_USUAL_RATE = 0.003
_USUAL_STEPS = 500  # optimiser steps that a head needs to settle
_MOST_TO_CHOOSE_ON = 20_000  # photos: the best penalty hardly changes with more of them
_MOST_NUMBERS = 2_000_000  # weights that the heads of one cross-validation may have together
_RATES = (1e-12, 1e6)  # learning rates that are numbers at all; whether they are good ones is the person's affair
_EVERY_EPOCH_UP_TO = 200_000  # photos: with more, curves are taken at the end only (looking costs as much as learning)


@dataclass(frozen=True)
class HeadSettings:
    """How a head is trained.

    Attributes:
        epochs: Passes over the photos; ``None``: as many as about 500 steps need, 3 to 100.
        batch_size: Photos per step; ``None``: 32, more with very many photos.
        lr: Peak learning rate of Adam.
        seed: Of folds and order.
        class_weights: Weigh classes by the inverse of their photos, so that rare ones count as much as frequent ones.
        threshold: Multi-label: what the threshold of each class is chosen for: ``f1``, ``precision=0.9`` or ``recall=0.9``.

    Raises:
        RequestError: With every impossible value at once.
    """

    epochs: int | None = None
    batch_size: int | None = None
    lr: float = _USUAL_RATE
    seed: int = DEFAULT_SEED
    class_weights: bool = False
    threshold: str = "f1"

    def __post_init__(self) -> None:
        checks = Checks()
        for name in ("epochs", "batch_size"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.whole(name, getattr(self, name), 1))
        object.__setattr__(self, "lr", checks.real("lr", self.lr, *_RATES))
        object.__setattr__(self, "seed", checks.whole("seed", self.seed, 0, 2**32 - 1))
        object.__setattr__(self, "class_weights", checks.switch("class_weights", self.class_weights))
        object.__setattr__(self, "threshold", str(ThresholdGoal.read(str(self.threshold))))
        checks.refuse(
            tr("These settings of the head cannot work."),
            cure=tr("change them as allowed, or leave them out: what is left out has a usual value"),
        )

    def plan(self, labels: Ints, num_classes: int, folds: Ints, targets: npt.NDArray[np.int8] | None = None) -> Plan:
        """The settings, with what was left open filled in for photos of these labels ``[N]`` and folds ``[N]``.

        Multi-label: for targets ``[N, K]``.
        """
        cells = None if targets is None else Cells.of(targets, balanced=self.class_weights)
        batch_size = self.batch_size or int(np.clip(len(labels) // 128, 32, 1024))
        epochs = self.epochs or int(np.clip(math.ceil(_USUAL_STEPS / math.ceil(len(labels) / batch_size)), 3, 100))
        balanced = class_weights(labels, num_classes) if self.class_weights and cells is None else np.ones(num_classes)
        weights = torch.from_numpy(balanced).float()
        return Plan(labels, num_classes, folds, weights, epochs, batch_size, self.lr, self.seed, cells)


@dataclass(frozen=True)
class HeadFit:
    """A trained head and what was seen on the way.

    Attributes:
        weight: ``[K, D]``, for features as they are.
        bias: ``[K]``.
        history: One row per epoch: ``epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds``; validation numbers are NaN
            where no photo can be judged by a head that has not learned from it. Multi-label: ``train_map`` and ``val_map``
            (mean average precision) instead of accuracies.
        out_of_fold: ``[N, K]`` logits of each training photo by a head that has learned its class, but not from it; NaN for
            photos in no fold; ``None`` where cross-validation is impossible.
        folds: ``[N]`` the fold of each photo, -1 in none (:func:`tsugiki.data.folds.deal_folds`).
        notes: What was chosen and why, plain values.
        trained: All heads, for scaled features, and their scaling: what :mod:`tsugiki.heads.refit` goes on from.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    history: list[dict[str, float]]
    out_of_fold: Floats | None
    folds: Ints
    notes: dict[str, Any] = field(default_factory=dict)
    trained: tuple[Heads, Scaling] | None = field(default=None, repr=False, compare=False)

    def as_layer(self) -> torch.nn.Linear:
        """A layer of its own that answers like this head."""
        layer = torch.nn.Linear(self.weight.shape[1], self.weight.shape[0])
        with torch.no_grad():
            layer.weight.copy_(self.weight)
            layer.bias.copy_(self.bias)
        return layer


@dataclass(frozen=True)
class Labelled:
    """Features and labels of ``N`` photos.

    Attributes:
        features: Of the photos.
        labels: ``[N]``.
        targets: Multi-label: ``[N, K]`` of 1, 0 and -1 (nobody knows).
    """

    features: FeatureRows
    labels: Ints
    targets: npt.NDArray[np.int8] | None = None

    @classmethod
    def of(cls, features: FeatureRows, samples: Samples, rows: Sequence[int], *, views: int = 1) -> Labelled:
        """Photos at ``rows`` of the samples, view after view."""
        targets = None if samples.targets is None else np.tile(samples.targets[rows], (views, 1))
        return cls(features, np.tile(samples.labels[rows], views), targets)


def fit_head(
    table: FeatureTable, num_classes: int, settings: HeadSettings | None = None, *, rows: list[int] | None = None
) -> HeadFit:
    """Train a linear head on the training photos of a table and on their augmented views.

    Args:
        table: Photos and features.
        num_classes: ``K``.
        settings: How.
        rows: Some of the training photos, by row; all of them where left out, and then the photos of ``val`` give the curves.
    """
    samples = table.samples
    chosen = samples.train_rows if rows is None else rows
    training = Labelled.of(table.train if rows is None else table.train_views(rows), samples, chosen, views=table.views)
    validation = None
    if rows is None and samples.val_rows:
        features = FeatureRows(table.val, np.arange(len(samples.val_rows)))
        validation = Labelled.of(features, samples, samples.val_rows)
    groups = np.tile(table.groups_of(chosen), table.views)
    return fit_linear_head(training, num_classes, groups=groups, validation=validation, settings=settings)


def fit_linear_head(
    training: Labelled,
    num_classes: int,
    *,
    groups: Groups | None = None,
    validation: Labelled | None = None,
    settings: HeadSettings | None = None,
) -> HeadFit:
    """Train a linear head on features.

    The penalty on the weights is chosen by cross-validation (stratified; groups are never split) on the training photos. Then
    ``F + 1`` heads are trained side by side: one on all photos, which is the result, and one without each fold, whose answers
    for that fold give the validation curves (unless there are photos for it) and the out-of-fold logits. Where cross-validation
    is impossible (the photos of a class must not be separated) that is said, and the usual penalty is taken.

    Args:
        training: Photos to learn from.
        num_classes: ``K``.
        groups: ``N`` names or numbers of what must stay together.
        validation: Photos for the validation curves, never learned from.
        settings: How.

    Raises:
        TrainingError: When the loss ends as no finite number.
    """
    settings = settings or HeadSettings()
    if training.targets is None:
        folds = deal_folds(training.labels, groups=groups, seed=settings.seed)
    else:
        folds = deal_folds_of_sets(training.targets, groups=groups, seed=settings.seed)
    plan = settings.plan(training.labels, num_classes, folds, training.targets)
    scaling = Scaling.of(training.features)
    count = int(folds.max()) + 1
    penalty = _choose_penalty(training.features, scaling, plan, count)
    heads = _side_by_side(training.features.width, plan, [*range(count), IN_NO_FOLD], [1 / (penalty["C"] * len(folds))])
    with progress(tr("Training the head"), plan.epochs) as tick:
        watching = _Watch if plan.cells is None else _SetWatch
        watch = watching(training, validation, scaling, plan, tick)
        train_heads(training.features, scaling, plan, heads, watch)
    _tell_divergence(watch.history, plan)
    weight, bias = scaling.undo(heads.weight[:, -1].T, heads.bias[-1])
    notes = {
        "kind": "linear head on stored features" if plan.cells is None else "one-vs-rest logistic heads on stored features",
        "optimiser": "Adam",
        "epochs": plan.epochs,
        "batch_size": plan.batch_size,
        "lr": plan.lr,
        "seed": plan.seed,
        "class_weights": settings.class_weights,
        "penalty": penalty,
        "validation": "val" if validation else "out-of-fold" if count else "none",
    }
    logits = out_of_fold(training.features, scaling, heads, folds)
    return HeadFit(weight, bias, watch.history, logits, folds, notes, (heads, scaling))


def _tell_divergence(history: list[dict[str, float]], plan: Plan) -> None:
    """Say that the learning rate was too high; raise ``TrainingError`` where nothing came of it."""
    lr = plan.lr
    # The loss of a head that knows nothing.
    guessing = math.log(plan.num_classes) if plan.cells is None else math.log(2)
    worst = max((row["train_loss"] for row in history), key=lambda loss: loss if math.isfinite(loss) else math.inf, default=0.0)
    cure = tr("leave the learning rate out ({usual:g}), or give a smaller one", usual=_USUAL_RATE)
    if not math.isfinite(history[-1]["train_loss"] if history else 0.0):
        raise TrainingError(tr("The training of the head diverged: its loss is no finite number."), got=f"lr={lr:g}", cure=cure)
    if not worst <= 2 * guessing:
        say(
            tr(
                "With learning rate {lr:g} the training of the head diverged on the way: its loss rose to {loss:.3g}, "
                "where guessing has {guessing:.2f}. What to do: {cure}.",
                lr=lr,
                loss=worst,
                guessing=guessing,
                cure=cure,
            )
        )


def _choose_penalty(features: FeatureRows, scaling: Scaling, plan: Plan, count: int) -> dict[str, Any]:
    """Notes on the penalty, the chosen one under ``C``; by ``count``-fold cross-validation, the usual one without folds."""
    if not count:
        return {"C": _USUAL_STRENGTH, "chosen_by": "default", "log_loss": {}}
    with progress(tr("Choosing the penalty"), _choosing_plan(plan).epochs) as tick:
        scores = _score_strengths(features, scaling, plan, tick)
    return {
        "C": _STRENGTHS[int(np.argmin(scores))],
        "chosen_by": f"{count}-fold cross-validation",
        "log_loss": dict(zip(map(str, _STRENGTHS), scores, strict=True)),
    }


def impossible_sentence() -> str:
    """What it means for a run that its training photos cannot be cross-validated."""
    return tr(
        "Cross-validation is impossible: fewer than two classes have two training photos or more that do not belong together "
        "(as those of one group, or copies of one photo, do). "
        'The head gets the usual penalty; calibration, doubtful labels and when to say "not sure" are not estimated.'
    )


def _side_by_side(width: int, plan: Plan, folds: list[int], penalties: list[float]) -> Heads:
    """One head per fold and penalty."""
    return Heads.fresh(
        width,
        plan.num_classes,
        [fold for fold in folds for _ in penalties],
        [penalty for _ in folds for penalty in penalties],
        None if plan.cells is None else plan.cells.odds,
    )


def _choosing_plan(plan: Plan) -> Plan:
    """A plan for the cross-validation: of at most so many photos, evenly taken, in large batches.

    Half the steps or fewer find the same penalty, or one that is no worse: each is a factor of three from the next.
    """
    step = math.ceil(len(plan.labels) / _MOST_TO_CHOOSE_ON)
    labels, folds = plan.labels[::step], plan.folds[::step]
    cells = plan.cells and plan.cells.part(slice(None, None, step))
    return replace(plan, labels=labels, folds=folds, cells=cells, batch_size=max(2 * plan.batch_size, len(labels) // 16))


def _score_strengths(features: FeatureRows, scaling: Scaling, plan: Plan, tick: Tick) -> list[float]:
    """Mean log loss, weighed as in training, of each strength on the photos its heads have not learned from."""
    step = math.ceil(len(plan.labels) / _MOST_TO_CHOOSE_ON)
    part = FeatureRows(features.vectors, features.rows[::step])
    plan = _choosing_plan(plan)
    affordable = _MOST_NUMBERS // (features.width * plan.num_classes * len(_STRENGTHS))
    tested = list(range(int(np.clip(affordable, 1, plan.folds.max() + 1))))
    penalties = [1 / (strength * len(part)) for strength in _STRENGTHS]
    heads = _side_by_side(features.width, plan, tested, penalties)
    train_heads(part, scaling, plan, heads, lambda *_: tick(1, ""))
    losses, total = np.zeros(len(_STRENGTHS)), 0.0
    for where, block in part.blocks():
        logits = heads.logits(scaling(block)).view(-1, len(tested), len(_STRENGTHS), plan.num_classes)
        for fold in tested:
            own = plan.folds[where] == fold
            if plan.cells is not None:
                judged = torch.from_numpy(np.arange(len(plan.folds))[where][own])
                losses += plan.cells.losses(logits[own, fold], judged).sum(dim=0).numpy()
                total += len(judged)
                continue
            chosen = torch.log_softmax(logits[own, fold], dim=2)  # [B, strengths, K]
            truth = torch.from_numpy(plan.labels[where][own])
            weights = plan.class_weights[truth]
            losses -= (weights @ chosen[torch.arange(len(truth)), :, truth]).numpy()
            total += float(weights.sum())
    return [float(loss) for loss in losses / max(total, 1e-12)]


def out_of_fold(features: FeatureRows, scaling: Scaling, heads: Heads, folds: Ints) -> Floats | None:
    """Logits ``[N, K]`` of each photo by the head that held its fold out, NaN for photos in no fold; ``None`` without folds."""
    if (folds == IN_NO_FOLD).all():
        return None
    logits = np.empty((len(features), heads.bias.shape[1]), np.float32)
    for where, block in features.blocks():
        of_all = heads.logits(scaling(block)).numpy()  # [B, H, K]
        logits[where] = of_all[np.arange(len(block)), folds[where]]
    logits[folds == IN_NO_FOLD] = np.nan
    return logits


class _Watch:
    """Loss and accuracy after every epoch, in evaluation mode, of training and validation photos."""

    score = "acc"

    def __init__(self, training: Labelled, validation: Labelled | None, scaling: Scaling, plan: Plan, tick: Tick) -> None:
        self._training = training
        self._validation = validation
        self._scaling = scaling
        self._plan = plan
        self._tick = tick
        self._started = time.perf_counter()
        self.history: list[dict[str, float]] = []

    def __call__(self, epoch: int, rate: float, heads: Heads) -> None:
        seconds = time.perf_counter() - self._started
        if len(self._plan.labels) <= _EVERY_EPOCH_UP_TO or epoch == self._plan.epochs:
            train, val = self._scores(heads)
            self.history.append(
                {
                    "epoch": epoch,
                    "train_loss": train[0],
                    f"train_{self.score}": train[1],
                    "val_loss": val[0],
                    f"val_{self.score}": val[1],
                    "lr": rate,
                    "seconds": seconds,
                }
            )
        self._tick(1, "")

    def _scores(self, heads: Heads) -> tuple[tuple[float, float], tuple[float, float]]:
        train, held = np.zeros(2), np.zeros(2)
        labels, folds = self._plan.labels, self._plan.folds
        for where, block in self._training.features.blocks():
            logits = heads.logits(self._scaling(block))  # [B, F + 1, K]
            train += _loss_and_hits(logits[:, -1], labels[where])
            judged = np.flatnonzero(folds[where] != IN_NO_FOLD)
            held += _loss_and_hits(logits[judged, folds[where][judged]], labels[where][judged])
        count = int((folds != IN_NO_FOLD).sum())
        if self._validation is not None:
            held, count = np.zeros(2), len(self._validation.labels)
            for where, block in self._validation.features.blocks():
                held += _loss_and_hits(heads.logits(self._scaling(block))[:, -1], self._validation.labels[where])
        return _means(train, len(labels)), _means(held, count)


class _SetWatch(_Watch):
    """Likewise where a photo may show several classes: mean average precision, of which no sum over photos can be kept."""

    score = "map"

    def _scores(self, heads: Heads) -> tuple[tuple[float, float], tuple[float, float]]:
        folds = self._plan.folds
        own, apart = self._logits(heads, self._training, -1), self._logits(heads, self._training, folds)
        train = _loss_and_precision(self._training, np.arange(len(folds)), own)
        if self._validation is not None:
            every = np.arange(len(self._validation.labels))
            return train, _loss_and_precision(self._validation, every, self._logits(heads, self._validation, -1))
        return train, _loss_and_precision(self._training, np.flatnonzero(folds != IN_NO_FOLD), apart)

    def _logits(self, heads: Heads, photos: Labelled, head: int | Ints) -> Floats:
        """``[N, K]`` by one head, or for each photo by the head of its fold."""
        found = np.empty((len(photos.features), heads.bias.shape[1]), np.float32)
        for where, block in photos.features.blocks():
            logits = heads.logits(self._scaling(block)).numpy()
            found[where] = logits[np.arange(len(block)), head if isinstance(head, int) else head[where]]
        return found


def _loss_and_precision(photos: Labelled, rows: Ints, logits: Floats) -> tuple[float, float]:
    """Mean loss over known cells, class by class, and mean average precision, of photos at ``rows``."""
    assert photos.targets is not None  # noqa: S101 (only then is this asked)
    if not len(rows):
        return math.nan, math.nan
    targets, cells = photos.targets[rows], Cells.of(photos.targets[rows], balanced=False)
    chosen = torch.from_numpy(logits[rows])[:, None]
    loss = float(cells.losses(chosen, torch.arange(len(rows))).mean())
    precision = mean_over_classes(average_precisions(targets, logits[rows]))
    return loss, math.nan if precision is None else precision


def _means(sums: npt.NDArray[np.float64], count: int) -> tuple[float, float]:
    return (float(sums[0] / count), float(sums[1] / count)) if count else (math.nan, math.nan)


def _loss_and_hits(logits: torch.Tensor, labels: Ints) -> npt.NDArray[np.float64]:
    """Summed cross-entropy, and how many were answered right."""
    truth = torch.from_numpy(labels)
    loss = torch.nn.functional.cross_entropy(logits, truth, reduction="sum")
    return np.array([float(loss), float((logits.argmax(dim=1) == truth).sum())])


def judged_rows(out_of_fold: Floats) -> Ints:
    """The rows of ``[N, K]`` logits that a head could answer for."""
    return np.flatnonzero(~np.isnan(out_of_fold).any(axis=1)).astype(np.int64)
