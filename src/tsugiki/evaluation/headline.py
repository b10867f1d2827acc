"""The score in one sentence: how many photos, the interval, what photos they were, and whether they leaked.

It is said in the terminal, in the report and in the card; what makes the number worth less stands in the same sentence.

Every function takes the document of either task. Where photos have several labels, the mean average precision stands for the
accuracy, and the frequency guess for always answering the largest class (:mod:`tsugiki.evaluation.multi_label.set_headline`).
"""

from __future__ import annotations

from tsugiki.data.split_warnings import is_uneven
from tsugiki.evaluation.multi_label.set_headline import (
    counts_leaks,
    is_multi,
    known_how,
    set_chance_sentence,
    set_score_sentence,
    set_trust_state,
)
from tsugiki.evaluation.predictions import OUT_OF_FOLD, SEEN, UNCHECKED, VALIDATED, Document
from tsugiki.locale.messages import first_few, in_a_row, tr

_NAMED = 5  # classes in a sentence
_MOSTLY = 0.8
_SMALL_ERROR = 0.05  # expected calibration error


def headline(document: Document) -> str:
    """The score that :func:`~tsugiki.evaluation.predictions.evaluate_rows` found, in words that are true of its photos.

    Likewise that of :func:`~tsugiki.evaluation.multi_label.evaluate_sets.evaluate_sets`.
    """
    score = set_score_sentence(document) if is_multi(document) else _score(document)
    return in_a_row(score, _copies_sentence(document), chance_sentence(document))


def _copies_sentence(document: Document) -> str:
    """That the interval takes copies of one photo for several; empty where they are few, and where there is no interval.

    Empty, too, where the interval knows of copies: its photos were drawn in groups.
    """
    different, leaks = document.get("n_different"), document["leaks"]
    if document.get("n_groups") is not None:
        return ""
    if different is None or different >= _MOSTLY * document["n"] or (leaks and leaks["n"]):
        return ""
    # No count: how many there are depends on the photos that they were compared with.
    return tr("Many of these photos are near copies of one another, so the interval is too narrow.")


def _score(document: Document) -> str:
    low, high = document["accuracy_interval"]
    numbers = {"accuracy": f"{document['accuracy']:.1%}", "n": document["n"], "low": f"{low:.1%}", "high": f"{high:.1%}"}
    if document["split"] == SEEN:
        return tr(
            "{accuracy} of {n} photos answered right, but the classifier was trained with all of them: this says nothing about "
            "new photos.",
            **numbers,
        )
    if counts_leaks(document):
        return _leaked(document, numbers)
    if document["split"] == OUT_OF_FOLD:
        return tr(
            "{accuracy} of {n} training photos answered right, each by a head that had not learned from it, since nothing is "
            "held out (95% interval {low} to {high}).",
            **numbers,
        )
    if document["split"] == VALIDATED:
        return tr(
            "{accuracy} of {n} validation photos answered right (95% interval {low} to {high}): the training may have made "
            "choices on them, so new photos may fare worse.",
            **numbers,
        )
    if document["split"] == UNCHECKED:
        return tr(
            "{accuracy} of {n} photos answered right (95% interval {low} to {high}); whether the classifier was trained with "
            "some of them is not known.",
            **numbers,
        )
    return tr("{accuracy} of {n} held-out photos answered right (95% interval {low} to {high}).", **numbers)


def _leaked(document: Document, numbers: dict[str, str | int]) -> str:
    leaks = document["leaks"]
    known = known_how(leaks)
    if leaks["accuracy_without"] is None:
        return tr(
            "{accuracy} of {n} photos answered right, but each of them is one {known}: this score is worth nothing.",
            known=known,
            **numbers,
        )
    low, high = leaks["accuracy_without_interval"]
    return tr(
        "{accuracy} of {n} photos answered right, counting {leaked} {known}; of the {clean} others, {without} (95% interval "
        "{low} to {high}).",
        **numbers
        | {
            "known": known,
            "leaked": leaks["n"],
            "clean": leaks["n_clean"],
            "without": f"{leaks['accuracy_without']:.1%}",
            "low": f"{low:.1%}",
            "high": f"{high:.1%}",
        },
    )


