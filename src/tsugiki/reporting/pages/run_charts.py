"""The charts of a run's report: its score beside guessing, its percentages, what more photos would do, its epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tsugiki.evaluation.headline import accuracy_without_leaks, guess_to_beat
from tsugiki.evaluation.multi_label.set_headline import is_multi
from tsugiki.evaluation.predictions import Document
from tsugiki.inspection.findings import Findings
from tsugiki.reporting.pages import charts
from tsugiki.reporting.pages.descriptions import (
    history_descriptions,
    learning_descriptions,
    score_descriptions,
    set_score_descriptions,
)
from tsugiki.reporting.pages.page import Bilingual, in_each_language
from tsugiki.training.run import Run


def run_charts(run: Run) -> dict[str, str]:
    """Each as SVG, or ``""`` where there is nothing to draw."""
    evaluation = run.evaluation
    several = is_multi(evaluation)
    words = in_each_language(lambda: set_score_descriptions(evaluation) if several else score_descriptions(evaluation))
    calibration = evaluation["calibration"]
    return {
        "strip": _strip(evaluation, words["strip"]),
        "reliability": charts.reliability_chart(
            calibration["after"]["reliability"],
            calibration["before"]["reliability"] if _is_corrected(calibration) else (),
            words=charts.Words(words["reliability"], words["sure"], words["right"]),
        ),
        "learning": draw_learning(run.findings),
        **_history(run.history, "map" if several else "acc"),
    }


def _is_corrected(calibration: Document) -> bool:
    """Whether calibration has changed any percentage; several labels have no temperature."""
    if "temperature" in calibration:
        return calibration["temperature"] not in (None, 1)
    return bool(calibration["before"]["log_loss"] != calibration["after"]["log_loss"])


def _strip(evaluation: Document, name: Bilingual) -> str:
    """The score of the photos that did not leak; nothing where there is no such photo."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return ""
    score, interval = accuracy_without_leaks(evaluation)
    guessed = guess["mean_average_precision"] if is_multi(evaluation) else guess["accuracy"]
    return charts.interval_strip(score, interval, guessed, words=charts.Words(name))


def draw_learning(findings: Findings) -> str:
    """The learning curve, or nothing where there is none."""
    curve = findings.curve
    if curve is None:
        return ""
    words = in_each_language(lambda: learning_descriptions(curve))
    return charts.learning_chart(curve, words=charts.Words(words["learning"], words["photos"], words["accuracy"]))


def _history(history: Sequence[Mapping[str, float]], measure: str) -> dict[str, str]:
    """Loss, and accuracy or what stands for it."""
    if not history:
        return {"loss": "", "accuracy": ""}
    words = in_each_language(lambda: history_descriptions(history, measure))
    return {
        "loss": charts.history_chart(history, "loss", words=charts.Words(words["loss"], words["epoch"])),
        "accuracy": charts.history_chart(history, measure, words=charts.Words(words["score"], words["epoch"])),
    }
