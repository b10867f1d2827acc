"""Freeze and unfreeze: a frozen layer neither learns nor moves.

``requires_grad = False`` alone is not enough: in training mode a BatchNorm goes on updating its statistics and a Dropout goes
on dropping. Frozen modules therefore stay in evaluation mode whatever ``train()`` is called above them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def freeze(module: Module) -> Module:
    """Freeze ``module`` and everything inside: no gradients, no moving statistics, no dropout; in place.

    Holds until :func:`unfreeze`, through ``train()``, ``copy.deepcopy`` and pickling. Layers that are put in later are free.

    Returns:
        The same module.
    """
    for parameter in module.parameters():
        parameter.requires_grad = False
    module.eval()
    for part in module.modules():
        if not _is_held(part):
            part.register_forward_pre_hook(_stay_in_evaluation_mode)
    return module


def unfreeze(module: Module) -> Module:
    """Let ``module`` and everything inside learn again; in place. The mode stays as it is until ``train()`` is called.

    Returns:
        The same module.
    """
    for parameter in module.parameters():
        if parameter.is_floating_point() or parameter.is_complex():
            parameter.requires_grad = True
    for part in module.modules():
        for key in [key for key, hook in part._forward_pre_hooks.items() if hook is _stay_in_evaluation_mode]:  # noqa: SLF001
            del part._forward_pre_hooks[key]  # noqa: SLF001 (a handle would not survive every copy; the hook itself does)
    return module


def is_frozen(module: nn.Module) -> bool:
    """Whether nothing in ``module`` can learn or move."""
    return all(_is_held(part) for part in module.modules()) and not any(p.requires_grad for p in module.parameters())


def _is_held(module: nn.Module) -> bool:
    return _stay_in_evaluation_mode in module._forward_pre_hooks.values()  # noqa: SLF001


def holds_still(hook: object) -> bool:
    """Whether a hook of a module is the one that :func:`freeze` puts there: it keeps the mode, and changes nothing else."""
    return hook is _stay_in_evaluation_mode


def _stay_in_evaluation_mode(module: nn.Module, _inputs: Any) -> None:
    # A hook, not a replaced `train` method: a function of this file can be copied and pickled, a method of one object cannot.
    module.training = False


@contextmanager
def mode_kept(network: nn.Module) -> Iterator[None]:
    """Whatever the block does, every module of ``network`` is afterwards in the mode (train or eval) it was in before.

    For one thread at a time; where several evaluate one network, :func:`evaluating` counts them.
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


_evaluated: dict[nn.Module, tuple[int, bool]] = {}
"""For each module that is being evaluated: by how many at once, and the mode it was in before the first one."""
_evaluated_guard = threading.Lock()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within this block ``network`` is in evaluation mode; afterwards every module is in the mode it was found in.

    Threads may evaluate one network, or parts of it, at once: the mode comes back when the last one leaves.
    """
    modules = list(network.modules())
    with _evaluated_guard:
        for module in modules:
            inside, training = _evaluated.get(module, (0, module.training))
            _evaluated[module] = inside + 1, training
        network.eval()
    try:
        yield
    finally:
        with _evaluated_guard:
            for module in modules:
                inside, training = _evaluated.pop(module)
                if inside > 1:
                    _evaluated[module] = inside - 1, training
                else:
                    module.training = training


def set_training_mode(model: nn.Module) -> None:
    """Put ``model`` into training mode, except the parts that are wholly frozen: those go into eval mode.

    ``requires_grad=False`` alone does not stop BatchNorm from moving its running statistics, nor dropout from dropping.
    """
    model.train()
    for module in model.modules():
        frozen = [not parameter.requires_grad for parameter in module.parameters()]
        if frozen and all(frozen):
            module.eval()


@contextmanager
def lone_photo(model: nn.Module, photos: int) -> Iterator[None]:
    """While a batch of one photo is learned from, BatchNorm layers use the statistics they already have."""
    norms = [module for module in model.modules() if photos == 1 and isinstance(module, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    learning = [norm for norm in norms if norm.training]
    for norm in learning:
        norm.eval()
    try:
        yield
    finally:
        for norm in learning:
            norm.train()
