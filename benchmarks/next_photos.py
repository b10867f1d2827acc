"""How many labels does ``tsugiki next`` save against labelling at random?

    python -m benchmarks.next_photos PHOTOS... [--backbone NAME] [--weights W] [--seeds 5] [--step 20] [--most 400]

The training photos of PHOTOS are taken for unlabelled. ``--step`` of them, drawn at random, are labelled first; then that many
at a time, those that ``next`` chooses, or others drawn at random; after each step a head is trained and calibrated on the
labelled ones as ``fit`` does, and judged on the held-out photos. Printed are mean accuracies over the seeds, and how many
labels ``next`` needs for the accuracy that random choice has with ``n``: a share below 1 saves labels, one above wastes them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.classifier.answer import AnswerHead
from tsugiki.core.console import quiet
from tsugiki.data.load import load
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.features.extract import extract
from tsugiki.features.store import FeatureRows
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import Labelled, fit_linear_head, judged_rows
from tsugiki.inspection.next_photos import choose_next, uncertainty

Floats = npt.NDArray[np.float32]


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--backbone", default="bundled:nae")
    parser.add_argument("--weights")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--step", type=int, default=20)
    parser.add_argument("--most", type=int, default=400)
    given = parser.parse_args()
    for folder in given.photos:
        with quiet():
            backbone = load_backbone(given.backbone, weights=given.weights) if given.weights else load_backbone(given.backbone)
            table = extract(load(folder), backbone)
        counts = np.arange(given.step, min(given.most, len(table.samples.train_rows)) + 1, given.step)
        print(f"{folder.name}: {len(table.samples.train_rows)} training photos, {len(table.held_out)} held out", flush=True)
        curves = {}
        for name in ("random", "next"):
            runs = [_curve(table, counts, seed, at_random=name == "random") for seed in range(given.seeds)]
            curves[name] = np.mean(runs, axis=0)
            spread = np.std(runs, axis=0, ddof=1) / np.sqrt(len(runs))
            print(
                f"  {name:6} " + " ".join(f"{n}:{a:.3f}±{s:.3f}" for n, a, s in zip(counts, curves[name], spread, strict=True))
            )
        _tell_labels_needed(counts, curves["random"], curves["next"])


def _curve(table: FeatureTable, counts: npt.NDArray[np.int64], seed: int, *, at_random: bool) -> list[float]:
    """Held-out accuracy after every step."""
    samples, dice = table.samples, np.random.default_rng(seed)
    features = table.train_photos.take(slice(None))
    labels = samples.labels[samples.train_rows]
    order = dice.permutation(len(labels))
    labelled, accuracies = order[: counts[0]], []
    head: AnswerHead | None = None
    for count in counts.tolist():
        if head is not None:
            rest = np.setdiff1d(np.arange(len(labels)), labelled)
            more = order[len(labelled) : count] if at_random else _chosen(head, features, labelled, rest, count)
            labelled = np.concatenate([labelled, more])
        head = _head(features, labels, labelled, samples.classes)
        told = head.logits(table.held_out).argmax(axis=1)
        accuracies.append(float((told == samples.labels[samples.held_out_rows]).mean()))
    return accuracies


def _chosen(
    head: AnswerHead, features: Floats, labelled: npt.NDArray[np.int64], rest: npt.NDArray[np.int64], count: int
) -> npt.NDArray[np.int64]:
    uncertain = uncertainty(head, head.probabilities(features[rest]))
    rows, _ = choose_next(features[rest], uncertain, features[labelled], count - len(labelled))
    return rest[rows]


def _head(features: Floats, labels: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], classes: tuple[str, ...]) -> AnswerHead:
    """A head on the labelled photos, calibrated out of fold."""
    training = Labelled(FeatureRows(features, rows), labels[rows])
    with quiet():
        fit = fit_linear_head(training, len(classes))
    temperature = 1.0
    if fit.out_of_fold is not None and len(judged := judged_rows(fit.out_of_fold)):
        temperature = fit_temperature(fit.out_of_fold[judged], labels[rows][judged])
    return AnswerHead(classes, fit.weight.numpy(), fit.bias.numpy(), temperature)


def _tell_labels_needed(counts: npt.NDArray[np.int64], drawn: npt.NDArray[np.float64], chosen: npt.NDArray[np.float64]) -> None:
    """For the accuracy of random choice with ``n`` labels, how many ``next`` needs for it, by lines between the steps."""
    shares = []
    for n, target in zip(counts[4::2].tolist(), drawn[4::2].tolist(), strict=True):
        reached = np.flatnonzero(chosen >= target)
        if not len(reached):
            print(f"  random with {n}: {target:.3f}; next does not reach it with {counts[-1]}")
            continue
        at = int(reached[0])
        needed = float(counts[at])
        if at:
            below, above = chosen[at - 1], chosen[at]
            needed -= float((above - target) / (above - below)) * float(counts[at] - counts[at - 1])
        shares.append(needed / n)
        print(f"  random with {n}: {target:.3f}; next needs {needed:.0f}, {needed / n:.2f} of that")
    if shares:
        print(f"  on average {np.mean(shares):.2f} of the labels, where it is reached ({len(shares)} of {len(counts[4::2])})")


if __name__ == "__main__":
    main()
