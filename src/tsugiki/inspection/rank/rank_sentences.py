"""What a ranking says, in the language in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tsugiki.core.display.visible import visible
from tsugiki.locale.messages import first_few, tr

Guess = tuple[str, float]
"""The commonest class, and its share of the training photos."""

if TYPE_CHECKING:
    from tsugiki.inspection.rank.judgement import Judgement
    from tsugiki.inspection.rank.ranked_network import RankedNetwork


def no_time() -> str:
    """A network that there was no time for."""
    return tr("no time was left to judge it")


def too_slow(latency: float, most: float) -> str:
    """A network beyond ``max_latency``."""
    return tr("{latency} ms per photo, more than the {most} ms that are allowed", latency=f"{latency:.1f}", most=f"{most:g}")


def too_large(megabytes: float, most: float) -> str:
    """A network beyond ``max_size``."""
    return tr("{size} MB, more than the {most} MB that are allowed", size=f"{megabytes:.1f}", most=f"{most:g}")


def wrong_licence(licence: str) -> str:
    """A network whose licence is not among those that are allowed."""
    if is_unknown(licence):
        return tr("nobody says under which licence its weights are")
    return tr("its weights are under {licence}, which does not allow every use", licence=licence)


def is_unknown(licence: str) -> bool:
    """Whether nobody has said it."""
    return licence.strip().lower() in {"", "unknown", "other"}


def score_text(value: float, *, several: bool) -> str:
    """A score with its name."""
    share = f"{value:.1%}"
    return tr("mean average precision {share}", share=share) if several else tr("{share} right", share=share)


def interval_text(interval: tuple[float, float]) -> str:
    """Both ends."""
    return tr("{low} to {high}", low=f"{interval[0]:.1%}", high=f"{interval[1]:.1%}")


def judged_sentence(name: str, found: Judgement, *, several: bool) -> str:
    """What one network, or several together, are worth, as soon as that is known."""
    values = {
        "name": visible(name, one_line=True),
        "score": score_text(found.value, several=several),
        "interval": interval_text(found.interval),
        "photos": found.judged,
    }
    if found.found_again:
        return tr("{name}: {score} ({interval}) of {photos} training photos, found again", **values)
    return tr("{name}: {score} ({interval}) of {photos} training photos", **values)


def unknown_licence(name: str) -> str:
    """A warning about the network that is recommended."""
    return tr(
        "Nobody says under which licence the weights of {name} are: find out before you publish what they are in.", name=name
    )


def table_rows(rows: Sequence[RankedNetwork], photos: int, *, several: bool) -> list[tuple[str, ...]]:
    """The rows of a table for people, with headings; on how many of all ``photos`` each was judged, where not on all."""
    metric = "mAP" if several else tr("right")
    fewer = any(row.photos < photos for row in rows)
    titles = (
        tr("group"),
        tr("backbone"),
        metric,
        tr("95% interval"),
        *([] if several else [tr("log loss")]),
        *([tr("judged on")] if fewer else []),
        tr("photos per second"),
        tr("ms per photo"),
        tr("parameters"),
        "MB",
        tr("licence"),
    )
    return [titles, *(_row(row, fewer=fewer) for row in rows)]


def _row(row: RankedNetwork, *, fewer: bool) -> tuple[str, ...]:
    return (
        str(row.group),
        row.name,
        f"{row.score:.1%}",
        interval_text(row.interval),
        *([] if row.log_loss is None else [f"{row.log_loss:.3f}"]),
        *([str(row.photos)] if fewer else []),
        f"{row.photos_per_second:.0f}",
        "-" if row.latency_ms is None else f"{row.latency_ms:.1f}",
        f"{row.parameters / 1e6:.1f} M",
        f"{row.megabytes:.1f}",
        tr("unknown") if is_unknown(row.licence) else row.licence,
    )


def notes_on_table(rows: Sequence[RankedNetwork], photos: int, guess: Guess | None = None) -> list[str]:
    """How the table is read, beside what always answering the commonest class would be worth."""
    judged = max(row.photos for row in rows)
    told = [
        tr("Judged by cross-validation on the {count} training photos only; the held-out ones have no say.", count=photos)
        if judged == photos
        else tr(
            "Judged by cross-validation on {judged} of the {count} training photos, for want of time; the held-out ones have "
            "no say.",
            judged=judged,
            count=photos,
        )
    ]
    if left := max(row.photos - row.judged for row in rows if row.photos == judged):
        told.append(tr("Not judged, for want of others of their class to learn from: {count} of them.", count=left))
    if guess is not None:
        told.append(tr("Always answering {name} would be right for {share}.", name=visible(guess[0]), share=f"{guess[1]:.1%}"))
    first = [row.name for row in rows if row.group == 1]
    if len(first) > 1:
        told.append(tr("Group 1 cannot be told apart on these photos: {names}.", names=first_few(first)))
    return told


def only_one(name: str) -> str:
    """Why, where nothing else could be judged."""
    return tr("{name} is the only one that could be judged.", name=name)


def best_one(name: str, score: str) -> str:
    """Why, where it is the best."""
    return tr("{name} is the best: {score} in cross-validation.", name=name, score=score)


def cheaper_one(name: str, best: str, score: str) -> str:
    """Why, where another one is hardly better and slower."""
    return tr("{name} is within half a point of the best, {best} ({score}), and faster.", name=name, best=best, score=score)


def likelier_one(name: str, best: str, found: Judgement, most: Judgement) -> str:
    """Why, where another one is hardly more accurate and its probabilities are worse."""
    return tr(
        "{name} is {score} in cross-validation, not told apart from {best} ({best_score}), and its percentages fit better (log "
        "loss {loss} against {best_loss}).",
        name=name,
        score=score_text(found.value, several=False),
        best=best,
        best_score=score_text(most.value, several=False),
        loss=f"{found.cost:.3f}",
        best_loss=f"{most.cost:.3f}",
    )


def joint_gain(single: str, points: float, *, proven: bool) -> str:
    """What several networks together gain."""
    values = {"single": single, "points": f"{100 * points:.1f}"}
    if proven:
        return tr("That is {points} points more than {single}, the best alone.", **values)
    return tr("That is {points} points more than {single}, the best alone, which may be chance.", **values)


def no_better_than(guess: Guess) -> str:
    """A warning about the network that is recommended, where it is hardly worth more than a guess."""
    return tr(
        "It is not proven better than always answering {name}, which is right for {share}.",
        name=visible(guess[0]),
        share=f"{guess[1]:.1%}",
    )


def over_budget(seconds: float, budget: float) -> str:
    """That it took longer than it was allowed to."""
    return tr(
        "That is more than the {budget:g} s that were allowed: one network is judged whatever it takes ({seconds} s).",
        budget=budget,
        seconds=f"{seconds:.1f}",
    )


def spent_sentence(seconds: float, to_decode: int) -> str:
    """How long it took, and what is left to do for a fit."""
    values = {"seconds": f"{seconds:.1f}", "count": to_decode}
    if to_decode:
        return tr(
            "Ranked in {seconds} s. There was no time to look at all photos: fit will first compute the features of {count}.",
            **values,
        )
    return tr("Ranked in {seconds} s. All features that fit needs are stored: it computes none.", **values)
