"""Which processor the work runs on."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.core.threads import SharedSetting
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    import torch


def pick_device(name: str | torch.device | None = None) -> torch.device:
    """The device called ``name``, or the best one here: CUDA, then Apple's MPS, then the CPU.

    Raises:
        RequestError: When the device does not exist or is not on this machine.
    """
    import torch

    if name is None or name == "auto":
        return torch.device(_available()[0])
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in _available() or (device.index or 0) >= _how_many(device.type):
        raise RequestError(
            tr("There is no device {name} on this machine.", name=repr(str(name))),
            allowed=", ".join(_available()),
            cure=tr("leave {argument} out, or name one of these", argument=argument("device")),
        )
    return device


@functools.cache
def _available() -> tuple[str, ...]:
    import torch

    devices = ["cpu"]
    if torch.backends.mps.is_available():
        devices.insert(0, "mps")
    if torch.cuda.is_available():
        devices.insert(0, "cuda")
    return tuple(devices)


def _how_many(kind: str) -> int:
    import torch

    return torch.cuda.device_count() if kind == "cuda" else 1


def full_precision() -> contextlib.AbstractContextManager[None]:
    """Within this block float32 means float32, whatever the person set: TF32 drops 13 of its bits, bfloat16 16.

    Threads may be inside at once: the person's own settings come back when the last one leaves.
    """
    return _full_precision()


@contextlib.contextmanager
def _without_tf32() -> Iterator[None]:
    import torch

    backends: Any = torch.backends
    parts: list[Any] = [backends.cuda.matmul, backends.mkldnn.matmul, backends.mkldnn.conv, backends.mkldnn.rnn]
    with contextlib.ExitStack() as undo:
        # PyTorch refuses its older switches to whoever has used its newer ones, so each is turned as the person turned it.
        if _old_switches_work(lambda: backends.cudnn.allow_tf32):
            undo.enter_context(backends.cudnn.flags(enabled=True, allow_tf32=False))
        else:
            parts += [backends.cudnn.conv, backends.cudnn.rnn]
        for part, precision in [(part, part.fp32_precision) for part in parts]:
            if precision not in _WHOLE or part in parts[:2]:
                undo.callback(setattr, part, "fp32_precision", precision)
        if _old_switches_work(torch.get_float32_matmul_precision) and torch.get_float32_matmul_precision() != "highest":
            undo.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
        for part in parts:
            if part.fp32_precision not in _WHOLE:
                part.fp32_precision = "ieee"
        yield


_WHOLE = {"none", "ieee"}  # what PyTorch calls all 32 bits


def _old_switches_work(ask: Callable[[], object]) -> bool:
    import torch

    try:
        ask()
    except RuntimeError:
        return False
    return getattr(torch.backends, "fp32_precision", "none") in _WHOLE


_full_precision = SharedSetting(_without_tf32)


@contextlib.contextmanager
def one_thread(when: bool = True) -> Iterator[None]:
    """Within this block PyTorch computes with one thread: for small work the others would only spin and wait."""
    import torch

    threads = torch.get_num_threads()
    if when:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def torch_threads() -> int:
    """How many threads PyTorch computes with in this thread; 0 where nobody has imported it."""
    torch = sys.modules.get("torch")
    return 0 if torch is None else int(torch.get_num_threads())


def use_torch_threads(count: int) -> None:
    """Let PyTorch compute with ``count`` threads in this thread, where it is here."""
    torch = sys.modules.get("torch")
    if torch is not None and count:
        torch.set_num_threads(count)


def is_main_process() -> bool:
    """Whether this process is the one of several (``accelerate launch``, ``torchrun``) that writes and talks."""
    return rank() == 0


def rank() -> int:
    """Which of several processes this is; 0 where there is only one."""
    started = launch()
    return started.rank if started else 0


LAUNCH_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What ``torchrun`` and ``accelerate launch`` tell each process that they start; schedulers set some of them, too."""


@dataclass(frozen=True)
class Launch:
    """Several processes that were started to work together.

    Attributes:
        rank: Which of them this one is.
        world_size: How many they are.
    """

    rank: int
    world_size: int


def launch() -> Launch | None:
    """Who was started together with this process; ``None`` where it is alone, as wherever not all of it is told."""
    told = [os.environ.get(name, "") for name in LAUNCH_VARIABLES]
    numbers = [int(text) if _is_number(text) else -1 for text in (*told[:3], told[4])]
    here, local, together, port = numbers
    if not told[3] or not 0 <= local <= here < together or not 0 < port < 1 << 16:
        return None
    return Launch(here, together)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 10


def usable_cores() -> int:
    """How many processor cores this process may use (less than the machine has, inside a container)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_SAID = ("out of memory", "bad_alloc", "not enough memory", "can't allocate memory")


def is_out_of_memory(error: Exception) -> bool:
    """Whether ``error`` says that there was not enough memory; asked without PyTorch where that is not in use."""
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _SAID)
    ):
        return True
    if "torch" not in sys.modules:
        return False
    import torch
    from accelerate.utils.memory import should_reduce_batch_size

    return isinstance(error, torch.OutOfMemoryError) or bool(should_reduce_batch_size(error))


def empty_cache(device: torch.device) -> None:
    """Let the driver have what PyTorch keeps for later."""
    import torch

    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
