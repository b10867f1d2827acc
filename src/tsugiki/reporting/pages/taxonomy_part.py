"""What a report says of a taxonomy, in a part of its own; empty where there is none."""

from __future__ import annotations

from tsugiki.evaluation.levels.level_sentences import at_least_sentence, levels_sentence, taxonomy_sentence
from tsugiki.evaluation.multi_label.set_headline import is_multi
from tsugiki.evaluation.predictions import Document
from tsugiki.locale.messages import in_a_row, tr
from tsugiki.reporting.pages.training_sentences import Sentences


def taxonomy_part(evaluation: Document) -> Sentences:
    """Title, sentences and labels, by the names that the template asks for."""
    found = evaluation.get("taxonomy")
    if found is None:
        return {"taxonomy_short": ""}
    measured = tr("average precision") if is_multi(evaluation) else tr("answered right")
    return {
        "taxonomy": tr("Is it of the right kind?"),
        "taxonomy_short": taxonomy_sentence(evaluation),
        "taxonomy_how": _how(evaluation),
        "level": tr("level"),
        "nodes": tr("names"),
        "level_measured": measured,
        "level_guess": tr("guessing"),
        "kind": tr("kind"),
        "kind_of": tr("parent"),
        "kinds": tr("Every kind"),
        "own_classes": tr("classes"),
        "taxonomy_more": _what_is_left_to_say(evaluation, found),
    }


def _how(evaluation: Document) -> str:
    if is_multi(evaluation):
        return tr(
            "A photo shows a kind where it shows a class that is one; its probability is that of the most probable class "
            "below. The last level is that of the classes themselves."
        )
    return tr(
        "An answer counts as right on a level where it is of the same kind as the photo; the probability of a kind is the sum "
        "of those of its classes. The last level is that of the classes themselves."
    )


def _what_is_left_to_say(evaluation: Document, found: Document) -> str:
    """Why a number that a reader looks for is not there, or is worth nothing."""
    if found["leaks_counted"]:
        return tr("Every one of these photos leaked: these numbers are worth nothing.")
    level = "" if levels_sentence(found) else tr("Above the classes no level tells photos apart.")
    if is_multi(evaluation) or at_least_sentence(found):
        return level
    return in_a_row(level, tr('In none of these photos "at least" had to be said: a class was sure enough, or nothing was.'))
