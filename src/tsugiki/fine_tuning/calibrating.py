"""Temperature and unknown threshold of a fine-tuned classifier, from photos that it has not learned from.

After transfer learning, cross-validation answers for every training photo; fine-tuning is not repeated per fold, so its
validation photos speak: they chose the epoch, and nothing was learned from them. Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import numpy as np

from tsugiki.classifier.answer import MOST_REFERENCES, Unknown
from tsugiki.classifier.classifier import Classifier
from tsugiki.evaluation.calibration import fit_temperature
from tsugiki.evaluation.out_of_distribution import FALSE_REJECT_RATE, distance, threshold_at
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable


def calibrate_fine_tuned(classifier: Classifier, table: FeatureTable, learned: list[int], checked: list[int]) -> None:
    """Set temperature and unknown threshold.

    Args:
        classifier: Fine-tuned; changed in place.
        table: Its own features of all photos.
        learned: Rows of the samples that it learned from.
        checked: Rows that it was validated on.
    """
    features = features_of(table, checked)
    logits = classifier.answer_head.logits(features)
    classifier.temperature = fit_temperature(logits, table.samples.labels[checked])
    reference = features_of(table, learned[:: -(-len(learned) // MOST_REFERENCES)])
    threshold = threshold_at(distance(features, reference))
    classifier.unknown = Unknown.from_features(reference, threshold, false_reject_rate=FALSE_REJECT_RATE)


def features_of(table: FeatureTable, rows: list[int]) -> Floats:
    """Features ``[N, D]`` of training or validation photos, by row of the samples."""
    training = {row: place for place, row in enumerate(table.samples.train_rows)}
    if rows[0] in training:
        return table.train_photos.take(np.array([training[row] for row in rows]))
    validation = {row: place for place, row in enumerate(table.samples.val_rows)}
    return table.val[[validation[row] for row in rows]]
