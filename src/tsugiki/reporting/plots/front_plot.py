"""What networks are worth against what they cost, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import LogLocator, NullLocator

from tsugiki.inspection.rank.ranked_network import RankedNetwork
from tsugiki.inspection.rank.ranking import Ranking
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, GREEN, GREY, VERMILION, Picture, picture
from tsugiki.reporting.plots.fonts import legible


def draw_front(ranking: Ranking) -> Picture:
    """Score over milliseconds per photo: a line joins the networks that nothing faster beats, the recommended one is marked.

    Networks whose time per photo was not measured are not drawn.
    """
    rows = [row for row in ranking.rows if row.latency_ms is not None]
    with legible([row.name for row in rows]):
        figure = picture(8.5, 5)
        axes = figure.subplots()
        _draw_points(axes, rows, ranking)
        edge = front(rows)
        axes.step(
            [row.latency_ms or 0.0 for row in edge],
            [100 * row.score for row in edge],
            where="post",
            color=GREY,
            linewidth=1,
            zorder=1,
            label=tr("nothing faster is better"),
        )
        _name_points(axes, rows, edge, ranking.best)
        _scale(axes)
        axes.set_xlabel(tr("Milliseconds per photo (the network alone)"))
        several = ranking.metric == "mean_average_precision"
        axes.set_ylabel(tr("Mean average precision, cross-validated (%)") if several else tr("Right, cross-validated (%)"))
        axes.grid(visible=True, alpha=0.25, which="both")
        axes.legend(loc="lower right", fontsize=9)
    return figure


def front(rows: Sequence[RankedNetwork]) -> list[RankedNetwork]:
    """The networks that nothing as fast or faster beats, the fastest first."""
    best: list[RankedNetwork] = []
    for row in sorted(rows, key=lambda one: (one.latency_ms or 0.0, -one.score)):
        if not best or row.score > best[-1].score:
            best.append(row)
    return best


def _draw_points(axes: Any, rows: Sequence[RankedNetwork], ranking: Ranking) -> None:
    kinds = [
        (tr("one network"), "o", BLUE, [row for row in rows if row.parts == 1 and row.name != ranking.best]),
        (tr("several together"), "s", GREEN, [row for row in rows if row.parts > 1 and row.name != ranking.best]),
        (tr("recommended"), "*", VERMILION, [row for row in rows if row.name == ranking.best]),
    ]
    for label, marker, colour, these in kinds:
        if not these:
            continue
        scores = [100 * row.score for row in these]
        below = [100 * (row.score - row.interval[0]) for row in these]
        above = [100 * (row.interval[1] - row.score) for row in these]
        axes.errorbar(
            [row.latency_ms for row in these],
            scores,
            yerr=(below, above),
            fmt=marker,
            color=colour,
            ecolor=colour,
            elinewidth=0.8,
            capsize=2,
            markersize=13 if marker == "*" else 7,
            label=label,
            zorder=3,
        )


def _scale(axes: Any) -> None:
    """Milliseconds on a logarithmic scale, in plain numbers, with room for names on the right."""
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.12, y=0.12)
    left, right = axes.get_xlim()
    axes.set_xlim(left, right * 2)


def _name_points(axes: Any, rows: Sequence[RankedNetwork], edge: Sequence[RankedNetwork], best: str) -> None:
    """Names beside points; of several together only those on the front, whose names would cover each other else."""
    for row in rows:
        if row.parts == 1 or row in edge or row.name == best:
            axes.annotate(
                row.name,
                (row.latency_ms, 100 * row.score),
                xytext=(8, 7 if row.parts == 1 else -14),
                textcoords="offset points",
                fontsize=8,
                bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
                zorder=4,
            )
