"""Every sentence of the report and of the audit, said in the language in use; the templates hold no words of their own.

A function per part of a page; each gives names to sentences, and the template asks for them by name. How a classifier was
trained is told by :mod:`tsugiki.reporting.pages.training_sentences`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.data.images import remarks
from tsugiki.data.samples import Samples
from tsugiki.data.split_warnings import is_uneven, uneven_sentence
from tsugiki.evaluation.duplicates import across
from tsugiki.evaluation.headline import (
    accuracy_without_leaks,
    guess_to_beat,
    headline,
    never_answered_sentence,
    nothing_is_clean,
    trust_state,
)
from tsugiki.evaluation.learning_curve import LearningCurve, more_photos_sentence
from tsugiki.evaluation.multi_label.set_headline import learned_count
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Document
from tsugiki.features.table import FeatureTable
from tsugiki.fine_tuning.comparison import verdict_sentence
from tsugiki.inspection.finding_sentences import contradictions_sentence, failed_sentence, shortcut_sentence, suspects_sentence
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import in_a_row, listed, tr
from tsugiki.reporting.pages.training_sentences import Notes, Sentences, is_fine_tuned

_NAMED = 4
_LONGEST_QUESTION = 90  # letters of class names that a heading has room for


def page_labels() -> Sentences:
    """Titles and labels that are the same for every run."""
    return {
        "report": tr("Report of a run"),
        "glance": tr("At a glance"),
        "score": tr("How good is it?"),
        "mistakes": tr("Its mistakes"),
        "trust": tr("Can its percentages be trusted?"),
        "unknown": tr("Does it know what it does not know?"),
        "leaks": tr("Did held-out photos leak?"),
        "suspects": tr("Labels that deserve a look"),
        "odd": tr("Photos unlike all others"),
        "more": tr("Will more photos help?"),
        "training": tr("How it was trained"),
        "data": tr("The photos"),
        "use": tr("How to use it"),
        "class": tr("class"),
        "photos": tr("photos"),
        "recall": tr("recognised"),
        "precision": tr("right when named"),
        "f1": tr("F1"),
        "said": tr("the classifier said"),
        "is": tr("it is"),
        "all": tr("all"),
        "left_out": tr("Left out"),
        "every_setting": tr("Every setting and number"),
        "in_terminal": tr("In a terminal"),
        "in_python": tr("In Python"),
        "labelled": tr("labelled"),
        "looks_like": tr("looks like"),
        "surest_first": tr("the surest first"),
        "doubtful_first": tr("the most doubtful first"),
        "oddest_first": tr("the oddest first"),
        "leaks_first": tr("leaks first"),
        "by_answer": tr("by answer"),
        "by_suggestion": tr("by what it looks like"),
        "loss": tr("Loss"),
        "accuracy": tr("Accuracy"),
        "all_classes": tr("Every class"),
        "confusions": tr("What is taken for what"),
    }


def headline_sentences(evaluation: Document) -> Sentences:
    """The question and its answer."""
    classes = evaluation["classes"]
    return {"question": _question(classes), "headline": headline(evaluation), "strip": _strip(evaluation)}


def _strip(evaluation: Document) -> str:
    """What the strip shows; where all photos leaked there is none."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return ""
    leaks = evaluation["leaks"]
    return in_a_row(
        tr("Without the photos that leaked.") if leaks and leaks["n"] else "",
        tr(
            "The bar is where the accuracy on further photos of the same kind lies, 19 times out of 20. "
            "The triangle is where always answering {name} ends up: {accuracy}.",
            name=guess["class"],
            accuracy=f"{guess['accuracy']:.1%}",
        ),
    )


def _question(classes: Sequence[str]) -> str:
    if sum(map(len, classes)) > _LONGEST_QUESTION:
        return tr("Can it tell {count} classes apart?", count=len(classes))
    if len(classes) == 2:
        return tr("Can it tell {first} from {second}?", first=classes[0], second=classes[1])
    if len(classes) <= _NAMED:
        return tr("Can it tell these apart: {classes}?", classes=listed(classes))
    return tr("Can it tell {count} classes apart?", count=len(classes))


