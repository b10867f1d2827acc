"""The learning-rate range test (L. N. Smith, *Cyclical Learning Rates for Training Neural Networks*, 2017).

A few dozen steps with a rate that grows from step to step: while it is too small the loss hardly moves, where it is right the
loss falls fastest, where it is too large the loss goes up. The test runs on a copy: no weight of the classifier changes.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tsugiki.backbones.freezing import unfreeze
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.require_task import require_task
from tsugiki.core.arguments import argument
from tsugiki.core.console import progress
from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.core.validation import Checks, is_number
from tsugiki.data.augmentation.views import Views, epoch_order
from tsugiki.data.images.decoded_photos import DecodedEachTime
from tsugiki.data.samples import Samples
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings, prepare_model
from tsugiki.fine_tuning.layers import chosen_groups, parameter_groups, set_learning, set_modes
from tsugiki.fine_tuning.objectives import Objective, objective_of
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.state import generators_kept, seed_step
from tsugiki.fine_tuning.training_data import split_for_validation
from tsugiki.locale.messages import tr

_SMOOTHING = 0.85
_DIVERGED = 4.0
_RATES = (1e-12, 1e9)  # learning rates that are numbers at all


@dataclass(frozen=True)
class RateTest:
    """What came out.

    Attributes:
        rates: The learning rates that were tried, growing.
        losses: The smoothed loss at each.
        suggestion: A rate safely below the one where the loss was lowest; ``None`` where no such rate was tried.
    """

    rates: list[float]
    losses: list[float]
    suggestion: float | None

    @property
    def lowest_at(self) -> int:
        """The step at which the smoothed loss was lowest."""
        return _lowest_at(self.losses)


def find_rate(
    classifier: Classifier,
    samples: Samples,
    settings: FineTuneSettings | None = None,
    *,
    steps: int = 60,
    lowest: float = 1e-6,
    highest: float = 1.0,
) -> RateTest:
    """Try learning rates from ``lowest`` to ``highest`` on a copy of ``classifier``.

    Args:
        classifier: On its device; its head should be fitted, as it is where fine-tuning starts. Left as it is.
        samples: Only the photos that fine-tuning would learn from are used; their classes may be in another order.
        settings: Which layers learn, how their rates relate, batches and augmentation.
        steps: How many rates.
        lowest: The first.
        highest: The last, unless the loss explodes before.

    Raises:
        RequestError: When the range makes no sense, or the photos' classes are not the classifier's.
        TrainingError: When the loss is no finite number from the beginning.
    """
    settings = settings or FineTuneSettings()
    given: object = settings
    if not isinstance(given, FineTuneSettings):
        raise RequestError(
            tr("{name} is something else than was expected.", name="settings"),
            allowed="settings=FineTuneSettings(...)",
            got=type(given).__name__,
            cure="find_rate(classifier, samples, FineTuneSettings(lr=1e-4))",
        )
    require_task(classifier, samples)
    rates = rates_between(lowest, highest, steps)
    losses = _smooth(_try(classifier, samples.with_classes(classifier.classes), settings, rates))
    return RateTest(rates[: len(losses)], losses, suggest(rates, losses))


def rates_between(lowest: float, highest: float, steps: int) -> list[float]:
    """``steps`` learning rates from ``lowest`` to ``highest``, each larger than the one before by the same factor.

    Raises:
        RequestError: When the range makes no sense.
    """
    checks = Checks()
    low = checks.real("lowest", lowest, *_RATES)
    high = checks.real("highest", highest, *_RATES)
    count = checks.whole("steps", steps, 10, 100_000)
    if is_number(low) and is_number(high) and low >= high:
        checks.fault("highest", highest, tr("more than lowest, which is {lowest}", lowest=f"{low:g}"))
    checks.refuse(
        tr("These learning rates cannot be tried."),
        cure=" ".join([argument("lowest", 1e-6), argument("highest", 1), argument("steps", 60)]),
    )
    return [low * (high / low) ** (step / (count - 1)) for step in range(count)]


def suggest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A tenth of the rate at which the smoothed loss is lowest: beyond that one, learning is about to break.

    ``None`` where the loss never fell, or a tenth of that rate is less than the first that was tried.

    The rate of the steepest fall, the other customary choice, means little here: fine-tuning starts with a fitted head, so the
    loss is low already and its steepest fall is mostly noise.
    """
    step = _lowest_at(losses)
    rate = rates[step] / 10
    return rate if step and rate >= rates[0] * (1 - 1e-9) else None


def _lowest_at(losses: Sequence[float]) -> int:
    return min(range(len(losses)), key=lambda step: losses[step])


def _try(classifier: Classifier, samples: Samples, settings: FineTuneSettings, rates: Sequence[float]) -> list[float]:
    trial = copy.deepcopy(classifier)
    unfreeze(trial.backbone)
    groups = chosen_groups(trial.backbone, settings.unfreeze)
    set_learning(trial, groups)
    optimizer = torch.optim.AdamW(parameter_groups(trial.head, groups, settings))
    views, objective, batches = _data(trial, samples, settings, len(rates))
    height, width = trial.preprocess.size
    example = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0)).to(trial.device)
    compute = ComputeSettings(channels_last=True, folded=settings.batch_norm == "frozen")
    model = prepare_model(trial, groups, compute, example=example, stored=False)
    set_modes(model.network, batch_norm=settings.batch_norm)
    losses: list[float] = []
    with generators_kept(), progress(tr("Trying learning rates"), len(rates)) as tick:
        for step, (rate, rows) in enumerate(zip(rates, batches, strict=True)):
            seed_step(settings.seed, 0, step, 0)
            batch = views.batch(rows, slice(0, len(rows)), turn=step, step=step, device=trial.device)
            loss = objective.plain_loss(model.call(model.ready(batch.inputs)), rows)
            losses.append(loss.item())
            if not math.isfinite(losses[-1]) or losses[-1] > _DIVERGED * max(losses[0], 0.1):
                break
            for group in optimizer.param_groups:
                group["lr"] = group["base_lr"] / settings.lr * rate
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            tick(1, f"{rate:.1e}")
    finite = [loss for loss in losses if math.isfinite(loss)]
    if not finite:
        raise TrainingError(
            tr("The loss is no finite number any more."),
            got=str(losses[0]),
            cure=tr("start again with a smaller learning rate, and check that the photos are normalised"),
        )
    return finite


def _data(
    trial: Classifier, samples: Samples, settings: FineTuneSettings, steps: int
) -> tuple[Views, Objective, list[list[int]]]:
    """Views of the photos to learn from, the truth about them, and the rows of each step."""
    training, val = split_for_validation(samples, settings)
    paths: list[Path] = [samples.paths[row] for row in training]
    photos = DecodedEachTime(paths, settings.augmentation.stored_side(trial.preprocess))
    views = Views(photos, trial.preprocess, settings.augmentation, settings.seed)
    size = min(settings.batch_size, len(training))
    order: list[int] = []
    while len(order) < steps * size:
        order += epoch_order(settings.seed, len(order), len(training))
    batches = [order[step * size : (step + 1) * size] for step in range(steps)]
    return views, objective_of(samples, training, val, settings, trial.device), batches


def _smooth(losses: Sequence[float]) -> list[float]:
    """A moving average without a bias towards its beginning."""
    average, smoothed = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = _SMOOTHING * average + (1 - _SMOOTHING) * loss
        smoothed.append(average / (1 - _SMOOTHING**step))
    return smoothed
