"""What the report of a run says where photos have several labels, instead of what it says of one label per photo.

The counterpart of the functions of :mod:`tsugiki.reporting.pages.sentences` that tell of accuracy, of classes that are taken
for one another, and of the sum of percentages; :func:`tsugiki.reporting.pages.run_sentences.run_sentences` chooses.
"""

from __future__ import annotations

from collections.abc import Sequence

from tsugiki.classifier.classifier import Classifier
from tsugiki.data.label_sets import spoken
from tsugiki.evaluation.headline import guess_to_beat, headline, never_answered_sentence, trust_state
from tsugiki.evaluation.multi_label.set_headline import learned_count
from tsugiki.evaluation.multi_label.thresholds import FEW, ThresholdGoal
from tsugiki.evaluation.predictions import OUT_OF_FOLD, Document
from tsugiki.inspection.finding_sentences import failed_sentence, shortcut_sentence
from tsugiki.inspection.findings import Findings
from tsugiki.locale.messages import first_few, in_a_row, listed, tr
from tsugiki.reporting.pages.training_sentences import Notes, Sentences, is_fine_tuned

_NAMED = 4
_LONGEST_QUESTION = 90  # letters of class names that a heading has room for


def set_labels() -> Sentences:
    """Titles and labels of the parts that only several labels have."""
    return {
        "accuracy": tr("Mean average precision"),
        "average_precision": tr("average precision"),
        "absent": tr("without it"),
        "not_known": tr("not known"),
        "shown_from": tr("shown from"),
        "shared": tr("shared"),
        "together": tr("Which labels come together"),
        "labels": tr("labels"),
        "answered": tr("answered"),
        "exactly": tr("exactly right"),
        "missed_added": tr("What it misses, what it adds"),
        "missed": tr("missed"),
        "added": tr("added"),
        "of_showing": tr("of the photos that show it"),
        "of_others": tr("of the others"),
        "none": spoken(()),
        "by_wrong_label": tr("by the label that is wrong"),
        "photos_counted": tr("A photo with several labels counts in the row of each; the last row counts photos."),
    }


def set_headline_sentences(evaluation: Document) -> Sentences:
    """The question and its answer."""
    return {"question": _question(evaluation["classes"]), "headline": headline(evaluation), "strip": _strip(evaluation)}


def _question(classes: Sequence[str]) -> str:
    if len(classes) <= _NAMED and sum(map(len, classes)) <= _LONGEST_QUESTION:
        return tr("Can it tell what a photo shows: {classes}?", classes=listed(classes))
    return tr("Can it tell which of {count} classes a photo shows?", count=len(classes))


