"""Parts of a network whose own code is slow in training on a processor, replaced by parts that compute the same."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from tsugiki.fine_tuning.kernels.depthwise import DepthwiseConvolution, is_depthwise
from tsugiki.fine_tuning.kernels.folding import FoldedConvolution
from tsugiki.fine_tuning.kernels.relu6 import FastReLU6
from tsugiki.fine_tuning.kernels.replace_modules import replace_if_equal
from tsugiki.fine_tuning.kernels.squeeze_excitation import FastSqueezeExcitation, is_squeeze_excitation

_NEED_THEIR_INPUT = (nn.SiLU, nn.Hardswish, nn.Mish)
"""Activations whose backward pass reads their input: computed in place, they first copy what they are about to overwrite."""


def replace_slow_layers(body: nn.Module, example: torch.Tensor) -> nn.Module:
    """``body`` with its slow parts replaced, where that changes nothing but rounding.

    Args:
        body: Maps ``[B, 3, H, W]`` to features; left as it is.
        example: Photos ``[B, 3, H, W]`` to prove the result equal with.

    Returns:
        A network that shares all parameters with ``body``; ``body`` itself where nothing is slow.
    """
    return replace_if_equal(slow_layers(body), body, example)


def slow_layers(body: nn.Module) -> dict[str, nn.Module]:
    """Path of a slow part -> what computes the same, with the same parameters."""
    return dict(_replacements(body, ""))


def _replacements(module: nn.Module, path: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, FoldedConvolution):
        return  # does the same for itself
    if type(module) is nn.Conv2d and is_depthwise(module):
        yield path, DepthwiseConvolution(module)
    elif type(module) is nn.ReLU6:
        yield path, FastReLU6()
    elif is_squeeze_excitation(module):
        yield path, FastSqueezeExcitation(module)
    elif type(module) in _NEED_THEIR_INPUT and getattr(module, "inplace", False):
        yield path, type(module)()
    else:
        for name, child in module.named_children():
            yield from _replacements(child, f"{path}.{name}" if path else name)
