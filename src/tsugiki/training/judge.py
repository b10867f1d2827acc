"""What a trained head is worth: calibrated on out-of-fold answers, judged once on the held-out photos.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tsugiki.classifier.answer import MOST_REFERENCES, Unknown
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import DataError
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.duplicates import find_leaks
from tsugiki.evaluation.metrics import softmax
from tsugiki.evaluation.out_of_distribution import FALSE_REJECT_RATE, threshold_at, training_distance
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Predictions, evaluate_rows
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import judged_rows
from tsugiki.inspection.seen_photos import with_leaks
from tsugiki.locale.messages import tr


def calibrate(classifier: Classifier, table: FeatureTable, out_of_fold: Floats | None) -> None:
    """Set temperature and unknown threshold, both from training photos only; neither without out-of-fold answers.

    Args:
        classifier: Changed in place.
        table: Features of the training photos.
        out_of_fold: ``[N, K]`` logits of the training photos, NaN for photos that nobody could judge; ``None`` where
            cross-validation was impossible: too many photos belong together to tell how far apart two of them usually are.
    """
    if out_of_fold is None:
        classifier.temperature, classifier.unknown = 1.0, None
        return
    rows = table.samples.train_rows
    judged = judged_rows(out_of_fold)
    classifier.temperature = fit_temperature(out_of_fold[judged], table.samples.labels[rows][judged])
    picked = np.arange(0, len(rows), max(1, -(-len(rows) // MOST_REFERENCES)))
    reference = table.train_photos.take(picked)
    groups = table.groups_of(rows)[picked]
    known = table.remembered("distances-2", lambda: training_distance(reference, groups=groups).tolist())
    threshold = threshold_at(np.array(known))
    classifier.unknown = Unknown.from_features(reference, threshold, false_reject_rate=FALSE_REJECT_RATE)


def judge(classifier: Classifier, table: FeatureTable, out_of_fold: Floats | None) -> tuple[Predictions, dict[str, Any]]:
    """Rows and numbers of the held-out photos, copies of training photos among them counted.

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
    if not held_out:
        predictions = _out_of_fold(classifier, table, out_of_fold)
        leaked: dict[str, str] | None = None if table.duplicates is None else {}
        judged = set(predictions.names)
        different = table.different(row for row in samples.train_rows if samples.names[row] in judged)
        temperature = classifier.estimated_temperature
        return predictions, evaluate_rows(
            predictions, split=OUT_OF_FOLD, temperature=temperature, leaked=leaked, different=different
        )
    chosen = samples.take(samples.held_out_rows)
    answers = classifier.answer_head.probabilities(table.held_out).astype(np.float64)
    known = classifier.answer_head.known(table.held_out)
    predictions = Predictions(chosen.names, chosen.splits, chosen.labels, answers, classifier.classes, known)
    leaked = None
    if table.duplicates is not None:
        leaks = find_leaks(table.duplicates, samples.splits, held_out)
        leaked = {samples.names[row]: samples.names[twin] for row, twin in leaks.items()}
        # Whoever evaluates the classifier later has other photos beside these, and not the twins.
        classifier.notes = with_leaks(classifier.notes, (samples.digests[row] for row in leaks))
    temperature, different = classifier.estimated_temperature, table.different(samples.held_out_rows)
    return predictions, evaluate_rows(predictions, split=held_out, temperature=temperature, leaked=leaked, different=different)


def _out_of_fold(classifier: Classifier, table: FeatureTable, out_of_fold: Floats | None) -> Predictions:
    if out_of_fold is None:
        raise DataError(
            tr("Nothing is held out, and cross-validation is impossible: nothing could be scored."),
            cure=tr("hold photos out, or add photos of other subjects"),
        )
    judged = judged_rows(out_of_fold)
    chosen = table.samples.take([table.samples.train_rows[at] for at in judged.tolist()])
    answers = softmax(out_of_fold[judged], classifier.temperature)
    return Predictions(chosen.names, (OUT_OF_FOLD,) * len(chosen), chosen.labels, answers, classifier.classes)
