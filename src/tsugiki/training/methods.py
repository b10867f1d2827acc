"""Training by either method: transfer learning, fine-tuning, or whichever validation prefers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import nn

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.errors import DataError, RequestError, TrainingError, TsugikiError
from tsugiki.core.processes import accelerator_on, one_first
from tsugiki.data.samples import Samples
from tsugiki.evaluation.predictions import Predictions, headline
from tsugiki.features.table import Evidence, Looking, find_samples, gather
from tsugiki.features.vectors import FeatureRows
from tsugiki.fine_tuning.fine_tune import FineTuned, calibrate_fine_tuned, fine_tune
from tsugiki.fine_tuning.model_selection import (
    choice_sentence,
    compare,
    given_up_sentence,
    prefers_fine_tuning,
    verdict_sentence,
)
from tsugiki.fine_tuning.request import Resume, StartingPoint, check_request, check_resume
from tsugiki.fine_tuning.settings import FineTuneSettings, with_budget
from tsugiki.fine_tuning.training_data import split_for_validation
from tsugiki.heads.linear import HeadSettings, Labelled, fit_head
from tsugiki.locale.messages import tr
from tsugiki.training.fit import Learned, learn
from tsugiki.training.fit import fit as fit_transfer
from tsugiki.training.judge import judge
from tsugiki.training.run import Run

Method = Literal["transfer", "fine-tune", "auto"]


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune, and where.

    Attributes:
        settings: Every knob.
        folder: For checkpoints; without one an interrupted training cannot be continued.
        resume: ``auto`` goes on if it can, ``must`` refuses to begin anew, ``never`` begins anew.
        on_epoch: Called with each new row of the history, after it was said.

    Raises:
        RequestError: When one of them is something else.
    """

    settings: FineTuneSettings = field(default_factory=FineTuneSettings)
    folder: Path | None = None
    resume: Resume = "auto"
    on_epoch: Callable[[dict[str, float]], None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.settings, FineTuneSettings):
            raise _another_kind("settings", FineTuneSettings, self.settings)
        folder: object = self.folder
        if isinstance(folder, str):
            object.__setattr__(self, "folder", Path(folder))
        check_resume(self.resume)


def _another_kind(name: str, kind: type, got: object) -> RequestError:
    what = tr("{name} is something else than was expected.", name=name)
    return RequestError(what, allowed=f"{name}={kind.__name__}(...)", got=type(got).__name__)


def fit(
    model: Classifier,
    data: Samples | str | Path,
    *,
    method: Method = "transfer",
    settings: HeadSettings | None = None,
    looking: Looking | None = None,
    fine_tuning: FineTuning | None = None,
) -> Run:
    """Train a classifier on labelled photos.

    Args:
        model: Trained in place, on the device it is on.
        data: Samples from :func:`tsugiki.load`, or what that takes.
        method: ``transfer``: the backbone stays frozen, the head learns. ``fine-tune``: then all layers learn, and the two are
            compared on the held-out photos. ``auto``: both, and the one that the validation photos prefer is kept; the first
            one, too, where fine-tuning is not possible.
        settings: Of the head.
        looking: How features are computed: engine, views and store.
        fine_tuning: How to fine-tune.

    Returns:
        The run; ``run.classifier`` is ``model``. After fine-tuning ``run.evaluation["fine_tuning"]`` compares both methods, and
        ``run.out_of_fold`` are still those of the frozen backbone: fine-tuning is not repeated per fold.

    Raises:
        RequestError: When the photos' classes are not the model's, or the settings do not fit.
        DataError: When the photos cannot be used.
        TrainingError: When fine-tuning could not go on.
    """
    if method not in get_args(Method):
        raise RequestError(tr("There is no such method."), allowed=", ".join(get_args(Method)), got=repr(method))
    begun = time.monotonic()
    settings, looking, fine_tuning = settings or HeadSettings(), looking or Looking(), fine_tuning or FineTuning()
    for name, given, kind in (("settings", settings, HeadSettings), ("fine_tuning", fine_tuning, FineTuning)):
        if not isinstance(given, kind):
            raise _another_kind(name, kind, given)
    if method == "transfer":
        with one_first(model.device):
            return fit_transfer(model, data, settings=settings, looking=looking)
    return _fit_both(model, data, _Plan(method, settings, looking, fine_tuning, begun))


@dataclass(frozen=True)
class _Plan:
    """What a fit by both methods was asked to do; ``begun``: when, by the clock."""

    method: Method
    head: HeadSettings
    looking: Looking
    fine_tuning: FineTuning
    begun: float

    def check(self, model: Classifier, samples: Samples) -> str:
        """Understand the request before features are computed; gives its digest."""
        return check_request(
            model,
            samples,
            self.fine_tuning.settings,
            folder=self.fine_tuning.folder,
            resume=self.fine_tuning.resume,
            head=repr((self.head, self.looking.views, self.looking.engine)),
        )


