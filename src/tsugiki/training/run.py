"""One training and everything that came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.data.samples import Samples
from tsugiki.evaluation.predictions import Predictions
from tsugiki.features.store import Floats
from tsugiki.features.table import FeatureTable
from tsugiki.inspection.findings import Findings


@dataclass(frozen=True)
class Run:
    """One training: the classifier, and what is known about it.

    Attributes:
        classifier: Trained, calibrated, on the device it was trained on.
        history: One row per epoch: ``epoch, train_loss, train_acc, val_loss, val_acc, lr, seconds``.
        evaluation: The numbers of the held-out photos (:func:`tsugiki.evaluation.predictions.evaluate_rows`).
        predictions: One row per held-out photo.
        table: Photos and features that it was made from.
        out_of_fold: ``[N, K]`` logits of the training photos, each by a head that has learned its class, but not from it: NaN
            where there is no such head; ``None`` where there is none for any photo.
        findings: What was found about the photos: label issues, duplicates, shortcuts, the learning curve.
    """

    classifier: Classifier
    history: list[dict[str, float]]
    evaluation: dict[str, Any]
    predictions: Predictions
    table: FeatureTable
    out_of_fold: Floats | None
    findings: Findings

    @property
    def samples(self) -> Samples:
        """The photos that counted."""
        return self.table.samples
