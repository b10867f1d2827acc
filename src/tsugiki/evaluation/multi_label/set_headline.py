"""The score of several labels in one sentence, as :mod:`tsugiki.evaluation.headline` has it for one label.

Callers ask that module, which knows from the document which of the two it is.
"""

from __future__ import annotations

from typing import Any

from tsugiki.evaluation.predictions import OUT_OF_FOLD, SEEN, UNCHECKED, VALIDATED, Document
from tsugiki.locale.messages import tr

_SMALL_ERROR = 0.05  # expected calibration error


def is_multi(document: Document) -> bool:
    """Whether :func:`~tsugiki.evaluation.multi_label.evaluate_sets.evaluate_sets` has made it."""
    return document.get("task") == "multi"


def set_score_sentence(document: Document) -> str:
    """The mean average precision, its interval, what guessing has, and what photos they were."""
    if document["split"] == SEEN:
        return tr(
            "Mean average precision {value} on {n} photos, but the classifier was trained with all of them: this says nothing "
            "about new photos.",
            value=_percent(document["mean_average_precision"]),
            n=document["n"],
        )
    numbers = _numbers(document)
    if counts_leaks(document):
        return _leaked(document["leaks"], numbers)
    if document["split"] == OUT_OF_FOLD:
        return tr(
            "Mean average precision {value} on {n} training photos, each answered by a head that had not learned from it, "
            "since nothing is held out (95% interval {low} to {high}; guessing gives {guess}).",
            **numbers,
        )
    if document["split"] == VALIDATED:
        return tr(
            "Mean average precision {value} on {n} validation photos (95% interval {low} to {high}; guessing gives {guess}): "
            "the training may have made choices on them, so new photos may fare worse.",
            **numbers,
        )
    if document["split"] == UNCHECKED:
        return tr(
            "Mean average precision {value} on {n} photos (95% interval {low} to {high}; guessing gives {guess}); whether the "
            "classifier was trained with some of them is not known.",
            **numbers,
        )
    return tr(
        "Mean average precision {value} on {n} held-out photos (95% interval {low} to {high}; guessing gives {guess}).",
        **numbers,
    )


def _numbers(document: Document) -> dict[str, str | int]:
    low, high = document["mean_average_precision_interval"]
    return {
        "value": _percent(document["mean_average_precision"]),
        "n": document["n"],
        "low": _percent(low),
        "high": _percent(high),
        "guess": _percent(document["frequency_guess"]["mean_average_precision"]),
    }


def _leaked(leaks: dict[str, Any], numbers: dict[str, str | int]) -> str:
    told = {"value": numbers["value"], "n": numbers["n"], "known": known_how(leaks)}
    if not leaks["n_clean"]:
        return tr(
            "Mean average precision {value} on {n} photos, but each of them is one {known}: this score is worth nothing.",
            **told,
        )
    if leaks["mean_average_precision_without"] is None:
        return tr(
            "Mean average precision {value} on {n} photos, counting {leaked} {known}; the {clean} others show none of the "
            "classes, so this score is worth nothing.",
            leaked=leaks["n"],
            clean=leaks["n_clean"],
            **told,
        )
    low, high = leaks["mean_average_precision_without_interval"]
    return tr(
        "Mean average precision {value} on {n} photos, counting {leaked} {known}; on the {clean} others, {without} (95% "
        "interval {low} to {high}; guessing gives {guess}).",
        leaked=leaks["n"],
        clean=leaks["n_clean"],
        without=_percent(leaks["mean_average_precision_without"]),
        low=_percent(low),
        high=_percent(high),
        guess=_percent(leaks["frequency_guess_without"]["mean_average_precision"]),
        **told,
    )


def where_twins_are(leaks: dict[str, Any]) -> str:
    """Where the twins of photos that leaked are: who evaluates elsewhere knows only the training photos, by their features."""
    named = all(one["twin"] for one in leaks["photos"] if not one.get("learned"))
    return tr("in another split") if named else tr("among the photos of the training")


def counts_leaks(document: Document) -> bool:
    """Whether some of the photos leaked, and the score says so.

    Copies are no leak where nothing is held out, or validation photos are all there is; what the backbone has learned from is.
    """
    leaks = document["leaks"]
    if not leaks or not leaks["n"]:
        return False
    return learned_count(leaks) > 0 or document["split"] not in {OUT_OF_FOLD, VALIDATED}


def learned_count(leaks: dict[str, Any] | None) -> int:
    """How many of the photos that leaked did because the backbone has learned from them."""
    return sum(bool(one.get("learned")) for one in leaks["photos"]) if leaks else 0


def known_how(leaks: dict[str, Any]) -> str:
    """What is the matter with photos that leaked."""
    learned, where = learned_count(leaks), where_twins_are(leaks)
    if not learned:
        return tr("with a twin {where}", where=where)
    if learned == leaks["n"]:
        return tr("that the backbone has learned from")
    return tr("that the backbone has learned from, or with a twin {where}", where=where)


def set_chance_sentence(document: Document) -> str:
    """That the order of the photos is hardly better than a random one; empty where it is."""
    if not document["near_chance"]:
        return ""
    guess = (document["leaks"] or {}).get("frequency_guess_without") or document["frequency_guess"]
    return tr(
        "That is close to guessing: a random order of these photos has {chance}. Its answers cannot be relied on.",
        chance=_percent(guess["by_chance"]),
    )


def set_trust_state(document: Document) -> str:
    """Whether the percentages of the classes that are shown are ``fine``, deserve a ``look``, or are ``open``.

    All cells together say little: most are absent, and easy. Where no class is shown, they have to do.
    """
    calibration = document["calibration"]
    error, by_chance = calibration["after"]["ece_shown"], calibration["by_chance_shown"]
    if error is None:
        error, by_chance = calibration["after"]["ece"], calibration["by_chance"]
    return "fine" if error <= _SMALL_ERROR else "look" if error > by_chance else "open"


def _percent(share: float) -> str:
    return f"{share:.1%}"
