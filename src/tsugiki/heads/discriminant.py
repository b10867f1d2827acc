"""A head in closed form, for questions that need hundreds of heads: does accuracy still grow with more photos?

Linear discriminants whose covariance is half way to a multiple of the identity: one system of equations, no steps, no rate. How
the curve goes on is asked of it, never how good the classifier is: that is said of the trained head.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.learning_curve import Predict
from tsugiki.evaluation.metrics import Floats, Ints

_SHRINKAGE = 0.5
_WIDEST = 256
_ENOUGH_FOR_AXES = 512  # photos


def fit_quick_head(features: Floats, labels: Ints) -> Predict:
    """A head from features ``[N, D]`` and labels ``[N]``; classes without photos are never answered."""
    classes, place = np.unique(labels, return_inverse=True)
    counts = np.bincount(place)
    order = np.argsort(place, kind="stable")
    starts = np.cumsum(counts) - counts
    means = np.add.reduceat(features[order], starts, axis=0) / counts[:, None]  # [K, D]
    # Squares inside the classes: all squares less those of the means.
    spread = (features.T @ features - (means.T * counts) @ means) / len(features)  # [D, D]
    level = max(float(np.trace(spread)) / len(spread), 1e-12)
    shrunk = (1 - _SHRINKAGE) * spread + _SHRINKAGE * level * np.eye(len(spread))
    weight = np.linalg.solve(shrunk, means.T)  # [D, K]
    bias = -0.5 * np.einsum("kd,dk->k", means, weight)

    def predict(asked: Floats) -> Ints:
        answers: Ints = classes[(asked @ weight + bias).argmax(axis=1)]
        return answers

    return predict


def narrowed(features: Floats, width: int = _WIDEST) -> npt.NDArray[np.float32]:
    """Features ``[N, D]`` turned so that the first ``width`` axes hold most of what differs between photos, the rest left out.

    The axes are those of at most 512 photos, evenly taken. With fewer photos than ``width`` nothing is lost: distances between
    photos stay what they are.
    """
    centred = np.asarray(features - features.mean(axis=0), np.float32)
    some = centred[:: -(-len(centred) // _ENOUGH_FOR_AXES)]
    sizes, sides = np.linalg.eigh(some @ some.T)  # of photos instead of features: few photos are faster
    kept = sizes > sizes[-1] * 1e-6
    sizes, sides = sizes[kept][-width:], sides[:, kept][:, -width:]
    return np.asarray(centred @ (some.T @ (sides / np.sqrt(sizes))), np.float32)
