"""Which photos are learned from, and which decide what is kept; the held-out ones do neither."""

from __future__ import annotations

from tsugiki.core.errors import DataError
from tsugiki.core.messages import tr
from tsugiki.data.samples import UNKNOWN_CLASS, Samples
from tsugiki.data.splitting import hold_out, units_of
from tsugiki.training.fine_tune.settings import FineTuneSettings


def divide(samples: Samples, settings: FineTuneSettings) -> tuple[list[int], list[int]]:
    """Rows to learn from and rows to validate on; never held-out ones.

    Photos of a ``val`` split validate, where the held-out photos are others; else a part of the training photos does, of every
    class its share, subjects and copies staying together.

    Raises:
        DataError: When that leaves nothing to learn from or nothing to validate on.
    """
    known = [row for row in samples.rows_of("train") if samples.labels[row] != UNKNOWN_CLASS]
    checked = [row for row in samples.rows_of("val") if samples.labels[row] != UNKNOWN_CLASS and samples.held_out != "val"]
    if not checked:
        part = samples.take(known)
        units = units_of([samples.classes[label] for label in part.labels], part.digests, part.groups)
        held = hold_out(units, share=settings.val_share, seed=settings.seed)
        checked = [known[row] for row in sorted(held)]
    learned = sorted(set(known) - set(checked))
    if not learned or not checked:
        raise DataError(
            tr("There are too few training photos to learn from some and validate on others."),
            got=str(len(known)),
            cure=tr("add photos, or stay with --method transfer"),
        )
    return learned, checked
