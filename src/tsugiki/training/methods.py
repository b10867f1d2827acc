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
from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr
from tsugiki.data.samples import Samples
from tsugiki.evaluation.document import headline
from tsugiki.evaluation.rows import Predictions
from tsugiki.training.evidence import Evidence, Looking, gather
from tsugiki.training.fine_tune.auto import choice_sentence, prefers_fine_tuning, within_budget
from tsugiki.training.fine_tune.calibrating import calibrate_fine_tuned
from tsugiki.training.fine_tune.dividing import divide
from tsugiki.training.fine_tune.run import FineTuned, Resume, fine_tune
from tsugiki.training.fine_tune.settings import FineTuneSettings
from tsugiki.training.fine_tune.verdict import compare, verdict_sentence
from tsugiki.training.fit import Learned, learn
from tsugiki.training.head import HeadSettings, Labelled, fit_head
from tsugiki.training.heads import FeatureRows
from tsugiki.training.run import Run
from tsugiki.training.scoring import judge
from tsugiki.training.together import one_first

Method = Literal["transfer", "fine-tune", "auto"]


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune, and where.

    Attributes:
        settings: Every knob.
        folder: For checkpoints; without one an interrupted training cannot be continued.
        resume: ``auto`` goes on if it can, ``must`` refuses to begin anew, ``never`` begins anew.
        on_epoch: Called with each new row of the history, after it was said.
    """

    settings: FineTuneSettings = field(default_factory=FineTuneSettings)
    folder: Path | None = None
    resume: Resume = "auto"
    on_epoch: Callable[[dict[str, float]], None] | None = None


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
            compared on the held-out photos. ``auto``: both, and the one that the validation photos prefer is kept.
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
    with one_first(model.device):
        frozen = learn(model, data, settings, looking)
    if method == "transfer":
        run = frozen.judged()
        say(headline(run.evaluation))
        return run
    if method == "auto":
        fine_tuning = replace(fine_tuning, settings=within_budget(fine_tuning.settings, time.monotonic() - begun))
    tuned = _fine_tuned(frozen, fine_tuning, settings)
    # Everything is decided: only now both are judged on the held-out photos.
    return _kept(frozen.judged(), tuned, _Answers.of(frozen, tuned, fine_tuning.settings, looking), method)


def _fine_tuned(frozen: Learned, fine_tuning: FineTuning, head: HeadSettings) -> FineTuned:
    def fit_head_on(rows: list[int]) -> nn.Linear:
        return _head_on(frozen.evidence, rows, len(frozen.classifier.classes), head)

    return fine_tune(
        frozen.classifier,
        frozen.evidence.samples,
        fine_tuning.settings,
        folder=fine_tuning.folder,
        device=frozen.classifier.device,
        fit_head=fit_head_on,
        resume=fine_tuning.resume,
        on_epoch=fine_tuning.on_epoch,
    )


def _head_on(evidence: Evidence, rows: list[int], num_classes: int, settings: HeadSettings) -> nn.Linear:
    """A head fitted on some of the training photos only."""
    place = {row: at for at, row in enumerate(evidence.training)}
    picked = np.array([place[row] for row in rows])
    features = FeatureRows(evidence.features.vectors, evidence.training_frames.rows[picked])
    labels = evidence.samples.labels[rows]
    found = fit_head(Labelled(features, labels), num_classes, groups=evidence.together(rows), settings=settings)
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
        calibrate_fine_tuned(classifier, evidence, *divide(evidence.samples, settings))
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