def score_sentences(evaluation: Document) -> Sentences:
    """Against guessing, balanced, top-k."""
    low, high = evaluation["balanced_accuracy_interval"]
    return {
        "against": _against(evaluation),
        "refused": _refused(evaluation),
        "never_answered": never_answered_sentence(evaluation),
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
        "no_mistakes": tr("There is none: every photo was answered right.")
        if _nothing_held_out(evaluation)
        else tr("There is none: every held-out photo was answered right."),
        "mistakes_note": tr(
            "Mistakes: {wrong}, the surest first. Is the photo hard, or its label wrong?",
            wrong=evaluation["n"] - evaluation["correct"],
        ),
        "fine_tuning": fine_tuning_sentence(evaluation),
    }


def fine_tuning_sentence(evaluation: Document) -> str:
    """Whether fine-tuning helped; empty where it was not tried."""
    return verdict_sentence(evaluation["fine_tuning"]) if evaluation.get("fine_tuning") else ""


def _against(evaluation: Document) -> str:
    """Better than always answering one class? Photos that leaked prove nothing of the kind."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return tr("Whether it is better than guessing cannot be told from photos that leaked.")
    values = {"name": guess["class"], "accuracy": f"{guess['accuracy']:.1%}"}
    if guess["verdict"] == "helped":
        return tr("Clearly better than always answering {name}, which gives {accuracy}.", **values)
    if guess["verdict"] == "hurt":
        return tr("Worse than always answering {name}, which gives {accuracy}. Something is wrong.", **values)
    if evaluation["near_chance"]:
        return tr("Not proven better than always answering {name}, which gives {accuracy}.", **values)
    if _nothing_held_out(evaluation):
        return tr("Not proven better than always answering {name}, which gives {accuracy}: more photos needed.", **values)
    return tr("Not proven better than always answering {name}, which gives {accuracy}: more held-out photos needed.", **values)


def _nothing_held_out(evaluation: Document) -> bool:
    return bool(evaluation["split"] == OUT_OF_FOLD)


def _refused(evaluation: Document) -> str:
    """How many of the photos are answered with "not sure"; the score counts them like all others."""
    refused = evaluation.get("refused")
    if refused is None:
        return ""
    if not refused["n"]:
        return tr('None of the {n} photos is answered with "not sure".', n=evaluation["n"])
    if refused["n"] == 1:
        told = (
            tr(
                'Of the {n} photos, 1 is answered with "not sure", being less like the training photos than 95% of them.',
                n=evaluation["n"],
            ),
            tr("Its most probable class is right.") if refused["correct"] else tr("Its most probable class is wrong."),
            tr("The score counts it by that class."),
        )
        return in_a_row(*told)
    return tr(
        'Of the {n} photos, {count} are answered with "not sure", being less like the training photos than 95% of them; for '
        "{correct} of those the most probable class is right. The score counts them by that class.",
        n=evaluation["n"],
        count=refused["n"],
        correct=refused["correct"],
    )


def _top(top_k: Mapping[str, Mapping[str, Any]]) -> str:
    further = [(k, entry["accuracy"]) for k, entry in top_k.items() if k != "1"]
    return in_a_row(
        *(
            tr("The right class is among the first {k} answers for {share} of the photos.", k=k, share=f"{accuracy:.1%}")
            for k, accuracy in further
        )
    )


def usage_sentences(name: str) -> Sentences:
    """Where the commands work as they are printed; ``name`` is that of the run's folder."""
    return {"where": tr("Type these in the folder that holds {name}, or give the whole path.", name=name)}


def calibration_sentences(evaluation: Document, notes: Notes) -> Sentences:
    """Calibration.

    Args:
        evaluation: The numbers of the held-out photos.
        notes: How the classifier was trained: fine-tuning has other photos to calibrate on than a head has.
    """
    calibration = evaluation["calibration"]
    corrected = calibration["temperature"] not in (None, 1)
    return {
        "trust_short": _trust(evaluation),
        "trust_how": ""
        if evaluation["near_chance"] or guess_to_beat(evaluation) is None
        else _calibrated_how(calibration, notes),
        "trust_chart": tr(
            "From left to right how sure it was, upwards how often it was right; on the dashed line both agree. "
            "Large discs stand for many photos, lines are 95% intervals."
        ),
        "trust_before": tr("Crosses: before the correction.") if corrected else "",
    }


