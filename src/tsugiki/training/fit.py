"""The whole story of training: photos and a classifier in, a run out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from tsugiki.classifier.answer import NOT_ESTIMATED
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.data.samples import Samples
from tsugiki.evaluation.predictions import headline
from tsugiki.features.table import Evidence, Looking, find_samples, gather
from tsugiki.features.vectors import FeatureRows, Floats
from tsugiki.heads.linear import HeadFit, HeadSettings, Labelled, fit_head, impossible_sentence
from tsugiki.inspection.seen_photos import fingerprint, seen_notes
from tsugiki.training.judge import calibrate, judge
from tsugiki.training.run import Run


def fit(
    model: Classifier,
    data: Samples | str | Path,
    *,
    settings: HeadSettings | None = None,
    looking: Looking | None = None,
) -> Run:
    """Train a classifier on labelled photos by transfer learning: the backbone stays frozen, the head learns.

    Args:
        model: Its head is trained in place; its backbone is not touched.
        data: Samples from :func:`tsugiki.load`, or what that takes.
        settings: Of the head.
        looking: Engine, views and store.

    Returns:
        The run; ``run.classifier`` is ``model``.

    Raises:
        RequestError: When the photos' classes are not the model's.
        DataError: When the photos cannot be used.
    """
    run = learn(model, data, settings or HeadSettings(), looking or Looking()).judged()
    say(headline(run.evaluation))
    return run


@dataclass(frozen=True)
class Learned:
    """A classifier whose head has learned and is calibrated; what it says about the held-out photos nobody has seen yet.

    Attributes:
        classifier: Trained.
        history: See :class:`tsugiki.training.run.Run`.
        evidence: Photos and features that it was made from.
        out_of_fold: See :class:`tsugiki.training.run.Run`.
    """

    classifier: Classifier
    history: list[dict[str, float]]
    evidence: Evidence
    out_of_fold: Floats | None

    def judged(self) -> Run:
        """The run: the one look at the held-out photos."""
        predictions, evaluation = judge(self.classifier, self.evidence)
        return Run(self.classifier, self.history, evaluation, predictions, self.evidence, self.out_of_fold)


def learn(model: Classifier, data: Samples | str | Path, settings: HeadSettings, looking: Looking) -> Learned:
    """:func:`fit` without its last step: no answer about a held-out photo is asked for."""
    samples = data if isinstance(data, Samples) else find_samples(data, seed=settings.seed, store=looking.store)
    samples = samples.with_classes(model.classes)
    evidence = gather(model.backbone, model.preprocess, samples, looking)
    head = _fit_on(evidence, len(model.classes), settings)
    if head.out_of_fold is None:
        say(impossible_sentence())
    with torch.no_grad():
        model.head.weight.copy_(head.weight)
        model.head.bias.copy_(head.bias)
    out_of_fold = None if head.out_of_fold is None else head.out_of_fold[: len(evidence.training)]
    calibrate(model, evidence, out_of_fold)
    model.notes = {
        "method": "transfer",
        "head": head.notes,
        "calibration": NOT_ESTIMATED if out_of_fold is None else "out-of-fold",
        "views": looking.views,
        "photos": {split: len(evidence.samples.rows_of(split)) for split in sorted(set(evidence.samples.splits))},
        "data_fingerprint": fingerprint(evidence.samples),
        "split": samples.draw and asdict(samples.draw),
        "seen": seen_notes(evidence.samples),
    }
    return Learned(model, head.history, evidence, out_of_fold)


def _fit_on(evidence: Evidence, num_classes: int, settings: HeadSettings) -> HeadFit:
    samples = evidence.samples
    views = len(evidence.features) // len(evidence.training)
    labels = np.tile(samples.labels[evidence.training], views)
    validation = None
    if evidence.validation:
        rows = np.arange(len(evidence.validation))
        validation = Labelled(FeatureRows(evidence.validation_features, rows), samples.labels[evidence.validation])
    groups = np.tile(evidence.together(evidence.training), views)
    return fit_head(Labelled(evidence.features, labels), num_classes, groups=groups, validation=validation, settings=settings)
