"""A small run on photos with several labels, made by hand: the counterpart of :func:`tests.reporting.runs.small_run`."""

from copy import deepcopy
from pathlib import Path

import numpy as np

from tests.reporting.runs import NOTES, D, draw_noise, history, table_of, tiny_backbone
from tsugiki.classifier.answer import MultiLabel
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.label_sets import combinations
from tsugiki.data.samples import Samples
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.multi_label.platt import sigmoid
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.inspection.findings import inspect
from tsugiki.training.run import Run

CLASSES = ("ants", "bees", "wasps")


def small_set_run(
    folder: Path,
    classes: tuple[str, ...] = CLASSES,
    *,
    count: int = 90,
    leaky: bool = True,
    unknown: float = 0.0,
    noise: float = 1.6,
) -> Run:
    """Photos of coloured noise in ``folder`` that show any of ``classes``, and heads that are right about most of them.

    Every third photo is held out; photo 6 shows nothing; photo 3 is photo 4 again (where ``leaky``); photo 7 shows the first
    class and is said not to.

    Args:
        folder: Where the photos are written.
        classes: The last of four and more is shown by three photos only.
        count: Of photos.
        leaky: Whether a held-out photo has a twin.
        unknown: The share of the cells that nobody knows.
        noise: Of the features: at 1.6 some answers are wrong.
    """
    import torch

    rng = np.random.default_rng(1)
    truth = (rng.random((count, len(classes))) < 0.45).astype(np.int8)
    if len(classes) > 3:
        truth[:, -1] = 0
        truth[[9, 10, 11], -1] = 1
    truth[6], truth[7, 0] = 0, 1
    features = rng.normal(0, noise, (count, D)).astype(np.float32)
    features[:, : len(classes)] += 4 * truth - 2
    targets = truth.copy()
    targets[7, 0] = 0
    targets[rng.random(targets.shape) < unknown] = -1
    targets[0, 0] = truth[0, 0]
    splits = tuple("test" if row % 3 == 0 else "train" for row in range(count))
    looks = rng.integers(-(2**62), 2**62, count)
    if leaky:
        features[3], looks[3], targets[3] = features[4], looks[4], targets[4]
    names = tuple(f"{splits[row]}/写真 {row}.png" for row in range(count))
    draw_noise(folder, names, rng)
    digests = tuple(f"{row:064x}" for row in range(count))
    samples = Samples(folder, names, combinations(targets), splits, classes, digests, targets=targets)
    classifier = Classifier(tiny_backbone(), classes=classes, task="multi")
    with torch.no_grad():
        classifier.head.weight.copy_(torch.eye(D)[: len(classes)])
        classifier.head.bias.zero_()
    slopes = np.where(np.arange(len(classes)) == 0, 1.5, 1.0)
    thresholds = np.linspace(0.6, 0.4, len(classes)).astype(np.float32)
    classifier.multi_label = MultiLabel(slopes, np.zeros(len(classes)), thresholds)
    classifier.notes = deepcopy(NOTES) | {"thresholds": {"goal": "f1", "chosen_on": "out-of-fold", "shared_by": [*classes[3:]]}}
    held_out, training = samples.rows_of("test"), samples.rows_of("train")
    logits = features[:, : len(classes)].astype(np.float32)
    predictions = MultiLabelPredictions(
        samples.take(held_out).names,
        ("test",) * len(held_out),
        targets[held_out],
        classifier.multi_label.probabilities(logits[held_out]).astype(np.float64),
        thresholds.astype(np.float64),
        classes,
        np.arange(len(held_out)) != 1,
    )
    leaked = {names[3]: names[4]} if leaky else {}
    evaluation = evaluate_sets(predictions, split="test", uncalibrated=sigmoid(logits[held_out]), leaked=leaked)
    out_of_fold = logits[training]
    table = table_of(samples, features, looks)
    return Run(classifier, history("map"), evaluation, predictions, table, out_of_fold, inspect(table, out_of_fold))
