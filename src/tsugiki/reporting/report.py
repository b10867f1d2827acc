"""``report.html``: one page about one run, for a person: how good, how sure, whether held-out photos leaked, what to do next.

Letters: ``K`` classes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tsugiki.core.console import typed
from tsugiki.data.samples import Samples
from tsugiki.evaluation.headline import (
    accuracy_without_leaks,
    guess_to_beat,
    is_worth_nothing,
    never_answered_sentence,
    trust_state,
)
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Document
from tsugiki.inspection.findings import Findings
from tsugiki.reporting.pages import charts, sentences
from tsugiki.reporting.pages.descriptions import history_descriptions, learning_descriptions, score_descriptions
from tsugiki.reporting.pages.gallery import Gallery, mistakes_in
from tsugiki.reporting.pages.page import Bilingual, in_each_language, render_page, said_to_reader
from tsugiki.reporting.pages.training_sentences import is_fine_tuned, is_weighted, training_sentences
from tsugiki.training.run import Run

_MATRIX_UP_TO = 12
_MOST_CONFUSIONS = 15

Plain = dict[str, Any]


def write_report(run: Run, *, name: str) -> str:
    """The page.

    Args:
        run: What it is about.
        name: Of the run's folder, without its path.
    """
    evaluation = run.evaluation
    mistakes = mistakes_in(run.predictions.of(evaluation["split"]).scored())
    glance = _glance(run)
    return render_page(
        "report.html.j2",
        f"{name} · tsugiki",
        name=name,
        say=_sentences(run, name),
        glance=glance,
        states=states_of(glance),
        doubtful=is_worth_nothing(evaluation) or accuracy_without_leaks(evaluation)[0] < evaluation["accuracy"],
        charts=_charts(run),
        evaluation=evaluation,
        classes=evaluation["classes"],
        **_confusion(evaluation["confusion"]["counts"], evaluation["classes"]),
        gallery=Gallery.of(run.samples, run.findings, mistakes),
        counts=count_table(run.samples),
        **told_about(run.samples),
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
            **sentences.label_issue_sentences(findings, backbone=str(run.classifier.backbone.spec)),
            **sentences.learning_curve_sentences(
                findings, evaluation=evaluation, fine_tuned=is_fine_tuned(run.classifier.notes)
            ),
            "balance": sentences.balance_sentence(samples, weighted=is_weighted(run.classifier.notes)),
            **training_sentences(run),
            **sentences.usage_sentences(name),
            **sentences.photo_sentences(len(samples), len(samples.classes), len(samples.left_out)),
            **(sentences.remark_sentences(run.table) if run.table.remarks else {}),
        }
    )


def _glance(run: Run) -> list[dict[str, str]]:
    """The sentences to know before any number is used, each with a mark: fine, look, or open.

    What is close to guessing gets no tick: nothing that such a classifier says about itself or the photos is a good sign.
    """
    evaluation, findings = run.evaluation, run.findings
    leaks = None if evaluation["split"] == OUT_OF_FOLD else evaluation["leaks"]
    failed = evaluation["near_chance"]
    guess = guess_to_beat(evaluation)
    against = {"helped": "fine", "hurt": "look", "cannot tell": "open"}[guess["verdict"] if guess else "cannot tell"]
    given_away = any(one.suspicious for one in findings.shortcuts)
    states = [
        ("against", "score", "look" if failed else against),
        *([("never_answered", "score", "look")] if never_answered_sentence(evaluation) else []),
        ("leaked", "leaks", "open" if leaks is None else "look" if leaks["n"] else "fine"),
        *([("remarks", "data", "look")] if run.table.remarks else []),
        ("trust_short", "trust", trust_state(evaluation)),
        ("balance", "data", sentences.balance_state(run.samples)),
        ("suspects_short", "suspects", suspects_state(findings)),
        ("shortcut", "leaks", "look" if given_away else "fine" if findings.shortcuts else "open"),
        ("more_short", "more", "told"),
    ]
    return [{"key": key, "to": to, "state": "open" if failed and state == "fine" else state} for key, to, state in states]


def suspects_state(findings: Findings) -> str:
    """Whether labels deserve a ``look``, are ``fine``, or ``open``: nobody could judge them, or only by guessing."""
    if any(one.confident for one in findings.suspects):
        return "look"
    return "fine" if findings.examined and not findings.head_near_chance else "open"


def states_of(glance: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The mark of each part of a page: that of what is most worth a look in it."""
    order = ("told", "fine", "open", "look")
    states: dict[str, str] = defaultdict(lambda: order[0])
    for one in glance:
        states[one["to"]] = max(states[one["to"]], one["state"], key=order.index)
    return states


def _charts(run: Run) -> Plain:
    evaluation, history = run.evaluation, run.history
    calibration = evaluation["calibration"]
    before = () if calibration["temperature"] in (None, 1) else calibration["before"]["reliability"]
    words = in_each_language(lambda: score_descriptions(evaluation))
    drawn = {
        "strip": _strip(evaluation, words["strip"]),
        "reliability": charts.reliability_chart(
            calibration["after"]["reliability"],
            before,
            words=charts.Words(words["reliability"], words["sure"], words["right"]),
        ),
        "learning": draw_learning(run.findings),
        "loss": "",
        "accuracy": "",
    }
    if history:
        words = in_each_language(lambda: history_descriptions(history))
        for name, kind, key in (("loss", "loss", "loss"), ("accuracy", "acc", "train_accuracy")):
            drawn[name] = charts.history_chart(history, kind, words=charts.Words(words[key], words["epoch"]))
    return drawn


def _strip(evaluation: Document, name: Bilingual) -> str:
    """The accuracy of the photos that did not leak; nothing where there is no such photo."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return ""
    accuracy, interval = accuracy_without_leaks(evaluation)
    return charts.interval_strip(accuracy, interval, guess["accuracy"], words=charts.Words(name))


def draw_learning(findings: Findings) -> str:
    """The learning curve, or nothing where there is none."""
    curve = findings.curve
    if curve is None:
        return ""
    words = in_each_language(lambda: learning_descriptions(curve))
    return charts.learning_chart(curve, words=charts.Words(words["learning"], words["photos"], words["accuracy"]))


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


def told_about(samples: Samples) -> Plain:
    """What was decided about the photos and what was left out, in the reader's language."""
    return {
        "decisions": [said_to_reader(sentence) for sentence in samples.decisions],
        "warnings": [said_to_reader(sentence) for sentence in samples.warnings],
        "left_out": [{"name": said_to_reader(one.name), "reason": said_to_reader(one.reason)} for one in samples.left_out],
    }


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
