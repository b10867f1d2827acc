"""``README.md`` of a run: a model card as the Hugging Face Hub reads it, in English with a short Japanese summary."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

from tsugiki.backbones.backbone import WeightsOrigin
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import typed
from tsugiki.evaluation.headline import nothing_is_clean
from tsugiki.evaluation.multi_label.set_headline import is_multi
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Document
from tsugiki.locale.messages import speaking
from tsugiki.reporting.pages import sentences
from tsugiki.reporting.pages.page import fill_text
from tsugiki.reporting.pages.run_sentences import run_sentences
from tsugiki.reporting.pages.set_tables import thresholds_of
from tsugiki.reporting.pages.training_sentences import began_with, is_fine_tuned
from tsugiki.training.run import Run

_MOST_CLASSES = 100
_SHOWN_CLASSES = 12

# Identifiers that the Hub knows; any other licence is named, as "other".
_LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0"}
    | {"cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "gpl-3.0", "agpl-3.0", "lgpl-3.0", "openrail", "unlicense", "unknown"}
)


def write_card(run: Run, *, name: str) -> str:
    """The card.

    Args:
        run: What it is about.
        name: Of the run's folder, without its path.
    """
    classes, leaks = run.classifier.classes, run.evaluation["leaks"] or {"n": 0}
    all_leaked = nothing_is_clean(run.evaluation)
    more = f" and {len(classes) - _SHOWN_CLASSES} more" if len(classes) > _SHOWN_CLASSES else ""
    return fill_text(
        "set_card.md.j2" if is_multi(run.evaluation) else "card.md.j2",
        metadata=card_metadata(run, name=name).rstrip(),
        name=name,
        literal=json.dumps(name, ensure_ascii=False),
        typed=typed(name),
        classes=classes,
        shown_classes=", ".join(classes[:_SHOWN_CLASSES]) + more,
        evaluation=run.evaluation,
        nothing_held_out=run.evaluation["split"] == OUT_OF_FOLD,
        leaked=leaks["n"] > 0 and not all_leaked,
        all_leaked=all_leaked,
        most_classes=_MOST_CLASSES,
        thresholds=thresholds_of(run.classifier),
        counts=Counter(run.samples.splits),
        weights=_weights(run.classifier),
        fingerprint=run.classifier.notes.get("data_fingerprint", ""),
        en=_said(run, name, language="en"),
        ja=_said(run, name, language="ja"),
    )


def card_metadata(run: Run, *, name: str) -> str:
    """The YAML block: licence, library, task, tags, and the numbers as a model index."""
    from huggingface_hub import EvalResult, ModelCardData

    evaluation, spec = run.evaluation, run.classifier.backbone.spec
    sources = dict.fromkeys(part.spec.source for part in run.classifier.backbone.parts)
    dataset = run.samples.root.name or "photos"
    numbers, several = _worth_publishing(evaluation), is_multi(evaluation)
    results = [
        EvalResult(
            task_type="image-classification",
            dataset_type="imagefolder",
            dataset_name=dataset,
            dataset_split=evaluation["split"],
            metric_type=kind,
            metric_name={"f1": "Macro F1"}.get(kind, kind.replace("_", " ").capitalize()),
            metric_value=round(value, 6),
        )
        for kind, value in numbers.items()
    ]
    card = ModelCardData(
        language=["en", "ja"],
        library_name="tsugiki",
        pipeline_tag="image-classification",
        tags=["image-classification", *(["multi-label"] if several else []), "transfer-learning", "tsugiki", *sources],
        metrics=["mean_average_precision" if several else "accuracy", "f1"],
        base_model=spec.name if spec.source == "hub" else None,
        model_name=name,
        eval_results=results or None,
        **_licence(run.classifier.backbone.origin.licence),
    )
    text: str = card.to_yaml()
    return text


def _worth_publishing(evaluation: Document) -> dict[str, float]:
    """What machines may read as the score: that of photos which leaked is none."""
    score = "mean_average_precision" if is_multi(evaluation) else "accuracy"
    leaks = evaluation["leaks"]
    if leaks and leaks["n"]:
        clean = {name: leaks.get(f"{name}_without") for name in (score, "balanced_accuracy")}
        return {kind: value for kind, value in clean.items() if value is not None}
    names = {score: score, "balanced_accuracy": "balanced_accuracy", "f1": "macro_f1"}
    return {kind: evaluation[name] for kind, name in names.items() if name in evaluation}


def _licence(licence: str) -> dict[str, Any]:
    known = licence.strip().lower()
    if known in _LICENCES:
        return {"license": known}
    return {"license": "other", "license_name": re.sub(r"[^a-z0-9.]+", "-", known).strip("-") or "unknown"}


def _weights(classifier: Classifier) -> list[dict[str, str]]:
    """The pretrained weights, and those that fine-tuning has made of them."""
    if not is_fine_tuned(classifier.notes):
        parts = classifier.backbone.parts
        labels = ["" if len(parts) == 1 else f"{part.spec}: " for part in parts]
        origins = [replace(part.origin, label=f"{label}{part.origin.label}") for label, part in zip(labels, parts, strict=True)]
        return [_weights_line("Weights of the backbone", origin) for origin in origins]
    began = _weights_line("Weights it began with", began_with(classifier))
    if not classifier.notes["unfrozen"]:
        return [began]
    now = replace(classifier.backbone.origin, label="fine-tuned")
    # No file has this digest: it is that of the numbers themselves.
    return [began, _weights_line("Weights of the backbone now", now, digest="SHA-256 over all its parameters and buffers")]


def _weights_line(what: str, origin: WeightsOrigin, digest: str = "SHA-256") -> dict[str, str]:
    return {"what": what, "label": origin.label, "digest": digest, "sha256": origin.sha256, "licence": origin.licence}


def _said(run: Run, name: str, *, language: str) -> dict[str, str]:
    with speaking(language):
        return {**run_sentences(run), **sentences.usage_sentences(name)}
