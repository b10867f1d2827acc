"""Loss and accuracy over the epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from matplotlib.ticker import MaxNLocator

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, VERMILION, Picture, picture, present
from tsugiki.reporting.plots.fonts import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Results: TypeAlias = "Mapping[str, Sequence[float]] | Sequence[Mapping[str, Any]]"
"""What :func:`tsugiki.train` gives (a list per name), or rows of a ``history.csv`` (names to values)."""

_SCORES = ("_acc", "_map")  # accuracy, or where photos have several labels mean average precision
_PARTS = ("train", "val", "test")


def plot_loss_curves(results: Results) -> Picture:
    """Draw and show the losses (left) and accuracies (right) of a training, epoch by epoch.

    Where photos have several labels, mean average precision stands for accuracy.

    Args:
        results: The dictionary that :func:`tsugiki.train` gives, or the rows of a run's history.

    Raises:
        RequestError: When there is no curve in ``results``.
    """
    return present(draw_loss_curves(results))


def draw_loss_curves(results: Results) -> Picture:
    """Like :func:`plot_loss_curves`, without showing anything.

    Raises:
        RequestError: When there is no curve.
    """
    columns = _columns(results)
    curves = {name: _points(values) for name, values in columns.items() if name.endswith(("_loss", *_SCORES))}
    if not any(curves.values()):
        raise RequestError(
            tr("There is no curve to draw."), allowed="train_loss, train_acc, test_loss, test_acc", got=", ".join(columns)
        )
    with legible():
        figure = picture(9, 3.6)
        left, right = figure.subplots(1, 2)
        _draw(left, curves, "_loss", tr("Loss"))
        kind = next((kind for kind in reversed(_SCORES) if any(curves.get(f"{part}{kind}") for part in _PARTS)), "_acc")
        _draw(right, curves, kind, tr("Accuracy") if kind == "_acc" else tr("Mean average precision"))
        left.set_ylim(bottom=0)
        right.set_ylim(0, 1.03)
    return figure


def _draw(axes: Axes, curves: Mapping[str, Sequence[tuple[int, float]]], kind: str, title: str) -> None:
    # Photos of a split for it, a part of the training photos, or cross-validation: a history does not say which.
    names = {"train": tr("training photos"), "val": tr("photos not learned from"), "test": tr("test photos")}
    styles = {"train": (BLUE, "o", "-"), "val": (VERMILION, "s", "--"), "test": (VERMILION, "s", "--")}
    for split, name in names.items():
        points = curves.get(split + kind)
        if points:
            colour, marker, line = styles[split]
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, linestyle=line, label=name, markersize=4)
    axes.set_title(title)
    axes.set_xlabel(tr("Epoch"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


def _columns(results: Results) -> dict[str, Sequence[Any]]:
    if isinstance(results, Mapping):
        return dict(results)
    return {name: [row.get(name) for row in results] for name in (results[0] if results else ())}


def _points(values: Sequence[Any]) -> list[tuple[int, float]]:
    """(epoch from 1, value) wherever something was measured."""
    numbers = [math.nan if value is None or value == "" else float(value) for value in values]
    return [(epoch, number) for epoch, number in enumerate(numbers, start=1) if math.isfinite(number)]
