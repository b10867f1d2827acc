"""What came of a ranking: every network with what it is worth and what it costs, and one recommendation."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.visible import visible
from tsugiki.core.methods import done_by
from tsugiki.data.samples import Samples
from tsugiki.evaluation.metrics import Interval
from tsugiki.inspection.rank.candidates import Candidate
from tsugiki.inspection.rank.rank_sentences import NotJudged, table_rows
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

Metric = Literal["accuracy", "mean_average_precision"]


@dataclass(frozen=True)
class RankedNetwork:
    """One network, or several together.

    Attributes:
        name: As it is typed after ``--backbone``.
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

    @property
    def parts(self) -> int:
        """How many networks it is."""
        return self.name.count("+") + 1


@dataclass(frozen=True, repr=False)
class Ranking:
    """Networks in the order of what they are worth for some photos.

    Attributes:
        rows: The best first; those judged on fewer photos come behind.
        best: The name of the one that is recommended, as ``Classifier`` takes it.
        reason: Why, one sentence or two.
        left_out: Networks that were not judged, each with the reason.
        metric: What ``score`` is.
        photos: Training photos in all.
        to_decode: How many photos a ``fit`` with the recommended network would still have to decode.
        seconds: How long the ranking took.
        budget: How long it was allowed to take.
        warnings: What should be known before the recommended network is used.
        samples: The photos, as the ranking found them: those of a ``fit`` with the recommended network.
        chosen: The recommended network's parts.
        words: The recommended network as ``tsugiki fit`` takes it.
    """

    rows: tuple[RankedNetwork, ...]
    best: str
    reason: str
    left_out: tuple[NotJudged, ...]
    metric: Metric
    photos: int
    to_decode: int
    seconds: float
    budget: float | None
    warnings: tuple[str, ...] = ()
    samples: Samples | None = field(default=None, compare=False)
    chosen: tuple[Candidate, ...] = ()
    words: tuple[str, ...] = ()

    def row(self, name: str) -> RankedNetwork:
        """The row of the network called ``name``."""
        return next(row for row in self.rows if row.name == name)

    def load(self) -> Backbone:
        """The recommended network.

        Raises:
            TsugikiError: When it cannot be loaded any more.
        """
        from tsugiki.inspection.rank.rank_backbones import load_chosen

        return load_chosen(self)

    def fine_tune_check(self, count: int = 2, **settings: Any) -> Any:
        """Fine-tune the best ``count`` networks for real, on training photos only: whether the order holds.

        See :func:`tsugiki.training.rank_check.fine_tune_check`.
        """
        return done_by("training.rank_check:fine_tune_check")(self, count, **settings)

    def fit_command(self, data: str) -> str:
        """The command that trains with the recommended network.

        Args:
            data: The photos, as they are typed.
        """
        return shlex.join(["tsugiki", "fit", data, *self.words])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "best": self.best,
            "reason": self.reason,
            "metric": self.metric,
            "photos": self.photos,
            "networks": [asdict(row) | {"interval": list(row.interval)} for row in self.rows],
            "left_out": [asdict(one) for one in self.left_out],
            "warnings": list(self.warnings),
            "to_decode": self.to_decode,
            "seconds": round(self.seconds, 2),
            "budget": self.budget,
        }

    def __repr__(self) -> str:
        row = self.row(self.best)
        return visible(
            f"<Ranking: {self.best} of {len(self.rows)}; {row.score:.1%} of {row.photos} training photos>", one_line=True
        )

    def _repr_html_(self) -> str:
        """For a notebook: the table, and the recommendation."""
        left = [f"{one.name}: {one.reason}" for one in self.left_out]
        return cell_html(tr("Recommended: {name}", name=self.best), table_rows(self), [self.reason, *self.warnings, *left])
