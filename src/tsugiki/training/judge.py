"""What a trained head is worth: calibrated on out-of-fold answers, judged once on the held-out photos.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tsugiki.classifier.answer import MOST_REFERENCES, Unknown
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.predict import predict_features, temperature_of
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.duplicates import find_leaks
from tsugiki.evaluation.out_of_distribution import FALSE_REJECT_RATE, threshold_at, training_distance
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.features.table import Evidence
from tsugiki.features.vectors import Floats
from tsugiki.heads.linear import judged_rows


def calibrate(classifier: Classifier, evidence: Evidence, out_of_fold: Floats | None) -> None:
    """Set temperature and unknown threshold, both from training photos only; neither without out-of-fold answers.

    Args:
        classifier: Changed in place.
        evidence: Features of the training photos.
        out_of_fold: ``[N, K]`` logits of the training photos, NaN for photos that nobody could judge; ``None`` where
            cross-validation was impossible: too many photos belong together to tell how far apart two of them usually are.
    """
    if out_of_fold is None:
        classifier.temperature, classifier.unknown = 1.0, None
        return
    labels = evidence.samples.labels[evidence.training]
    judged = judged_rows(out_of_fold)
    classifier.temperature = fit_temperature(out_of_fold[judged], labels[judged])
    frames = evidence.training_frames
    picked = np.arange(0, len(frames), max(1, -(-len(frames) // MOST_REFERENCES)))
    reference = frames.take(picked)
    groups = evidence.together(evidence.training)[picked]
    known = evidence.remembered("distances-2", lambda: training_distance(reference, groups=groups).tolist())
    threshold = threshold_at(np.array(known))
    classifier.unknown = Unknown.from_features(torch.from_numpy(reference), threshold, false_reject_rate=FALSE_REJECT_RATE)


def judge(classifier: Classifier, evidence: Evidence) -> tuple[Predictions, dict[str, Any]]:
    """Rows and numbers of the held-out photos, copies of training photos among them counted."""
    samples = evidence.samples.take(evidence.held_out)
    predictions = Predictions(
        samples.names,
        samples.splits,
        samples.labels,
        predict_features(classifier, evidence.held_out_features).astype(np.float64),
        classifier.classes,
    )
    leaked = None
    if evidence.copies is not None:
        names = evidence.samples.names
        leaks = find_leaks(evidence.copies, evidence.samples.splits, evidence.samples.held_out)
        leaked = {names[row]: names[twin] for row, twin in leaks.items()}
    held_out, temperature = evidence.samples.held_out, temperature_of(classifier)
    document = evaluate_rows(predictions, split=held_out, temperature=temperature, leaked=leaked)
    return predictions, document
