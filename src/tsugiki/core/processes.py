"""Several processes that train together (``accelerate launch``, ``torchrun``): what the main one decides, all of them do."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import torch

from tsugiki.core.console import say
from tsugiki.core.devices import LAUNCH_VARIABLES, launch
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

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

    check_launch()
    # One process goes by the place alone. Accelerate has one device as long as it lives, and must not be asked for another.
    on_processor = not _has_another_device() if _is_alone() else place.type == "cpu"
    with _told_only_what_is_so():
        return Accelerator(cpu=on_processor, kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)])


def _has_another_device() -> bool:
    """Whether somebody in this process has an ``Accelerator`` that is not on the processor."""
    from accelerate.state import AcceleratorState, is_initialized

    return bool(is_initialized() and AcceleratorState().device.type != "cpu")


def check_launch() -> None:
    """Say, once, what the environment tells of other processes without it being a launch.

    Raises:
        RequestError: When it tells of several processes and leaves out how they find each other.
    """
    if launch() is not None:
        return
    told = {name: os.environ[name] for name in LAUNCH_VARIABLES if os.environ.get(name)}
    named = ", ".join(f"{name}={value}" for name, value in told.items())
    missing = ", ".join(name for name in LAUNCH_VARIABLES if name not in told)
    ranks = [told.get(name, "") for name in ("RANK", "WORLD_SIZE")]
    if all(text.isascii() and text.isdecimal() for text in ranks) and missing and ranks[1] not in {"0", "1"}:
        raise RequestError(
            tr("The environment tells of several processes, but not how they find each other."),
            allowed=", ".join(LAUNCH_VARIABLES),
            got=named,
            cure=tr("start them with torchrun or accelerate launch; or, for one process: unset {names}", names=" ".join(told)),
        )
    if {"RANK", "WORLD_SIZE"} & told.keys() and ranks != ["0", "1"]:
        _say_once(
            tr(
                "The environment has {named}, which is no complete launch of several processes: it is ignored, "
                "and this process works alone.",
                named=named,
            )
        )


@functools.cache
def _say_once(sentence: str) -> None:
    say(sentence)


_COUNTED_ELSEWHERE = ("LOCAL_WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
"""Where Accelerate looks, too, for how many processes there are."""


@contextmanager
def _told_only_what_is_so() -> Iterator[None]:
    """Within this block the environment tells of other processes only where it is a complete launch."""
    names = () if launch() else (*LAUNCH_VARIABLES, *_COUNTED_ELSEWHERE)
    hidden = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


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
        check_launch()
        yield
        return
    with accelerator_on(place).local_main_process_first():
        yield


def wait_for_all(place: torch.device) -> None:
    """Go on once every process has come here: so that none leaves, or reads, before the main one has written."""
    if not _is_alone():
        accelerator_on(place).wait_for_everyone()


def _is_alone() -> bool:
    started = launch()
    return started is None or started.world_size == 1
