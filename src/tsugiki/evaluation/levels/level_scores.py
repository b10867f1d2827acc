"""How good answers are on every level of a taxonomy, and what "at least a bird" is worth.

The answer to a photo is the class that was answered; on a level above it counts as right where it is of the same kind as the
photo. Photos with a twin in another split are left out of every number here, unless there are no others.

Letters: ``N`` photos, ``K`` classes, ``P`` inner nodes.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT
from tsugiki.data.taxonomy import Taxonomy
from tsugiki.evaluation.levels.parent_probabilities import NOBODY, deepest_sure, parent_probabilities
from tsugiki.evaluation.metrics import Bools, Floats, Ints, majority_class, score_of_counts, share_of
from tsugiki.evaluation.multi_label.set_metrics import set_class_scores
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.multi_label.set_ranking import rank
from tsugiki.evaluation.predictions import Document, Predictions


def score_levels(
    taxonomy: Taxonomy, predictions: Predictions, *, split: str, leaked: Mapping[str, str] | None = None
) -> Document:
    """What a taxonomy says about photos of one class each.

    Args:
        taxonomy: Above the ``K`` classes.
        predictions: Rows of any splits, at least one of the split with a known class.
        split: The split to judge.
        leaked: Path of each photo that has a twin in another split, to the twin's path; ``None`` where nobody has looked.

    Returns:
        Plain JSON values; intervals are Wilson's::

            sure           from this probability on a node is named
            n              photos that count here
            n_leaked       photos with a twin, which do not; they do where leaks_counted, since there are no others
            leaks_counted  whether
            levels         [{depth, nodes, accuracy, accuracy_interval, guess}, ...] from the roots (depth 0) to the classes; a
                           class that is not as deep as its level stands for itself there; guess is the accuracy of always
                           answering the largest node
            per_node       [{node, parent, depth, classes, n, answered, hits, precision, precision_interval, recall,
                           recall_interval, f1, f1_interval}, ...] of the inner nodes; classes is how many are of it
            at_least       {n, correct, accuracy, accuracy_interval, expected, class_correct, class_accuracy, mean_classes,
                           information}: photos where no class is sure and a node is; expected is the mean probability of what
                           was named; class_correct how many of the classes are right all the same; mean_classes how many
                           classes are of what was named, and information what share of all there is to know it tells: 1 for a
                           class, 0 for all of them (J. Deng et al., 2012)
            sure_class     {n, correct, accuracy, accuracy_interval}: photos where a class is sure
            n_nothing      photos where nothing is, but for what every class is a kind of
            n_not_known    photos answered with "not sure", which none of the three counts
    """
    chosen = predictions.of(split).scored()
    clean = [row for row, name in enumerate(chosen.names) if name not in (leaked or {})]
    counted = chosen.take(clean) if clean else chosen
    labels, answered = counted.labels, counted.predicted
    return {
        "sure": taxonomy.sure,
        **_counted(len(chosen), len(clean)),
        "levels": [_level(depth, names, labels, answered) for depth, names in enumerate(level_names(taxonomy))],
        "per_node": [
            {
                **_node(taxonomy, at),
                **_plain(score_of_counts(int(is_of.sum()), int(said.sum()), int((is_of & said).sum()))),
            }
            for at, is_of, said in zip(
                range(len(taxonomy.inner)), taxonomy.within[:, labels], taxonomy.within[:, answered], strict=True
            )
        ],
        **_named(taxonomy, counted),
    }


def _counted(n: int, clean: int) -> Document:
    return {"n": clean or n, "n_leaked": n - clean, "leaks_counted": not clean}


def level_names(taxonomy: Taxonomy) -> list[list[str]]:
    """For each level from the roots down, the node that each of the ``K`` classes is of."""
    paths = [taxonomy.path(name) for name in taxonomy.classes]
    return [[path[min(depth, len(path) - 1)] for path in paths] for depth in range(taxonomy.levels)]


def _level(depth: int, names: Sequence[str], labels: Ints, answered: Ints) -> Document:
    found, number = np.unique(np.array(names), return_inverse=True)
    number = number.reshape(-1)
    accuracy, interval = share_of(np.equal(number[labels], number[answered], dtype=np.bool_))
    guess = float((number[labels] == majority_class(number[labels], len(found))).mean())
    return {
        "depth": depth,
        "nodes": len(found),
        "accuracy": accuracy,
        "accuracy_interval": list(interval),
        "guess": guess,
    }


def _node(taxonomy: Taxonomy, at: int) -> Document:
    name = taxonomy.inner[at]
    return {
        "node": name,
        "parent": taxonomy.parents[name],
        "depth": taxonomy.depth(name),
        "classes": int(taxonomy.within[at].sum()),
    }


def _named(taxonomy: Taxonomy, counted: Predictions) -> Document:
    probabilities = counted.probabilities.astype(np.float32)
    parents = parent_probabilities(taxonomy, probabilities, "single")
    known = np.ones(len(counted), np.bool_) if counted.known is None else counted.known
    named = deepest_sure(taxonomy, probabilities, parents, known)
    sure = known & (probabilities.max(axis=1) >= np.float32(taxonomy.sure))
    rows = np.flatnonzero(named != NOBODY)
    nodes, sizes = named[rows], taxonomy.within.sum(axis=1)[named[rows]]
    right, right_class = taxonomy.within[nodes, counted.labels[rows]], counted.correct[rows]
    told = 1 - np.log(sizes) / math.log(len(taxonomy.classes))
    return {
        "at_least": {
            **_share(right),
            "expected": _mean(parents[rows, nodes]),
            "class_correct": int(right_class.sum()),
            "class_accuracy": share_of(right_class)[0] if len(rows) else None,
            "mean_classes": _mean(sizes),
            "information": _mean(told),
        },
        "sure_class": _share(counted.correct[sure]),
        "n_nothing": int((known & ~sure & (named == NOBODY)).sum()),
        "n_not_known": int((~known).sum()),
    }


def _share(flags: Bools) -> Document:
    share, interval = share_of(flags)
    return {
        "n": len(flags),
        "correct": int(flags.sum()),
        "accuracy": share if len(flags) else None,
        "accuracy_interval": list(interval),
    }


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.astype(np.float64).mean()) if len(values) else None


def score_set_levels(
    taxonomy: Taxonomy,
    predictions: MultiLabelPredictions,
    *,
    split: str,
    leaked: Mapping[str, str] | None = None,
    groups: Ints | None = None,
) -> Document:
    """What a taxonomy says about photos of several labels: a photo shows a bird where it shows a class that is one.

    Args:
        taxonomy: Above the ``K`` classes.
        predictions: Rows of any splits, at least one of the split that shows a class.
        split: The split to judge.
        leaked: Path of each photo that has a twin in another split, to the twin's path; ``None`` where nobody has looked.
        groups: ``[N]`` numbers of the photos that stand or fall together; ``None``: every photo stands for itself.

    Returns:
        Plain JSON values: ``n``, ``n_leaked`` and ``leaks_counted`` as in :func:`score_levels`; ``levels`` ``[{depth, nodes,
        mean_average_precision, mean_average_precision_interval, guess}, ...]``, where guess is that of each node's share of the
        photos; ``per_node`` as there, with ``average_precision``, its interval and ``guess``. A node's probability is that of
        the most probable class below, and it is answered where one of these is. What is not known of a class is not known of
        what is above it, unless another class below is present.
    """
    rows = np.array([row for row in predictions.scored_rows() if predictions.splits[row] == split], np.int64)
    clean = np.array([row for row in rows.tolist() if predictions.names[row] not in (leaked or {})], np.int64)
    if not (predictions.targets[clean] == PRESENT).any():
        clean = clean[:0]
    counted = clean if len(clean) else rows
    known, own_groups = predictions.take(counted.tolist()), None if groups is None else groups[counted]
    return {
        **_counted(len(rows), len(clean)),
        "levels": [_set_level(depth, names, known, own_groups) for depth, names in enumerate(level_names(taxonomy))],
        "per_node": _set_nodes(taxonomy, known, own_groups),
    }


def _set_level(depth: int, names: Sequence[str], known: MultiLabelPredictions, groups: Ints | None) -> Document:
    number = np.unique(np.array(names), return_inverse=True)[1].reshape(-1)
    within = np.arange(number.max() + 1)[:, None] == number
    ranking = rank(targets_of(known.targets, within), _maxima(known.probabilities, within), groups)
    return {
        "depth": depth,
        "nodes": len(within),
        "mean_average_precision": ranking.mean,
        "mean_average_precision_interval": list(ranking.interval),
        "guess": ranking.share,
    }


def _set_nodes(taxonomy: Taxonomy, known: MultiLabelPredictions, groups: Ints | None) -> list[Document]:
    within = taxonomy.within
    targets, shown = targets_of(known.targets, within), _any(known.shown, within)
    ranking = rank(targets, _maxima(known.probabilities, within), groups)
    return [
        {
            **_node(taxonomy, at),
            **_plain(score),
            "average_precision": ranking.average_precisions[at],
            "average_precision_interval": list(ranking.intervals[at]),
            "guess": float(ranking.shares[at]),
        }
        for at, score in enumerate(set_class_scores(targets, shown, groups))
    ]


def targets_of(targets: Ints, within: Bools) -> npt.NDArray[np.int8]:
    """``[N, P]`` cells of nodes, of cells ``[N, K]`` of classes and ``[P, K]`` which of these are of each node."""
    present, unknown = _any(targets == PRESENT, within), _any(targets == NOT_KNOWN, within)
    return np.where(present, PRESENT, np.where(unknown, NOT_KNOWN, ABSENT)).astype(np.int8)


def _any(cells: Bools, within: Bools) -> Bools:
    """``[N, P]`` whether one of the classes of each node is true in ``[N, K]``."""
    return np.stack([cells[:, classes].any(axis=1) for classes in within], axis=1)


def _maxima(scores: Floats, within: Bools) -> npt.NDArray[np.float64]:
    return np.stack([scores[:, classes].max(axis=1) for classes in within], axis=1).astype(np.float64)


def _plain(record: Any) -> Document:
    values = dataclasses.asdict(record)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
