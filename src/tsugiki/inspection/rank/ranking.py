"""What came of a ranking: every network with what it is worth and what it costs, and one recommendation."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from tsugiki.backbones.names import MULTI
from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.visible import visible
from tsugiki.core.methods import done_by
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.data.samples import Samples
from tsugiki.inspection.rank.candidates import Candidate
from tsugiki.inspection.rank.rank_sentences import Guess, notes_on_table, over_budget, spent_sentence, table_rows
from tsugiki.inspection.rank.ranked_network import NotJudged, RankedNetwork
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

_LONGER = 1.2
"""Times the budget: what takes longer is said."""

Metric = Literal["accuracy", "mean_average_precision"]


def guess_of(samples: Samples) -> Guess | None:
    """The commonest class, and its share of the training photos; with several labels per photo ``None``."""
    if samples.task == "multi":
        return None
    counts = np.bincount(samples.labels[samples.train_rows], minlength=len(samples.classes))
    return samples.classes[int(counts.argmax())], float(counts.max() / counts.sum())


@dataclass(frozen=True, repr=False)
class Ranking:
    """Networks in the order of what they are worth for some photos.

    Attributes:
        rows: The best first; those judged on fewer photos come behind.
        best: The name of the one that is recommended, as ``rank`` takes it. ``Classifier`` takes it, too, where its weights are
            the default ones and it is in no zoo file that was named; what :meth:`load` gives it always takes.
        reason: Why, one sentence or two.
        left_out: Networks that were not judged, each with the reason.
        metric: What ``score`` is.
        photos: Training photos in all.
        to_decode: How many photos a ``fit`` with the recommended network would still have to decode.
        seconds: How long the ranking took.
        budget: How long it was allowed to take.
        warnings: What should be known before the recommended network is used.
        samples: The photos, as the ranking found them: those of a ``fit`` with the recommended network.
        seed: Of folds and random weights.
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
    seed: int = DEFAULT_SEED

    @property
    def guess(self) -> Guess | None:
        """The commonest class, and its share of the training photos; with several labels per photo ``None``."""
        return None if self.samples is None else guess_of(self.samples)

    def row(self, name: str) -> RankedNetwork:
        """The row of the network called ``name``."""
        return next(row for row in self.rows if row.name == name)

    def load(self) -> Backbone:
        """The recommended network, or the recommended ones as one.

        Raises:
            TsugikiError: When it cannot be loaded any more.
        """
        return self.row(self.best).load(seed=self.seed)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every network that was judged alone, as it is (without its stages), the best first."""
        alone = (row.candidates[0] for row in self.rows if row.parts == 1)
        return tuple(one for one in alone if not one.name.endswith(MULTI))

    def fine_tune_check(self, count: int = 2, **given: Any) -> Any:
        """Fine-tune the best ``count`` networks for real, on training photos only: whether the order holds.

        See :func:`tsugiki.training.rank_check.fine_tune_check`.
        """
        return done_by("training.rank_check:fine_tune_check")(self, count, **given)

    def fit_command(self, data: str, *options: str) -> str:
        """The command that trains with the recommended network.

        Args:
            data: The photos, as they are typed.
            options: What else is typed, by which the photos are read and features computed as for the ranking.
        """
        return shlex.join(["tsugiki", "fit", data, *options, *self.row(self.best).words])

    def table(self) -> list[tuple[str, ...]]:
        """The rows of a table for people, headings first."""
        return table_rows(self.rows, self.photos, several=self.metric == "mean_average_precision")

    def told(self) -> list[str]:
        """What belongs beside the table: how it is read, what was not judged, how long it took and what is left to do."""
        left = [tr("Not judged: {name}: {reason}", name=one.name, reason=one.reason) for one in self.left_out]
        slow = [] if self.budget is None or self.seconds < _LONGER * self.budget else [over_budget(self.seconds, self.budget)]
        return [
            *notes_on_table(self.rows, self.photos, self.guess),
            *left,
            spent_sentence(self.seconds, self.to_decode),
            *slow,
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "best": self.best,
            "reason": self.reason,
            "metric": self.metric,
            "photos": self.photos,
            "networks": [row.to_dict() for row in self.rows],
            "left_out": [asdict(one) for one in self.left_out],
            "warnings": list(self.warnings),
            "to_decode": self.to_decode,
            "seconds": round(self.seconds, 2),
            "budget": self.budget,
        }

    def notes(self) -> dict[str, Any]:
        """What a run keeps of it: plain values that are true in any language."""
        kept = ("name", "group", "score", "interval", "log_loss", "photos")
        document = self.to_dict()
        return {
            "best": self.best,
            "metric": self.metric,
            "photos": self.photos,
            "budget": self.budget,
            "networks": [{name: row[name] for name in kept} for row in document["networks"]],
            "left_out": document["left_out"],
        }

    def __repr__(self) -> str:
        row = self.row(self.best)
        return visible(
            f"<Ranking: {self.best} of {len(self.rows)}; {row.score:.1%} of {row.photos} training photos>", one_line=True
        )

    def _repr_html_(self) -> str:
        """For a notebook: the table, and the recommendation."""
        left = [f"{one.name}: {one.reason}" for one in self.left_out]
        return cell_html(tr("Recommended: {name}", name=self.best), self.table(), [self.reason, *self.warnings, *left])
