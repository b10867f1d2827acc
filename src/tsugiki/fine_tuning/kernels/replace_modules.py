"""A network with some modules replaced: it shares every other module with the original, and leaves the original whole."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.freezing import evaluating

_TOLERANCE = 1e-3
"""Largest difference of features with replaced modules from the original's, relative to the largest feature: a rounding error
is far smaller, a wrong replacement far larger."""


def replace_modules(network: nn.Module, replacements: Mapping[str, nn.Module]) -> nn.Module:
    """``network`` with the modules at the paths of ``replacements`` replaced.

    Only the modules on the way to a replacement are copied, and those shallowly: all parameters and buffers are shared.
    """
    if "" in replacements:
        return replacements[""]
    below: dict[str, dict[str, nn.Module]] = {}
    for path, module in replacements.items():
        child, _, rest = path.partition(".")
        below.setdefault(child, {})[rest] = module
    clone = copy.copy(network)
    clone._modules = dict(network._modules)  # noqa: SLF001 (a copy of its own, or the original would change)
    for child, inner in below.items():
        clone._modules[child] = replace_modules(network.get_submodule(child), inner)  # noqa: SLF001
    return clone


def replace_if_equal(replacements: Mapping[str, nn.Module], body: nn.Module, example: torch.Tensor) -> nn.Module:
    """``body`` with the replacements if it answers to ``example`` ``[B, 3, H, W]`` as before, but for rounding; or itself."""
    if not replacements:
        return body
    candidate = replace_modules(body, replacements)
    with evaluating(candidate), evaluating(body), torch.no_grad():
        try:
            found, expected = candidate(example), body(example)
        except (AttributeError, RuntimeError):  # the network looks into what was replaced
            return body
    largest = expected.abs().max().clamp(min=1e-12)
    return candidate if bool((found - expected).abs().max() <= _TOLERANCE * largest) else body


Called = Callable[[str, nn.Module, Any, Any], None]
"""Path, module, inputs and output of one call."""


@contextmanager
def module_hooks(network: nn.Module, before: Called | None = None, after: Called | None = None) -> Iterator[None]:
    """Call ``before`` and ``after`` around every module's forward within this block."""
    handles = []
    for path, module in network.named_modules():
        if before is not None:
            handles.append(module.register_forward_pre_hook(_told(before, path)))
        if after is not None:
            handles.append(module.register_forward_hook(_told(after, path)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _told(called: Called, path: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Any = None) -> None:
        called(path, module, inputs, output)

    return hook
