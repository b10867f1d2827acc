"""Depthwise convolutions in bf16 on a processor, with a backward pass that is not slower than in float32.

oneDNN computes the gradients of strided and of 5 x 5 depthwise convolutions in bf16 with its plain reference code: half
of MobileNetV2's backward pass goes into four such layers, two thirds of EfficientNet-B0's. The same gradients are had from fast
code: with respect to the input they are a forward convolution with the mirrored kernel, with respect to the kernel
they are computed in float32 (which also adds up more exactly).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

Pair = tuple[int, int]


def is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether each channel is convolved by itself, in a way that :func:`depthwise` can compute."""
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.dilation == (1, 1)
        and not isinstance(conv.padding, str)
        and conv.padding_mode == "zeros"
        and all(pad < kernel for pad, kernel in zip(conv.padding, conv.kernel_size, strict=True))
    )


def depthwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    """``[B, C, H, W]`` with kernels ``[C, 1, h, w]`` and bias ``[C]``; all of one type."""
    out: torch.Tensor = _Depthwise.apply(x, weight, bias, stride, padding)
    return out


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, stride: Pair, padding: Pair
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return functional.conv2d(x, weight, bias, stride, padding, 1, x.shape[1])

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        # Autograd may hand the gradient over in any layout; only this one is fast.
        grad = grad.contiguous(memory_format=torch.channels_last)
        for_x = _for_input(grad, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[0] else None
        for_weight = _for_weight(grad, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        for_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return for_x, for_weight, for_bias, None, None


def _for_input(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    """Every output gradient goes back where its kernel lay: the spread-out gradients, convolved with the mirrored kernel."""
    (height, width), (tall, wide) = x.shape[2:], weight.shape[2:]
    spread_height, spread_width = height + 2 * padding[0] - tall + 1, width + 2 * padding[1] - wide + 1
    spread = grad
    if stride != (1, 1):
        spread = grad.new_zeros((*grad.shape[:2], spread_height, spread_width)).to(memory_format=torch.channels_last)
        spread[:, :, :: stride[0], :: stride[1]] = grad
    return functional.conv2d(spread, weight.flip(2, 3), None, 1, (tall - 1 - padding[0], wide - 1 - padding[1]), 1, x.shape[1])


def _for_weight(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    operands = grad.float(), x.float(), weight.float()
    geometry = stride, padding, (1, 1), False, (0, 0), x.shape[1]  # dilation 1, not transposed
    found: torch.Tensor = torch.ops.aten.convolution_backward(*operands, None, *geometry, (False, True, False))[1]
    return found.to(weight.dtype)