def chance_sentence(document: Document) -> str:
    """That a classifier hardly beats guessing; empty where it does."""
    if is_multi(document):
        return set_chance_sentence(document)
    if not document["near_chance"]:
        return ""
    return tr(
        "That is close to guessing: with every class counting the same, {balanced} are right, and guessing gives {chance}. "
        "Its answers cannot be relied on.",
        balanced=f"{_balanced(document):.1%}",
        chance=f"{1 / len(document['classes']):.1%}",
    )


def _balanced(document: Document) -> float:
    """Of the photos that did not leak, where there are some: they decide whether the answers are close to guessing."""
    without = (document["leaks"] or {}).get("balanced_accuracy_without")
    return float(document["balanced_accuracy"] if without is None else without)


def guess_to_beat(document: Document) -> Document | None:
    """Always answering the largest class, and how it compares: over the photos that did not leak.

    ``None`` where all of them leaked, or where an older version has not compared the others: a leak beats any guess. Several
    labels have no largest class: there it is the ``frequency_guess``, which has no ``class`` and no ``accuracy``, but a
    ``mean_average_precision`` and a ``verdict``.
    """
    leaks = document["leaks"]
    name = "frequency_guess" if is_multi(document) else "majority_guess"
    guess: Document | None = leaks.get(f"{name}_without") if leaks and leaks["n"] else document[name]
    return guess


def never_answered_sentence(document: Document) -> str:
    """Which classes have photos and were never named; empty where there is none.

    What would help is said of one label only: with several, a threshold of its own decides when a class is answered.
    """
    never = [row["class"] for row in document["per_class"] if row["n"] and not row["answered"]]
    if not never:
        return ""
    if len(never) > _NAMED:
        many = {"count": len(never), "classes": len(document["classes"]), "names": first_few(never[:2])}
        said = tr("Never answered, although there are photos of them: {count} of {classes} classes, as {names}.", **many)
    else:
        said = tr("Never answered, although there are photos of it: {classes}.", classes=first_few(never))
    if is_multi(document) or not is_uneven({row["class"]: row["n"] for row in document["per_class"] if row["n"]}):
        return said
    return in_a_row(said, tr("--class-weights makes every class count the same."))


def main_score(document: Document) -> tuple[float, list[float]]:
    """The number that a classifier is judged by, and its interval: accuracy, or mean average precision of several labels."""
    name = _main_score(document)
    return document[name], document[f"{name}_interval"]


def _main_score(document: Document) -> str:
    return "mean_average_precision" if is_multi(document) else "accuracy"


def accuracy_without_leaks(document: Document) -> tuple[float, list[float]]:
    """The accuracy and its interval of the photos that did not leak; of all of them where there are no others.

    Of several labels, the mean average precision.
    """
    leaks, name = document["leaks"], f"{_main_score(document)}_without"
    if not leaks or not leaks["n"] or leaks[name] is None:
        return main_score(document)
    return leaks[name], leaks[f"{name}_interval"]


def trust_state(document: Document) -> str:
    """Whether its percentages are ``fine``, deserve a ``look``, or are ``open``: too few photos to tell, or leaks alone.

    Of several labels, the percentages of the classes that are shown.
    """
    if document["near_chance"]:
        return "look"
    if guess_to_beat(document) is None:
        return "open"
    if is_multi(document):
        return set_trust_state(document)
    error, by_chance = document["calibration"]["after"]["ece"], document["calibration"].get("by_chance", 0.0)
    return "fine" if error <= _SMALL_ERROR else "look" if error > by_chance else "open"


def is_worth_nothing(document: Document) -> bool:
    """Whether the score must not be shown as a good one: learned photos only, leaks only, or hardly better than guessing."""
    return nothing_is_clean(document) or document["split"] == SEEN or bool(document["near_chance"])


def nothing_is_clean(document: Document) -> bool:
    """Whether photos leaked and there is no score without them."""
    leaks = document["leaks"]
    return bool(leaks and leaks["n"] and leaks[f"{_main_score(document)}_without"] is None)
