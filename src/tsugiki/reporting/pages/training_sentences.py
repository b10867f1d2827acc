"""What a report says about how a classifier was trained: each method has sentences of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tsugiki.backbones.backbone import WeightsOrigin
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.augmentation.augment import Augmentation
from tsugiki.evaluation.predictions import OUT_OF_FOLD
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings
from tsugiki.fine_tuning.layers import norms_of
from tsugiki.fine_tuning.model_selection import choice_sentence
from tsugiki.heads.part_shares import shares_sentence
from tsugiki.inspection.backbone_photos import learned_before, learned_sentence
from tsugiki.locale.messages import in_a_row, listed, tr
from tsugiki.training.run import Run

Sentences = dict[str, str]
"""Sentences in the language in use, by the name that a template asks for."""

Notes = Mapping[str, Any]
"""How a classifier was trained: ``classifier.notes``, or a part of it."""


def training_sentences(run: Run) -> Sentences:
    """What was trained how, in plain words."""
    classifier, notes = run.classifier, run.classifier.notes
    fine_tuned = is_fine_tuned(notes)
    return {
        "trained_how": in_a_row(_trained_how(classifier), _learned_before(run)),
        "trained_settings": _fine_tuning_settings(notes, kept_back=not run.samples.val_rows)
        if fine_tuned
        else _head_settings(notes.get("head", {})),
        "chosen": _chosen_among(notes),
        "kept": kept_sentence(notes),
        "seen_as": tr("A photo as the network sees it: {rule}", rule=classifier.preprocess.describe()),
        "history_note": _about_history(run.history, notes),
        "held_out_once": _looked_at_once(run),
    }


def is_fine_tuned(notes: Notes) -> bool:
    """Whether the classifier that was kept is a fine-tuned one."""
    return notes.get("method") == "fine-tune"


def is_weighted(notes: Notes) -> bool:
    """Whether every class counted the same in training."""
    settings = notes["settings"] if is_fine_tuned(notes) else notes.get("head", {})
    return bool(settings.get("class_weights"))


def _trained_how(classifier: Classifier) -> str:
    backbone = classifier.backbone
    values = {
        "backbone": str(backbone.spec),
        "weights": backbone.origin.label,
        "licence": backbone.origin.licence,
        "frozen": f"{backbone.num_parameters:,}",
        "learned": f"{sum(one.numel() for one in classifier.head.parameters()):,}",
    }
    if not is_fine_tuned(classifier.notes):
        shares = classifier.notes.get("shares")
        return in_a_row(
            tr(
                "The backbone {backbone} ({weights}, licence {licence}) stayed as it is, all {frozen} numbers of it. "
                "Only a head of {learned} numbers was trained on its features.",
                **values,
            ),
            shares_sentence(shares) if isinstance(shares, Mapping) else "",
        )
    began = began_with(classifier)
    if not classifier.notes["unfrozen"]:
        return tr(
            "The backbone {backbone} ({weights}, licence {licence}) stayed as it is; only the head was fine-tuned.",
            backbone=str(backbone.spec),
            weights=began.label,
            licence=began.licence,
        )
    return in_a_row(
        tr(
            "The backbone {backbone} ({weights}, licence {licence}) was fine-tuned, starting from a fitted head.",
            backbone=str(backbone.spec),
            weights=began.label,
            licence=began.licence,
        ),
        _what_learned(classifier),
        _batch_norm(classifier),
    )


def _learned_before(run: Run) -> str:
    """Which photos the backbone had learned from before; empty where it had from none of them."""
    classifier = run.classifier
    name = f"{classifier.backbone.spec} ({began_with(classifier).label})"
    return learned_sentence(learned_before(classifier.notes), name, run.samples)


def began_with(classifier: Classifier) -> WeightsOrigin:
    """The weights that a fine-tuned backbone began with; without a digest where the run is older than its being noted."""
    origin = classifier.backbone.origin
    noted = classifier.notes.get("began_with")
    if not isinstance(noted, Mapping):
        return replace(origin, label=origin.label.removesuffix(", fine-tuned"), sha256="")
    return replace(origin, label=str(noted.get("label", "")), sha256=str(noted.get("sha256") or ""))


def _chosen_among(notes: Notes) -> str:
    """That the backbone was chosen, and among which; empty where a person named it."""
    ranking = notes.get("ranking")
    if not isinstance(ranking, Mapping):
        return ""
    judged = [f"{row['name']} {row['score']:.1%}" for row in ranking["networks"]]
    told = tr(
        "It was chosen among {count} by cross-validation on the training photos, the held-out ones having no say: {judged}.",
        count=len(judged),
        judged=listed(judged),
    )
    left = [row["name"] for row in ranking["left_out"]]
    return in_a_row(told, tr("Not judged: {names}.", names=listed(left)) if left else "")


def _what_learned(classifier: Classifier) -> str:
    parts, groups = classifier.notes["unfrozen"], len(classifier.backbone.layer_groups())
    if len(parts) == groups:
        return tr("All its layers learned (layer groups: {groups}).", groups=groups)
    return tr(
        "{learned} of its {groups} layer groups learned: {parts}.", learned=len(parts), groups=groups, parts=listed(parts)
    )


def _batch_norm(classifier: Classifier) -> str:
    if not norms_of(classifier.backbone):
        return ""
    if classifier.notes["settings"]["batch_norm"] == "frozen":
        return tr("BatchNorm was frozen: its statistics stayed those of the pretrained weights.")
    return tr("BatchNorm was updated: its statistics followed the training photos.")


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


def _fine_tuning_settings(notes: Notes, *, kept_back: bool) -> str:
    """Every setting; ``kept_back``: the validation photos were a part of the training photos, as no split was for them."""
    settings = notes["settings"]
    return in_a_row(
        tr(
            "Fine-tuning: {epochs} epochs of at most {most}, batches of {batch_size}, learning rate {lr} at the head and "
            "{decay} times it from each layer group to the one below, weight decay {weight_decay}, label smoothing "
            "{smoothing}, seed {seed}.",
            epochs=notes["epochs"],
            most=settings["epochs"],
            batch_size=settings["batch_size"],
            lr=f"{settings['lr']:g}",
            decay=f"{settings['lr_decay']:g}",
            weight_decay=f"{settings['weight_decay']:g}",
            smoothing=f"{settings['label_smoothing']:g}",
            seed=settings["seed"],
        ),
        tr("Augmentation: {what}.", what=Augmentation.from_dict(settings["augmentation"]).describe()),
        _computed(notes.get("compute")),
        tr(
            "{photos} of the training photos were kept back for validation: none of them was learned from, they chose which "
            "weights were kept.",
            photos=notes["validation_photos"],
        )
        if kept_back
        else tr(
            "{photos} validation photos, none of them learned from, chose which weights were kept.",
            photos=notes["validation_photos"],
        ),
    )


def _computed(compute: object) -> str:
    """How steps were computed; older runs hold a sentence, in the language of that time."""
    return tr("Computed in {way}.", way=ComputeSettings(**compute).describe()) if isinstance(compute, Mapping) else ""


def kept_sentence(notes: Notes) -> str:
    """Which weights of a fine-tuning were kept, or that it was tried and not kept; empty where it was not tried."""
    if not is_fine_tuned(notes):
        tried = notes.get("fine_tuning")
        return choice_sentence(tried) if isinstance(tried, Mapping) and "validated" in tried else ""
    epoch, share, best = notes["best_epoch"], notes["blended"], notes["best"]
    if "mean_average_precision" in best:
        return _kept_of_several_labels(epoch, share, f"{best['mean_average_precision']:.1%}")
    accuracy = f"{best['accuracy']:.1%}"
    if share == 1:
        return tr(
            "Kept: the weights of epoch {epoch}, the best on the validation photos ({accuracy} correct).",
            epoch=epoch,
            accuracy=accuracy,
        )
    return tr(
        "Kept: weights {share} of the way from the start to epoch {epoch}, the best on the validation photos ({accuracy} "
        "correct).",
        epoch=epoch,
        share=f"{share:.0%}",
        accuracy=accuracy,
    )


def _kept_of_several_labels(epoch: int, share: float, value: str) -> str:
    if share == 1:
        return tr(
            "Kept: the weights of epoch {epoch}, the best on the validation photos (mean average precision {value}).",
            epoch=epoch,
            value=value,
        )
    return tr(
        "Kept: weights {share} of the way from the start to epoch {epoch}, the best on the validation photos (mean average "
        "precision {value}).",
        epoch=epoch,
        share=f"{share:.0%}",
        value=value,
    )


def _about_history(history: Sequence[Mapping[str, float]], notes: Notes) -> str:
    epochs = int(history[-1].get("epoch", 0)) if history else 0
    if is_fine_tuned(notes):
        return tr(
            "Line: photos that were learned from, as augmented. Dashed: validation photos. From left to right: epochs 1 to "
            "{epochs}.",
            epochs=epochs,
        )
    dashed = {
        "val": tr("photos of the split val"),
        "out-of-fold": tr("training photos, each answered by a head that had not learned from it (cross-validation)"),
    }
    noted = notes.get("head", {}).get("validation")
    validated = dashed.get(noted) if noted else tr("photos that were not learned from")  # runs of older programs
    if validated is None:
        return tr("Line: training photos. From left to right: epochs 1 to {epochs}.", epochs=epochs)
    return tr(
        "Line: training photos. Dashed: {validated}. From left to right: epochs 1 to {epochs}.",
        validated=validated,
        epochs=epochs,
    )


def _looked_at_once(run: Run) -> str:
    if run.evaluation["split"] == OUT_OF_FOLD:
        return tr(
            "Nothing was held out: the score is that of cross-validation on the training photos, which the penalty was chosen "
            "on, too."
        )
    if "fine_tuning" not in run.evaluation:
        return tr("The held-out photos were looked at once, after everything was decided.")
    return tr(
        "The held-out photos were looked at once, after everything was decided: by the fine-tuned classifier and, to compare, "
        "by the one whose backbone stayed frozen."
    )
