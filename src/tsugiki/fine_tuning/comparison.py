"""Frozen backbone or fine-tuned: the two compared on the held-out photos, and what came of it in one sentence.

Letters: ``N`` photos.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tsugiki.evaluation.metrics import CONFIDENCE, Ints, mcnemar, verdict
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.multi_label.set_ranking import compare_sets
from tsugiki.evaluation.predictions import Predictions
from tsugiki.inspection.score import AnyPredictions
from tsugiki.locale.messages import tr


def compare(frozen: AnyPredictions, tuned: AnyPredictions, groups: Ints | None = None) -> dict[str, Any]:
    """The photos that both classifiers answered, and whose class they know: McNemar's exact test.

    Where photos may have several labels: their mean average precision, by drawing the same photos anew for either.

    Args:
        frozen: Of the classifier whose backbone stayed frozen.
        tuned: Of the fine-tuned one; without those photos that have vanished meanwhile.
        groups: ``[N]`` of ``frozen``'s rows, numbers of what stands or falls together, where photos may have several labels.

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

        With several labels ``task`` is ``multi``, ``mean_average_precision`` and its interval stand for the accuracy, the
        p-value is that of the normal distribution, and no photos are counted as won or lost: the order of all is judged.
    """
    place = {name: row for row, name in enumerate(tuned.names)}
    kept = [row for row, name in enumerate(frozen.names) if name in place]
    if isinstance(frozen, MultiLabelPredictions):
        assert isinstance(tuned, MultiLabelPredictions)  # noqa: S101 (one task)
        own_groups = None if groups is None else groups[kept]
        return _compare_sets(frozen.take(kept), tuned.take(place[frozen.names[row]] for row in kept), own_groups)
    assert isinstance(tuned, Predictions)  # noqa: S101 (one task)
    frozen = frozen.take(kept)
    tuned = tuned.take(place[name] for name in frozen.names)
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


def _compare_sets(frozen: MultiLabelPredictions, tuned: MultiLabelPredictions, groups: Ints | None) -> dict[str, Any]:
    rows = frozen.scored_rows()
    found = compare_sets(
        frozen.targets[rows], frozen.probabilities[rows], tuned.probabilities[rows], None if groups is None else groups[rows]
    )

    def part(value: float, interval: tuple[float, float]) -> dict[str, Any]:
        return {"mean_average_precision": value, "mean_average_precision_interval": list(interval)}

    return {
        "task": "multi",
        "verdict": found.verdict,
        "p_value": found.p_value,
        "n": found.n,
        "frozen_head": part(found.mean_average_precision_a, found.interval_a),
        "fine_tuned": part(found.mean_average_precision_b, found.interval_b),
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
    if document.get("task") == "multi":
        return _set_verdict(document, numbers)
    if document["verdict"] == "helped":
        return tr("Fine-tuning helped: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    if document["verdict"] == "hurt":
        return tr("Fine-tuning hurt: from {before} to {after} of {n} held-out photos (McNemar p = {p}).", **numbers)
    return tr(
        "Whether fine-tuning helped cannot be told from {n} held-out photos: {before} with the backbone frozen, {after} "
        "fine-tuned (McNemar p = {p}).",
        **numbers,
    )


def _set_verdict(document: Mapping[str, Any], numbers: Mapping[str, Any]) -> str:
    low, high = document["difference_interval"]
    numbers = {**numbers, "low": f"{low:+.1%}", "high": f"{high:+.1%}"}
    if document["verdict"] == "helped":
        return tr(
            "Fine-tuning helped: mean average precision from {before} to {after} on {n} held-out photos (difference {low} to "
            "{high}).",
            **numbers,
        )
    if document["verdict"] == "hurt":
        return tr(
            "Fine-tuning hurt: mean average precision from {before} to {after} on {n} held-out photos (difference {low} to "
            "{high}).",
            **numbers,
        )
    return tr(
        "Whether fine-tuning helped cannot be told from {n} held-out photos: mean average precision {before} with the backbone "
        "frozen, {after} fine-tuned (difference {low} to {high}).",
        **numbers,
    )


def _share(part: Mapping[str, Any]) -> str:
    name = "accuracy" if "accuracy" in part else "mean_average_precision"
    low, high = part[f"{name}_interval"]
    return tr("{share} ({low} to {high})", share=f"{part[name]:.1%}", low=f"{low:.1%}", high=f"{high:.1%}")
