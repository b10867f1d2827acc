"""ONNX: ``model.onnx``, for ONNX Runtime in Python, C++, C#, Java, browsers and phones."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from tsugiki.core.console import quiet
from tsugiki.features.engines.openvino_conversion import as_constants
from tsugiki.publishing.formats.format import Format, Order
from tsugiki.publishing.formats.int8 import quantise

MODEL = "model.onnx"
_OPSET = 18


def write(order: Order) -> dict[str, Any]:
    """See :class:`Format`."""
    place = order.folder / MODEL
    if order.precision != "int8":
        write_graph(order, place)
        return {}
    whole = order.folder / "float.onnx"
    write_graph(order, whole)
    quantise(whole, place, order.calibration)
    whole.unlink()
    return {}


def write_graph(order: Order, place: Path) -> None:
    """The classifier as a graph of ONNX, any number of photos at once."""
    network = order.network()
    names = ["pixels", *network.answer.outputs]
    inputs = {0: "B", 1: "H", 2: "W", 3: "C"} if order.photos else {0: "B"}
    with warnings.catch_warnings(), as_constants(order.classifier.backbone), quiet():
        warnings.simplefilter("ignore")  # docs/decisions/0009-engines-in-runs.md: why the older of two exporters
        trace: Any = torch.jit.trace
        torch.onnx.export(
            trace(network, order.example, check_trace=False, strict=False),
            (order.example,),
            place,
            dynamo=False,
            opset_version=_OPSET,
            input_names=names[:1],
            output_names=names[1:],
            dynamic_axes={"pixels": inputs} | {name: {0: "B"} for name in names[1:]},
        )


FORMAT = Format("onnx", (MODEL,), ("onnx", "onnxruntime"), ("ONNX Runtime",), ("fp32", "fp16", "int8"), write, photos=MODEL)
