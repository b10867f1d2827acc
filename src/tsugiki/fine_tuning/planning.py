"""What is decided by measuring, once per training: the way of computing, and with a budget the number of epochs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tsugiki.classifier.classifier import Classifier
from tsugiki.core.console import say
from tsugiki.fine_tuning.auto import what_is_left
from tsugiki.fine_tuning.kernels.choose_way import Workload, choose_way
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.locale.messages import tr

_ON_TOP = 1.3
"""Validation and preparing views take about a third of the steps' time on top."""


def make_plan(classifier: Classifier, settings: FineTuneSettings, workload: Workload, spent: float) -> dict[str, Any]:
    """Measure and decide; what a budget cuts is said.

    Args:
        classifier: On its device; left as it is.
        settings: Every knob.
        workload: What a step will look like.
        spent: Seconds of the budget that are gone.

    Returns:
        Plain values for a checkpoint, since they must not be decided again::

            way      fields of the way of computing
            seconds  per step: in that way, and in the plain one
            budget   seconds that are left; 0 sets no limit
            epochs   how many are planned
    """
    choice = choose_way(classifier, settings, workload)
    budget = what_is_left(settings.budget, spent)
    epochs = _epochs(settings.epochs, budget, choice.seconds * workload.steps / settings.epochs)
    return {"way": asdict(choice.way), "seconds": [choice.seconds, choice.plain_seconds], "budget": budget, "epochs": epochs}


def _epochs(asked: int, budget: float, seconds: float) -> int:
    """How many of the epochs that were asked for, whose steps take so many ``seconds``, fit into the budget; one at least."""
    if not budget or not seconds:
        return asked
    fitting = int(budget / (_ON_TOP * seconds))
    numbers = {"budget": f"{budget:.3g}", "epochs": fitting, "asked": asked}
    if not fitting:
        say(tr("One epoch takes longer than the budget of {budget} s; one is trained nevertheless.", **numbers))
    elif fitting < asked:
        say(tr("The budget of {budget} s leaves time for {epochs} of {asked} epochs.", **numbers))
    return max(1, min(asked, fitting))
