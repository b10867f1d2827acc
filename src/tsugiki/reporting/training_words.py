"""What a report says about how a classifier was trained: each method has sentences of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.messages import tr
from tsugiki.reporting.photo_words import Words
from tsugiki.training.run import Run

Notes = Mapping[str, Any]
"""How a classifier was trained: ``classifier.notes``, or a part of it."""


def training_words(run: Run) -> Words:
    """What was trained how, in plain words."""
    classifier, notes = run.classifier, run.classifier.notes
    fine_tuned = is_fine_tuned(notes)
    return {
        "trained_how": _trained_how(classifier),
        "trained_settings": _fine_tuning_settings(notes) if fine_tuned else _head_settings(notes.get("head", {})),
        "seen_as": tr("A photo as the network sees it: {rule}", rule=classifier.preprocess.describe()),
        "history_note": _about_history(run.history, notes),
        "held_out_once": _looked_at_once(run),
    }


def is_fine_tuned(notes: Notes) -> bool:
    """Whether the classifier that was kept is a fine-tuned one."""
    return notes.get("method") == "fine-tune"


def _trained_how(classifier: Classifier) -> str:
    backbone = classifier.backbone
    values = {
        "backbone": str(backbone.spec),
        "weights": backbone.origin.label,
        "licence": backbone.origin.licence,
        "frozen": f"{sum(one.numel() for one in backbone.parameters()):,}",
        "learned": f"{sum(one.numel() for one in classifier.head.parameters()):,}",
    }
    if not is_fine_tuned(classifier.notes):
        return tr(
            "The backbone {backbone} ({weights}, licence {licence}) stayed as it is, all {frozen} numbers of it. "
            "Only a head of {learned} numbers was trained on its features.",
            **values,
        )
    values["weights"] = backbone.origin.label.removesuffix(", fine-tuned")  # it says so itself now
    if classifier.notes["settings"]["unfreeze"] == "all":
        return tr(
            "All layers learned: {backbone} ({weights}, licence {licence}) was fine-tuned, starting from a fitted head.",
            **values,
        )
    return tr(
        "{backbone} ({weights}, licence {licence}) was fine-tuned, starting from a fitted head. These parts of it learned: "
        "{parts}.",
        parts=", ".join(classifier.notes["unfrozen"]),
        **values,
    )


def _head_settings(head: Notes) -> str:
    if not {"epochs", "lr", "batch_size"} <= head.keys():
        return ""
    values = {name: head.get(name, "-") for name in ("epochs", "optimiser", "batch_size", "lr", "seed")}
    if head.get("penalty", {}).get("chosen_by") == "default":
        return tr(
            "The head: {epochs} epochs of {optimiser}, batches of {batch_size}, learning rate {lr}, seed {seed}; its penalty "
            "is the usual one, as the training photos cannot be cross-validated.",
            **values,
        )
    return tr(
        "The head: {epochs} epochs of {optimiser}, batches of {batch_size}, learning rate {lr}, seed {seed}; its penalty "
        "was chosen by cross-validation on the training photos.",
        **values,
    )


def _fine_tuning_settings(notes: Notes) -> str:
    settings = notes["settings"]
    numbers = {"epochs": notes["epochs"], "photos": notes["validation_photos"], "accuracy": f"{notes['best']['accuracy']:.1%}"}
    said = tr(
        "Fine-tuning: {epochs} epochs, batches of {batch_size}, seed {seed}. {photos} validation photos, none of them learned "
        "from, chose which weights were kept; {accuracy} of them are answered right.",
        batch_size=settings["batch_size"],
        seed=settings["seed"],
        **numbers,
    )
    return f"{said} {_kept_weights(notes)}"


def _kept_weights(notes: Notes) -> str:
    epoch, share = notes["best_epoch"], notes["blended"]
    if share == 1:
        return tr("Kept: the weights of epoch {epoch}.", epoch=epoch)
    return tr("Kept: weights {share} of the way from the start to epoch {epoch}.", epoch=epoch, share=f"{share:.0%}")


def _about_history(history: Sequence[Mapping[str, float]], notes: Notes) -> str:
    epochs = int(history[-1].get("epoch", 0)) if history else 0
    if is_fine_tuned(notes):
        return tr(
            "Line: photos that were learned from, as augmented. Dashed: validation photos. Fine-tuning took {epochs} epochs.",
            epochs=epochs,
        )
    return tr("Line: training photos. Dashed: photos that were not learned from. Training took {epochs} epochs.", epochs=epochs)


def _looked_at_once(run: Run) -> str:
    if "fine_tuning" not in run.evaluation:
        return tr("The held-out photos were looked at once, after everything was decided.")
    return tr(
        "The held-out photos were looked at once, after everything was decided: by the fine-tuned classifier and, to compare, "
        "by the one whose backbone stayed frozen."
    )
