"""What the parts of a network that fine-tuning exchanges bring: one at a time, and depthwise gradients by themselves.

python -m benchmarks.fine_tune_parts [--rounds 7] [--batch-size 16]
"""

from __future__ import annotations

import argparse
import statistics
import unittest.mock
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from benchmarks.fine_tune_step import CLASSES, NETWORKS, in_turn, own_step
from benchmarks.sections import table, write_section
from tsugiki.classifier.classifier import Classifier
from tsugiki.fine_tuning.kernels.depthwise import depthwise, is_depthwise
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings
from tsugiki.fine_tuning.kernels.relu6 import FastReLU6
from tsugiki.fine_tuning.kernels.replace_modules import replace_if_equal
from tsugiki.fine_tuning.kernels.slow_layers import slow_layers
from tsugiki.fine_tuning.kernels.squeeze_excitation import FastSqueezeExcitation
from tsugiki.fine_tuning.settings import FineTuneSettings

COMPUTE = ComputeSettings("bfloat16", channels_last=True, folded=True)
KERNELS = "tsugiki.fine_tuning.kernels"
ACTIVATIONS = (FastReLU6, nn.SiLU, nn.Hardswish, nn.Mish)
LAYERS = {  # channels, side, kernel, stride
    "MobileNetV2, 96 x 112 x 112, 3 x 3, stride 2": (96, 112, 3, 2),
    "EfficientNet-B0, 240 x 28 x 28, 5 x 5": (240, 28, 5, 1),
    "EfficientNet-B0, 672 x 14 x 14, 5 x 5": (672, 14, 5, 1),
    "EfficientNet-B0, 672 x 14 x 14, 5 x 5, stride 2": (672, 14, 5, 2),
    "ConvNeXt-T, 384 x 14 x 14, 7 x 7": (384, 14, 7, 1),
}


def main() -> None:
    """Measure and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=16)
    options = parser.parse_args()
    steps = [step_row(name, options.batch_size, options.rounds) for name in ("MobileNetV2", "EfficientNet-B0")]
    layers = [layer_row(name, options.batch_size, options.rounds) for name in LAYERS]
    body = f"""`python -m benchmarks.fine_tune_parts --rounds {options.rounds} --batch-size {options.batch_size}`

Milliseconds per step in {COMPUTE.describe()}: with every part exchanged, and with all but one kind. Median of
{options.rounds} steps taken in turn.

{table(("network", "all", "PyTorch's depthwise", "PyTorch's squeeze-and-excitation", "activations in place"), steps)}

Milliseconds of a depthwise convolution's backward pass (all three gradients), {options.batch_size} photos, channels_last:

{table(("layer", "bfloat16, PyTorch", "bfloat16, here", "float32, PyTorch", "float32, here"), layers)}"""
    write_section("fine_tune_parts", "Parts exchanged for fine-tuning", body)


def step_row(name: str, batch_size: int, rounds: int) -> list[str]:
    """Milliseconds per step, with all parts and without one kind."""
    kinds: dict[str, tuple[type[nn.Module], ...]] = {
        "all": (),
        "depthwise": (),
        "gates": (FastSqueezeExcitation,),
        "activations": ACTIVATIONS,
    }
    classifier = Classifier(NETWORKS[name], classes=CLASSES, weights="none")
    contenders = {}
    for kind, left_out in kinds.items():
        own = kind != "depthwise"
        with (
            unittest.mock.patch(f"{KERNELS}.prepared_model.replace_slow_layers", replace_all_but(left_out)),
            unittest.mock.patch(f"{KERNELS}.folding.is_depthwise", is_depthwise if own else never),
        ):
            contenders[kind] = own_step(classifier, batch_size, FineTuneSettings(compile="off"), COMPUTE)
    seconds = in_turn(contenders, rounds)
    medians = {kind: 1000 * statistics.median(times) for kind, times in seconds.items()}
    return [name, *(f"{value:.0f} ({value / medians['all']:.2f}x)" for value in medians.values())]


def never(_conv: nn.Conv2d) -> bool:
    """Answers that no convolution is depthwise."""
    return False


def replace_all_but(kinds: tuple[type[nn.Module], ...]) -> Callable[[nn.Module, torch.Tensor], nn.Module]:
    """What replaces all slow layers but some."""

    def replace(body: nn.Module, example: torch.Tensor) -> nn.Module:
        return replace_if_equal(
            {path: part for path, part in slow_layers(body).items() if not isinstance(part, kinds)}, body, example
        )

    return replace


def layer_row(name: str, batch_size: int, rounds: int) -> list[str]:
    """Milliseconds of a layer's backward pass."""
    channels, side, kernel, stride = LAYERS[name]
    padding = kernel // 2
    contenders = {}
    for dtype in (torch.bfloat16, torch.float32):
        photos = torch.randn(batch_size, channels, side, side, dtype=dtype).contiguous(memory_format=torch.channels_last)
        weight, bias = torch.randn(channels, 1, kernel, kernel, dtype=dtype), torch.randn(channels, dtype=dtype)
        leaves = [tensor.requires_grad_() for tensor in (photos, weight, bias)]
        plain = functional.conv2d(photos, weight, bias, stride, padding, 1, channels)
        own = depthwise(photos, weight, bias, (stride, stride), (padding, padding))
        contenders[f"{dtype} plain"] = backward(plain, leaves)
        contenders[f"{dtype} own"] = backward(own, leaves)
    seconds = in_turn(contenders, rounds)
    return [name, *(f"{1000 * statistics.median(times):.1f}" for times in seconds.values())]


def backward(out: torch.Tensor, leaves: list[torch.Tensor]) -> Callable[[], None]:
    """One backward pass from ``out``, which can be repeated."""
    grad = torch.randn_like(out)
    return lambda: torch.autograd.backward(out, grad, retain_graph=True, inputs=leaves)


if __name__ == "__main__":
    main()
