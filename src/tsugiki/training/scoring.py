"""What a trained head is worth: calibrated on out-of-fold answers, judged once on the held-out photos.

Letters: ``N`` photos, ``D`` feature width, ``K`` classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.unknown import Unknown
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.document import evaluate_rows
from tsugiki.evaluation.leaks import find_leaks
from tsugiki.evaluation.rows import Predictions
from tsugiki.evaluation.unknowns import FALSE_REJECT_RATE, threshold_at, training_distance
from tsugiki.training.evidence import Evidence
from tsugiki.training.heads import Floats, Ints

NOT_ESTIMATED = "not estimated"
"""What a run's notes say of its calibration where there were no photos to estimate it on."""

MOST_REFERENCES = 5_000  # training photos that "unlike anything seen" is measured against


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


def judged_rows(out_of_fold: Floats) -> Ints:
    """The rows of ``[N, K]`` logits that a head could answer for."""
    return np.flatnonzero(~np.isnan(out_of_fold).any(axis=1)).astype(np.int64)


def predict_features(classifier: Classifier, features: Floats) -> Floats:
    """Calibrated probabilities ``[N, K]`` of features ``[N, D]``."""
    with torch.inference_mode():
        logits = classifier.head(torch.from_numpy(features).to(classifier.device))
        probabilities: Floats = classifier.probabilities(logits).cpu().numpy()
    return probabilities


def temperature_of(classifier: Classifier) -> float | None:
    """The classifier's temperature, or ``None`` where none could be estimated in training."""
    return None if classifier.notes.get("calibration") == NOT_ESTIMATED else classifier.temperature


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