def _strip(evaluation: Document) -> str:
    """What the strip shows; where all photos leaked there is none."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return ""
    leaks = evaluation["leaks"]
    return in_a_row(
        tr("Without the photos that leaked.") if leaks and leaks["n"] else "",
        tr(
            "The bar is where the mean average precision on further photos of the same kind lies, 19 times out of 20. The "
            "triangle is where guessing ends up, which gives every photo each class's share of the photos: {value}.",
            value=_percent(guess["mean_average_precision"]),
        ),
    )


def set_score_sentences(evaluation: Document, notes: Notes, *, wrong: int) -> Sentences:
    """Against guessing, what is exactly right, thresholds, mistakes; ``wrong`` photos have a wrong answer."""
    return {
        "against": _against(evaluation),
        "refused": _refused(evaluation),
        "never_answered": never_answered_sentence(evaluation),
        "measure": tr(
            "Average precision says how far ahead of the other photos those that show a class come when photos are ordered by "
            "its probability: 100% is perfect, whatever the thresholds. The score is its mean over the classes."
        ),
        "exact": _exact(evaluation),
        "cells": _cells(evaluation),
        "thresholds": in_a_row(
            thresholds_sentence(notes),
            tr("Nothing being held out, each photo was judged with thresholds that the other photos chose.")
            if evaluation["split"] == OUT_OF_FOLD and notes.get("thresholds")
            else "",
        ),
        "class_note": tr("Lines are 95% intervals; shorter means more photos. The triangle is what guessing gives."),
        "together_note": tr(
            "The commonest combinations in truth and in the answers, of photos of which everything is known: how many photos "
            "show exactly these labels, for how many exactly these were answered, and for how many both."
        ),
        "no_mistakes": tr("There is none: every label of every photo was answered right."),
        "mistakes_note": tr(
            "Photos with a wrong answer: {wrong} of {n}, the surest first. Is the photo hard, or its label wrong?",
            wrong=wrong,
            n=evaluation["n"],
        ),
        "wrong_how": tr("✗ missed · + added by mistake · ✓ right, each with its probability"),
    }


def _against(evaluation: Document) -> str:
    """Better than knowing no more than how frequent each class is? Photos that leaked prove nothing of the kind."""
    guess = guess_to_beat(evaluation)
    if guess is None:
        return tr("Whether it is better than guessing cannot be told from photos that leaked.")
    value = _percent(guess["mean_average_precision"])
    if guess["verdict"] == "helped":
        return tr("Clearly better than guessing by how frequent each class is, which gives {value}.", value=value)
    if guess["verdict"] == "hurt":
        return tr("Worse than guessing by how frequent each class is, which gives {value}. Something is wrong.", value=value)
    if evaluation["near_chance"]:
        return tr("Not proven better than guessing by how frequent each class is, which gives {value}.", value=value)
    if evaluation["split"] == OUT_OF_FOLD:
        return tr(
            "Not proven better than guessing by how frequent each class is, which gives {value}: more photos needed.",
            value=value,
        )
    return tr(
        "Not proven better than guessing by how frequent each class is, which gives {value}: more held-out photos needed.",
        value=value,
    )


def _exact(evaluation: Document) -> str:
    """How many photos have all their labels right, and how many always answering the commonest labels gets right."""
    guess = evaluation["frequency_guess"]
    if evaluation["exact_match"] is None:
        return tr("How many photos have all their labels right cannot be told: of none of them every label is known.")
    low, high = evaluation["exact_match_interval"]
    values = {
        "exact": _percent(evaluation["exact_match"]),
        "low": _percent(low),
        "high": _percent(high),
        "labels": first_few(guess["combination"]) or spoken(()),
        "guess": _percent(guess["exact_match"]),
    }
    if evaluation["n_complete"] < evaluation["n"]:
        return tr(
            "Of the {complete} photos of which every label is known, {exact} have all of them right ({low} to {high}); always "
            "answering {labels} gives {guess}.",
            complete=evaluation["n_complete"],
            **values,
        )
    return tr(
        "All labels are right for {exact} of the photos ({low} to {high}); always answering {labels} gives {guess}.", **values
    )


def _cells(evaluation: Document) -> str:
    """Labels one by one."""
    low, high = evaluation["macro_f1_interval"]
    return tr(
        "Of all single labels, there or not, {wrong} are answered wrong (Hamming loss). Macro F1: {f1} ({low} to {high}).",
        wrong=_percent(evaluation["hamming_loss"]),
        f1=f"{evaluation['macro_f1']:.3f}",
        low=f"{low:.3f}",
        high=f"{high:.3f}",
    )


def _refused(evaluation: Document) -> str:
    """How many of the photos are answered with "not sure"; the score counts them like all others."""
    refused = evaluation.get("refused")
    if refused is None:
        return ""
    if not refused["n"]:
        return tr('None of the {n} photos is answered with "not sure".', n=evaluation["n"])
    return tr(
        'Photos answered with "not sure", being less like the training photos than 95% of them: {count} of {n}, with all '
        "labels right {correct}. The score counts them like all others.",
        n=evaluation["n"],
        count=refused["n"],
        correct=refused["correct"],
    )


def thresholds_sentence(notes: Notes) -> str:
    """From which probability on a class is shown, what that was chosen for, and on which photos."""
    noted = notes.get("thresholds")
    if not noted:
        return tr("Every class is shown from a probability of 50% on: there were no photos to choose thresholds on.")
    goal = ThresholdGoal.read(str(noted["goal"]))
    purpose = {
        "f1": tr("for the best F1"),
        "precision": tr("so that a class is right at least {least} of the times that it is shown", least=f"{goal.least:.0%}"),
        "recall": tr("so that a class is shown on at least {least} of its photos", least=f"{goal.least:.0%}"),
    }[goal.kind]
    photos = (
        tr("{photos} validation photos", photos=notes["validation_photos"])
        if is_fine_tuned(notes)
        else tr("out-of-fold answers of the training photos")
    )
    few = noted["shared_by"]
    return in_a_row(
        tr("Each class is shown from a threshold of its own on, chosen on {photos} {purpose}.", photos=photos, purpose=purpose),
        tr(
            "Classes with fewer than {few} such photos share one threshold: {names}.",
            few=FEW,
            names=first_few(few),
        )
        if few
        else "",
    )


def set_calibration_sentences(evaluation: Document, classifier: Classifier) -> Sentences:
    """Calibration of the classes one by one."""
    corrected = _corrected_classes(classifier)
    told = not evaluation["near_chance"] and guess_to_beat(evaluation) is not None
    return {
        "trust_short": _trust(evaluation),
        "trust_how": _calibrated_how(evaluation, classifier.notes, corrected) if told else "",
        "trust_chart": tr(
            "From left to right the probability of a class, upwards how many of the photos with about that probability show "
            "it; on the dashed line both agree. All classes together. Large discs stand for many answers, lines are 95% "
            "intervals."
        ),
        "trust_before": tr("Crosses: before the correction.") if corrected else "",
    }


def _trust(evaluation: Document) -> str:
    calibration = evaluation["calibration"]
    if evaluation["near_chance"]:
        return tr("Its percentages mean nothing, as its answers are close to guessing.")
    if guess_to_beat(evaluation) is None:
        return tr("Whether its percentages are right cannot be told from photos that leaked.")
    error = calibration["after"]["ece_shown"]
    if error is None:
        return tr(
            "No class was shown; over all classes its percentages are {after} points off on average.",
            after=_points(calibration["after"]["ece"]),
        )
    if trust_state(evaluation) != "open":
        return tr("On average the percentages of the classes that it shows are {after} points off.", after=_points(error))
    return tr(
        "On average the percentages of the classes that it shows are {after} points off, no more than chance alone can make of "
        "so few photos.",
        after=_points(error),
    )


def _calibrated_how(evaluation: Document, notes: Notes, corrected: int) -> str:
    """What was done about the error, which stands in the sentence before."""
    calibration, fine_tuned = evaluation["calibration"], is_fine_tuned(notes)
    everything = tr("Over all classes of all photos: {points} points.", points=_points(calibration["after"]["ece"]))
    if notes.get("calibration") == "not estimated":
        return in_a_row(everything, tr("No correction could be estimated: cross-validation was impossible."))
    if not corrected and fine_tuned:
        none = tr("The {photos} validation photos gave no reason for a correction.", photos=notes["validation_photos"])
        return in_a_row(everything, none)
    if not corrected:
        return in_a_row(everything, tr("Out-of-fold answers of the training photos gave no reason for a correction."))
    photos = (
        tr("{photos} validation photos", photos=notes["validation_photos"])
        if fine_tuned
        else tr("out-of-fold answers of the training photos")
    )
    return in_a_row(
        everything,
        tr(
            "A slope and an offset for {count} of {classes} classes, fitted on {photos}, changed this error from {before} to "
            "{after} points.",
            count=corrected,
            classes=len(evaluation["classes"]),
            photos=photos,
            before=_points(calibration["before"]["ece"]),
            after=_points(calibration["after"]["ece"]),
        ),
    )


def _corrected_classes(classifier: Classifier) -> int:
    several = classifier.multi_label
    return 0 if several is None else int(((several.slope != 1) | (several.offset != 0)).sum())


def set_leaked_sentence(evaluation: Document) -> str:
    """That all photos leaked, or those that did not leak show no class; empty where there is a score without leaks."""
    leaks = evaluation["leaks"]
    if not leaks or not leaks["n"] or leaks["mean_average_precision_without"] is not None or learned_count(leaks):
        return ""
    if not leaks["n_clean"]:
        return tr("Every held-out photo has a twin in another split: this score is worth nothing.")
    return tr(
        "Held-out photos with a twin in another split: {count}. The others show none of the classes: this score is worth "
        "nothing.",
        count=leaks["n"],
    )


def set_finding_sentences(findings: Findings) -> Sentences:
    """What was found and what was not looked for where photos have several labels, and what to do about doubted ones."""
    count = len(findings.contradictions)
    if findings.failed:
        return {"more_short": failed_sentence(), "more_chart": "", "shortcut": failed_sentence()}
    return {
        "more_short": tr(
            "Whether more photos would help was not measured: so far the learning curve is drawn where each photo has one "
            "label."
        ),
        "more_chart": "",
        "shortcut": tr("Neither size, nor shape, nor mean colour of a photo gives one of its labels away.")
        if findings.shortcuts and not any(one.suspicious for one in findings.shortcuts)
        else shortcut_sentence(findings),
        "contradictions": tr("Copies with different labels: {count}. In one of each two they are wrong.", count=count)
        if count
        else "",
        "suspects_how": tr(
            "Heads that had not learned from the photo found the opposite more likely. Nothing was changed. suspects.csv has "
            "the whole list: write exclude or relabel into its column action, and train anew."
        ),
    }


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _points(error: float) -> str:
    return f"{100 * error:.1f}"
