"""Everything that the rows of a :class:`~tsugiki.evaluation.multi_label.set_predictions.MultiLabelPredictions` say.

The counterpart of :func:`tsugiki.evaluation.predictions.evaluate_rows` for photos with several labels. Letters: ``N`` photos,
``K`` classes.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT
from tsugiki.evaluation.calibration import bars_of, calibration_error, chance_error
from tsugiki.evaluation.metrics import CONFIDENCE, Bools, Floats, Ints, macro_f1, wilson
from tsugiki.evaluation.multi_label.set_metrics import (
    cell_log_loss,
    complete_rows,
    grouped_interval,
    hamming_loss,
    micro_f1,
    present_shares,
    set_class_scores,
)
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.multi_label.set_ranking import Ranking, macro_f1_interval, rank
from tsugiki.evaluation.predictions import SCHEMA, Document
from tsugiki.locale.messages import first_few, tr

_BINS = 15
_ROUNDED = 1e-6  # probabilities that differ by less are the same, one of them as float32
_COMMONEST = 20  # combinations of labels that are counted


def evaluate_sets(
    predictions: MultiLabelPredictions,
    *,
    split: str,
    uncalibrated: Floats | None = None,
    leaked: Mapping[str, str] | None = None,
    different: int | None = None,
    groups: Ints | None = None,
) -> Document:
    """Everything that the rows of one split say about a classifier that gives several labels.

    Args:
        predictions: Rows of any splits; their probabilities are the calibrated ones.
        split: The split to judge.
        uncalibrated: ``[N, K]`` probabilities of the same rows before calibration; ``None`` where nothing was changed.
        leaked: Path of each photo that has a twin in another split, to the twin's path; ``None`` where nobody has looked.
        different: How many different photos the split has, near copies counted once; ``None`` where nobody has looked.
        groups: ``[N]`` numbers of the photos that stand or fall together, copies and subjects, of the same rows; ``None``:
            every photo stands for itself.

    Returns:
        Plain JSON values. Only cells that are known count. Shares are floats in 0..1, intervals are ``[low, high]`` at
        ``confidence``, a share of nothing is ``None``::

            schema                      1
            task                        "multi"
            split                       the split that was judged
            n                           photos of which something is known
            n_complete                  photos of which every cell is known
            n_cells                     known cells
            n_groups                    photos of their own, as groups tell it; None without groups
            n_different                 photos, near copies of one another counted once, as far as the photos that they
                                        were compared with show them; None where nobody has looked
            n_unknown_class             photos left out of every number here: nobody knows anything of them
            classes                     [name, ...]
            mean_average_precision      of the classes that some photo is known to show
            mean_average_precision_interval  [low, high]; the lower end leaves out that every photo vouches for itself, which
                                        makes the average precision of few photos too high
            mean_roc_area               the mean area under the ROC curve of the classes that have photos of either kind;
                                        None where there is no such class
            macro_f1                    mean F1 of the classes that have photos or answers
            macro_f1_interval           [low, high]
            micro_f1                    F1 of all cells taken as one class; None where nothing is present or answered
            exact_match                 of the photos of which every cell is known, how many are answered exactly right
            exact_match_interval        [low, high]
            hamming_loss                the share of the cells that are answered wrong
            log_loss                    natural logarithm, mean over cells
            confidence                  0.95
            interval_method             how the intervals were made
            draws                       of how many drawn sets of photos
            frequency_guess             {mean_average_precision, by_chance, difference, difference_interval, verdict, log_loss,
                                        exact_match, combination}: to give every photo each class's share of these photos. Its
                                        average precision is that share; by_chance is what a random order of so few photos
                                        has; difference is the classifier's mean average precision minus the guess's;
                                        verdict "helped" (proven better than any guess) | "hurt" | "cannot tell";
                                        log_loss of those shares; exact_match of always answering combination, the commonest
            per_class                   [{class, n, n_absent, n_not_known, answered, hits, threshold, precision,
                                        precision_interval, recall, recall_interval, f1, f1_interval, average_precision,
                                        average_precision_interval, guess}, ...]: n photos show it, answered and hits are
                                        among the photos of which it is known, guess is their share that shows it
            calibration                 {bins, by_chance, by_chance_shown, corrected, before, after, per_class}, before and
                                        after {ece, ece_equal_mass, ece_shown, log_loss, reliability: [{lower, upper, n,
                                        confidence, accuracy, interval}, ...]}: accuracy is the share of the cells of about
                                        that probability that are present; ece_shown is the error of the classes that are
                                        shown only (absent cells are many and easy), None where none is; by_chance and
                                        by_chance_shown are the errors that so many cells have by chance, 1 time out of 20
                                        more, where every percentage is true and cells are independent; per_class [{class, n,
                                        predicted, share, share_interval}, ...] compares the mean probability with the share
            near_chance                 whether the order of the photos is hardly better than a random one; photos that leaked
                                        have no say in it, unless there are no others
            refused                     None where nobody has looked, or {n, correct}: photos answered with "not sure", and how
                                        many of them are answered exactly right all the same; the numbers above count all
            leaks                       None, or {n, photos: [{path, twin}, ...], n_clean, mean_average_precision_without,
                                        mean_average_precision_without_interval, frequency_guess_without}, the last three of
                                        the photos that did not leak, None where all did or the others show no class
            label_sets                  [{labels, n, answered, hits}, ...]: the commonest combinations of labels among the
                                        photos of which every cell is known, and how often each was answered

    Raises:
        DataError: When no photo of the split is known to show a class.
    """
    rows = [row for row in predictions.scored_rows() if predictions.splits[row] == split]
    known = predictions.take(rows)
    if not (known.targets == PRESENT).any():
        raise _nothing_to_evaluate(predictions.of(split), split)
    before = None if uncalibrated is None else uncalibrated[rows]
    own_groups = None if groups is None else groups[rows]
    ranking = rank(known.targets, known.probabilities, own_groups)
    leaks, without = (None, None) if leaked is None else sets_without_leaks(known, leaked, own_groups)
    return {
        "schema": SCHEMA,
        "task": "multi",
        "split": split,
        "n_different": different,
        "n_unknown_class": predictions.splits.count(split) - len(known),
        "classes": list(known.classes),
        **_overall(known, ranking, own_groups),
        "frequency_guess": _frequency_guess(known, ranking),
        "per_class": _per_class(known, ranking, own_groups),
        "calibration": _calibration(known, before),
        "near_chance": (without or ranking).near_chance,
        "refused": _refused(known),
        "leaks": leaks,
        "label_sets": _label_sets(known),
    }


def _nothing_to_evaluate(chosen: MultiLabelPredictions, split: str) -> DataError:
    return DataError(
        tr("There is no photo to evaluate.")
        if len(chosen)
        else tr("There is no photo to evaluate in the split {split}.", split=split),
        allowed=tr("photos that show one of these classes: {classes}", classes=first_few(chosen.classes)),
        got=tr("{count} photos, none known to show a class that the classifier knows", count=len(chosen)),
    )


def _overall(known: MultiLabelPredictions, ranking: Ranking, groups: Ints | None) -> Document:
    targets, shown = known.targets, known.shown
    complete = complete_rows(targets)
    f1 = macro_f1(set_class_scores(targets, shown))
    return {
        "n": len(known),
        "n_complete": int(complete.sum()),
        "n_cells": int((targets != NOT_KNOWN).sum()),
        "n_groups": None if groups is None else len(np.unique(groups)),
        "mean_average_precision": ranking.mean,
        "mean_average_precision_interval": list(ranking.interval),
        "mean_roc_area": ranking.mean_roc_area,
        "macro_f1": f1,
        "macro_f1_interval": list(macro_f1_interval(f1, targets, shown, groups)),
        "micro_f1": micro_f1(targets, shown),
        "exact_match": _share(known.correct[complete]),
        "exact_match_interval": list(grouped_interval(known.correct, complete, groups)),
        "hamming_loss": hamming_loss(targets, shown),
        "log_loss": cell_log_loss(targets, known.probabilities),
        "confidence": CONFIDENCE,
        "interval_method": "Wilson score, at the variance of a bootstrap over photos"
        + ("" if groups is None else ", copies and groups together"),
        "draws": ranking.draws,
    }


def _frequency_guess(known: MultiLabelPredictions, ranking: Ranking) -> Document:
    complete = known.targets[complete_rows(known.targets)]
    commonest = Counter(map(tuple, complete.tolist())).most_common(1)
    shares = np.broadcast_to(ranking.shares, known.targets.shape)
    return {
        "mean_average_precision": ranking.share,
        "by_chance": ranking.by_chance,
        "difference": ranking.difference,
        "difference_interval": list(ranking.difference_interval),
        "verdict": ranking.verdict,
        "log_loss": cell_log_loss(known.targets, shares),
        "exact_match": commonest[0][1] / len(complete) if commonest else None,
        "combination": _names(known.classes, commonest[0][0]) if commonest else None,
    }


def _names(classes: tuple[str, ...], cells: tuple[int, ...]) -> list[str]:
    return [name for name, cell in zip(classes, cells, strict=True) if cell == PRESENT]


def _per_class(known: MultiLabelPredictions, ranking: Ranking, groups: Ints | None) -> list[Document]:
    absent, unknown = (known.targets == ABSENT).sum(axis=0), (known.targets == NOT_KNOWN).sum(axis=0)
    table = []
    for column, score in enumerate(set_class_scores(known.targets, known.shown, groups)):
        counts = _plain(score)
        table.append(
            {
                "class": known.classes[column],
                "n": counts.pop("n"),
                "n_absent": int(absent[column]),
                "n_not_known": int(unknown[column]),
                "threshold": float(np.median(known.thresholds[:, column])),
                **counts,
                "average_precision": ranking.average_precisions[column],
                "average_precision_interval": list(ranking.intervals[column]),
                "guess": float(ranking.shares[column]),
            }
        )
    return table


def _calibration(known: MultiLabelPredictions, before: Floats | None) -> Document:
    told, shown = known.targets != NOT_KNOWN, known.shown & (known.targets != NOT_KNOWN)
    return {
        "bins": _BINS,
        "by_chance": chance_error(known.probabilities[told], bins=_BINS),
        "by_chance_shown": chance_error(known.probabilities[shown], bins=_BINS),
        "corrected": before is not None and bool((np.abs(before - known.probabilities) > _ROUNDED)[told].any()),
        "before": _calibrated(known.targets, known.probabilities if before is None else before, shown),
        "after": _calibrated(known.targets, known.probabilities, shown),
        "per_class": _calibration_per_class(known),
    }


def _calibrated(targets: Ints, probabilities: Floats, shown: Bools) -> Document:
    told = targets != NOT_KNOWN
    chances, present = _cells(probabilities, told), targets[told] == PRESENT
    bars = bars_of(chances, present, bins=_BINS)
    of_shown = bars_of(_cells(probabilities, shown), targets[shown] == PRESENT, bins=_BINS)
    return {
        "ece": calibration_error(bars),
        "ece_equal_mass": calibration_error(bars_of(chances, present, bins=_BINS, binning="mass")),
        "ece_shown": calibration_error(of_shown) if of_shown else None,
        "log_loss": cell_log_loss(targets, probabilities),
        "reliability": [_plain(bar) for bar in bars],
    }


def _cells(probabilities: Floats, flags: Bools) -> npt.NDArray[np.float64]:
    return probabilities[flags].astype(np.float64)


def _calibration_per_class(known: MultiLabelPredictions) -> list[Document]:
    told, shares = known.targets != NOT_KNOWN, present_shares(known.targets)
    counts = told.sum(axis=0)
    predicted = np.where(told, known.probabilities, 0.0).sum(axis=0) / np.maximum(counts, 1)
    return [
        {
            "class": name,
            "n": n,
            "predicted": mean if n else None,
            "share": share if n else None,
            "share_interval": list(wilson(round(share * n), n)),
        }
        for name, n, mean, share in zip(known.classes, counts.tolist(), predicted.tolist(), shares.tolist(), strict=True)
    ]


def _refused(known: MultiLabelPredictions) -> Document | None:
    if known.known is None:
        return None
    return {"n": int((~known.known).sum()), "correct": int((known.correct & ~known.known).sum())}


def sets_without_leaks(
    known: MultiLabelPredictions, leaked: Mapping[str, str], groups: Ints | None = None
) -> tuple[Document, Ranking | None]:
    """The score of the photos that have no twin in another split.

    Args:
        known: Photos of which something is known.
        leaked: Path of each photo that has a twin, to the twin's path; paths that are not among ``known`` do not matter.
        groups: ``[N]``, or ``None``.

    Returns:
        What stands under ``leaks`` in :func:`evaluate_sets`, and the order of the photos that did not leak: ``None`` where
        there are none, or they show no class.
    """
    lost = np.array([name in leaked for name in known.names], dtype=np.bool_)
    rows = np.flatnonzero(~lost)
    clean = known.take(rows.tolist())
    ranking = None
    if (clean.targets == PRESENT).any():
        ranking = rank(clean.targets, clean.probabilities, None if groups is None else groups[rows])
    return {
        "n": int(lost.sum()),
        "photos": [{"path": name, "twin": leaked[name]} for name in known.names if name in leaked],
        "n_clean": len(clean),
        "mean_average_precision_without": ranking.mean if ranking else None,
        "mean_average_precision_without_interval": list(ranking.interval) if ranking else None,
        "frequency_guess_without": _frequency_guess(clean, ranking) if ranking else None,
    }, ranking


def _label_sets(known: MultiLabelPredictions) -> list[Document]:
    complete = complete_rows(known.targets)
    shown = known.shown[complete].astype(np.int8).tolist()
    own = known.targets[complete].tolist()
    counts, answered = Counter(map(tuple, own)), Counter(map(tuple, shown))
    hits = Counter(tuple(cells) for cells, answer in zip(own, shown, strict=True) if cells == answer)
    commonest = sorted({*counts, *answered}, key=lambda cells: (-counts[cells], -answered[cells], cells))[:_COMMONEST]
    return [
        {"labels": _names(known.classes, cells), "n": counts[cells], "answered": answered[cells], "hits": hits[cells]}
        for cells in commonest
    ]


def _share(flags: Bools) -> float | None:
    return int(flags.sum()) / len(flags) if len(flags) else None


def _plain(record: Any) -> Document:
    values = dataclasses.asdict(record)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
