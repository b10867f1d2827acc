"""``--method auto``: fine-tune within a time budget, and keep it only where validation prefers it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tsugiki.core.errors import TsugikiError
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.locale.messages import tr

USUAL_BUDGET = 600.0
"""Seconds, where nobody says how long it may take."""


def with_budget(settings: FineTuneSettings) -> FineTuneSettings:
    """The settings with a budget, the usual one where nobody gave one."""
    return settings if settings.budget else replace(settings, budget=USUAL_BUDGET)


def what_is_left(budget: float, spent: float) -> float:
    """Seconds of ``budget`` that are left after ``spent`` seconds, never less than a tenth of it; 0, no limit, stays 0."""
    return max(budget - spent, budget / 10)


def prefers_fine_tuning(notes: Mapping[str, Any]) -> bool:
    """Whether validation prefers the fine-tuned classifier; on a tie the simpler one, whose backbone stayed frozen, is kept.

    The epoch that is kept was chosen for its score on the validation photos, so that very score would prefer it nearly always:
    what counts is each photo's answer by the epoch that the photos of the other half chose.

    Args:
        notes: Of a fine-tuning; its start is the frozen backbone with the head fitted on the very photos that fine-tuning
            learned from, judged on the very photos that it was judged on.
    """
    validated = notes["validated"]
    return validated is not None and bool(validated["fine_tuned"] > validated["start"])


def given_up_sentence(error: TsugikiError) -> str:
    """That the frozen backbone is kept since fine-tuning did not come to its end, and why."""
    return tr("Kept: the frozen backbone, the simpler one: fine-tuning was not possible. {reason}", reason=error.what)


def choice_sentence(notes: Mapping[str, Any]) -> str:
    """Which of the two is kept, and why."""
    validated = notes["validated"]
    if validated is None:
        return tr(
            "Kept: the frozen backbone, the simpler one: too few validation photos to choose an epoch and to judge it, too."
        )
    numbers = {
        "before": f"{validated['start']:.1%}",
        "after": f"{validated['fine_tuned']:.1%}",
        "n": validated["photos"],
    }
    if prefers_fine_tuning(notes):
        return tr(
            "Kept: the fine-tuned classifier ({after} of {n} validation photos, {before} before; no epoch is judged by the "
            "photos that chose it).",
            **numbers,
        )
    return tr(
        "Kept: the frozen backbone, the simpler one ({before} of {n} validation photos; fine-tuned {after}; no epoch is judged "
        "by the photos that chose it).",
        **numbers,
    )
