"""The whole story of training: photos and a classifier in, a run out."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr
from tsugiki.core.seeds import set_seeds
from tsugiki.data.samples import Samples
from tsugiki.data.splitting import units_of
from tsugiki.evaluation.document import headline
from tsugiki.training.evidence import Evidence, Looking, find_samples, gather
from tsugiki.training.head import HeadFit, HeadSettings, Labelled, fit_head
from tsugiki.training.heads import FeatureRows
from tsugiki.training.recall import fingerprint, seen_notes
from tsugiki.training.run import Run
from tsugiki.training.scoring import calibrate, judge


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
    settings, looking = settings or HeadSettings(), looking or Looking()
    set_seeds(settings.seed)
    samples = data if isinstance(data, Samples) else find_samples(data, seed=settings.seed, store=looking.store)
    samples = with_classes_of(model, samples)
    evidence = gather(model.backbone, model.preprocess, samples, looking)
    head = _fit_on(evidence, len(model.classes), settings)
    with torch.no_grad():
        model.head.weight.copy_(head.weight)
        model.head.bias.copy_(head.bias)
    out_of_fold = head.out_of_fold[: len(evidence.training)]
    calibrate(model, evidence, out_of_fold)
    model.notes = {
        "method": "transfer",
        "head": head.notes,
        "views": looking.views,
        "photos": {split: len(evidence.samples.rows_of(split)) for split in sorted(set(evidence.samples.splits))},
        "data_fingerprint": fingerprint(evidence.samples),
        "split": samples.draw and asdict(samples.draw),
        "seen": seen_notes(evidence.samples),
    }
    predictions, evaluation = judge(model, evidence)
    say(headline(evaluation))
    return Run(model, head.history, evaluation, predictions, evidence, out_of_fold)


def with_classes_of(model: Classifier, samples: Samples) -> Samples:
    """The samples with labels in the order of the model's classes.

    Raises:
        RequestError: When one of them has a class that the other does not have.
    """
    if samples.classes == model.classes:
        return samples
    if set(samples.classes) != set(model.classes):
        raise RequestError(
            tr("The photos' classes are not the classifier's."),
            allowed=", ".join(model.classes),
            got=", ".join(samples.classes),
            cure="Classifier(..., classes=data.classes)",
        )
    place = np.array([model.classes.index(name) for name in samples.classes] + [-1])
    return replace(samples, classes=model.classes, labels=place[samples.labels])


def _fit_on(evidence: Evidence, num_classes: int, settings: HeadSettings) -> HeadFit:
    samples = evidence.samples
    views = len(evidence.features) // len(evidence.training)
    labels = np.tile(samples.labels[evidence.training], views)
    validation = None
    if evidence.validation:
        rows = np.arange(len(evidence.validation))
        validation = Labelled(FeatureRows(evidence.validation_features, rows), samples.labels[evidence.validation])
    groups = kept_together(samples.take(evidence.training), views)
    return fit_head(Labelled(evidence.features, labels), num_classes, groups=groups, validation=validation, settings=settings)


def kept_together(photos: Samples, views: int = 1) -> list[str] | None:
    """What cross-validation must not separate: subjects, copies of one photo, views of one photo.

    Returns:
        A name per row, view after view; ``None`` where every photo stands alone.
    """
    units = units_of([photos.classes[label] for label in photos.labels], photos.digests, photos.groups)
    if views == 1 and len(units) == len(photos):
        return None
    names = [""] * len(photos)
    for number, unit in enumerate(units):
        for row in unit.rows:
            names[row] = str(number)
    return names * views
