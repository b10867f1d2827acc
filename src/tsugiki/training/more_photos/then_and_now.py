"""The held-out photos of a run that has learned more: how they were answered then, and how they are now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tsugiki.classifier.answer import AnswerHead
from tsugiki.data.label_sets import NOT_KNOWN, PRESENT
from tsugiki.data.samples import Samples
from tsugiki.evaluation.duplicates import find_leaks
from tsugiki.evaluation.metrics import mcnemar, verdict
from tsugiki.evaluation.multi_label.set_ranking import compare_sets
from tsugiki.features.store import Floats
from tsugiki.locale.messages import in_a_row, tr
from tsugiki.training.run import Run


def then_and_now(before: AnswerHead, known: Samples, run: Run) -> dict[str, Any] | None:
    """How the held-out photos of before were answered then and are now.

    Photos whose twin or subject is learned from now say nothing about either, nor do those of classes that the head of before
    did not know: they are left out.

    Args:
        before: The head of the run.
        known: Its photos.
        run: What came of learning more.

    Returns:
        Plain values: ``n``, ``before`` and ``after`` (accuracies; where ``task`` is ``multi``, mean average precisions),
        ``classes_before``, ``classes``, ``p_value``, ``verdict``, and counts of photos: ``n_leaked`` and ``n_other_classes``
        left out, ``n_relabelled`` with another label than then. ``None`` where no photo of before is held out.
    """
    samples = run.samples
    held_out = known.of(known.held_out) if known.held_out else known.take([])
    then = dict(zip(held_out.digests, held_out.label_sets(), strict=True))
    places = [(at, row) for at, row in enumerate(samples.held_out_rows) if samples.digests[row] in then]
    if not places:
        return None
    labels, known_classes = samples.label_sets(), {*before.classes}
    learned = _learned_from(run)
    clean = [(at, row) for at, row in places if row not in learned]
    judged = clean if samples.task == "multi" else [(at, row) for at, row in clean if labels[row] <= known_classes]
    counts = {
        "n_leaked": len(places) - len(clean),
        "n_other_classes": len(clean) - len(judged),
        "n_relabelled": sum(labels[row] & known_classes != then[samples.digests[row]] for _, row in judged),
        "classes_before": len(before.classes),
        "classes": len(samples.classes),
    }
    rows, vectors = [row for _, row in judged], run.table.held_out[[at for at, _ in judged]]
    answered = _sets if samples.task == "multi" else _classes
    return {"n": 0, **counts, **answered(before, run, rows, vectors)}


def _classes(before: AnswerHead, run: Run, rows: list[int], vectors: Floats) -> dict[str, Any]:
    if not rows:
        return {}
    names = run.samples.label_names()
    truth = np.array([names[row] for row in rows])
    right = [
        np.array(head.classes)[(vectors @ head.weight.T + head.bias).argmax(axis=1)] == truth
        for head in (before, run.classifier.answer_head)
    ]
    found = mcnemar(*right)
    return {
        "n": found.n,
        "before": found.accuracy_a,
        "after": found.accuracy_b,
        "p_value": found.p_value,
        "verdict": verdict(found),
    }


def _sets(before: AnswerHead, run: Run, rows: list[int], vectors: Floats) -> dict[str, Any]:
    """By the classes of then, and the cells that are known: others can be told by the head of now alone."""
    now, samples = run.classifier.answer_head, run.samples
    assert samples.targets is not None  # noqa: S101 (several labels)
    classes = [name for name in before.classes if name in samples.classes]
    targets = samples.targets[rows][:, [samples.classes.index(name) for name in classes]]
    kept = np.flatnonzero((targets != NOT_KNOWN).any(axis=1))
    if not (targets[kept] == PRESENT).any():
        return {"task": "multi"}
    then, after = (
        head.probabilities(vectors[kept])[:, [head.classes.index(name) for name in classes]] for head in (before, now)
    )
    groups = run.table.groups_of([rows[at] for at in kept.tolist()])
    found = compare_sets(targets[kept], then, after, groups)
    return {
        "task": "multi",
        "n": found.n,
        "before": found.mean_average_precision_a,
        "after": found.mean_average_precision_b,
        "p_value": found.p_value,
        "verdict": found.verdict,
    }


def _learned_from(run: Run) -> set[int]:
    """Held-out rows whose photo, a near copy of it, or another photo of whose subject is in another split."""
    samples = run.samples
    others = [row for row, split in enumerate(samples.splits) if split != samples.held_out]
    digests = {samples.digests[row] for row in others}
    groups = {samples.groups[row] for row in others if samples.groups[row]} if samples.groups is not None else set()
    found = set(find_leaks(run.table.duplicates or [], samples.splits, samples.held_out))
    for row in samples.held_out_rows:
        if samples.digests[row] in digests or (samples.groups is not None and samples.groups[row] in groups):
            found.add(row)
    return found


def extended_sentence(told: Mapping[str, Any]) -> str:
    """How photos that the old classifier was judged on are answered now, of ``evaluation["extended"]``."""
    reasons = []
    if count := told.get("n_leaked"):
        reasons.append(tr("Left out of this: {count} whose twin or subject is in another split.", count=count))
    if count := told.get("n_other_classes"):
        reasons.append(tr("Left out of this: {count} that are of new classes now.", count=count))
    if count := told.get("n_relabelled"):
        reasons.append(tr("Judged by their labels of now, which {count} of them did not have then.", count=count))
    return in_a_row(_compared(told), *reasons)


def _compared(told: Mapping[str, Any]) -> str:
    if not told["n"]:
        return tr("The held-out photos of before cannot be compared: none is left to judge by.")
    verdicts = {"helped": tr("proven higher"), "hurt": tr("proven lower")}
    numbers = {
        "n": told["n"],
        "before": f"{told['before']:.1%}",
        "after": f"{told['after']:.1%}",
        "verdict": verdicts.get(told["verdict"], tr("no difference is proven")),
    }
    if told.get("task") == "multi":
        return tr(
            "The {n} held-out photos of before: mean average precision {before} then, {after} now, over the classes of then "
            "({verdict}).",
            **numbers,
        )
    if told["classes"] == told["classes_before"]:
        return tr("The {n} held-out photos of before: {before} right then, {after} now ({verdict}).", **numbers)
    return tr(
        "The {n} held-out photos of before: {before} right then, {after} now, with {classes} classes to choose from "
        "instead of {fewer} ({verdict}).",
        classes=told["classes"],
        fewer=told["classes_before"],
        **numbers,
    )
