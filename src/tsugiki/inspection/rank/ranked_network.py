"""One line of a ranking: a network that was judged, or one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tsugiki.evaluation.metrics import Interval
from tsugiki.inspection.rank.candidates import Candidate, load_candidates, words_of

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone


@dataclass(frozen=True)
class RankedNetwork:
    """One network, or several together.

    Attributes:
        name: As it is typed after ``tsugiki rank --backbone``.
        group: 1 for the best and all that cannot be told apart from it, 2 for the best of the others and so on.
        score: Cross-validated, on training photos.
        interval: Its interval.
        log_loss: Likewise; with several labels per photo ``None``.
        photos: How many training photos it was judged on.
        judged: How many of these were judged: one whose class has nothing else to learn from is not.
        photos_per_second: Of the network alone, in the engine that would compute photos to learn from.
        latency_ms: Milliseconds that one photo takes in the engine that answers; ``None`` where there was no time to measure.
        parameters: How many numbers could learn.
        megabytes: Of the weights.
        licence: Of the weights, as far as their publisher says.
        engine: Name and precision.
        found_again: Whether the judgement was known from before.
        candidates: Each network that it is.
    """

    name: str
    group: int
    score: float
    interval: Interval
    log_loss: float | None
    photos: int
    judged: int
    photos_per_second: float
    latency_ms: float | None
    parameters: int
    megabytes: float
    licence: str
    engine: str
    found_again: bool
    candidates: tuple[Candidate, ...] = ()

    @property
    def parts(self) -> int:
        """How many networks it is."""
        return len(self.candidates)

    @property
    def words(self) -> tuple[str, ...]:
        """The network as ``tsugiki fit`` takes it."""
        return words_of(self.candidates)

    def load(self, *, seed: int) -> Backbone:
        """The network, or the networks as one.

        Raises:
            TsugikiError: When it cannot be loaded any more.
        """
        return load_candidates(self.candidates, seed=seed)

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values, for JSON."""
        values = asdict(replace(self, candidates=()))
        del values["candidates"]
        return values | {"interval": list(self.interval), "parts": self.parts}


@dataclass(frozen=True)
class NotJudged:
    """A network that was not judged, and why."""

    name: str
    reason: str