def _trust(evaluation: Document) -> str:
    if evaluation["near_chance"]:
        return tr("Its percentages mean nothing, as its answers are close to guessing.")
    if guess_to_beat(evaluation) is None:
        return tr("Whether its percentages are right cannot be told from photos that leaked.")
    points = f"{100 * evaluation['calibration']['after']['ece']:.1f}"
    if trust_state(evaluation) != "open":
        return tr("On average its percentages are {after} points off.", after=points)
    return tr(
        "On average its percentages are {after} points off, no more than chance alone can make of {n} photos.",
        after=points,
        n=evaluation["n"],
    )


def _calibrated_how(calibration: Mapping[str, Any], notes: Notes) -> str:
    """What was done about the error, which stands in the sentence before."""
    if calibration["temperature"] is None:
        return tr("No correction could be estimated: cross-validation was impossible.")
    if calibration["temperature"] == 1:
        return _no_correction(notes)
    values = {name: f"{100 * calibration[name]['ece']:.1f}" for name in ("before", "after")}
    return _correction(notes, {**values, "temperature": f"{calibration['temperature']:.2f}"})


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


def out_of_distribution_sentences(classifier: Classifier) -> Sentences:
    """What happens to photos unlike anything seen."""
    unknown = classifier.unknown
    if unknown is None:
        return {
            "unknown_how": tr('It never answers "not sure": without cross-validation nobody can tell how unlike is too unlike.')
        }
    return {
        "unknown_how": tr(
            "A photo farther than {threshold} (cosine distance of features) from the nearest training photo is answered with "
            '"not sure": it is less like the training photos than {usual} of them are. So about {rate} of photos of these '
            "classes are turned away by mistake.",
            threshold=f"{unknown.threshold:.3f}",
            usual=f"{1 - unknown.false_reject_rate:.0%}",
            rate=f"{unknown.false_reject_rate:.0%}",
        )
    }


def learning_curve_sentences(findings: Findings, *, evaluation: Document | None = None, fine_tuned: bool = False) -> Sentences:
    """Will more photos help?

    Args:
        findings: With what was measured, if it was.
        evaluation: The numbers of the held-out photos, where there is a score beside the curve: the two are not the same.
        fine_tuned: The features themselves have learned, so that there is no curve.
    """
    curve = findings.curve
    if findings.failed:
        return {"more_short": failed_sentence(), "more_chart": ""}
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
        "more_short": in_a_row(more_photos_sentence(curve), _curve_and_score(curve, evaluation)),
        "more_chart": tr(
            "Accuracy with ever more training photos, every class counting the same, each step double: measured by "
            "cross-validation on the stored features (filled), and as it goes on (hollow) with its 95% band. The upright line "
            "is today: {n}.",
            n=curve.n,
        ),
    }


def _curve_and_score(curve: LearningCurve, evaluation: Document | None) -> str:
    """Why the curve's accuracy is another one than the score."""
    if evaluation is None:
        return ""
    values = {"curve": f"{curve.forecast[0].accuracy:.1%}", "score": f"{evaluation['balanced_accuracy']:.1%}"}
    if _nothing_held_out(evaluation):
        return tr(
            "The curve ends today at {curve}, the score is {score}: both are cross-validated, every class counting the same, "
            "but the curve's heads are quicker ones.",
            **values,
        )
    return tr(
        "The curve ends today at {curve}, the score is {score}, every class counting the same: the curve is cross-validated on "
        "training photos with quicker heads, the score is about the held-out photos.",
        **values,
    )


