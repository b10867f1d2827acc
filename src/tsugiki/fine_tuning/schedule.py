"""The learning rate as a pure function of the step: a scheduler without any state to save."""

from __future__ import annotations

import math


def factor(step: int, total: int, warmup: float) -> float:
    """What every group's learning rate is multiplied by in ``step``.

    It rises in a straight line to 1 over the first ``warmup`` share of the steps and falls along half a cosine to 0 (Loshchilov
    and Hutter, *SGDR*, ICLR 2017), never reaching 0 while there is a step to take.

    Args:
        step: From 0 to ``total - 1``.
        total: Steps of the whole training.
        warmup: Share of the steps, in [0, 1].
    """
    rising = math.floor(total * warmup)
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(total - rising, 1)))
