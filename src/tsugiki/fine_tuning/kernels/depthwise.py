"""Depthwise convolutions on a processor, with a backward pass as fast as the forward pass.

oneDNN computes some of their gradients with its plain reference code, several times slower than the rest: in bfloat16 the one
with respect to the input where the stride is not 1, in float32 and bfloat16 the one with respect to kernels wider than three
(``benchmarks/fine_tune_parts.py``). The same gradients are had from its fast code. With respect to the input they are
forward convolutions with the mirrored kernel, one for each residue of the position modulo the stride; with respect to a
wide kernel they are those with respect to several narrow ones, side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Pair = tuple[int, int]

_FAST_WIDTH = 3  # columns of a kernel whose gradient oneDNN computes with fast code; the height does not matter


def is_depthwise(conv: nn.Conv2d) -> bool:
    """Whether each channel is convolved by itself, in a way that :func:`depthwise` can compute."""
    return (
        conv.groups == conv.in_channels == conv.out_channels > 1
        and conv.dilation == (1, 1)
        and not isinstance(conv.padding, str)
        and conv.padding_mode == "zeros"
    )


class DepthwiseConvolution(nn.Module):
    """What ``conv`` computes, and with its parameters."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, C, H, W]`` convolved."""
        stride: Any = self.conv.stride
        padding: Any = self.conv.padding
        return depthwise(x, self.conv.weight, self.conv.bias, stride, padding)


def depthwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, padding: Pair) -> torch.Tensor:
    """``[B, C, H, W]`` with kernels ``[C, 1, h, w]`` and bias ``[C]``, in the type that autocast asks for."""
    if torch.is_autocast_enabled(x.device.type):
        dtype = torch.get_autocast_dtype(x.device.type)
        x, weight, bias = x.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)
    if x.dtype == torch.float32 and weight.shape[3] <= _FAST_WIDTH:
        return functional.conv2d(x, weight, bias, stride, padding, 1, x.shape[1])
    out: torch.Tensor = _Depthwise.apply(x, weight, bias, stride, padding)
    return out


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, stride: Pair, padding: Pair
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
        for_weight = _for_kernel(grad, x, weight, ctx.stride, ctx.padding) if ctx.needs_input_grad[1] else None
        for_bias = grad.sum((0, 2, 3)) if ctx.needs_input_grad[2] else None
        return for_x, for_weight, for_bias, None, None


def _for_input(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    """Positions of the same residue modulo the stride lay under the same taps of the kernel; each residue is a convolution."""
    if stride == (1, 1):
        return _for_residue(grad, weight, *(_residue(0, axis, grad, x, weight, stride, padding) for axis in (0, 1)))
    found = torch.empty_like(x, memory_format=torch.channels_last)
    if stride[0] > weight.shape[2] or stride[1] > weight.shape[3]:
        found.zero_()  # no output saw the positions between
    for top in range(min(stride[0], weight.shape[2])):
        rows = _residue(top, 0, grad, x, weight, stride, padding)
        for left in range(min(stride[1], weight.shape[3])):
            columns = _residue(left, 1, grad, x, weight, stride, padding)
            if rows.count > 0 and columns.count > 0:
                taps = weight[:, :, top :: stride[0], left :: stride[1]]
                found[:, :, rows.first :: stride[0], columns.first :: stride[1]] = _for_residue(grad, taps, rows, columns)
    return found


def _for_residue(grad: torch.Tensor, taps: torch.Tensor, rows: _Residue, columns: _Residue) -> torch.Tensor:
    padding = rows.padding, columns.padding
    found = functional.conv2d(grad, taps.flip(2, 3), None, 1, padding, 1, grad.shape[1])
    return found[:, :, rows.skip : rows.skip + rows.count, columns.skip : columns.skip + columns.count]


@dataclass(frozen=True)
class _Residue:
    """Every ``stride``-th position along one axis, and how the convolution that gives their gradients is padded."""

    first: int
    count: int
    padding: int  # on both sides, as only that needs no copy of the gradients
    skip: int  # results of the convolution that come of more padding than this side needed


def _residue(
    tap: int, axis: int, grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair
) -> _Residue:
    """The positions on which tap number ``tap`` falls."""
    step, outputs, taps = stride[axis], grad.shape[axis + 2], len(range(tap, weight.shape[axis + 2], stride[axis]))
    first = (tap - padding[axis]) % step
    count = len(range(first, x.shape[axis + 2], step))
    output = (first + padding[axis] - tap) // step  # the one that had this tap on the first of these positions
    needed = max(0, taps - 1 - output, output + count - outputs)
    return _Residue(first, count, needed, output - (taps - 1) + needed)


def _for_kernel(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    """A few columns of the kernel at a time."""
    width = weight.shape[3]
    if width <= _FAST_WIDTH:
        return _for_narrow_kernel(grad, x, weight, stride, padding)
    parts = []
    for first in range(0, width, _FAST_WIDTH):
        columns = weight[..., first : first + _FAST_WIDTH]
        before = padding[1] - first
        after = (grad.shape[3] - 1) * stride[1] + columns.shape[3] - before - x.shape[3]
        if min(before, after) <= -x.shape[3]:  # on a small map these columns never meet anything but padding
            parts.append(torch.zeros_like(columns))
            continue
        near = functional.pad(x, (before, after))  # negative numbers cut off
        parts.append(_for_narrow_kernel(grad, near, columns, stride, (padding[0], 0)))
    return torch.cat(parts, 3)


def _for_narrow_kernel(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: Pair, padding: Pair) -> torch.Tensor:
    geometry = stride, padding, (1, 1), False, (0, 0), x.shape[1]  # dilation 1, not transposed
    found: torch.Tensor = torch.ops.aten.convolution_backward(grad, x, weight, None, *geometry, (False, True, False))[1]
    return found
