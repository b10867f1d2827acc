"""Every sentence of the report and of the audit, said in the language in use; the templates hold no words of their own.

A function per part of a page; each gives names to sentences, and the template asks for them by name. How a classifier was
trained is told by :mod:`tsugiki.reporting.pages.training_sentences`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.data.images import remarks
from tsugiki.evaluation.duplicates import across
from tsugiki.evaluation.learning_curve import LearningCurve, more_photos_sentence
from tsugiki.evaluation.predictions import Document, headline
from tsugiki.features.table import FeatureTable
from tsugiki.fine_tuning.model_selection import verdict_sentence
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import in_a_row, listed, tr
from tsugiki.reporting.pages.training_sentences import Notes, Sentences, is_fine_tuned

_NAMED = 4


def page_labels() -> Sentences:
    """Titles and labels that are the same for every run."""
    return {
        "report": tr("Report of a run"),
        "language": tr("Language"),
        "theme": tr("Colours"),
        "theme_auto": tr("as the device"),
        "theme_light": tr("light"),
        "theme_dark": tr("dark"),
        "glance": tr("At a glance"),
        "score": tr("How good is it?"),
        "mistakes": tr("Its most confident mistakes"),
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
        "loss": tr("Loss"),
        "accuracy": tr("Accuracy"),
        "all_classes": tr("Every class"),
        "confusions": tr("What is taken for what"),
    }


def headline_sentences(evaluation: Document) -> Sentences:
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


def score_sentences(evaluation: Document) -> Sentences:
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


def out_of_distribution_sentences(classifier: Classifier) -> Sentences:
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


def learning_curve_sentences(curve: LearningCurve | None, *, fine_tuned: bool = False) -> Sentences:
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


def duplicate_sentences(evaluation: Document, findings: Findings, splits: Sequence[str]) -> Sentences:
    """Copies, contradictions and shortcuts.

    Args:
        evaluation: The numbers of the held-out photos.
        findings: About the photos.
        splits: The split of each photo.
    """
    leaks = evaluation["leaks"]
    if leaks is None:
        leaked = tr("There are too many photos to compare each with each: nobody has looked for copies.")
    elif not leaks["n"]:
        leaked = tr("No held-out photo has a twin among the others.")
    elif leaks["accuracy_without"] is None:
        leaked = tr("Every held-out photo has a twin in another split: this score is worth nothing.")
    else:
        low, high = leaks["accuracy_without_interval"]
        leaked = tr(
            "Held-out photos with a twin in another split: {count}. Without them: {accuracy} ({low} to {high}).",
            count=leaks["n"],
            accuracy=f"{leaks['accuracy_without']:.1%}",
            low=f"{low:.1%}",
            high=f"{high:.1%}",
        )
    copies = findings.copies or ()
    inside = len(copies) - len(across(copies, splits))
    return {
        "leaked": leaked,
        "copies": tr("Pairs of copies inside a split: {count}.", count=inside) if inside > 0 else "",
        "contradictions": tr(
            "Copies with different classes: {count}. One of the two labels is wrong.", count=len(findings.contradictions)
        )
        if findings.contradictions
        else "",
        "shortcut": shortcut_sentence(findings),
    }


def shortcut_sentence(findings: Findings) -> str:
    """Whether the class can be told without looking at the subject."""
    suspicious = [one for one in findings.shortcuts if one.suspicious]
    if not findings.shortcuts:
        return tr("There are too few photos to look for shortcuts.")
    if not suspicious:
        return tr("Neither size, nor shape, nor mean colour of a photo gives its class away.")
    names = {"size": tr("the size in pixels"), "shape": tr("the shape (wide or tall)"), "colour": tr("the mean colour")}
    one = suspicious[0]
    return tr(
        "Possible shortcut: {name} alone gives {accuracy}, guessing {guess}. If that is not a property of the classes, the "
        "classifier may have learned the camera instead.",
        name=names[one.name],
        accuracy=f"{one.accuracy:.0%}",
        guess=f"{one.majority:.0%}",
    )


def label_issue_sentences(findings: Findings) -> Sentences:
    """Doubted labels, and what to do about them."""
    return {
        "suspects_short": _suspects(findings),
        "suspects_how": tr(
            "A head that had not learned from the photo found another class more likely. Nothing was changed. "
            "suspects.csv has the whole list: write exclude or relabel into its column action, and train anew."
        ),
        "odd_how": tr("Far from every other photo: another subject, a drawing, a placeholder?"),
    }


def _suspects(findings: Findings) -> str:
    photos, count = findings.examined, len(findings.suspects)
    if not photos:
        return tr("Doubtful labels were not looked for: too many photos belong together.")
    if not count:
        return tr("No label of {photos} looks doubtful.", photos=photos)
    sure = sum(one.confident for one in findings.suspects)
    if not sure:
        return tr("Of {photos} labels, {count} look doubtful, none of them clearly.", photos=photos, count=count)
    return tr("Of {photos} labels, {count} look doubtful, {sure} of them clearly.", photos=photos, count=count, sure=sure)


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
