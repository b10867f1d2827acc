"""Every sentence of the report, said in the language in use; the template holds no words of its own.

A function per part of the page; each gives names to sentences, and the template asks for them by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.messages import tr
from tsugiki.evaluation.document import Document, headline
from tsugiki.evaluation.learning_curve import LearningCurve, more_photos_sentence
from tsugiki.reporting.photo_words import Words
from tsugiki.training.fine_tune.verdict import verdict_sentence

_NAMED = 4


def hero_words(evaluation: Document) -> Words:
    """The question and its answer."""
    classes = evaluation["classes"]
    guess = evaluation["majority_guess"]
    return {
        "question": _question(classes),
        "headline": headline(evaluation),
        "strip": tr(
            "The bar is where the accuracy on further photos of the same kind lies, 19 times out of 20. "
            "The triangle is where always answering {name} ends up: {accuracy}.",
            name=guess["class"],
            accuracy=f"{guess['accuracy']:.1%}",
        ),
    }


def _question(classes: Sequence[str]) -> str:
    if len(classes) == 2:
        return tr("Can it tell {first} from {second}?", first=classes[0], second=classes[1])
    if len(classes) <= _NAMED:
        return tr("Can it tell these apart: {classes}?", classes=", ".join(classes))
    return tr("Can it tell {count} classes apart?", count=len(classes))


def score_words(evaluation: Document) -> Words:
    """Against guessing, balanced, among the first answers."""
    guess = evaluation["majority_guess"]
    low, high = evaluation["balanced_accuracy_interval"]
    values = {"name": guess["class"], "accuracy": f"{guess['accuracy']:.1%}"}
    if guess["verdict"] == "helped":
        against = tr("Clearly better than always answering {name}, which gives {accuracy}.", **values)
    elif guess["verdict"] == "hurt":
        against = tr("Worse than always answering {name}, which gives {accuracy}. Something is wrong.", **values)
    else:
        against = tr(
            "Not proven better than always answering {name}, which gives {accuracy}: more held-out photos needed.", **values
        )
    return {
        "against": against,
        "balanced": tr(
            "With every class counting the same: {accuracy} ({low} to {high}). Macro F1: {f1}.",
            accuracy=f"{evaluation['balanced_accuracy']:.1%}",
            low=f"{low:.1%}",
            high=f"{high:.1%}",
            f1=f"{evaluation['macro_f1']:.3f}",
        ),
        "top": _top(evaluation["top_k"]),
        "class_note": tr("Lines are 95% intervals: short ones stand on many photos."),
        "confusion_note": tr("A row is what the photos are, a column what the classifier said. The diagonal is right."),
        "no_mistakes": tr("There is none: every held-out photo was answered right."),
        "mistakes_note": tr(
            "Of {wrong} mistakes, the surest. Is the photo hard, or its label wrong?",
            wrong=evaluation["n"] - evaluation["correct"],
        ),
        "fine_tuning": verdict_sentence(evaluation["fine_tuning"]) if evaluation.get("fine_tuning") else "",
    }


def _top(top_k: Mapping[str, Mapping[str, Any]]) -> str:
    further = [(k, entry["accuracy"]) for k, entry in top_k.items() if k != "1"]
    if not further:
        return ""
    shares = ", ".join(f"{k}: {accuracy:.1%}" for k, accuracy in further)
    return tr("The right class is among the first answers, by their number: {shares}.", shares=shares)


def trust_words(evaluation: Document) -> Words:
    """Calibration."""
    calibration = evaluation["calibration"]
    before, after = calibration["before"]["ece"], calibration["after"]["ece"]
    values = {
        "after": f"{100 * after:.1f}",
        "before": f"{100 * before:.1f}",
        "temperature": f"{calibration['temperature']:.2f}",
    }
    if calibration["temperature"] == 1:
        how = tr("The head was calibrated as it was: out-of-fold answers of the training photos asked for no correction.")
    else:
        how = tr(
            "A temperature of {temperature}, fitted on out-of-fold answers of the training photos, changed this error from "
            "{before} to {after} points.",
            **values,
        )
    return {
        "trust_short": tr("On average its percentages are {after} points off.", **values),
        "trust_how": how,
        "trust_chart": tr(
            "From left to right how sure it was, upwards how often it was right; on the dashed line both agree. "
            "Large discs stand for many photos, lines are 95% intervals."
        ),
        "trust_before": tr("Crosses: before the correction."),
    }


def unknown_words(classifier: Classifier) -> Words:
    """What happens to photos unlike anything seen."""
    unknown = classifier.unknown
    if unknown is None:
        return {"unknown_how": ""}
    return {
        "unknown_how": tr(
            "A photo farther than {threshold} (cosine distance of features) from every training photo is answered with "
            '"not sure". About {rate} of photos of these classes are turned away by mistake.',
            threshold=f"{unknown.threshold:.3f}",
            rate=f"{unknown.false_reject_rate:.0%}",
        )
    }


def more_words(curve: LearningCurve | None) -> Words:
    """The learning curve."""
    if curve is None:
        return {"more_short": tr("There are too few photos, or too many, to draw a learning curve."), "more_chart": ""}
    return {
        "more_short": more_photos_sentence(curve),
        "more_chart": tr(
            "Accuracy with ever more training photos, each step double: measured by cross-validation on the stored features "
            "(filled), and as it goes on (hollow) with its 95% band. The upright line is today: {n}.",
            n=curve.n,
        ),
    }


def training_words(classifier: Classifier, history: Sequence[Mapping[str, float]]) -> Words:
    """What was trained how, in plain words."""
    notes, backbone = classifier.notes, classifier.backbone
    head = notes.get("head", {})
    values = {
        "backbone": str(backbone.spec),
        "weights": backbone.origin.label,
        "licence": backbone.origin.licence,
        "frozen": f"{sum(one.numel() for one in backbone.parameters()):,}",
        "learned": f"{sum(one.numel() for one in classifier.head.parameters()):,}",
    }
    if notes.get("method") == "fine-tune":
        how = tr(
            "All layers learned: {backbone} ({weights}, licence {licence}) was fine-tuned, starting from a fitted head.",
            **values,
        )
    else:
        how = tr(
            "The backbone {backbone} ({weights}, licence {licence}) stayed as it is, all {frozen} numbers of it. "
            "Only a head of {learned} numbers was trained on its features.",
            **values,
        )
    settings = ""
    if {"epochs", "lr", "batch_size"} <= head.keys():
        settings = tr(
            "The head: {epochs} epochs of {optimiser}, batches of {batch_size}, learning rate {lr}, seed {seed}; its penalty "
            "was chosen by cross-validation on the training photos.",
            **{name: head.get(name, "-") for name in ("epochs", "optimiser", "batch_size", "lr", "seed")},
        )
    last = history[-1] if history else {}
    return {
        "trained_how": how,
        "trained_settings": settings,
        "seen_as": tr("A photo as the network sees it: {rule}", rule=classifier.preprocess.describe()),
        "history_note": tr(
            "Line: training photos. Dashed: photos that were not learned from. After epoch {epoch} of training.",
            epoch=int(last.get("epoch", 0)),
        ),
        "held_out_once": tr("The held-out photos were looked at once, after everything was decided."),
    }
