"""What the choice of an epoch is worth on photos that did not make it.

The best of twenty epochs looks better than it is, since chance helped to choose it (Cawley and Talbot, *On Over-fitting in
Model Selection and Subsequent Selection Bias in Performance Evaluation*, JMLR 2010). So the validation photos are dealt into
two halves, the best candidate of one half is scored on the other, and the sum over both halves is what fine-tuning with its
choice is worth.

Letters: ``M`` validation photos.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch

from tsugiki.data.samples import Samples
from tsugiki.data.splits import Unit
from tsugiki.fine_tuning.dividing import Together, units_at
from tsugiki.fine_tuning.scores import Answers, best_of


def deal_halves(samples: Samples, rows: Sequence[int], *, seed: int, together: Together | None = None) -> torch.Tensor:
    """Bool ``[M]``: which photos make up the one half; of every class half, subjects and copies staying together.

    Args:
        samples: All photos.
        rows: Those of the ``M`` validation photos.
        seed: Another seed, other halves.
        together: What else stays together.
    """

    def place(unit: Unit) -> tuple[str, bytes]:
        return max(unit.classes), hashlib.sha256(f"halves {seed}:{unit.key}".encode()).digest()

    units = units_at(samples, rows, together)
    held: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    half = torch.zeros(len(rows), dtype=torch.bool)
    # The largest units first: the small ones make up for what those leave uneven.
    for unit in sorted(sorted(units, key=place), key=lambda unit: -len(unit.rows)):
        loads = [(sum(one[name] for name in unit.classes), one.total()) for one in held]
        chosen = loads.index(min(loads))
        held[chosen].update(unit.classes)
        half[list(unit.rows)] = chosen == 1
    return half


def cross_fit(
    start: Answers, epochs: Sequence[Answers], blends: Sequence[Answers], *, blended: int, half: torch.Tensor
) -> dict[str, Any] | None:
    """Choose on each half as the training chooses on all photos, and judge the choice on the other half.

    Args:
        start: Of the head alone, which nothing was chosen for.
        epochs: Of every epoch.
        blends: Of the weights between the start and epoch ``blended``. A half that likes another epoch best does without: no
            blends of that epoch were tried.
        blended: An epoch, from 1.
        half: Bool ``[M]``.

    Returns:
        Plain values, ``None`` where one of the halves is empty::

            photos      how many validation photos there are
            start       accuracy of the head alone
            fine_tuned  accuracy of fine-tuning, each photo judged by what the half without it chose
            epochs      the epoch that each half chose
    """
    if not half.any() or half.all():
        return None
    correct, chosen = 0, []
    for choosing in (half, ~half):
        epoch = best_of(epochs, choosing)
        candidates = [epochs[epoch], *(blends if epoch + 1 == blended else ())]
        best = candidates[best_of(candidates, choosing)]
        correct += int(best.right[~choosing].sum())
        chosen.append(epoch + 1)
    photos = len(half)
    return {"photos": photos, "start": int(start.right.sum()) / photos, "fine_tuned": correct / photos, "epochs": chosen}
