"""Photos whose label is probably wrong, the most suspicious first.

Confident learning (Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021),
written from the paper: a photo counts as of another class when the probability of that class is at least what is usual for
photos labelled so. Photos are ranked by normalised margin. The labels of a photo's nearest neighbours are not heard.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.arrays import Floats, Ints


@dataclass(frozen=True)
class Suspect:
    """A photo whose label is doubted.

    Attributes:
        row: Which photo.
        label: Its class.
        suggested: The class that it looks like.
        score: 0..1, how suspicious: one half where the two classes are equally likely.
        confident: Whether it is off the diagonal of the confident joint.
    """

    row: int
    label: int
    suggested: int
    score: float
    confident: bool


def find_suspects(labels: Ints, probabilities: Floats) -> list[Suspect]:
    """Every photo that looks more like another class than like its own, the most suspicious first.

    Args:
        labels: ``[N]``.
        probabilities: ``[N, K]`` out-of-fold: a head that has trained on a wrong label has learned to agree with it.
    """
    everyone = np.arange(len(labels))
    others = np.array(probabilities, dtype=np.float64)
    others[everyone, labels] = 0.0
    margin = probabilities[everyone, labels] - others.max(axis=1)
    confident = confident_class(labels, probabilities)
    doubted = np.flatnonzero((margin < 0) | (confident != labels))
    order = doubted[np.argsort(margin[doubted], kind="stable")]
    looks_like = others.argmax(axis=1)
    return [
        Suspect(row, int(labels[row]), int(looks_like[row]), float((1 - margin[row]) / 2), bool(confident[row] != labels[row]))
        for row in order.tolist()
    ]


def confident_class(labels: Ints, probabilities: Floats) -> npt.NDArray[np.int64]:
    """``[N]`` the class that each photo confidently is, or its own label where it is confidently none.

    A photo is confidently of a class when the probability of that class reaches the mean probability that photos labelled so
    get; where several classes qualify, the most probable one counts.
    """
    enough = probabilities >= class_thresholds(labels, probabilities)
    best = np.where(enough, probabilities, -1.0).argmax(axis=1)
    return np.where(enough.any(axis=1), best, labels).astype(np.int64)


def class_thresholds(labels: Ints, probabilities: Floats) -> npt.NDArray[np.float64]:
    """``[K]`` the mean probability of a class among the photos labelled so; out of reach for a class without photos."""
    num_classes = probabilities.shape[1]
    own = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=num_classes)
    sums = np.bincount(labels, weights=own, minlength=num_classes)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
