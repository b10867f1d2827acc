"""How answers and scores of several labels per photo stand in a table for people, and what a taxonomy adds to a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tsugiki.locale.messages import listed, tr

if TYPE_CHECKING:
    from tsugiki.classifier.answer import AnswerHead, Prediction


def set_answer_rows(answers: Sequence[Prediction], classes: Sequence[str]) -> list[tuple[str, ...]]:
    """A row per photo that could be read: what it shows, and the most probable classes that are not shown, under a heading.

    Args:
        answers: Of a classifier that gives several labels.
        classes: The classifier's.
    """
    placed = any(answer.ancestors is not None for answer in answers)
    rows: list[tuple[str, ...]] = [(tr("photo"), tr("answer"), *([tr("kinds of")] if placed else []), tr("next best"))]
    for answer in answers:
        if not answer.problem:
            chances = dict(zip(classes, answer.probabilities, strict=True))
            labels = answer.labels or ()
            shown = _named((name, chances[name]) for name in labels) or tr("none of the classes")
            said = shown if answer.known else tr("not sure ({label}?)", label=shown)
            kinds = (_named(answer.ancestors or ()),) if placed else ()
            others = _named((name, chance) for name, chance in answer.top if name not in labels)
            rows.append((answer.name, said, *kinds, others))
    return rows


def at_least_text(answer: Prediction) -> str:
    """What was named because no class is sure, and how probable that is; empty where nothing was."""
    return "" if answer.at_least is None else _named([answer.at_least])


def taxonomy_columns(head: AnswerHead) -> list[str]:
    """The columns that a taxonomy adds to a table for programs; of several labels, nothing is named by a parent."""
    if head.taxonomy is None:
        return []
    parents = [f"parent:{name}" for name in head.taxonomy.inner]
    return [*([] if head.multi_label else ["at_least", "at_least_probability"]), *parents]


def taxonomy_cells(answer: Prediction, head: AnswerHead) -> list[object]:
    """What stands under :func:`taxonomy_columns`, empty where a photo could not be read."""
    if head.taxonomy is None or answer.problem:
        return [""] * len(taxonomy_columns(head))
    import numpy as np  # there since something was answered

    from tsugiki.evaluation.levels.parent_probabilities import parent_probabilities

    chances = np.array([answer.probabilities], np.float32)
    parents = parent_probabilities(head.taxonomy, chances, head.task)[0].tolist()
    return [*([] if head.multi_label else answer.at_least or ("", "")), *parents]


def set_score_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row per class under a heading, of what :mod:`tsugiki.evaluation.multi_label.evaluate_sets` found."""
    shares = {
        "average_precision": tr("average precision"),
        "guess": tr("guess"),
        "precision": tr("precision"),
        "recall": tr("recall"),
        "f1": "F1",
        "threshold": tr("shown from"),
    }
    return [
        (tr("class"), tr("photos"), *shares.values()),
        *(
            (row["class"], str(row["n"]), *("-" if row[name] is None else f"{row[name]:.1%}" for name in shares))
            for row in document["per_class"]
        ),
    ]


def _named(chances: Iterable[tuple[str, float]]) -> str:
    return listed(f"{name} {chance:.1%}" for name, chance in chances)
