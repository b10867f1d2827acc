"""What networks are worth against what they cost, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from tsugiki.inspection.rank.ranked_network import RankedNetwork
from tsugiki.inspection.rank.ranking import Ranking
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, GREEN, GREY, VERMILION, Picture, picture
from tsugiki.reporting.plots.fonts import legible

_PLACES = ((8, 7), (8, -14), (-8, 7), (-8, -14), (8, 20), (8, -27))
"""Where a name may lie, in points from its network."""
_MARK = 6  # pixels around a point that no name covers


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
        _scale(axes)
        axes.set_xlabel(tr("Milliseconds per photo (the network alone)"))
        several = ranking.metric == "mean_average_precision"
        axes.set_ylabel(tr("Mean average precision, cross-validated (%)") if several else tr("Right, cross-validated (%)"))
        axes.grid(visible=True, alpha=0.25, which="both")
        axes.legend(loc="lower right", fontsize=9)
        figure.draw_without_rendering()  # only now everything is where it will be
        _name_points(axes, rows, edge, ranking.best)
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
    """Names beside points, the recommended one first, then the upper ones; of several together only those on the front."""
    named = [row for row in rows if row.parts == 1 or row in edge or row.name == best]
    points = [axes.transData.transform((row.latency_ms, 100 * row.score)) for row in rows]
    taken = [Bbox.from_extents(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in points]
    for row in sorted(named, key=lambda row: (row.name != best, -row.score)):
        taken.append(_name_point(axes, row, taken))


def _name_point(axes: Any, row: RankedNetwork, taken: Sequence[Bbox]) -> Bbox:
    """Write a name at the first place beside its point where it covers nothing, else at the usual one; where it lies."""
    name = axes.annotate(
        row.name,
        (row.latency_ms, 100 * row.score),
        xytext=_PLACES[0],
        textcoords="offset points",
        fontsize=8,
        bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1},
        zorder=4,
    )
    for place in (*_PLACES, _PLACES[0]):
        name.xyann = place
        name.set_horizontalalignment("left" if place[0] > 0 else "right")
        lies: Bbox = name.get_window_extent()
        if lies.x0 > axes.bbox.x0 and not any(lies.overlaps(other) for other in taken):
            break
    return lies
