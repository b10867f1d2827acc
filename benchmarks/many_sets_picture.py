"""The picture of ``benchmarks.many_sets``: mean accuracy against time, and every set with its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from benchmarks.contenders.roster import CONTENDERS
from tsugiki.core.files import atomic_path
from tsugiki.reporting.plots.figures import BLUE, GREY, VERMILION, picture
from tsugiki.reporting.plots.fonts import drawn, legible, shorten

_COLUMNS = 3


class Drawn(Protocol):
    """A score, as far as it is drawn."""

    @property
    def accuracy(self) -> float | None:
        """Share of the held-out photos, if it answered them."""

    @property
    def interval(self) -> tuple[float, float]:
        """Where it lies with 95% confidence."""

    @property
    def seconds(self) -> float:
        """Of the whole process."""


def draw(scores: Mapping[str, Mapping[str, Drawn]], file: Path) -> None:
    """Draw into ``file``; the program's own marks are round, others square.

    Args:
        scores: By set, then by contender.
        file: A PNG.
    """
    names = [name for name in CONTENDERS if any(name in one for one in scores.values())]
    if not names:
        return
    rows = -(-len(scores) // _COLUMNS)
    height = 1.2 + 0.27 * len(names)  # of a panel that names every contender
    with legible(scores):
        figure = picture(13, 4 + rows * height)
        halves: Any = figure.subfigures(2, 1, height_ratios=(4, rows * height))
        _all_sets(halves[0].subplots(), scores, names)
        panes = halves[1].subplots(rows, _COLUMNS, sharey=True, squeeze=False).flatten()
        for axes, (title, one) in zip(panes, scores.items(), strict=False):
            _one_set(axes, drawn(shorten(title, 30)), one, names)
        for axes in panes[len(scores) :]:
            axes.remove()
        with atomic_path(file) as whole:
            figure.savefig(whole, format="png", dpi=110)


def _mark(name: str) -> dict[str, Any]:
    own = CONTENDERS[name].is_own
    return {"marker": "o" if own else "s", "color": BLUE if own else VERMILION}


def _all_sets(axes: Any, scores: Mapping[str, Mapping[str, Drawn]], names: list[str]) -> None:
    """Mean accuracy against seconds, of those that finished every set."""
    for name in names:
        found = [one[name] for one in scores.values() if name in one]
        shares = [score.accuracy for score in found if score.accuracy is not None]
        if len(shares) == len(scores):
            place = sum(score.seconds for score in found), 100 * mean(shares)
            axes.plot(*place, linestyle="none", markersize=9, **_mark(name))
            axes.annotate(CONTENDERS[name].title, place, textcoords="offset points", xytext=(8, 5))
    axes.set(title="all sets: mean accuracy (%) against seconds (log scale)", xscale="log")
    axes.margins(x=0.35, y=0.15)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_formatter("{x:.0f}")
    axes.tick_params(axis="x", which="minor", labelsize="small")
    axes.grid(alpha=0.3)


def _one_set(axes: Any, title: str, one: Mapping[str, Drawn], names: list[str]) -> None:
    for row, name in enumerate(names):
        score = one.get(name)
        if score is None or score.accuracy is None:
            axes.annotate(
                "failed" if score else "not run", (0.02, row), xycoords=("axes fraction", "data"), color=GREY, va="center"
            )
            continue
        low, high = (100 * end for end in score.interval)
        share = 100 * score.accuracy
        axes.errorbar(share, row, xerr=[[share - low], [high - share]], capsize=3, markersize=7, **_mark(name))
    axes.set_yticks(range(len(names)), [CONTENDERS[name].title for name in names])
    axes.set(title=f"{title}: accuracy (%)", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
