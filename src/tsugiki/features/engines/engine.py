"""The contract of an engine, and the checks that every engine must pass before its features count.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.core.devices import full_precision, one_thread
from tsugiki.data.preprocess import Preprocess

PixelBatch = npt.NDArray[np.uint8]
FeatureBatch = npt.NDArray[np.float32]

ALIKE = 0.999
"""Mean cosine with float32 PyTorch that an engine for learning must reach."""

NEAR = 0.25
"""How far from float32 PyTorch, relative to its length, the worst feature vector for learning may be."""

EQUAL = 1e-4
"""The same for an engine whose answers are reported."""


class Engine(Protocol):
    """Something that computes a backbone's features, fast.

    Attributes:
        name: ``torch`` or ``openvino``.
        precision: ``float32``, ``bfloat16`` or ``float16``: part of the key that features are stored under.
        batch_size: How many photos it likes to be given at once.
        lanes: How many threads may call it at the same time.
    """

    name: str
    precision: str
    batch_size: int
    lanes: int

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` float32 of uint8 pixels ``[B, 3, H, W]``; ``B`` may be anything."""
        ...


class Normalised(nn.Module):
    """A backbone that takes uint8 pixels: normalisation is part of its graph, so that pixels travel as bytes.

    Args:
        backbone: In evaluation mode.
        preprocess: For mean and standard deviation.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess) -> None:
        super().__init__()
        self.backbone = backbone
        device = next(backbone.parameters()).device
        self.mean = torch.tensor(preprocess.mean, device=device).view(1, 3, 1, 1) * 255
        self.std = torch.tensor(preprocess.std, device=device).view(1, 3, 1, 1) * 255

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features ``[B, D]`` of uint8 ``[B, 3, H, W]``."""
        features: torch.Tensor = self.backbone((pixels.float() - self.mean) / self.std)
        return features


def reference_features(backbone: Backbone, preprocess: Preprocess, pixels: PixelBatch) -> FeatureBatch:
    """What every engine is compared with: plain float32 PyTorch, ``[B, D]``."""
    device = next(backbone.parameters()).device
    # A few photos are done before a second thread has woken up; on a busy machine the two would wait for each other.
    with evaluating(backbone), torch.inference_mode(), full_precision(), one_thread():
        inputs = preprocess.normalise(torch.from_numpy(pixels).to(device)).to(memory_format=torch.channels_last)
        return backbone.features(inputs).float().cpu().numpy()


def mean_cosine(first: FeatureBatch, second: FeatureBatch) -> float:
    """Mean over ``B`` photos of the cosine between their two features ``[B, D]``; -1 where one is not finite."""
    if not _comparable(first, second):
        return -1.0
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, 1e-12)
    return float(np.where((first == second).all(axis=1), 1.0, cosines).mean())  # two vectors of zeros are equal


def worst_difference(features: FeatureBatch, expected: FeatureBatch) -> float:
    """The largest distance of features ``[B, D]`` from the expected ones, relative to the length of those.

    A cosine alone would not see features of another length.
    """
    if not _comparable(features, expected):
        return float("inf")
    distances = np.linalg.norm(features - expected, axis=1)
    return float((distances / np.maximum(np.linalg.norm(expected, axis=1), 1e-12)).max())


def _comparable(first: FeatureBatch, second: FeatureBatch) -> bool:
    return first.shape == second.shape and bool(np.isfinite(first).all() and np.isfinite(second).all())


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
