"""``report.html``: one page about one run, for a person: how good, how sure, whether held-out photos leaked, what to do next.

Letters: ``K`` classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.core.console import typed
from tsugiki.data.samples import Samples
from tsugiki.inspection.findings import Findings
from tsugiki.reporting.pages import charts, sentences
from tsugiki.reporting.pages.page import Bilingual, in_each_language, render_page, thumbnails
from tsugiki.reporting.pages.training_sentences import is_fine_tuned, training_sentences
from tsugiki.training.run import Run

_MOST_MISTAKES = 12
_MOST_SUSPECTS = 12
_MOST_TWINS = 6
_MOST_ODD = 6
_MATRIX_UP_TO = 12
_MOST_CONFUSIONS = 15
_WORTH_A_LOOK = 0.05  # expected calibration error

Plain = dict[str, Any]


def write_report(run: Run, *, name: str) -> str:
    """The page.

    Args:
        run: What it is about.
        name: Of the run's folder, without its path.
    """
    gallery, evaluation = _Gallery.of(run), run.evaluation
    return render_page(
        "report.html.j2",
        " · ".join(run.classifier.classes[:6]),
        say=_sentences(run, name),
        glance=_glance(evaluation, run.findings),
        charts=_charts(run),
        evaluation=evaluation,
        classes=evaluation["classes"],
        **_confusion(evaluation["confusion"]["counts"], evaluation["classes"]),
        mistakes=gallery.mistakes,
        suspects=gallery.suspects,
        twins=gallery.twins,
        odd=gallery.odd,
        counts=count_table(run.samples),
        decisions=run.samples.decisions,
        left_out=run.samples.left_out,
        settings=list(_flattened({name: value for name, value in run.classifier.notes.items() if name != "seen"})),
        fingerprint=str(run.classifier.notes.get("data_fingerprint", ""))[:16],
        run_typed=typed(name),
        suspects_typed=typed(f"{name}/suspects.csv"),
        run_literal=json.dumps(name, ensure_ascii=False),
    )


def _sentences(run: Run, name: str) -> dict[str, Bilingual]:
    evaluation, samples, findings = run.evaluation, run.samples, run.findings
    return in_each_language(
        lambda: {
            **sentences.page_labels(),
            **sentences.headline_sentences(evaluation),
            **sentences.score_sentences(evaluation),
            **sentences.calibration_sentences(evaluation, run.classifier.notes),
            **sentences.out_of_distribution_sentences(run.classifier),
            **sentences.duplicate_sentences(evaluation, findings, samples.splits),
            **sentences.label_issue_sentences(findings),
            **sentences.learning_curve_sentences(findings.curve, fine_tuned=is_fine_tuned(run.classifier.notes)),
            **training_sentences(run),
            **sentences.usage_sentences(name),
            **sentences.photo_sentences(len(samples), len(samples.classes), len(samples.left_out)),
            **sentences.remark_sentences(run.table),
        }
    )


def _glance(evaluation: Mapping[str, Any], findings: Findings) -> list[dict[str, str]]:
    """The sentences to know before any number is used, each with a mark: fine, look, or open."""
    leaks = evaluation["leaks"]
    against = {"helped": "fine", "hurt": "look", "cannot tell": "open"}[evaluation["majority_guess"]["verdict"]]
    given_away = any(one.suspicious for one in findings.shortcuts)
    sure = any(one.confident for one in findings.suspects)
    states = [
        ("against", "score", against),
        ("leaked", "leaks", "open" if leaks is None else "look" if leaks["n"] else "fine"),
        ("trust_short", "trust", "look" if evaluation["calibration"]["after"]["ece"] > _WORTH_A_LOOK else "fine"),
        ("suspects_short", "suspects", "look" if sure else "fine" if findings.examined else "open"),
        ("shortcut", "leaks", "look" if given_away else "fine" if findings.shortcuts else "open"),
        ("more_short", "more", "told"),
    ]
    return [{"key": key, "to": to, "state": state} for key, to, state in states]


def _charts(run: Run) -> Plain:
    evaluation, curve = run.evaluation, run.findings.curve
    calibration = evaluation["calibration"]
    before = () if calibration["temperature"] in (None, 1) else calibration["before"]["reliability"]
    guess = evaluation["majority_guess"]["accuracy"]
    return {
        "strip": charts.interval_strip(evaluation["accuracy"], evaluation["accuracy_interval"], guess),
        "reliability": charts.reliability_chart(calibration["after"]["reliability"], before),
        "learning": charts.learning_chart(curve) if curve else "",
        "loss": charts.history_chart(run.history, "loss") if run.history else "",
        "accuracy": charts.history_chart(run.history, "acc") if run.history else "",
    }


def _confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Plain:
    """A matrix for few classes, the most frequent confusions for many."""
    totals = [max(1, sum(row)) for row in counts]
    if len(classes) <= _MATRIX_UP_TO:
        rows = [
            {
                "name": name,
                "cells": [{"count": count, "share": count / total, "right": at == place} for at, count in enumerate(row)],
            }
            for place, (name, row, total) in enumerate(zip(classes, counts, totals, strict=True))
        ]
        return {"matrix": rows, "confusions": []}
    wrong = [
        (count, label, said) for label, row in enumerate(counts) for said, count in enumerate(row) if count and said != label
    ]
    most = sorted(wrong, key=lambda one: (-one[0], one[1], one[2]))[:_MOST_CONFUSIONS]
    found = [
        {"label": classes[label], "predicted": classes[said], "count": count, "of": totals[label]}
        for count, label, said in most
    ]
    return {"matrix": [], "confusions": found}


@dataclass(frozen=True)
class _Gallery:
    """Photos to show, with what is said about them."""

    mistakes: list[Plain]
    suspects: list[Plain]
    twins: list[list[Plain]]
    odd: list[Plain]

    @classmethod
    def of(cls, run: Run) -> _Gallery:
        mistakes = _mistakes(run)
        suspects, twins, odd = pick_photos(run.samples, run.findings, suspects=_MOST_SUSPECTS, odd=_MOST_ODD)
        shown = [*mistakes, *suspects, *odd, *(side for pair in twins for side in pair)]
        add_images(run.samples.root, shown)
        return cls(mistakes, suspects, twins, odd)


def _mistakes(run: Run) -> list[Plain]:
    """Wrong answers about held-out photos, the surest first."""
    rows = run.predictions.of(run.evaluation["split"]).scored()
    sure = rows.probabilities.max(axis=1)
    wrong = np.flatnonzero(~rows.correct)
    order = wrong[np.argsort(-sure[wrong], kind="stable")][:_MOST_MISTAKES]
    return [
        {
            "name": rows.names[row],
            "label": rows.classes[rows.labels[row]],
            "predicted": rows.classes[rows.predicted[row]],
            "probability": f"{sure[row]:.0%}",
        }
        for row in order.tolist()
    ]


def pick_photos(samples: Samples, findings: Findings, *, suspects: int, odd: int) -> tuple[Any, Any, Any]:
    """The first suspects, twins (leaks first) and odd ones, as plain values."""
    names, classes = samples.names, samples.classes

    def shown(row: int) -> Plain:
        return {"name": names[row], "label": classes[samples.labels[row]]}

    doubted = [{**shown(one.row), "suggested": classes[one.suggested]} for one in findings.suspects[:suspects]]
    leaked = set(findings.leaks)
    pairs = sorted(findings.copies or (), key=lambda pair: not {pair.first, pair.second} & leaked)
    twins = [[shown(pair.first), shown(pair.second)] for pair in pairs[:_MOST_TWINS]]
    return doubted, twins, [shown(one.row) for one in findings.odd[:odd]]


def add_images(root: Path, shown: Iterable[Plain]) -> None:
    """Give each entry an ``image``: its thumbnail, or nothing where the photo is gone."""
    entries = list(shown)
    made = thumbnails(root / entry["name"] for entry in entries)
    for entry in entries:
        entry["image"] = made.get(root / entry["name"], "")


def count_table(samples: Samples) -> Plain:
    """Photos per class and split."""
    counts = samples.counts()
    rows = [{"name": name, "counts": [counts[split][name] for split in counts]} for name in samples.classes]
    return {"splits": list(counts), "rows": rows, "totals": [sum(counts[split].values()) for split in counts]}


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as lines."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif value not in (None, "", [], {}):
            yield f"{prefix}{name}", f"{value:.6g}" if isinstance(value, float) else str(value)
