"""Is another head better where there are hardly any photos?

    python -m benchmarks.few_photos FOLDER... [--backbone NAME] [--weights W] [--draws 12]

So many training photos of each class are drawn and learned from, the other training photos are answered; held-out photos have
no say. ``tuned`` is the head of every fit: multinomial logistic, its penalty cross-validated. ``means`` takes the class whose
mean is nearest, ``cosine`` the one whose mean direction is (prototypes), ``discriminant`` is linear discriminant analysis with
the covariance within classes shrunk as far as the oracle approximating estimator says (Chen, Wiesel, Eldar and Hero, *Shrinkage
Algorithms for MMSE Covariance Estimation*, IEEE Transactions on Signal Processing 58, 2010). Told: mean accuracies in percent.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.sections import table, write_section
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.console import quiet
from tsugiki.data.load import load
from tsugiki.features.extract import extract
from tsugiki.features.store import FeatureRows
from tsugiki.heads.linear import Labelled, fit_linear_head

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
COUNTS = (1, 2, 3, 5, 8, 15)


def tuned(features: Floats, labels: Ints, asked: Floats) -> Ints:
    """Answers of the head that every fit trains."""
    with quiet():
        head = fit_linear_head(Labelled(FeatureRows(features, np.arange(len(features))), labels), int(labels.max()) + 1)
    return np.asarray((asked @ head.weight.numpy().T + head.bias.numpy()).argmax(axis=1))


def means(features: Floats, labels: Ints, asked: Floats) -> Ints:
    """The class whose mean is nearest."""
    centres = _centres(features, labels)
    return np.asarray((asked @ centres.T - 0.5 * (centres**2).sum(axis=1)).argmax(axis=1))


def cosine(features: Floats, labels: Ints, asked: Floats) -> Ints:
    """The class whose mean direction is nearest."""
    return np.asarray((_unit(asked) @ _unit(_centres(_unit(features), labels)).T).argmax(axis=1))


def discriminant(features: Floats, labels: Ints, asked: Floats) -> Ints:
    """Linear discriminant analysis with shrunk covariance, solved among ``N`` photos: ``D`` is larger."""
    centres = _centres(features, labels)
    rest, (count, width) = features - centres[labels], features.shape
    freedom = max(1, count - len(centres))
    inner = rest @ rest.T  # [N, N]
    variance = float(np.trace(inner)) / freedom / width if count > len(centres) else float(features.var())
    squares, trace = float((inner**2).sum()) / freedom**2, variance * width
    over = (freedom + 1 - 2 / width) * (squares - trace**2 / width)
    shrunk = 1.0 if over <= 0 else min(1.0, ((1 - 2 / width) * squares + trace**2) / over)
    ridge, share = shrunk * variance + 1e-9, (1 - shrunk) / freedom
    inside = np.linalg.solve(np.eye(count) + share / ridge * inner, rest @ centres.T)
    weight = (centres.T - share / ridge * rest.T @ inside) / ridge  # [D, K]
    return np.asarray((asked @ weight - 0.5 * (weight * centres.T).sum(axis=0)).argmax(axis=1))


HEADS: dict[str, Callable[[Floats, Ints, Floats], Ints]] = {
    "tuned": tuned,
    "means": means,
    "cosine": cosine,
    "discriminant": discriminant,
}


def _centres(features: Floats, labels: Ints) -> Floats:
    return np.stack([features[labels == number].mean(axis=0) for number in range(int(labels.max()) + 1)])


def _unit(features: Floats) -> Floats:
    return np.asarray(features / np.linalg.norm(features, axis=1, keepdims=True))


def accuracies(features: Floats, labels: Ints, count: int, draws: int) -> dict[str, float]:
    """Mean accuracy in percent of every head that has learned from ``count`` photos of each class."""
    found: dict[str, list[float]] = {name: [] for name in HEADS}
    for draw in range(draws):
        dice = np.random.default_rng(draw)
        classes = [np.flatnonzero(labels == number) for number in range(int(labels.max()) + 1)]
        learned = np.concatenate([dice.permutation(own)[:count] for own in classes])
        rest = np.setdiff1d(np.arange(len(labels)), learned)
        for name, answer in HEADS.items():
            told = answer(features[learned], labels[learned], features[rest])
            found[name].append(100 * float((told == labels[rest]).mean()))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """Measure on every folder, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--backbone", default="bundled:nae")
    parser.add_argument("--weights")
    parser.add_argument("--draws", type=int, default=12)
    asked = parser.parse_args()
    rows, all_found = [], []
    for folder in asked.folders:
        with quiet():
            found = extract(load(folder), load_backbone(asked.backbone, weights=asked.weights or "default"))
        features, labels = found.train_photos.take(slice(None)), found.samples.labels[found.samples.train_rows]
        for count in (one for one in COUNTS if np.bincount(labels).min() > 2 * one):
            scores = accuracies(features, labels, count, asked.draws)
            rows.append([folder.name, str(count), *(f"{scores[name]:.1f}" for name in HEADS)])
            all_found.append((count, scores))
            print(" ".join(rows[-1]), flush=True)
    for count in COUNTS:
        some = [scores for number, scores in all_found if number == count]
        if len(some) == len(asked.folders):
            rows.append(["mean", str(count), *(f"{np.mean([scores[name] for scores in some]):.1f}" for name in HEADS)])
    names = " ".join(folder.name for folder in asked.folders)
    about = f"`python -m benchmarks.few_photos {names}`: {asked.backbone}, {asked.draws} draws, training photos only."
    write_section("few_photos", "Heads for a few photos", f"{about}\n\n" + table(["set", "photos per class", *HEADS], rows))


if __name__ == "__main__":
    main()
