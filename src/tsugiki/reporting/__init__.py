"""Floor 7: pictures, the HTML report, the model card.

Nothing here is imported before it is used: matplotlib takes a second, and most of the program's words need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.front_door import front_door

if TYPE_CHECKING:
    from tsugiki.reporting.batch_plot import draw_batch, plot_batch
    from tsugiki.reporting.comparison import Contender, comparison_table, draw_comparison, plot_comparison
    from tsugiki.reporting.curves import draw_loss_curves, plot_loss_curves
    from tsugiki.reporting.figures import save_picture
    from tsugiki.reporting.predictions_plot import Tile, draw_predictions, plot_predictions, pred_and_plot_image
    from tsugiki.reporting.summary_plot import draw_summary, plot_summary

__all__ = [
    "Contender",
    "Tile",
    "comparison_table",
    "draw_batch",
    "draw_comparison",
    "draw_loss_curves",
    "draw_predictions",
    "draw_summary",
    "plot_batch",
    "plot_comparison",
    "plot_loss_curves",
    "plot_predictions",
    "plot_summary",
    "pred_and_plot_image",
    "save_picture",
]

_HOMES = {
    "Contender": "comparison",
    "Tile": "predictions_plot",
    "comparison_table": "comparison",
    "draw_batch": "batch_plot",
    "draw_comparison": "comparison",
    "draw_loss_curves": "curves",
    "draw_predictions": "predictions_plot",
    "draw_summary": "summary_plot",
    "plot_batch": "batch_plot",
    "plot_comparison": "comparison",
    "plot_loss_curves": "curves",
    "plot_predictions": "predictions_plot",
    "plot_summary": "summary_plot",
    "pred_and_plot_image": "predictions_plot",
    "save_picture": "figures",
}

__getattr__, __dir__ = front_door(__name__, _HOMES)
