"""Floor 5: pure functions on arrays. Scores and labels go in; metrics, intervals, calibration, suspects and leaks come out."""

from tsugiki.evaluation.arrays import softmax
from tsugiki.evaluation.calibration import (
    VectorScaling,
    at_temperature,
    calibration_error,
    fit_temperature,
    fit_vector_scaling,
    reliability,
)
from tsugiki.evaluation.document import evaluate_rows, headline, score_without_leaks
from tsugiki.evaluation.intervals import Comparison, mcnemar, verdict, wilson
from tsugiki.evaluation.rows import Predictions

__all__ = [
    "Comparison",
    "Predictions",
    "VectorScaling",
    "at_temperature",
    "calibration_error",
    "evaluate_rows",
    "fit_temperature",
    "fit_vector_scaling",
    "headline",
    "mcnemar",
    "reliability",
    "score_without_leaks",
    "softmax",
    "verdict",
    "wilson",
]
