"""Tables of a report about photos with several labels: what is missed and added, and which labels come together."""

from __future__ import annotations

from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.evaluation.predictions import Document

_MOST_SETS = 12
_MOST_ERRORS = 15


def set_tables(evaluation: Document, classifier: Classifier) -> dict[str, Any]:
    """What the template of the report asks for.

    Args:
        evaluation: The numbers of the held-out photos.
        classifier: With its own thresholds; where nothing was held out photos were judged with those that other photos chose.
    """
    return {
        "thresholds": thresholds_of(classifier),
        "errors": errors_of(evaluation)[:_MOST_ERRORS],
        "label_sets": evaluation["label_sets"][:_MOST_SETS],
        "shared": frozenset(classifier.notes.get("thresholds", {}).get("shared_by", ())),
        "some_unknown": any(row["n_not_known"] for row in evaluation["per_class"]),
    }


def thresholds_of(classifier: Classifier) -> dict[str, float]:
    """From which probability on each class is shown; empty where a photo has one label."""
    several = classifier.multi_label
    return {} if several is None else dict(zip(classifier.classes, several.thresholds.tolist(), strict=True))


def errors_of(evaluation: Document) -> list[dict[str, Any]]:
    """How often each class was missed, and named by mistake; most errors first, without classes that have none."""
    rows = [
        {
            "class": row["class"],
            "n": row["n"],
            "missed": row["n"] - row["hits"],
            "others": row["n_absent"],
            "added": row["answered"] - row["hits"],
        }
        for row in evaluation["per_class"]
    ]
    found = [row for row in rows if row["missed"] or row["added"]]
    return sorted(found, key=lambda row: -(row["missed"] + row["added"]))
