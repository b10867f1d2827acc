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
    main_score,
    never_answered_sentence,
    trust_state,
)
from tsugiki.evaluation.multi_label.set_headline import is_multi, learned_count
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import OUT_OF_FOLD
from tsugiki.inspection.findings import Findings
from tsugiki.reporting.pages import sentences
from tsugiki.reporting.pages.gallery import Gallery, mistakes_in
from tsugiki.reporting.pages.page import Bilingual, in_each_language, render_page, said_to_reader
from tsugiki.reporting.pages.run_charts import run_charts
from tsugiki.reporting.pages.run_sentences import run_sentences
from tsugiki.reporting.pages.set_gallery import set_mistakes_in
from tsugiki.reporting.pages.set_sentences import set_labels
from tsugiki.reporting.pages.set_tables import set_tables
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
    evaluation, rows, glance = run.evaluation, run.predictions, _glance(run)
    values = {
        "name": name,
        "say": _sentences(run, name),
        "glance": glance,
        "states": states_of(glance),
        "score": main_score(evaluation)[0],
        "doubtful": is_worth_nothing(evaluation) or accuracy_without_leaks(evaluation)[0] < main_score(evaluation)[0],
        "charts": run_charts(run),
        "evaluation": evaluation,
        "classes": evaluation["classes"],
        "counts": count_table(run.samples),
        **told_about(run.samples),
        "settings": list(
            _flattened({name: value for name, value in run.classifier.notes.items() if name not in {"seen", "ranking"}})
        ),
        "fingerprint": str(run.classifier.notes.get("data_fingerprint", ""))[:16],
        "run_typed": typed(name),
        "suspects_typed": typed(f"{name}/suspects.csv"),
        "run_literal": json.dumps(name, ensure_ascii=False),
    }
    title = f"{name} · tsugiki"
    if isinstance(rows, MultiLabelPredictions):
        mistakes = set_mistakes_in(rows.of(evaluation["split"]).scored())
        gallery = Gallery.of(run.samples, run.findings, mistakes)
        tables = set_tables(evaluation, run.classifier)
        return render_page(
            "set_report.html.j2", title, styles=("page.css", "set_page.css"), gallery=gallery, **tables, **values
        )
    gallery = Gallery.of(run.samples, run.findings, mistakes_in(rows.of(evaluation["split"]).scored()))
    confusion = _confusion(evaluation["confusion"]["counts"], evaluation["classes"])
    return render_page("report.html.j2", title, gallery=gallery, **confusion, **values)


def _sentences(run: Run, name: str) -> dict[str, Bilingual]:
    samples = run.samples
    several = samples.targets is not None
    return in_each_language(
        lambda: {
            **sentences.page_labels(),
            **(set_labels() if several else {}),
            **run_sentences(run),
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
    leaks = evaluation["leaks"]
    if evaluation["split"] == OUT_OF_FOLD and not learned_count(leaks):
        leaks = None
    failed = evaluation["near_chance"]
    guess = guess_to_beat(evaluation)
    against = {"helped": "fine", "hurt": "look", "cannot tell": "open"}[guess["verdict"] if guess else "cannot tell"]
    given_away = any(one.suspicious for one in findings.shortcuts)
    states = [
        ("against", "score", "look" if failed else against),
        *([("exact", "score", "told")] if is_multi(evaluation) else []),
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
    doubted = findings.suspects if findings.cells is None else findings.cells.suspects
    if any(one.confident for one in doubted):
        return "look"
    return "fine" if findings.examined and not findings.head_near_chance else "open"


def states_of(glance: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The mark of each part of a page: that of what is most worth a look in it."""
    order = ("told", "fine", "open", "look")
    states: dict[str, str] = defaultdict(lambda: order[0])
    for one in glance:
        states[one["to"]] = max(states[one["to"]], one["state"], key=order.index)
    return states


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
    return {"splits": list(counts), "rows": rows, "totals": [samples.splits.count(split) for split in counts]}


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested settings as lines."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{prefix}{name}.")
        elif value not in (None, "", [], {}):
            yield f"{prefix}{name}", f"{value:.6g}" if isinstance(value, float) else str(value)