def _fit_both(model: Classifier, data: Samples | str | Path, plan: _Plan) -> Run:
    """The head first, then all layers, then the one that is kept."""
    if plan.method == "auto":
        plan = replace(plan, fine_tuning=replace(plan.fine_tuning, settings=with_budget(plan.fine_tuning.settings)))
    impossible: TsugikiError | None = None
    request = ""
    with one_first(model.device):
        samples = data if isinstance(data, Samples) else find_samples(data, seed=plan.head.seed, store=plan.looking.store)
    try:
        request = plan.check(model, samples)
    except DataError as error:
        if plan.method != "auto":
            raise
        impossible = error
    with one_first(model.device):
        frozen = learn(model, samples, plan.head, plan.looking)
    if impossible is None:
        try:
            tuned = _fine_tuned(frozen, plan, request)
        except (DataError, TrainingError) as error:
            # One of several processes that fail must not leave the others waiting for it.
            if plan.method != "auto" or accelerator_on(model.device).num_processes > 1:
                raise
            impossible = error
    if impossible is not None:
        return _without_fine_tuning(frozen, impossible)
    # Everything is decided: only now both are judged on the held-out photos.
    return _kept(frozen.judged(), tuned, _Answers.of(frozen, tuned, plan.fine_tuning.settings, plan.looking), plan.method)


def _without_fine_tuning(frozen: Learned, reason: TsugikiError) -> Run:
    say(given_up_sentence(reason))
    run = frozen.judged()
    run.classifier.notes = {**run.classifier.notes, "asked_for": "auto"}
    say(headline(run.evaluation))
    return run


def _fine_tuned(frozen: Learned, plan: _Plan, request: str) -> FineTuned:
    def fit_head_on(rows: list[int]) -> nn.Linear:
        return _head_on(frozen.evidence, rows, len(frozen.classifier.classes), plan.head)

    spent = time.monotonic() - plan.begun if plan.method == "auto" else 0.0
    return fine_tune(
        frozen.classifier,
        frozen.evidence.samples,
        plan.fine_tuning.settings,
        folder=plan.fine_tuning.folder,
        device=frozen.classifier.device,
        starting_point=StartingPoint(fit_head_on, frozen.evidence.together, spent, request),
        resume=plan.fine_tuning.resume,
        on_epoch=plan.fine_tuning.on_epoch,
    )


def _head_on(evidence: Evidence, rows: list[int], num_classes: int, settings: HeadSettings) -> nn.Linear:
    """A head fitted on some of the training photos only, and on their augmented views."""
    place = {row: at for at, row in enumerate(evidence.training)}
    picked = np.array([place[row] for row in rows])
    views = len(evidence.features) // len(evidence.training)
    features = FeatureRows(evidence.features.vectors, evidence.features.rows.reshape(views, -1)[:, picked].reshape(-1))
    labels = np.tile(evidence.samples.labels[rows], views)
    groups = np.tile(evidence.together(rows), views)
    found = fit_head(Labelled(features, labels), num_classes, groups=groups, settings=settings)
    head = nn.Linear(features.width, num_classes)
    with torch.no_grad():
        head.weight.copy_(found.weight)
        head.bias.copy_(found.bias)
    return head


@dataclass(frozen=True)
class _Answers:
    """What the fine-tuned classifier says about the photos."""

    evidence: Evidence
    predictions: Predictions
    evaluation: dict[str, Any]

    @classmethod
    def of(cls, frozen: Learned, tuned: FineTuned, settings: FineTuneSettings, looking: Looking) -> _Answers:
        classifier = tuned.classifier.to(frozen.classifier.device)
        with one_first(frozen.classifier.device):
            evidence = gather(classifier.backbone, classifier.preprocess, frozen.evidence.samples, replace(looking, views=0))
        classifier.notes = {**classifier.notes, "calibration": "validation"}
        calibrate_fine_tuned(classifier, evidence, *split_for_validation(evidence.samples, settings, frozen.evidence.together))
        return cls(evidence, *judge(classifier, evidence))


def _kept(frozen: Run, tuned: FineTuned, answers: _Answers, method: Method) -> Run:
    """The run of the classifier that is kept, with the comparison of both."""
    chosen = method == "fine-tune" or prefers_fine_tuning(tuned.notes)
    if method == "auto":
        say(choice_sentence(tuned.notes))
    comparison = compare(frozen.predictions, answers.predictions)
    say(verdict_sentence(comparison))
    if not chosen:
        frozen.classifier.notes = {**frozen.classifier.notes, "asked_for": method, "fine_tuning": tuned.notes}
        say(headline(frozen.evaluation))
        return replace(frozen, evaluation={**frozen.evaluation, "fine_tuning": comparison})
    take_over(frozen.classifier, tuned.classifier)
    told = {"method": "fine-tune", "asked_for": method, "calibration": tuned.classifier.notes["calibration"]}
    frozen.classifier.notes = {**frozen.classifier.notes, **tuned.notes, **told}
    say(headline(answers.evaluation))
    evaluation = {**answers.evaluation, "fine_tuning": comparison}
    return Run(frozen.classifier, tuned.history, evaluation, answers.predictions, answers.evidence, frozen.out_of_fold)


def take_over(model: Classifier, tuned: Classifier) -> None:
    """Make ``model`` what ``tuned`` is: weights, where they come from, calibration."""
    model.load_state_dict(tuned.state_dict())
    model.backbone.origin = tuned.backbone.origin
    model.temperature, model.unknown = tuned.temperature, tuned.unknown
