"""The OpenVINO engine: the fastest way through a convolutional network on a processor.

The network is traced once and compiled per precision. Each lane is one core with a compiled copy of its own, so that a core
decodes photos and computes their features in turn, and no two ever wait for each other.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.core.devices import one_thread, usable_cores
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import FeatureBatch, Normalised, PixelBatch
from tsugiki.features.engines.openvino_import import openvino_module

_BATCH = 8
_HINTS = {"float16": "f16", "bfloat16": "bf16", "float32": "f32"}


class OpenVINONetwork:
    """A backbone in OpenVINO's form, to be compiled for one precision or several.

    Args:
        backbone: On the CPU.
        preprocess: For the size of the input and the normalisation.

    Raises:
        Exception: Whatever the conversion of a network that OpenVINO cannot take raises.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess) -> None:
        # The front end is used directly: `openvino.convert_model` takes the same way, and reports it to its maker.
        type_u8 = openvino_module("openvino").Type.u8
        front_ends = openvino_module("openvino.frontend").FrontEndManager()
        decoders = openvino_module("openvino.frontend.pytorch.ts_decoder")
        shape = [_BATCH, 3, *preprocess.size]
        with warnings.catch_warnings(), evaluating(backbone), _constants(backbone), one_thread():
            warnings.simplefilter("ignore")  # tracing is deprecated in favour of an exporter that takes five times as long
            example = torch.zeros(shape, dtype=torch.uint8)
            decoder = decoders.TorchScriptPythonDecoder(_traced(Normalised(backbone, preprocess).eval(), example))
            front_end = front_ends.load_by_framework("pytorch")
            self.model = front_end.convert(front_end.load(decoder))
        self.model.inputs[0].get_node().set_element_type(type_u8)
        self.model.reshape({0: shape})


class OpenVINOEngine:
    """Features by OpenVINO on the CPU.

    Args:
        network: The converted backbone.
        precision: One that :func:`native_precisions` names, or ``float32``.
    """

    name = "openvino"
    batch_size = _BATCH

    def __init__(self, network: OpenVINONetwork, *, precision: str) -> None:
        self.precision = precision
        self.lanes = usable_cores()
        settings = {
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
            "NUM_STREAMS": self.lanes,
            "INFERENCE_NUM_THREADS": self.lanes,
        }
        self._compiled = _core().compile_model(network.model, "CPU", settings)
        self._own = threading.local()  # an inference request belongs to one thread

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` of uint8 pixels ``[B, 3, H, W]``."""
        parts = [self._run(pixels[start : start + _BATCH]) for start in range(0, len(pixels), _BATCH)]
        return np.concatenate(parts)

    def _run(self, pixels: PixelBatch) -> FeatureBatch:
        if not hasattr(self._own, "request"):
            self._own.request = self._compiled.create_infer_request()
        padded = pixels
        if len(pixels) < _BATCH:  # the compiled network takes exactly this many
            padded = np.zeros((_BATCH, *pixels.shape[1:]), np.uint8)
            padded[: len(pixels)] = pixels
        features = self._own.request.infer({0: padded}, share_inputs=True)[0]
        return np.array(features[: len(pixels)], np.float32)


def _traced(network: Normalised, example: torch.Tensor) -> Any:
    """The network as a graph. Tracing a function takes half the time of tracing a module, which would copy each submodule."""

    def compute(pixels: torch.Tensor) -> torch.Tensor:
        return network.forward(pixels)

    trace: Any = torch.jit.trace
    return trace(compute, example, check_trace=False, strict=False)


@contextmanager
def _constants(backbone: Backbone) -> Iterator[None]:
    """Within this block no parameter asks for gradients, so that the graph may hold them as plain numbers."""
    learning = [parameter for parameter in backbone.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad = False
    try:
        with torch.no_grad():
            yield
    finally:
        for parameter in learning:
            parameter.requires_grad = True


@functools.cache
def native_precisions() -> tuple[str, ...]:
    """The 16-bit types that the processor itself computes in, the more exact one first (emulation would be slower).

    float16 keeps 11 significant bits and bfloat16 8: at the same speed the features of MobileNetV2 differ from float32 by a
    cosine of 0.0002 with the one and 0.004 with the other (docs/decisions/0002-engines.md).
    """
    capabilities = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name, capability in (("float16", "FP16"), ("bfloat16", "BF16")) if capability in capabilities)


@functools.cache
def _core() -> Any:
    return openvino_module("openvino").Core()
