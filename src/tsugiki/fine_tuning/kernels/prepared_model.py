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
from tsugiki.fine_tuning.kernels.folding import fold_batch_norm
from tsugiki.fine_tuning.kernels.frozen_prefix import Prefix, cut
from tsugiki.fine_tuning.kernels.slow_layers import replace_slow_layers
from tsugiki.locale.messages import tr


@dataclass(frozen=True)
class ComputeSettings:
    """One way of computing a step.

    Attributes:
        precision: ``float32``; or ``bfloat16`` or ``float16`` where that is safe, the weights themselves staying float32.
        channels_last: Memory format of the activations.
        folded: Fold BatchNorm with frozen statistics into the convolutions.
        compiled: By ``torch.compile``.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    channels_last: bool = False
    folded: bool = False
    compiled: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """As PyTorch calls it."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which forward passes run."""
        dtype = torch.float16 if self.precision == "float16" else torch.bfloat16
        return torch.autocast(device.type, dtype, enabled=self.precision != "float32")

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
class PreparedModel:
    """What computes logits, and how.

    Attributes:
        network: Inputs to logits.
        call: ``network`` itself, or its compiled form.
        compute: How, without what turned out to do nothing.
        prefix: From photos to the network's inputs, where the lowest layers are frozen and computed once.
    """

    network: Network
    call: Any
    compute: ComputeSettings
    prefix: Prefix | None = None

    def ready(self, inputs: torch.Tensor) -> torch.Tensor:
        """``inputs`` ``[B, ...]`` in the model's memory format."""
        return inputs.contiguous(memory_format=self.compute.memory_format) if inputs.ndim == 4 else inputs

    def activations(self, photos: torch.Tensor) -> torch.Tensor:
        """Of photos ``[B, 3, H, W]``, by the prefix."""
        assert self.prefix is not None  # noqa: S101 (asked for only where there is one)
        with self.compute.autocast(photos.device):
            return self.prefix(self.ready(photos))


def prepare_model(
    classifier: Classifier, learning: Sequence[LayerGroup], compute: ComputeSettings, *, example: torch.Tensor, stored: bool
) -> PreparedModel:
    """Prepare ``classifier`` for being trained in one way; its parameters are shared, its modules stay as they are.

    Args:
        classifier: On its device.
        learning: The layer groups that learn.
        compute: How to compute.
        example: Photos ``[B, 3, H, W]``, at least two, on the same device, for proving that nothing but rounding changes.
        stored: Cut the network below the lowest learning layer, where it can be cut.
    """
    classifier.to(memory_format=compute.memory_format)
    body: nn.Module = classifier.backbone.body
    prefix = None
    if stored and (parts := cut(body, [module for group in learning for module in group.modules], example)):
        prefix, body = parts
        example = prefix(example)
    if compute.folded:
        whole, body = body, fold_batch_norm(body, example)
        compute = replace(compute, folded=body is not whole)
    if compute.channels_last and example.device.type == "cpu":
        body = replace_slow_layers(body, example)
    network = Network(body, classifier.head)
    call = torch.compile(network) if compute.compiled else network
    return PreparedModel(network, call, compute, prefix)
