"""How a step is computed: precision, memory format, folded BatchNorm, compiled or not, from photos or from stored activations.

None of it changes what is computed beyond rounding. Letters: ``B`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import nn

from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.classifier.classifier import Classifier
from tsugiki.fine_tuning.kernels.fast_layers import quickened
from tsugiki.fine_tuning.kernels.folding import folded
from tsugiki.fine_tuning.kernels.frozen_prefix import Prefix, cut
from tsugiki.locale.messages import tr

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Way:
    """One way of computing a step.

    Attributes:
        precision: ``float32``; or ``bf16`` or ``fp16`` where that is safe, the weights themselves staying float32.
        channels_last: Memory format of the activations.
        folded: Fold BatchNorm with frozen statistics into the convolutions.
        compiled: By ``torch.compile``.
    """

    precision: Literal["float32", "bf16", "fp16"] = "float32"
    channels_last: bool = False
    folded: bool = False
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """As PyTorch calls it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which forward passes run."""
        dtype = _DTYPES.get(self.precision)
        return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)

    def describe(self) -> str:
        """A few words for the person."""
        parts = [self.precision, "channels_last" if self.channels_last else "contiguous"]
        parts += [tr("folded BatchNorm")] * self.folded + ["torch.compile"] * self.compiled
        return ", ".join(parts)


class Network(nn.Module):
    """Body and head: photos ``[B, 3, H, W]`` (or activations) to logits ``[B, K]``; shares every parameter of a classifier."""

    def __init__(self, body: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.body, self.head = body, head

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits ``[B, K]``."""
        logits: torch.Tensor = self.head(self.body(inputs).flatten(1))
        return logits


@dataclass(frozen=True)
class Engine:
    """What computes logits, and how.

    Attributes:
        network: Inputs to logits.
        call: ``network`` itself, or its compiled form.
        way: How, without what turned out to do nothing.
        prefix: From photos to the network's inputs, where the lowest layers are frozen and computed once.
    """

    network: Network
    call: Any
    way: Way
    prefix: Prefix | None = None

    def ready(self, inputs: torch.Tensor) -> torch.Tensor:
        """``inputs`` in the engine's memory format."""
        return inputs.contiguous(memory_format=self.way.memory_format) if inputs.ndim == 4 else inputs

    def activations(self, photos: torch.Tensor) -> torch.Tensor:
        """Of photos ``[B, 3, H, W]``, by the prefix."""
        assert self.prefix is not None  # noqa: S101 (asked for only where there is one)
        with self.way.autocast(photos.device):
            return self.prefix(self.ready(photos))


def build_engine(
    classifier: Classifier, learning: Sequence[LayerGroup], way: Way, *, example: torch.Tensor, stored: bool
) -> Engine:
    """Prepare ``classifier`` for being trained in one way; its parameters are shared, its modules stay as they are.

    Args:
        classifier: On its device.
        learning: The layer groups that learn.
        way: How to compute.
        example: Photos ``[B, 3, H, W]``, at least two, on the same device, for proving that nothing but rounding changes.
        stored: Cut the network below the lowest learning layer, where it can be cut.
    """
    classifier.to(memory_format=way.memory_format)
    body: nn.Module = classifier.backbone.body
    prefix = None
    if stored and (parts := cut(body, [module for group in learning for module in group.modules], example)):
        prefix, body = parts
        example = prefix(example)
    if way.folded:
        whole, body = body, folded(body, example)
        way = replace(way, folded=body is not whole)
    if way.channels_last and example.device.type == "cpu":
        body = quickened(body, example)
    network = Network(body, classifier.head)
    call = torch.compile(network) if way.compiled else network
    return Engine(network, call, way, prefix)
