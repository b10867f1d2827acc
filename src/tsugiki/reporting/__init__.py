"""Floor 7: pictures, the HTML report, the model card.

Nothing here is imported before it is used: matplotlib takes a second, and most of the program's words need none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.front_door import front_door

if TYPE_CHECKING:
    from tsugiki.reporting.audit import audit_table, save_audit, write_audit_page
    from tsugiki.reporting.batch_plot import draw_batch, plot_batch
    from tsugiki.reporting.card import write_card
    from tsugiki.reporting.comparison import Contender, comparison_table, draw_comparison, plot_comparison
    from tsugiki.reporting.curves import draw_loss_curves, plot_loss_curves
    from tsugiki.reporting.explain import draw_explanation
    from tsugiki.reporting.figures import save_picture
    from tsugiki.reporting.predictions_plot import Tile, draw_predictions, plot_predictions, pred_and_plot_image
    from tsugiki.reporting.summary_plot import draw_summary, plot_summary

__all__ = [
    "Contender",
    "Tile",
    "audit_table",
    "comparison_table",
    "draw_batch",
    "draw_comparison",
    "draw_explanation",
    "draw_loss_curves",
    "draw_predictions",
    "draw_summary",
    "plot_batch",
    "plot_comparison",
    "plot_loss_curves",
    "plot_predictions",
    "plot_summary",
    "pred_and_plot_image",
    "save_audit",
    "save_picture",
    "save_run",
    "write_audit_page",
    "write_card",
    "write_report",
]

_HOMES = {
    "Contender": "comparison",
    "Tile": "predictions_plot",
    "audit_table": "audit",
    "comparison_table": "comparison",
    "draw_batch": "batch_plot",
    "draw_comparison": "comparison",
    "draw_explanation": "explain",
    "draw_loss_curves": "curves",
    "draw_predictions": "predictions_plot",
    "draw_summary": "summary_plot",
    "plot_batch": "batch_plot",
    "plot_comparison": "comparison",
    "plot_loss_curves": "curves",
    "plot_predictions": "predictions_plot",
    "plot_summary": "summary_plot",
    "pred_and_plot_image": "predictions_plot",
    "save_audit": "audit",
    "save_picture": "figures",
    "save_run": "run_folder",
    "write_audit_page": "audit",
    "write_card": "card",
    "write_report": "report",
}

__getattr__, __dir__ = front_door(__name__, _HOMES)
