"""Memory that runs out: how it is recognised, on whatever device, and what can be given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tsugiki.core.arguments import argument
from tsugiki.core.errors import TrainingError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    import torch

_SAID = ("out of memory", "bad_alloc", "not enough memory", "can't allocate memory")


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that there was not enough memory."""
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    if isinstance(error, torch.OutOfMemoryError | MemoryError) or should_reduce_batch_size(error):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)


def out_of_memory(photos: int) -> TrainingError:
    """What to raise where even ``photos`` at once are too many."""
    return TrainingError(
        tr("There is not enough memory to train with {count} photos at once.", count=photos),
        cure=tr("{argument}, or a smaller backbone", argument=argument("micro_batch", max(1, photos // 2))),
    )


def empty_cache(device: torch.device) -> None:
    """Let the driver have what PyTorch keeps for later."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
