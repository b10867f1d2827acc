"""Tables of a report about photos with several labels: what is missed and added, and which labels come together."""

from __future__ import annotations

from typing import Any

from tsugiki.evaluation.predictions import Document
from tsugiki.reporting.pages.training_sentences import Notes

_MOST_SETS = 12
_MOST_ERRORS = 15


def set_tables(evaluation: Document, notes: Notes) -> dict[str, Any]:
    """What the template of the report asks for.

    Args:
        evaluation: The numbers of the held-out photos.
        notes: How the classifier was trained: which classes share a threshold.
    """
    return {
        "errors": errors_of(evaluation)[:_MOST_ERRORS],
        "label_sets": evaluation["label_sets"][:_MOST_SETS],
        "shared": frozenset(notes.get("thresholds", {}).get("shared_by", ())),
        "some_unknown": any(row["n_not_known"] for row in evaluation["per_class"]),
    }


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
