"""Every sentence of the report, said in the language in use; the template holds no words of its own.

A function per part of the page; each gives names to sentences, and the template asks for them by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.evaluation.learning_curve import LearningCurve, more_photos_sentence
from tsugiki.evaluation.predictions import Document, headline
from tsugiki.fine_tuning.model_selection import verdict_sentence
from tsugiki.locale.messages import in_a_row, listed, tr
from tsugiki.reporting.pages.photo_sentences import Words
from tsugiki.reporting.pages.training_sentences import Notes, is_fine_tuned

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
        return tr("Can it tell these apart: {classes}?", classes=listed(classes))
    return tr("Can it tell {count} classes apart?", count=len(classes))


def score_words(evaluation: Document) -> Words:
    """Against guessing, balanced, top-k."""
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
        "class_note": tr("Lines are 95% intervals; shorter means more photos."),
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
    return in_a_row(
        *(
            tr("The right class is among the first {k} answers for {share} of the photos.", k=k, share=f"{accuracy:.1%}")
            for k, accuracy in further
        )
    )


def use_words(name: str) -> Words:
    """Where the commands work as they are printed; ``name`` is that of the run's folder."""
    return {"where": tr("Type these in the folder that holds {name}, or give the whole path.", name=name)}


def trust_words(evaluation: Document, notes: Notes) -> Words:
    """Calibration.

    Args:
        evaluation: The numbers of the held-out photos.
        notes: How the classifier was trained: fine-tuning has other photos to calibrate on than a head has.
    """
    calibration = evaluation["calibration"]
    corrected = calibration["temperature"] not in (None, 1)
    values = {name: f"{100 * calibration[name]['ece']:.1f}" for name in ("before", "after")}
    if corrected:
        values["temperature"] = f"{calibration['temperature']:.2f}"
        how = _correction(notes, values)
    elif calibration["temperature"] is None:
        how = tr("No correction could be estimated: too many training photos belong together.")
    else:
        how = _no_correction(notes)
    return {
        "trust_short": tr("On average its percentages are {after} points off.", after=values["after"]),
        "trust_how": how,
        "trust_chart": tr(
            "From left to right how sure it was, upwards how often it was right; on the dashed line both agree. "
            "Large discs stand for many photos, lines are 95% intervals."
        ),
        "trust_before": tr("Crosses: before the correction.") if corrected else "",
    }


def _correction(notes: Notes, values: Mapping[str, str]) -> str:
    if is_fine_tuned(notes):
        return tr(
            "A temperature of {temperature}, fitted on {photos} validation photos, changed this error from {before} to {after} "
            "points. Nothing was learned from those photos, but they chose which weights were kept.",
            photos=notes["validation_photos"],
            **values,
        )
    return tr(
        "A temperature of {temperature}, fitted on out-of-fold answers of the training photos, changed this error from "
        "{before} to {after} points.",
        **values,
    )


def _no_correction(notes: Notes) -> str:
    """A temperature other than one has to prove itself on the photos that it is fitted on."""
    if is_fine_tuned(notes):
        return tr("The {photos} validation photos gave no reason for a correction.", photos=notes["validation_photos"])
    return tr("Out-of-fold answers of the training photos gave no reason for a correction.")


def unknown_words(classifier: Classifier) -> Words:
    """What happens to photos unlike anything seen."""
    unknown = classifier.unknown
    if unknown is None:
        return {
            "unknown_how": tr(
                'It never answers "not sure": too many training photos belong together to tell how unlike is too unlike.'
            )
        }
    return {
        "unknown_how": tr(
            "A photo farther than {threshold} (cosine distance of features) from every training photo is answered with "
            '"not sure". About {rate} of photos of these classes are turned away by mistake.',
            threshold=f"{unknown.threshold:.3f}",
            rate=f"{unknown.false_reject_rate:.0%}",
        )
    }


def more_words(curve: LearningCurve | None, *, fine_tuned: bool = False) -> Words:
    """The learning curve; ``fine_tuned``: the features themselves have learned, so that there is none."""
    if fine_tuned:
        return {
            "more_short": tr(
                "Whether more photos would help was not measured: after fine-tuning, each measurement would be a fine-tuning."
            ),
            "more_chart": "",
        }
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
