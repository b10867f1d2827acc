"""How answers and scores of several labels per photo stand in a table for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tsugiki.locale.messages import listed, tr

if TYPE_CHECKING:
    from tsugiki.classifier.answer import Prediction


def set_answer_rows(answers: Sequence[Prediction], classes: Sequence[str]) -> list[tuple[str, ...]]:
    """A row per photo that could be read: what it shows, and the most probable classes that are not shown, under a heading.

    Args:
        answers: Of a classifier that gives several labels.
        classes: The classifier's.
    """
    rows: list[tuple[str, ...]] = [(tr("photo"), tr("answer"), tr("next best"))]
    for answer in answers:
        if not answer.problem:
            chances = dict(zip(classes, answer.probabilities, strict=True))
            labels = answer.labels or ()
            shown = _named((name, chances[name]) for name in labels) or tr("none of the classes")
            said = shown if answer.known else tr("not sure ({label}?)", label=shown)
            rows.append((answer.name, said, _named((name, chance) for name, chance in answer.top if name not in labels)))
    return rows


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
