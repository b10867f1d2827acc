"""A device that is not here: the program runs as on ``cuda``, on shapes without numbers, and every operation is watched.

PyTorch's ``FakeTensorMode`` computes which shape, type and device each result has, and refuses operands on two devices.
:class:`Watch` stands before it and refuses more: whatever leaves the device through no named door, and whatever is computed on
the processor where the device should compute. What has never been on the device is real, and has its numbers.

What is pretended, since there is no CUDA here, and nothing else:

* ``torch.cuda.is_available``, ``device_count``, ``is_bf16_supported``, and what ``core/devices.py`` makes of them: it is there;
* ``synchronize``, ``empty_cache`` and random states of ``torch.cuda``: nothing to wait for, to let go, to keep;
* ``Tensor.backward`` and ``autograd.grad``: PyTorch's engine wants the driver, so the same nodes are called here in turn;
* numbers: what leaves the device is zeros; a single number is 0.5, 1 or ``True``;
* threads, in which nothing is watched: their jobs are done at once;
* ``Module.to`` another device gives a module new parameters, as PyTorch does for tensors that cannot take each other's place.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import tsugiki
from tsugiki.core import devices
from tsugiki.core.threads import ContextThreadPool

CUDA = torch.device("cuda", 0)
_PROGRAM = str(Path(tsugiki.__file__).parent)

Place = str
"""A function of the program: ``features/engines/torch_engine.py:__call__``."""


class Misplaced(BaseException):
    """Something left the device through no named door, or was computed on the processor; nothing in the program catches it."""


class _WithoutDriver(FakeTensorMode):
    """Makes no attempt to start the device, whatever ``torch.cuda.is_available`` says."""

    avoid_device_init = True


_MOVED = {"_to_copy", "copy_", "detach", "lift_fresh", "clone", "empty", "empty_like", "zeros_like", "ones_like", "set_"}
_MOVED |= {"new_empty", "new_empty_strided", "_local_scalar_dense", "equal", "device", "resolve_conj", "resolve_neg"}
_MOVED |= {"view", "_unsafe_view", "reshape", "permute", "select", "slice", "stack", "cat", "split", "unbind", "expand"}
_MOVED |= {"squeeze", "unsqueeze", "t", "transpose", "as_strided", "alias"}
"""Operations that compute nothing, and may be done to tensors of the processor anywhere."""

_ANSWERS = {"_local_scalar_dense", "equal"}
"""Operations whose result is a number of Python: the device is waited for, and the number comes over."""


@dataclass
class Watch(TorchDispatchMode):
    """Sees every operation, with the function of the program that asked for it.

    Attributes:
        doors: Functions through which something may leave the device; ``None``: all.
        processor: Functions that may compute on the processor, and what.
        left: What has left, per door: operation, type and shape.
        ran: How many operations the device has computed, by name.
        order: Their names in turn, and the doors between them.
        types: Of what types their operands were, but for single numbers.
    """

    doors: Collection[Place] | None
    processor: Mapping[Place, Collection[str]] = field(default_factory=dict)
    left: defaultdict[Place, list[str]] = field(default_factory=lambda: defaultdict(list))
    ran: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)
    types: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = func._schema.name.partition("::")[2], kwargs or {}
        if func.namespace == "aten" and func._can_decompose():  # in inference mode operations come whole
            with self:
                return func.decompose(*args, **kwargs)
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        of_device = [one for one in given if isinstance(one, FakeTensor)]
        if not of_device and torch.device(kwargs.get("device") or "cpu").type == "cpu":
            self._stays(name, given)
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        self.ran[name] += 1
        self.order.append(name)
        self.types[name] |= {_type(one) for one in of_device if one.is_floating_point() and one.ndim}
        if name in _ANSWERS:
            self._leaves(name, of_device[0])
            return _answer(of_device[0], name)
        result = func(*args, **kwargs)
        if isinstance(result, FakeTensor) and result.device.type == "cpu":
            if of_device[-1].requires_grad and torch.is_grad_enabled():
                raise Misplaced(f"{name} of {_told(of_device[-1])} takes its gradient over the processor, in {_place()}")
            self._leaves(name, of_device[-1])
            with unset_fake_temporarily():
                return torch.zeros(result.shape, dtype=result.dtype)
        return result

    def _stays(self, name: str, given: list[torch.Tensor]) -> None:
        if name in _MOVED or not given:
            return
        place = _place()
        if not any(place.startswith(known) and ("*" in names or name in names) for known, names in self.processor.items()):
            raise Misplaced(f"{name} of {_told(given[0])} was computed on the processor, in {place}")

    def _leaves(self, name: str, tensor: torch.Tensor) -> None:
        place = _place()
        if self.doors is not None and place not in self.doors:
            raise Misplaced(f"{name} of {_told(tensor)} left the device in {place}, which is no door")
        self.order.append(place)
        self.left[place].append(f"{name} {_told(tensor)}")


def _told(tensor: torch.Tensor) -> str:
    return f"{_type(tensor)} {list(tensor.shape)}"


def _type(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _place() -> Place:
    """The innermost function of the program that is at work."""
    frame: Any = sys._getframe(1)  # a whole traceback per operation would take minutes
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_PROGRAM):
            return f"{Path(file).relative_to(_PROGRAM).as_posix()}:{frame.f_code.co_qualname.partition('.<')[0]}"
        frame = frame.f_back
    return "test"


def _answer(tensor: torch.Tensor, name: str) -> bool | int | float:
    if name == "equal" or tensor.dtype == torch.bool:
        return True
    return 0.5 if tensor.is_floating_point() else 1


@contextmanager
def pretended(doors: Collection[Place] | None, processor: Mapping[Place, Collection[str]]) -> Iterator[Watch]:
    """Within this block there is a device ``cuda``, whose every operation is watched, as :class:`Watch` is told."""
    watch = Watch(doors, processor)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, answer in {"is_available": True, "device_count": 1, "is_bf16_supported": True}.items():
            patch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)
        for name in ("synchronize", "empty_cache"):
            patch.setattr(torch.cuda, name, lambda *_: None)
        patch.setattr(torch.accelerator, "synchronize", lambda *_: None)
        patch.setattr(torch.cuda, "get_rng_state", lambda *_: torch.empty(0))
        patch.setattr(torch.cuda, "set_rng_state", lambda *_: None)
        patch.setattr(devices, "_available", lambda: ("cuda", "cpu"))
        real = torch.Tensor.backward
        patch.setattr(torch.Tensor, "backward", lambda loss: (_backward if isinstance(loss, FakeTensor) else real)(loss))
        patch.setattr(torch.autograd, "grad", _grad)
        patch.setattr(ContextThreadPool, "submit", _at_once)
        patch.setattr(nn.Module, "to", _to)
        patch.setattr(nn.Module, "cpu", lambda module: _to(module, "cpu"))
        stack.enter_context(_WithoutDriver(allow_non_fake_inputs=True))
        stack.enter_context(watch)
        yield watch


def _at_once(_pool: ContextThreadPool, function: Any, /, *args: Any, **named: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(function(*args, **named))
    return done


def _to(module: nn.Module, *args: Any, **named: Any) -> nn.Module:
    device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **named)  # as Module.to does
    for part in module.modules():
        for kept in (part._parameters, part._buffers):
            for name, old in kept.items():
                if old is not None:
                    kept[name] = _converted(old, device, dtype, memory_format)
    return module


def _converted(old: torch.Tensor, device: Any, dtype: Any, memory_format: Any) -> Any:
    new = old.detach().to(device, dtype if old.is_floating_point() else None)
    if memory_format is not None and new.ndim == 4:
        new = new.contiguous(memory_format=memory_format)
    if new.device == old.device:
        old.data = new
        return old
    return nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new


@torch.no_grad()
def _backward(loss: torch.Tensor, wanted: Callable[[Any], bool] | None = None) -> list[torch.Tensor | None]:
    """Call each node of the graph once all its gradients have come together; returns those of the node that is ``wanted``."""
    first: Any = loss.grad_fn
    kept: list[torch.Tensor | None] = []
    gradients: dict[Any, list[torch.Tensor | None]] = {first: [torch.ones_like(loss)]}
    waiting, ready = _followers(first), [first]
    while ready:
        node = ready.pop()
        given = gradients.pop(node, [])
        if wanted is not None and wanted(node):
            kept = given
        found = node(*given) if given else None
        answers = found if isinstance(found, tuple) else (found,) * len(node.next_functions)
        for (below, at), gradient in zip(node.next_functions, answers, strict=True):
            if below is None:
                continue
            if gradient is not None:
                _add(gradients.setdefault(below, [None] * len(below._input_metadata)), at, gradient, below)
            waiting[below] -= 1
            if not waiting[below]:
                ready.append(below)
    return kept


def _grad(output: torch.Tensor, of: torch.Tensor) -> tuple[torch.Tensor | None]:
    """As ``torch.autograd.grad``; a leaf's gradient arrives at a node that names it, and stays as it is."""
    before, node = of.grad, of.grad_fn
    found = _backward(output, lambda one: one is node or (node is None and getattr(one, "variable", None) is of))
    of.grad = before
    return (found[of.output_nr],)


def _followers(first: Any) -> Counter[Any]:
    """How many gradients each node waits for."""
    waiting: Counter[Any] = Counter()
    left = [first]
    while left:
        for node, _ in left.pop().next_functions:
            if node is not None:
                left += [node] * (node not in waiting)
                waiting[node] += 1
    return waiting


def _add(gradients: list[torch.Tensor | None], at: int, gradient: torch.Tensor, node: Any) -> None:
    """As PyTorch's engine: of the shape and type that are expected, on the device that is expected."""
    expected, before = node._input_metadata[at], gradients[at]
    if gradient.device != expected.device:
        raise Misplaced(f"a gradient of {_told(gradient)} is on {gradient.device} instead of {expected.device}")
    gradient = gradient.sum_to_size(expected.shape).to(expected.dtype)
    gradients[at] = gradient if before is None else before + gradient
