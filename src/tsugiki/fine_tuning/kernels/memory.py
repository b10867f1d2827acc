"""What is said where memory runs out and nothing smaller can be tried."""

from __future__ import annotations

from tsugiki.core.errors import TrainingError
from tsugiki.locale.messages import tr


def out_of_memory(photos: int) -> TrainingError:
    """What to raise where even ``photos`` at once are too many."""
    return TrainingError(
        tr("There is not enough memory to train with {count} photos at once.", count=photos),
        cure=tr("--set micro_batch={count}, or a smaller backbone", count=max(1, photos // 2)),
    )
