"""Was fine-tuning worth it? The frozen-head classifier and the fine-tuned one on the same held-out photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tsugiki.evaluation.metrics import CONFIDENCE, mcnemar, verdict
from tsugiki.evaluation.predictions import Predictions
from tsugiki.locale.messages import tr


def compare(frozen: Predictions, tuned: Predictions) -> dict[str, Any]:
    """McNemar's exact test on the photos whose class both classifiers know.

    Args:
        frozen: Of the classifier whose backbone stayed frozen.
        tuned: Of the fine-tuned one, for the same photos in the same order.

    Returns:
        Plain values for ``evaluation.json``::

            verdict              "helped" | "hurt" | "cannot tell"
            p_value              of McNemar's exact test
            n                    photos
            only_frozen          photos that only the frozen-head classifier answered right
            only_fine_tuned      photos that only the fine-tuned one answered right
            frozen_head          {accuracy, accuracy_interval}
            fine_tuned           {accuracy, accuracy_interval}
            difference           fine-tuned minus frozen head
            difference_interval  [low, high]
            confidence           0.95

    Raises:
        ValueError: When the two are not about the same photos.
    """
    if frozen.names != tuned.names:
        raise ValueError("the two classifiers must have answered the same photos in the same order")
    found = mcnemar(frozen.scored().correct, tuned.scored().correct)
    return {
        "verdict": verdict(found),
        "p_value": found.p_value,
        "n": found.n,
        "only_frozen": found.only_a,
        "only_fine_tuned": found.only_b,
        "frozen_head": {"accuracy": found.accuracy_a, "accuracy_interval": list(found.interval_a)},
        "fine_tuned": {"accuracy": found.accuracy_b, "accuracy_interval": list(found.interval_b)},
        "difference": found.difference,
        "difference_interval": list(found.difference_interval),
        "confidence": CONFIDENCE,
    }


def verdict_sentence(document: Mapping[str, Any]) -> str:
    """What :func:`compare` found, in one sentence."""
    numbers = {
        "before": _share(document["frozen_head"]),
        "after": _share(document["fine_tuned"]),
        "n": document["n"],
        "p": f"{document['p_value']:.2g}",
    }
    if document["verdict"] == "helped":
        return tr("Fine-tuning helped: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    if document["verdict"] == "hurt":
        return tr("Fine-tuning hurt: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    return tr(
        "Whether fine-tuning helped cannot be told from {n} held-out photos: {before} with the backbone frozen, {after} "
        "fine-tuned (McNemar p = {p}).",
        **numbers,
    )


def _share(part: Mapping[str, Any]) -> str:
    low, high = part["accuracy_interval"]
    return tr("{share} ({low} to {high})", share=f"{part['accuracy']:.1%}", low=f"{low:.1%}", high=f"{high:.1%}")
