"""The layers of a network as a picture: shapes, parameters, and which of them learn.

The terminal has :func:`tsugiki.summary`; a notebook wants something to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from tsugiki.backbones.tables import summary
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, GREY, VERMILION, Picture, picture, present
from tsugiki.reporting.plots.fonts import legible

_ROW = 0.24  # inches
_COLUMNS = (0.0, 0.40, 0.58, 0.76, 0.90)


@dataclass(frozen=True)
class _Row:
    name: str
    kind: str
    output: str
    parameters: int
    trainable: str  # torchinfo's own word: True, False, Partial or --


def plot_summary(model: nn.Module, input_size: Sequence[int] = (32, 3, 224, 224), *, depth: int = 2) -> Picture:
    """Draw and show the layers of a network: frozen ones blue, trainable ones orange, each also in words.

    Args:
        model: Any network on photos; its mode and its numbers stay as they are.
        input_size: ``[B, 3, H, W]``.
        depth: How deep modules inside modules are listed.
    """
    return present(draw_summary(model, input_size, depth=depth))


def draw_summary(model: nn.Module, input_size: Sequence[int] = (32, 3, 224, 224), *, depth: int = 2) -> Picture:
    """The picture of :func:`plot_summary`, not shown."""
    table = summary(model, input_size)
    rows = [_row(layer) for layer in table.statistics.summary_list if layer.depth <= depth]
    titles = (tr("layer"), tr("kind"), tr("output"), tr("parameters"), tr("trainable"))
    with legible([*titles, *(row.name for row in rows)]):
        figure = picture(10, _ROW * (len(rows) + 4))
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(len(rows) + 1.5, -1.5)
        _line(axes, -0.8, titles, GREY, bold=True)
        for place, row in enumerate(rows):
            cells = (row.name, row.kind, row.output, f"{row.parameters:,}" if row.parameters else "-", row.trainable)
            _line(axes, place, cells, _colour(row.trainable))
        frozen = table.total - table.trainable
        axes.text(
            0,
            len(rows) + 0.8,
            tr("{trainable} trainable, {frozen} frozen parameters", trainable=f"{table.trainable:,}", frozen=f"{frozen:,}"),
            fontsize=11,
            fontweight="bold",
        )
    return figure


def _row(layer: Any) -> _Row:
    name = layer.var_name or layer.class_name
    size = "x".join(map(str, layer.output_size[1:])) if layer.output_size else "-"
    return _Row("    " * layer.depth + name, layer.class_name, size, layer.num_params, layer.trainable)


def _colour(trainable: str) -> str:
    return {"True": VERMILION, "False": BLUE}.get(trainable, GREY)


def _line(axes: Any, place: float, cells: Sequence[str], colour: str, *, bold: bool = False) -> None:
    for left, text in zip(_COLUMNS, cells, strict=True):
        axes.text(left, place, text, color=colour, fontsize=9, fontweight="bold" if bold else "normal", va="center")
