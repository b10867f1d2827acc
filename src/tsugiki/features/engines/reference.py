"""Plain float32 PyTorch, what every engine is compared with; and what a network and a precision are called.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.core.devices import full_precision, one_thread
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import FeatureBatch, PixelBatch


class Normalised(nn.Module):
    """A backbone that takes uint8 pixels: normalisation is part of its graph, so that pixels travel as bytes.

    Args:
        backbone: In evaluation mode.
        preprocess: For mean and standard deviation.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess) -> None:
        super().__init__()
        self.backbone = backbone
        device = backbone.device
        self.mean = torch.tensor(preprocess.mean, device=device).view(1, 3, 1, 1) * 255
        self.std = torch.tensor(preprocess.std, device=device).view(1, 3, 1, 1) * 255

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features ``[B, D]`` of uint8 ``[B, 3, H, W]``."""
        features: torch.Tensor = self.backbone((pixels.float() - self.mean) / self.std)
        return features


def reference_features(backbone: Backbone, preprocess: Preprocess, pixels: PixelBatch) -> FeatureBatch:
    """What every engine is compared with: plain float32 PyTorch, ``[B, D]``."""
    device = backbone.device
    # A few photos are done before a second thread has woken up; on a busy machine the two would wait for each other.
    with evaluating(backbone), torch.inference_mode(), full_precision(), one_thread():
        inputs = preprocess.normalise(torch.from_numpy(pixels).to(device)).to(memory_format=torch.channels_last)
        return backbone.features(inputs).float().cpu().numpy()


def weights_key(backbone: Backbone) -> str:
    """A digest of a backbone's architecture and of every parameter and buffer it holds now."""
    return backbone.key()


def reduced_precision(device: torch.device) -> str:
    """The precision that an engine on ``device`` has when it may use 16-bit arithmetic."""
    return name_of(reduced_dtype(device))


def name_of(dtype: torch.dtype | None) -> str:
    """What a precision is called; float32 where none is named."""
    return str(dtype or torch.float32).removeprefix("torch.")


def reduced_dtype(device: torch.device) -> torch.dtype | None:
    """The 16-bit type that makes this device faster, if any."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "mps":
        return torch.float16
    return torch.bfloat16 if torch.ops.mkldnn._is_mkldnn_bf16_supported() else None  # noqa: SLF001 (no public question)
