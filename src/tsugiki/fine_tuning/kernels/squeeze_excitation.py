"""Squeeze-and-excitation (Hu et al., 2018) with a lighter backward pass.

The mean over all positions and the gate both read the same activations, so their two gradients are added. PyTorch writes
the mean's out in full, in another memory layout, and adding across layouts is slow
(``benchmarks/fine_tune_parts.py``). Here it is one number per channel, added as it is.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

_PARTS = {
    "SqueezeExcitation": ("fc1", "activation", "fc2", "scale_activation"),  # torchvision
    "SqueezeExcite": ("conv_reduce", "act1", "conv_expand", "gate"),  # timm, the EfficientNet family
    "SEModule": ("fc1", "bn", "act", "fc2", "gate"),  # timm, elsewhere
}
"""What stands between mean and gate, by the names of known kinds."""


def is_squeeze_excitation(module: nn.Module) -> bool:
    """Whether ``module`` says of itself that it is of a known kind."""
    parts = _PARTS.get(type(module).__name__, ())
    return bool(parts) and all(isinstance(getattr(module, part, None), nn.Module) for part in parts)


class FastSqueezeExcitation(nn.Module):
    """What ``squeeze``, a module of a known kind, computes, and with its parameters."""

    def __init__(self, squeeze: nn.Module) -> None:
        super().__init__()
        self.gate = nn.Sequential(*(squeeze.get_submodule(part) for part in _PARTS[type(squeeze).__name__]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, C, H, W]``, each channel times its gate."""
        x, mean = _WithMean.apply(x)
        out: torch.Tensor = x * self.gate(mean)
        return out


class _WithMean(torch.autograd.Function):
    """Activations ``[B, C, H, W]`` as they are, and their means ``[B, C, 1, 1]``."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.positions = x.shape[2] * x.shape[3]
        # In bfloat16 this is several times faster than `mean`.
        return x.view_as(x), functional.avg_pool2d(x, x.shape[2:])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        for_x, for_mean = grads
        return torch.add(for_x, for_mean / ctx.positions)