def duplicate_sentences(evaluation: Document, findings: Findings, splits: Sequence[str]) -> Sentences:
    """Copies, contradictions and shortcuts.

    Args:
        evaluation: The numbers of the held-out photos.
        findings: About the photos.
        splits: The split of each photo.
    """
    leaks = evaluation["leaks"]
    without, (low, high) = accuracy_without_leaks(evaluation)
    if learned := learned_count(leaks):
        leaked = _learned(evaluation, learned)
    elif _nothing_held_out(evaluation):
        leaked = tr("Nothing is held out, so nothing could leak: cross-validation keeps copies and subjects together.")
    elif leaks is None:
        leaked = tr("There are too many photos to compare each with each: nobody has looked for copies.")
    elif not leaks["n"]:
        leaked = tr("No held-out photo has a twin among the others.")
    elif nothing_is_clean(evaluation):
        leaked = tr("Every held-out photo has a twin in another split: this score is worth nothing.")
    else:
        leaked = tr(
            "Held-out photos with a twin in another split: {count}. Without them: {accuracy} ({low} to {high}).",
            count=leaks["n"],
            accuracy=f"{without:.1%}",
            low=f"{low:.1%}",
            high=f"{high:.1%}",
        )
    copies = findings.copies or ()
    inside = len(copies) - len(across(copies, splits))
    return {
        "leaked": leaked,
        "copies": tr("Pairs of copies inside a split: {count}.", count=inside) if inside > 0 else "",
        "contradictions": contradictions_sentence(findings),
        "shortcut": shortcut_sentence(findings),
    }


def _learned(evaluation: Document, learned: int) -> str:
    """How many photos the backbone has learned from, and what is left without what leaked."""
    values = {"count": learned, "n": evaluation["n"]}
    if nothing_is_clean(evaluation):
        return tr(
            "Photos that the backbone has learned from: {count} of {n}. The others are too few for a score: this one is worth "
            "nothing.",
            **values,
        )
    without, (low, high) = accuracy_without_leaks(evaluation)
    return tr(
        "Photos that the backbone has learned from: {count} of {n}. Without what leaked: {accuracy} ({low} to {high}).",
        accuracy=f"{without:.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        **values,
    )


def label_issue_sentences(findings: Findings, *, backbone: str) -> Sentences:
    """Doubted labels, by what they are doubted, and what to do about them; ``backbone`` is what looked at the photos."""
    return {
        "suspects_short": suspects_sentence(findings, backbone=backbone),
        "suspects_how": tr(
            "A head that had not learned from the photo found another class more likely. Nothing was changed. "
            "suspects.csv has the whole list: write exclude or relabel into its column action, and train anew."
        ),
        "odd_how": tr("Far from every other photo: another subject, a drawing, a placeholder?"),
    }


def balance_sentence(samples: Samples, *, weighted: bool = False) -> str:
    """Whether the classes have about as many training photos each (photos, where none is for training).

    Args:
        samples: The photos.
        weighted: Whether a head was trained on them with every class counting the same.
    """
    counts = class_counts(samples)
    most, least = max(counts.values()), min(counts.values())
    if is_uneven(counts) and weighted:
        return tr(
            "The classes are uneven, {least} to {most} training photos; --class-weights made them count the same.",
            least=least,
            most=most,
        )
    if is_uneven(counts):
        return uneven_sentence(counts)
    if most == least == 1:
        return tr("Every class has one training photo only.")
    if most == least:
        return tr("Every class has {n} training photos.", n=most)
    return tr("The classes are about evenly large: {least} to {most} training photos.", least=least, most=most)


def balance_state(samples: Samples) -> str:
    """Whether the classes' sizes deserve a ``look`` or are ``fine``."""
    counts = class_counts(samples)
    return "look" if is_uneven(counts) or max(counts.values()) == 1 else "fine"


def class_counts(samples: Samples) -> Mapping[str, int]:
    """Training photos per class, or all photos where none is for training."""
    counts = samples.counts()
    return counts["train"] if "train" in counts else sum(map(Counter, counts.values()), Counter())


def remark_sentences(table: FeatureTable) -> Sentences:
    """What is odd about photos that count; empty where nothing is."""
    return {"remarks": in_a_row(*remarks.sentences(table.remarks))}


def photo_sentences(photos: int, classes: int, left_out: int) -> Sentences:
    """What the photos are."""
    return {
        "data_short": tr("{photos} photos, {classes} classes", photos=f"{photos:,}", classes=classes),
        "left_out_short": tr("Files left out, each with its reason: {count}.", count=left_out)
        if left_out
        else tr("Every file that was found could be used."),
    }
