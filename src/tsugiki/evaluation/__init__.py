"""Floor 5: pure functions on arrays. Scores and labels go in; metrics, intervals, calibration, suspects and leaks come out."""

from tsugiki.evaluation.arrays import softmax
from tsugiki.evaluation.calibration import (
    Bin,
    at_temperature,
    calibration_error,
    fit_temperature,
    reliability,
)
from tsugiki.evaluation.document import evaluate_rows, headline, score_without_leaks
from tsugiki.evaluation.intervals import Comparison, mcnemar, verdict, wilson
from tsugiki.evaluation.leaks import (
    Nearness,
    Pair,
    Prints,
    across,
    contradictions,
    duplicate_groups,
    find_duplicates,
    find_leaks,
)
from tsugiki.evaluation.learning_curve import CurvePoint, LearningCurve, learning_curve, more_photos_sentence
from tsugiki.evaluation.neighbours import Neighbours, nearest, nearest_others
from tsugiki.evaluation.rows import Predictions
from tsugiki.evaluation.shortcuts import Shortcut, find_shortcuts
from tsugiki.evaluation.suspects import Suspect, find_suspects
from tsugiki.evaluation.suspects_file import Decisions, read_decisions, write_suspects
from tsugiki.evaluation.unknowns import (
    Rejection,
    auroc,
    distance,
    energy,
    judge_rejection,
    threshold_at,
    training_distance,
)

__all__ = [
    "Bin",
    "Comparison",
    "CurvePoint",
    "Decisions",
    "LearningCurve",
    "Nearness",
    "Neighbours",
    "Pair",
    "Predictions",
    "Prints",
    "Rejection",
    "Shortcut",
    "Suspect",
    "across",
    "at_temperature",
    "auroc",
    "calibration_error",
    "contradictions",
    "distance",
    "duplicate_groups",
    "energy",
    "evaluate_rows",
    "find_duplicates",
    "find_leaks",
    "find_shortcuts",
    "find_suspects",
    "fit_temperature",
    "headline",
    "judge_rejection",
    "learning_curve",
    "mcnemar",
    "more_photos_sentence",
    "nearest",
    "nearest_others",
    "read_decisions",
    "reliability",
    "score_without_leaks",
    "softmax",
    "threshold_at",
    "training_distance",
    "verdict",
    "wilson",
    "write_suspects",
]
