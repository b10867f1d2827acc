"""The learning-rate range test as a picture."""

from __future__ import annotations

from collections.abc import Sequence

from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, VERMILION, Picture, picture
from tsugiki.reporting.plots.fonts import legible


def draw_rates(rates: Sequence[float], losses: Sequence[float], suggestion: float | None) -> Picture:
    """Loss over learning rate, the suggestion marked.

    Args:
        rates: Learning rates, growing.
        losses: The smoothed loss at each.
        suggestion: The rate to mark, if there is one.
    """
    with legible():
        figure = picture(6, 3.6)
        axes = figure.subplots()
        axes.plot(rates, losses, color=BLUE)
        if suggestion is not None:
            axes.axvline(suggestion, color=VERMILION, linestyle="--", label=tr("suggestion: {rate}", rate=f"{suggestion:.1e}"))
            axes.legend()
        axes.set_xscale("log")
        axes.set_ylim(0, 1.1 * max(losses[: max(2, len(losses) // 2)]))
        axes.set_xlabel(tr("Learning rate"))
        axes.set_ylabel(tr("Loss"))
    return figure
