"""BatchNorm with frozen statistics, folded into the convolution before it while training goes on.

With frozen statistics BatchNorm is a scale and a shift per channel, and both can go into the kernel and bias before it. The
kernel is computed anew in every step from the same parameters, so each of them still gets its exact gradient; what is saved
are two trips of every activation through memory, forward and back, which is where a processor spends its time.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tsugiki.backbones.freezing import evaluating
from tsugiki.fine_tuning.kernels.depthwise import depthwise, is_depthwise
from tsugiki.fine_tuning.kernels.replace_modules import module_hooks, replace_if_equal


class FoldedConvolution(nn.Module):
    """A convolution and the BatchNorm after it, as one convolution; the parameters are those of the two."""

    def __init__(self, conv: nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm
        self._same = type(conv).__name__ == "Conv2dSame"
        self._depthwise = is_depthwise(conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``[B, C, H, W]`` convolved, scaled and shifted."""
        weight, bias = self._folded()
        x, padding = self._padded(x)
        stride: Any = self.conv.stride
        if self._depthwise and x.device.type == "cpu":
            return depthwise(x, weight, bias, stride, padding)
        return functional.conv2d(x, weight, bias, stride, padding, self.conv.dilation, self.conv.groups)

    def _folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        norm: Any = self.norm
        scale = torch.rsqrt(norm.running_var + norm.eps)
        if norm.weight is not None:
            scale = scale * norm.weight
        bias = (0 if self.conv.bias is None else self.conv.bias) - norm.running_mean
        bias = bias * scale
        if norm.bias is not None:
            bias = bias + norm.bias
        return self.conv.weight * scale[:, None, None, None], bias

    def _padded(self, x: torch.Tensor) -> tuple[torch.Tensor, Any]:
        if not self._same:
            return x, self.conv.padding
        from timm.layers.padding import pad_same

        shape = (list(self.conv.kernel_size), list(self.conv.stride), list(self.conv.dilation))
        return pad_same(x, *shape), (0, 0)


def fold_batch_norm(body: nn.Module, example: torch.Tensor) -> nn.Module:
    """``body`` with each frozen BatchNorm folded into the convolution before it, where that changes nothing but rounding.

    Args:
        body: Maps ``[B, 3, H, W]`` to features; left as it is.
        example: Photos ``[B, 3, H, W]`` to find the pairs with and to prove the result equal.

    Returns:
        A network that shares all parameters with ``body``; ``body`` itself where nothing can be folded.
    """
    with evaluating(body), torch.no_grad():
        pairs = _pairs(body, example)
    return replace_if_equal(_replacements(body, pairs), body, example)


def _pairs(body: nn.Module, example: torch.Tensor) -> dict[str, str]:
    """Path of a convolution -> path of the BatchNorm that reads its output, both run exactly once."""
    outputs: dict[int, str] = {}
    pairs: dict[str, str] = {}
    kept: list[Any] = []  # while a tensor lives, no other has its id
    calls: Counter[str] = Counter()

    def before(path: str, module: nn.Module, inputs: Any, _output: Any) -> None:
        calls[path] += 1
        if _is_foldable_norm(module) and inputs and id(inputs[0]) in outputs:
            pairs[outputs[id(inputs[0])]] = path

    def after(path: str, module: nn.Module, _inputs: Any, output: Any) -> None:
        if type(module).__name__ in {"Conv2d", "Conv2dSame"} and isinstance(module, nn.Conv2d):
            outputs[id(output)] = path
            kept.append(output)

    with module_hooks(body, before, after):
        body(example)
    zeros = {path for path, module in body.named_modules() if getattr(module, "padding_mode", "zeros") != "zeros"}
    return {conv: norm for conv, norm in pairs.items() if calls[conv] == calls[norm] == 1 and conv not in zeros}


def _is_foldable_norm(module: nn.Module) -> bool:
    known = type(module).__name__ in {"BatchNorm2d", "BatchNormAct2d"} and isinstance(module, nn.BatchNorm2d)
    return known and getattr(module, "running_mean", None) is not None


def _replacements(body: nn.Module, pairs: dict[str, str]) -> dict[str, nn.Module]:
    found: dict[str, nn.Module] = {}
    for conv_path, norm_path in pairs.items():
        conv, norm = body.get_submodule(conv_path), body.get_submodule(norm_path)
        assert isinstance(conv, nn.Conv2d)  # noqa: S101 (for the type checker: `_pairs` chose it)
        found[conv_path] = FoldedConvolution(conv, norm)
        # timm's kind does its own dropout and activation after the scaling.
        rest = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
        found[norm_path] = nn.Sequential(*rest) if rest else nn.Identity()
    return found
