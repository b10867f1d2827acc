"""What a network computes besides its numbers: layers, their settings, functions they call.

Two networks of one name, one set of arguments and one set of weights may still differ: somebody exchanged an activation, or
changed a stride. What is remembered of a network, or rebuilt from its name, has to know.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.freezing import holds_still

Structure = Mapping[str, str]
"""For each part of a network, by its path: what it is, in words for machines."""

_CHANGES_BY_ITSELF = frozenset({"training"})
_Plain = bool | int | float | str | torch.dtype | torch.Size | None


def structure_of(network: nn.Module) -> Structure:
    """Each part's class, its plain settings and the functions that were put into it or hang on it."""
    return {path: _described(part) for path, part in network.named_modules()}


def changed_parts(before: Structure, now: Structure) -> list[str]:
    """The paths of parts that are not what they were; the network itself is ``.``."""
    paths = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    return [path or "." for path in paths]


def _described(part: nn.Module) -> str:
    settings = {
        name: text
        for name, value in vars(part).items()
        if not name.startswith("_") and name not in _CHANGES_BY_ITSELF and (text := _text(value)) is not None
    }
    hooks = [
        _text(hook) or type(hook).__qualname__
        for registered in (part._forward_pre_hooks, part._forward_hooks)  # noqa: SLF001 (PyTorch gives them no other name)
        for hook in registered.values()
        if not holds_still(hook)
    ]
    kind = f"{type(part).__module__}.{type(part).__qualname__}"
    return f"{kind} {sorted(settings.items())} {hooks}"


def _text(value: Any) -> str | None:
    """A plain setting or a function in words; ``None`` for what says nothing, or moves (tensors, caches, configurations)."""
    if isinstance(value, _Plain):
        return repr(value)
    if isinstance(value, list | tuple):
        parts = [_text(each) for each in value]
        return None if None in parts else f"[{', '.join(map(str, parts))}]"
    if isinstance(value, functools.partial):
        return f"{_text(value.func)} {_text(value.args)} {sorted((key, _text(each)) for key, each in value.keywords.items())}"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return None
