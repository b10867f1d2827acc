"""The picture of ``benchmarks.many_sets``: mean accuracy against time, and every set with its intervals."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any, Protocol

from benchmarks.contenders.roster import CONTENDERS
from tsugiki.core.files import atomic_path
from tsugiki.reporting.plots.figures import BLUE, GREY, VERMILION, picture

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
    panels = 1 + len(scores)
    rows = -(-panels // _COLUMNS)
    figure = picture(5 * _COLUMNS, rows * (1.3 + 0.3 * len(names)))
    panes = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    _all_sets(panes[0], scores, names)
    for axes, (title, one) in zip(panes[1:panels], scores.items(), strict=True):
        _one_set(axes, title, one, names)
    for place, axes in enumerate(panes):
        if place >= panels:
            axes.remove()
        elif place > 1 and place % _COLUMNS:  # the first of a row names them, and the first row's second
            axes.tick_params(labelleft=False)
    with atomic_path(file) as whole:
        figure.savefig(whole, format="png", dpi=110)


def _mark(name: str) -> dict[str, Any]:
    own = CONTENDERS[name].is_own
    return {"marker": "o" if own else "s", "color": BLUE if own else VERMILION}


def _all_sets(axes: Any, scores: Mapping[str, Mapping[str, Drawn]], names: list[str]) -> None:
    """Mean accuracy against seconds, of those that finished every set; marks carry the numbers of the other panels."""
    for number, name in enumerate(names, start=1):
        found = [one[name] for one in scores.values() if name in one]
        shares = [score.accuracy for score in found if score.accuracy is not None]
        if len(shares) == len(scores):
            place = sum(score.seconds for score in found), 100 * mean(shares)
            axes.plot(*place, linestyle="none", markersize=9, **_mark(name))
            axes.annotate(str(number), place, textcoords="offset points", xytext=(7, 4))
    axes.set(title="all sets: mean accuracy (%)", xscale="log", xlabel="seconds, all sets (log scale)")
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
    axes.set_yticks(range(len(names)), [f"{CONTENDERS[name].title}  {row}" for row, name in enumerate(names, start=1)])
    axes.set(title=f"{title}: accuracy (%)", ylim=(len(names) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
