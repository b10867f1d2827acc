"""How the logits of a head become several labels: a probability and a threshold of every class.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.classifier.answer import MultiLabel
from tsugiki.evaluation.multi_label.platt import fit_platt
from tsugiki.evaluation.multi_label.thresholds import ThresholdGoal, choose_thresholds


def fit_multi_label(
    logits: npt.NDArray[Any], targets: npt.NDArray[np.int8], classes: tuple[str, ...], goal: ThresholdGoal | None
) -> tuple[MultiLabel, dict[str, Any]]:
    """How logits become several labels, and notes on what was chosen.

    Args:
        logits: ``[N, K]`` of photos that the head has not learned from.
        targets: ``[N, K]`` of the same photos.
        classes: ``K`` names.
        goal: What the thresholds are chosen for.
    """
    slope, offset = fit_platt(logits, targets)
    fresh = replace(MultiLabel.fresh(len(classes)), slope=slope, offset=offset)
    chosen = choose_thresholds(fresh.probabilities(logits), targets, goal)
    return replace(fresh, thresholds=chosen.values.astype(np.float32)), chosen.notes(goal or ThresholdGoal(), classes)
