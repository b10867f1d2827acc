"""What a trained head is worth: calibrated on out-of-fold answers, judged once on the held-out photos.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsugiki.classifier.answer import MOST_REFERENCES, AnswerHead, MultiLabel, Unknown
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import DataError
from tsugiki.data.folds import deal_folds_of_sets
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.duplicates import find_leaks
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal, crossed_thresholds
from tsugiki.evaluation.out_of_distribution import FALSE_REJECT_RATE, threshold_at, training_distance
from tsugiki.evaluation.predictions import OUT_OF_FOLD
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.heads.fit_multi_label import fit_multi_label
from tsugiki.heads.linear import judged_rows
from tsugiki.inspection.backbone_photos import learned_before, rows_learned
from tsugiki.inspection.score import Answers, AnyPredictions, Circumstances, score
from tsugiki.inspection.seen_photos import with_leaks
from tsugiki.locale.messages import tr


def calibrate(
    classifier: Classifier, table: FeatureTable, out_of_fold: Floats | None, *, goal: ThresholdGoal | None = None
) -> None:
    """Set temperature and unknown threshold, both from training photos only; neither without out-of-fold answers.

    Multi-label: slope, offset and threshold of every class instead of one temperature.

    Args:
        classifier: Changed in place.
        table: Features of the training photos.
        out_of_fold: ``[N, K]`` logits of the training photos, NaN for photos that nobody could judge; ``None`` where
            cross-validation was impossible: too many photos belong together to tell how far apart two of them usually are.
        goal: What the thresholds of several labels are chosen for.
    """
    classifier.temperature, classifier.unknown = 1.0, None
    if classifier.multi_label is not None:
        classifier.multi_label = MultiLabel.fresh(len(classifier.classes))
    if out_of_fold is None:
        return
    rows = table.samples.train_rows
    judged = judged_rows(out_of_fold)
    targets = table.samples.targets
    if targets is None:
        classifier.temperature = fit_temperature(out_of_fold[judged], table.samples.labels[rows][judged])
    else:
        classifier.multi_label, notes = fit_multi_label(out_of_fold[judged], targets[rows][judged], classifier.classes, goal)
        classifier.notes = {**classifier.notes, "thresholds": notes}
    picked = np.arange(0, len(rows), max(1, -(-len(rows) // MOST_REFERENCES)))
    reference = table.train_photos.take(picked)
    groups = table.groups_of(rows)[picked]
    known = table.remembered("distances-2", lambda: training_distance(reference, groups=groups).tolist())
    threshold = threshold_at(np.array(known))
    classifier.unknown = Unknown.from_features(reference, threshold, false_reject_rate=FALSE_REJECT_RATE)


def judge(classifier: Classifier, table: FeatureTable, out_of_fold: Floats | None) -> tuple[AnyPredictions, dict[str, Any]]:
    """Rows and numbers of the held-out photos, copies of training photos among them counted, and what the backbone knows.

    Where nothing is held out, of the training photos: each is answered by a head that has not learned from it, and copies and
    subjects were never separated.

    Args:
        classifier: Trained and calibrated; its notes tell afterwards which held-out photos leaked.
        table: Features of all photos.
        out_of_fold: ``[N, K]`` logits of the training photos.

    Raises:
        DataError: When there is nothing to judge.
    """
    samples, held_out = table.samples, table.samples.held_out
    head, rows, split = classifier.answer_head, samples.held_out_rows, held_out
    leaked: dict[str, str] | None = None if table.duplicates is None else {}
    if not held_out:
        rows, answers = _out_of_fold(head, table, out_of_fold, threshold_goal(classifier.notes))
        split = OUT_OF_FOLD
    else:
        answers = Answers.of(head, table.held_out)
    if held_out and table.duplicates is not None:
        leaks = find_leaks(table.duplicates, samples.splits, held_out)
        leaked = {samples.names[row]: samples.names[twin] for row, twin in leaks.items()}
        # Whoever evaluates the classifier later has other photos beside these, and not the twins.
        classifier.notes = with_leaks(classifier.notes, (samples.digests[row] for row in leaks))
    groups = None if head.multi_label is None else table.groups_of(rows)
    photos = samples.take(rows)
    learned = frozenset(photos.names[row] for row in rows_learned(learned_before(classifier.notes), photos.digests))
    about = Circumstances(split, classifier.estimated_temperature, leaked, table.different(rows), groups, learned)
    return score(head, photos, answers, about, splits=(split,) * len(rows))


def threshold_goal(notes: Mapping[str, Any]) -> ThresholdGoal:
    """What the thresholds of several labels were chosen for, as a classifier's notes tell it."""
    return ThresholdGoal.read(notes.get("thresholds", {}).get("goal", "f1"))


def _out_of_fold(
    head: AnswerHead, table: FeatureTable, out_of_fold: Floats | None, goal: ThresholdGoal
) -> tuple[list[int], Answers]:
    """The training photos that a head could judge that has not learned from them, and its answers."""
    if out_of_fold is None:
        raise DataError(
            tr("Nothing is held out, and cross-validation is impossible: nothing could be scored."),
            cure=tr("hold photos out, or add photos of other subjects"),
        )
    judged, learned = judged_rows(out_of_fold), table.samples.train_rows
    logits, rows = out_of_fold[judged], [learned[at] for at in judged.tolist()]
    if head.multi_label is None or table.samples.targets is None:
        return rows, Answers(softmax(logits, head.temperature))
    targets, probabilities = table.samples.targets[rows], head.multi_label.probabilities(logits).astype(np.float64)
    # The thresholds were chosen on these very answers: each photo is answered with those that the others choose.
    parts = deal_folds_of_sets(targets, groups=table.groups_of(rows))
    return rows, Answers(probabilities, logits=logits, thresholds=crossed_thresholds(probabilities, targets, parts, goal))
