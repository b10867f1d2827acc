"""One line of a ranking: a network that was judged, or one that was not."""

from __future__ import annotations

from dataclasses import dataclass

from tsugiki.evaluation.metrics import Interval


@dataclass(frozen=True)
class RankedNetwork:
    """One network, or several together.

    Attributes:
        name: As it is typed after ``tsugiki rank --backbone``.
        group: 1 for the best and all that cannot be told apart from it, 2 for the best of the others and so on.
        score: Cross-validated, on training photos.
        interval: Its interval.
        photos: How many training photos it was judged on.
        photos_per_second: Of the network alone, in the engine that would compute photos to learn from.
        latency_ms: Milliseconds that one photo takes in the engine that answers; ``None`` where there was no time to measure.
        parameters: How many numbers could learn.
        megabytes: Of the weights.
        licence: Of the weights, as far as their publisher says.
        engine: Name and precision.
        found_again: Whether the judgement was known from before.
        parts: How many networks it is.
    """

    name: str
    group: int
    score: float
    interval: Interval
    photos: int
    photos_per_second: float
    latency_ms: float | None
    parameters: int
    megabytes: float
    licence: str
    engine: str
    found_again: bool
    parts: int = 1


@dataclass(frozen=True)
class NotJudged:
    """A network that was not judged, and why."""

    name: str
    reason: str
