"""Several processes that train together (``accelerate launch``, ``torchrun``): what the main one decides, all of them do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from accelerate import Accelerator

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long a process waits for another before it gives up: while one computes the features of millions of photos the others
wait. A process that died is noticed by what started them all."""


def accelerator_on(place: torch.device) -> Accelerator:
    """What knows about the other processes and, where there are several, about this one's device."""
    from accelerate import Accelerator
    from accelerate.utils import InitProcessGroupKwargs

    return Accelerator(cpu=place.type == "cpu", kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)])


def decided(decide: Callable[[], T], accelerator: Accelerator) -> T:
    """What ``decide`` answers to the main process; the others do not ask it."""
    if accelerator.num_processes == 1:
        return decide()
    from accelerate.utils import broadcast_object_list

    answers: list[T | None] = [decide() if accelerator.is_main_process else None]
    answer: T = broadcast_object_list(answers)[0]
    return answer


@contextmanager
def one_first(place: torch.device) -> Iterator[None]:
    """Of the processes of one machine one goes through this block first; the others find in the store what it has computed."""
    if _is_alone():
        yield
        return
    with accelerator_on(place).local_main_process_first():
        yield


def wait_for_all(place: torch.device) -> None:
    """Go on once every process has come here: so that none leaves, or reads, before the main one has written."""
    if not _is_alone():
        accelerator_on(place).wait_for_everyone()


def _is_alone() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) == 1
