"""Which photos are learned from, and which decide what is kept; the held-out ones do neither."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import DataError
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.data.splits import Unit, hold_out, units_of
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.locale.messages import tr

Together = Callable[[Sequence[int]], npt.NDArray[np.int64]]
"""For rows of the samples, a number per row: the same for photos that must not be separated, near copies for example."""


def divide(samples: Samples, settings: FineTuneSettings, together: Together | None = None) -> tuple[list[int], list[int]]:
    """Rows to learn from and rows to validate on; never held-out ones.

    Photos of a ``val`` split validate, where the held-out photos are others; else a part of the training photos does, of every
    class its share, subjects and copies staying together.

    Args:
        samples: The photos.
        settings: Share and seed.
        together: What else stays together; by default photos of the same content or group do.

    Raises:
        DataError: When that leaves nothing to learn from or nothing to validate on.
    """
    known = [row for row in samples.rows_of("train") if samples.labels[row] != UNKNOWN_CLASS]
    checked = [row for row in samples.rows_of("val") if samples.labels[row] != UNKNOWN_CLASS and samples.held_out != "val"]
    if not checked:
        held = hold_out(units_at(samples, known, together), share=settings.val_share, seed=settings.seed)
        checked = [known[row] for row in sorted(held)]
    learned = sorted(set(known) - set(checked))
    if not learned or not checked:
        raise DataError(
            tr("There are too few training photos to learn from some and validate on others."),
            got=str(len(known)),
            cure=tr("add photos, or stay with --method transfer"),
        )
    return learned, checked


def units_at(samples: Samples, rows: Sequence[int], together: Together | None = None) -> list[Unit]:
    """What stays together of the photos at ``rows``; the units' own rows are places in ``rows``."""
    part = samples.take(rows)
    units = units_of([samples.classes[label] for label in part.labels], part.digests, part.groups)
    if together is None or not units:
        return units
    marks = together(rows)
    linked: dict[int, list[Unit]] = {}
    for unit in units:  # what has one content or group has one mark
        linked.setdefault(int(marks[unit.rows[0]]), []).append(unit)
    return [_joined(parts) for parts in linked.values()]


def _joined(units: Sequence[Unit]) -> Unit:
    rows = sorted(row for unit in units for row in unit.rows)
    return Unit(tuple(rows), min(unit.key for unit in units), sum((unit.classes for unit in units), Counter()))
