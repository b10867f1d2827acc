"""What the charts of a page are called and show, in words: for whoever cannot see them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tsugiki.evaluation.headline import accuracy_without_leaks, guess_to_beat
from tsugiki.evaluation.learning_curve import LearningCurve
from tsugiki.evaluation.predictions import Document
from tsugiki.locale.messages import listed, tr
from tsugiki.reporting.pages.training_sentences import Sentences


def score_descriptions(evaluation: Document) -> Sentences:
    """Of the interval and of the reliability chart."""
    guess = guess_to_beat(evaluation) or evaluation["majority_guess"]
    accuracy, (low, high) = accuracy_without_leaks(evaluation)
    points = [
        tr("{sure} sure: {right} of {n} right", sure=_percent(bar["confidence"]), right=_percent(bar["accuracy"]), n=bar["n"])
        for bar in evaluation["calibration"]["after"]["reliability"]
    ]
    return {
        "strip": tr(
            "Accuracy {accuracy}, 95% interval {low} to {high}; always answering {name}: {guess}.",
            accuracy=f"{accuracy:.1%}",
            low=f"{low:.1%}",
            high=f"{high:.1%}",
            name=guess["class"],
            guess=f"{guess['accuracy']:.1%}",
        ),
        "reliability": tr("How often it was right, by how sure it was: {points}.", points=listed(points)),
        "sure": tr("how sure it was"),
        "right": tr("how often it was right"),
    }


def set_score_descriptions(evaluation: Document) -> Sentences:
    """The same where photos have several labels."""
    guess = guess_to_beat(evaluation) or evaluation["frequency_guess"]
    value, (low, high) = accuracy_without_leaks(evaluation)
    points = [
        tr("{sure} sure: {right} of {n} there", sure=_percent(bar["confidence"]), right=_percent(bar["accuracy"]), n=bar["n"])
        for bar in evaluation["calibration"]["after"]["reliability"]
    ]
    return {
        "strip": tr(
            "Mean average precision {value}, 95% interval {low} to {high}; guessing: {guess}.",
            value=f"{value:.1%}",
            low=f"{low:.1%}",
            high=f"{high:.1%}",
            guess=f"{guess['mean_average_precision']:.1%}",
        ),
        "reliability": tr("How often a class was there, by its probability: {points}.", points=listed(points)),
        "sure": tr("probability of a class"),
        "right": tr("how often it was there"),
    }


def learning_descriptions(curve: LearningCurve) -> Sentences:
    """Of the learning curve."""
    measured, forecast = (
        [tr("{n} photos: {accuracy}", n=point.n, accuracy=_percent(point.accuracy)) for point in points]
        for points in (curve.measured, curve.forecast)
    )
    name = tr(
        "Accuracy by training photos, measured: {measured}; expected: {forecast}.",
        measured=listed(measured),
        forecast=listed(forecast),
    )
    return {"learning": name, "photos": tr("training photos"), "accuracy": tr("accuracy")}


def history_descriptions(history: Sequence[Mapping[str, float]], measure: str) -> Sentences:
    """Of loss and ``measure`` over the epochs: ``acc``, or ``map`` where photos have several labels."""
    loss, score = ({part: _ends(history, f"{part}_{kind}") for part in ("train", "val")} for kind in ("loss", measure))
    values = {"epochs": len(history), "train": score["train"], "other": score["val"]}
    return {
        "epoch": tr("Epoch"),
        "loss": tr(
            "Loss over {epochs} epochs: training photos {train}, photos that were not learned from {other}.",
            epochs=len(history),
            train=loss["train"],
            other=loss["val"],
        ),
        "score": tr(
            "Accuracy over {epochs} epochs: training photos {train}, photos that were not learned from {other}.", **values
        )
        if measure == "acc"
        else tr(
            "Mean average precision over {epochs} epochs: training photos {train}, photos that were not learned from {other}.",
            **values,
        ),
    }


def _ends(history: Sequence[Mapping[str, float]], column: str) -> str:
    values = [row[column] for row in history if row[column] is not None and math.isfinite(row[column])]
    if not values:
        return tr("not measured")
    write = "{:.3g}".format if column.endswith("loss") else _percent
    return tr("from {first} to {last}", first=write(values[0]), last=write(values[-1]))


def _percent(share: float) -> str:
    return f"{share:.0%}"
