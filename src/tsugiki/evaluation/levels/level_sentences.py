"""What a taxonomy says about a score, in words: after the headline of the same photos, and with what makes it worth less."""

from __future__ import annotations

from tsugiki.evaluation.predictions import SEEN, Document
from tsugiki.locale.messages import in_a_row, tr

_MOST_LEVELS = 3


def taxonomy_sentence(document: Document) -> str:
    """How good the levels above the classes are, and what was named where no class was sure; empty without a taxonomy.

    Empty, too, where the photos are worth no score: all were learned from, or all leaked.
    """
    found = document.get("taxonomy")
    if found is None or document["split"] == SEEN or found["leaks_counted"]:
        return ""
    sentence = in_a_row(levels_sentence(found), at_least_sentence(found))
    if sentence and found["n_leaked"]:
        return in_a_row(tr("Without the photos that leaked ({count}):", count=found["n_leaked"]), sentence)
    return sentence


def levels_sentence(found: Document) -> str:
    """How good the levels above the classes are; empty where they have one node each."""
    levels = found["levels"]
    told = [_level(level, len(levels), found["n"]) for level in levels[:-1] if level["nodes"] > 1]
    return in_a_row(*told[-_MOST_LEVELS:])


def _level(level: Document, count: int, n: int) -> str:
    several = "mean_average_precision" in level
    value = level["mean_average_precision" if several else "accuracy"]
    if value is None:
        return ""
    low, high = level["mean_average_precision_interval" if several else "accuracy_interval"]
    numbers = {
        "level": level["depth"] + 1,
        "count": count,
        "nodes": level["nodes"],
        "value": f"{value:.1%}",
        "n": n,
        "low": f"{low:.1%}",
        "high": f"{high:.1%}",
        "guess": f"{level['guess']:.1%}",
    }
    if several:
        return tr(
            "Level {level} of {count} of the taxonomy ({nodes} names): mean average precision {value} on {n} photos "
            "(95% interval {low} to {high}; guessing gives {guess}).",
            **numbers,
        )
    return tr(
        "Level {level} of {count} of the taxonomy ({nodes} names): {value} of {n} photos right (95% interval {low} to {high}; "
        "always answering the largest gives {guess}).",
        **numbers,
    )


def at_least_sentence(found: Document) -> str:
    """What was named where no class was sure; empty where nothing was."""
    named = found.get("at_least")
    if named is None or not named["n"]:
        return ""
    low, high = named["accuracy_interval"]
    return tr(
        "Photos in which no class reaches {sure}, but something above the classes does: {n}. That is right in {accuracy} of "
        "them (95% interval {low} to {high}), the class in {classes}; it stands for {size} of {count} classes on average.",
        n=named["n"],
        sure=f"{found['sure']:.0%}",
        accuracy=f"{named['accuracy']:.1%}",
        low=f"{low:.1%}",
        high=f"{high:.1%}",
        classes=f"{named['class_accuracy']:.1%}",
        size=f"{named['mean_classes']:.1f}",
        count=found["levels"][-1]["nodes"],
    )
