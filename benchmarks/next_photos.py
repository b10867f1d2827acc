"""How many labels does ``tsugiki next`` save against labelling at random?

    python -m benchmarks.next_photos PHOTOS... [--backbone NAME] [--weights W] [--seeds 5] [--step 20] [--most 400]

The training photos of PHOTOS are taken for unlabelled. ``--step`` of them, drawn at random, are labelled first; then that many
at a time, those that ``next`` chooses, or others drawn at random; after each step a head is trained and calibrated on the
labelled ones as ``fit`` does, and judged on the held-out photos. The section has the curves, means over the seeds, and how many
labels ``next`` needs for the accuracy that random choice has with ``n``: a share below 1 saves labels, one above wastes them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.sections import HERE, table, write_section
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
from tsugiki.reporting.plots.figures import BLUE, GREY, picture, save_picture

Floats = npt.NDArray[np.float32]
WAYS = ("random", "next")


@dataclass(frozen=True)
class Curves:
    """Held-out accuracy of both ways on one set.

    Attributes:
        name: Of the set.
        counts: How many labels.
        mean: Accuracy with so many, by way.
        spread: Standard error of that, by way.
    """

    name: str
    counts: npt.NDArray[np.int64]
    mean: dict[str, npt.NDArray[np.float64]]
    spread: dict[str, npt.NDArray[np.float64]]

    def labels_needed(self) -> list[tuple[int, float, float | None]]:
        """For the accuracy that random choice has with ``n`` labels: ``n``, the accuracy, how many ``next`` needs for it.

        Between two steps by the line between them; ``None`` where it is not reached.
        """
        drawn, chosen = self.mean["random"], self.mean["next"]
        rows: list[tuple[int, float, float | None]] = []
        for n, target in zip(self.counts[4::2].tolist(), drawn[4::2].tolist(), strict=True):
            reached = np.flatnonzero(chosen >= target)
            if not len(reached):
                rows.append((n, target, None))
                continue
            at = int(reached[0])
            needed = float(self.counts[at])
            if at:
                below, above = chosen[at - 1], chosen[at]
                needed -= float((above - target) / (above - below)) * float(self.counts[at] - self.counts[at - 1])
            rows.append((n, target, needed))
        return rows


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
    found = []
    for folder in given.photos:
        with quiet():
            features = extract(load(folder), load_backbone(given.backbone, weights=given.weights or "default"))
        most = min(given.most, len(features.samples.train_rows))
        counts = np.arange(given.step, most + 1, given.step)
        runs = {way: [_curve(features, counts, seed, way) for seed in range(given.seeds)] for way in WAYS}
        mean = {way: np.mean(curves, axis=0) for way, curves in runs.items()}
        spread = {way: np.std(curves, axis=0, ddof=1) / np.sqrt(given.seeds) for way, curves in runs.items()}
        found.append(Curves(folder.name, counts, mean, spread))
    draw(found, HERE / "results" / "next_photos.png")
    names = " ".join(folder.name for folder in given.photos)
    about = f"`python -m benchmarks.next_photos {names}`: {given.backbone}, {given.seeds} seeds, {given.step} labels at a time."
    told = f"{about}\n\n![Accuracy against labels, for both ways](results/next_photos.png)\n\n{body(found)}"
    write_section("next_photos", "Which photos to label next", told)


def draw(found: list[Curves], file: Path) -> None:
    """A panel per set: both ways with their standard errors."""
    figure = picture(4.2 * len(found), 3.4)
    panels = figure.subplots(1, len(found), squeeze=False)[0]
    for panel, curves in zip(panels, found, strict=True):
        for way, colour in zip(WAYS, (GREY, BLUE), strict=True):
            low, high = (100 * (curves.mean[way] + sign * curves.spread[way]) for sign in (-1, 1))
            panel.fill_between(curves.counts, low, high, color=colour, alpha=0.2, linewidth=0)
            panel.plot(curves.counts, 100 * curves.mean[way], color=colour, label=way)
        panel.set_title(curves.name)
        panel.set_xlabel("labels")
        panel.set_ylabel("right, %")
        panel.legend(frameon=False)
    save_picture(figure, file)


def body(found: list[Curves]) -> str:
    """What ``next`` needs for what random choice has, and its share in the mean of every set."""
    rows, means = [], []
    for curves in found:
        needed = curves.labels_needed()
        for n, target, labels in needed:
            told = ["not reached", ""] if labels is None else [f"{labels:.0f}", f"{labels / n:.2f}"]
            rows.append([curves.name, str(n), f"{100 * target:.1f}%", *told])
        shares = [labels / n for n, _, labels in needed if labels is not None]
        mean = f"{np.mean(shares):.2f}" if shares else "-"
        means.append(f"{curves.name}: {mean} of the labels in the mean, where it is reached ({len(shares)} of {len(needed)}).")
    return "\n".join([*means, "", table(["set", "labels, random", "accuracy", "labels, next", "share"], rows)])


def _curve(photos: FeatureTable, counts: npt.NDArray[np.int64], seed: int, way: str) -> list[float]:
    """Held-out accuracy after every step."""
    samples, dice = photos.samples, np.random.default_rng(seed)
    features = photos.train_photos.take(slice(None))
    labels = samples.labels[samples.train_rows]
    order = dice.permutation(len(labels))
    labelled, accuracies = order[: counts[0]], []
    head: AnswerHead | None = None
    for count in counts.tolist():
        if head is not None:
            rest = np.setdiff1d(np.arange(len(labels)), labelled)
            more = order[len(labelled) : count] if way == "random" else _chosen(head, features, labelled, rest, count)
            labelled = np.concatenate([labelled, more])
        head = _head(features, labels, labelled, samples.classes)
        told = head.logits(photos.held_out).argmax(axis=1)
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


if __name__ == "__main__":
    main()
