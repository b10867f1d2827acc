"""The PyTorch engine: any device, any network."""

from __future__ import annotations

import contextlib
import shutil
from typing import Any

import numpy as np
import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.core.devices import full_precision
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import FeatureBatch, PixelBatch
from tsugiki.features.engines.reference import Normalised, name_of, reduced_dtype

COMPILING_PAYS_FROM = 20_000
"""Photos: compiling takes half a minute, and saves about 2 ms a photo on a processor."""


class TorchEngine:
    """Features by PyTorch, channels last, in inference mode.

    Args:
        backbone: On the device it is to run on.
        preprocess: For the normalisation.
        reduced: Use 16-bit arithmetic where the device has it; or this type of it, wherever that is.
        count: How many photos are to come: decides whether compiling pays.
    """

    name = "torch"
    lanes = 1  # one call uses every core, or the whole device

    def __init__(self, backbone: Backbone, preprocess: Preprocess, *, reduced: bool | torch.dtype, count: int = 0) -> None:
        self._made_of = (backbone, preprocess, reduced, count)
        self.device = backbone.device
        self._dtype = reduced if isinstance(reduced, torch.dtype) else reduced_dtype(self.device) if reduced else None
        self.precision = name_of(self._dtype)
        self.batch_size = 32 if self.device.type == "cpu" else 128
        self._backbone = backbone
        network = Normalised(backbone, preprocess)
        pays = count >= COMPILING_PAYS_FROM and (self.device.type == "cuda" or shutil.which("g++"))
        self._network = torch.compile(network, dynamic=True) if pays else network

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: what was compiled is compiled there."""
        return _engine_of, self._made_of

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` of uint8 pixels ``[B, 3, H, W]``."""
        inputs = torch.from_numpy(np.ascontiguousarray(pixels)).to(self.device, memory_format=torch.channels_last)
        features: FeatureBatch = self.compute(inputs).cpu().numpy()
        return features

    def compute(self, inputs: torch.Tensor) -> torch.Tensor:
        """Features ``[B, D]``, float32 and left on the device, of uint8 ``[B, 3, H, W]`` that are there."""
        autocast = torch.autocast(self.device.type, self._dtype, enabled=self._dtype is not None)
        exactly = full_precision() if self._dtype is None else contextlib.nullcontext()
        with evaluating(self._backbone), torch.inference_mode(), autocast, exactly:
            features: torch.Tensor = self._network(inputs).float()
        return features


def _engine_of(backbone: Backbone, preprocess: Preprocess, reduced: bool | torch.dtype, count: int) -> TorchEngine:
    return TorchEngine(backbone, preprocess, reduced=reduced, count=count)
