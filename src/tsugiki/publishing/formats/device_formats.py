"""Formats of telephones: LiteRT (Android) and Core ML (Apple). One photo at a time, as a frame that is ready."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from tsugiki.backbones.freezing import evaluating
from tsugiki.core.console import quiet
from tsugiki.features.engines.openvino_conversion import as_constants
from tsugiki.publishing.formats.format import Format, Order

LITERT, COREML = "model.tflite", "model.mlpackage"


def write_litert(order: Order) -> dict[str, Any]:
    """See :class:`Format`."""
    import litert_torch

    backbone = order.classifier.backbone
    with warnings.catch_warnings(), evaluating(backbone), as_constants(backbone), quiet():
        warnings.simplefilter("ignore")
        litert_torch.convert(order.network(), (order.example[:1],)).export(str(order.folder / LITERT))
    return {}


def write_coreml(order: Order) -> dict[str, Any]:
    """See :class:`Format`."""
    import coremltools

    backbone, network = order.classifier.backbone, order.network(torch.float32)
    trace: Any = torch.jit.trace
    example = order.example[:1].float()
    kinds = {"fp32": coremltools.precision.FLOAT32, "fp16": coremltools.precision.FLOAT16}
    with warnings.catch_warnings(), evaluating(backbone), as_constants(backbone), quiet():
        warnings.simplefilter("ignore")
        model = coremltools.convert(
            trace(network, example, check_trace=False, strict=False),
            inputs=[coremltools.TensorType("pixels", shape=tuple(example.shape))],
            outputs=[coremltools.TensorType(name) for name in network.answer.outputs],
            compute_precision=kinds[order.precision],
            minimum_deployment_target=coremltools.target.iOS16,
        )
        model.save(str(order.folder / COREML))
    return {}


LITERT_FORMAT = Format("litert", (LITERT,), ("litert_torch", "ai_edge_litert"), ("LiteRT",), ("fp32",), write_litert)
COREML_FORMAT = Format("coreml", (COREML,), ("coremltools",), ("Core ML",), ("fp32", "fp16"), write_coreml, platform="darwin")
