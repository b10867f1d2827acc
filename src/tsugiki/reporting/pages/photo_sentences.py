"""What is said about photos, in a report after training and in an audit before: labels, copies, shortcuts, doubted labels.

A function per part of a page; each gives names to sentences in the language in use, and the template asks for them by name.
"""

from __future__ import annotations

from collections.abc import Sequence

from tsugiki.evaluation.duplicates import across
from tsugiki.evaluation.predictions import Document
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import tr

Words = dict[str, str]


def page_words() -> Words:
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


def leak_words(evaluation: Document, findings: Findings, splits: Sequence[str]) -> Words:
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


def suspect_words(findings: Findings) -> Words:
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


def data_words(photos: int, classes: int, left_out: int) -> Words:
    """What the photos are."""
    return {
        "data_short": tr("{photos} photos, {classes} classes", photos=f"{photos:,}", classes=classes),
        "left_out_short": tr("Files left out, each with its reason: {count}.", count=left_out)
        if left_out
        else tr("Every file that was found could be used."),
    }
