"""A small run made by hand, for tests of what is written about runs: no network learned anything here."""

from copy import deepcopy
from pathlib import Path

import numpy as np
from PIL import Image

from tsugiki.backbones.backbone import Backbone, BackboneSpec, WeightsOrigin
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.data.sources.listing import LeftOut
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.features.store import FeatureRows
from tsugiki.features.table import FeatureTable
from tsugiki.inspection.findings import inspect
from tsugiki.training.run import Run

D = 32
NOTES = {
    "method": "transfer",
    "head": {"epochs": 3, "optimiser": "Adam", "batch_size": 32, "lr": 0.003, "seed": 0, "penalty": {"C": 0.1}},
    "data_fingerprint": "abc123",
}


def draw_noise(folder: Path, names: tuple[str, ...], rng: np.random.Generator) -> None:
    """Photos of coloured noise."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)).save(folder / name)


def tiny_backbone() -> Backbone:
    """A network that nothing was learned by."""
    from torch import nn

    return Backbone(
        nn.Sequential(nn.Flatten(), nn.Linear(3 * 4 * 4, D)),
        D,
        spec=BackboneSpec("bundled", "tiny", "bundled:tiny"),
        preprocess=Preprocess(size=(4, 4), resize=4),
        origin=WeightsOrigin("tiny.safetensors", "0" * 64, "MIT"),
    )


def table_of(samples: Samples, features: np.ndarray, looks: np.ndarray) -> FeatureTable:
    """The features of all photos, as if they had been computed; ``looks`` are the perceptual hashes."""
    return FeatureTable(
        samples,
        FeatureRows(features, np.array(samples.train_rows)),
        features[:0],
        features[samples.held_out_rows],
        [PhotoFacts(32, 24, (100.0, 100.0, 100.0), int(look)) for look in looks],
        0,
    )


def history(score: str) -> list[dict[str, float]]:
    """Three epochs of a head that learns."""
    return [
        {
            "epoch": epoch,
            "train_loss": 1 / epoch,
            f"train_{score}": 1 - 0.1 / epoch,
            "val_loss": 1.1 / epoch,
            f"val_{score}": 1 - 0.2 / epoch,
            "lr": 0.001,
            "seconds": 0.1,
        }
        for epoch in (1, 2, 3)
    ]


def small_run(folder: Path, classes: tuple[str, ...] = ("ants", "bees"), *, count: int = 60, leaky: bool = True) -> Run:
    """Photos of coloured noise in ``folder``, their features, and a head that is right about most of them.

    Every fifth photo is held out; photo 5 is photo 6 again (where ``leaky``); the labels of 7 and 8 are wrong.
    """
    import torch

    rng = np.random.default_rng(0)
    truth = np.arange(count) % len(classes)
    features = rng.normal(3, 1, (count, D)).astype(np.float32)
    features[np.arange(count), truth % D] += 4
    labels = truth.copy()
    labels[[7, 8]] = (labels[[7, 8]] + 1) % len(classes)
    splits = tuple("val" if row % 5 == 0 else "train" for row in range(count))
    looks = rng.integers(-(2**62), 2**62, count)
    if leaky:
        features[5], looks[5] = features[6], looks[6]
    names = tuple(f"{splits[row]}/{classes[labels[row]].replace('/', '_')}/写真 {row}.png" for row in range(count))
    draw_noise(folder, names, rng)
    samples = Samples(
        folder,
        names,
        labels,
        splits,
        classes,
        tuple(f"{row:064x}" for row in range(count)),
        left_out=(LeftOut("train/<b>broken</b>.jpg", "cut off"),),
        decisions=("A decision <i>with tags</i>.",),
    )
    classifier = Classifier(tiny_backbone(), classes=classes)
    with torch.no_grad():
        classifier.head.weight.copy_(torch.eye(D)[torch.arange(len(classes)) % D])
        classifier.head.bias.zero_()
    classifier.temperature = 1.3
    classifier.notes = deepcopy(NOTES)
    held_out, training = samples.rows_of("val"), samples.rows_of("train")
    logits = features[:, np.arange(len(classes)) % D] * 1.5
    rows = samples.take(held_out)
    predictions = Predictions(rows.names, rows.splits, rows.labels, softmax(logits[held_out], 1.3), classes)
    leaked = {names[5]: names[6]} if leaky else {}
    table = table_of(samples, features, looks)
    evaluation = evaluate_rows(predictions, split="val", temperature=1.3, leaked=leaked)
    out_of_fold = logits[training].astype(np.float32)
    return Run(classifier, history("acc"), evaluation, predictions, table, out_of_fold, inspect(table, out_of_fold))
