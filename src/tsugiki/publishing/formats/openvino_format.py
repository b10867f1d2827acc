"""OpenVINO's open format: ``model.xml`` and ``model.bin``, also for Intel's ``model_api``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tsugiki.features.engines.openvino_conversion import traced_network
from tsugiki.features.engines.openvino_import import openvino_module
from tsugiki.publishing.formats import onnx_format
from tsugiki.publishing.formats.format import Format, Order

MODEL, PHOTO_MODEL = "model.xml", "photo.xml"

_OF_PHOTOS = 5e-3  # it resizes in float32: one value in 10,000 is another than Pillow's, by 1


def write(order: Order) -> dict[str, Any]:
    """See :class:`Format`. Two files: OpenVINO's branches answer wrong when a size is new to them (2026.4)."""
    _save(replace(order, photos=False), MODEL)
    if order.photos:
        _save(replace(order, frames=False), PHOTO_MODEL)
    return {}


def _save(order: Order, name: str) -> None:
    openvino, network = openvino_module("openvino"), order.network(torch.float32)
    if order.precision == "int8":
        model = _quantised(order)
    else:
        model = traced_network(network, order.classifier.backbone, tuple(order.example.shape))
    model.reshape({0: openvino.PartialShape([-1, -1, -1, 3] if order.photos else [-1, 3, *order.classifier.preprocess.size])})
    model.inputs[0].set_names({"pixels"})
    model.inputs[0].get_node().set_layout(openvino.Layout("NHWC" if order.photos else "NCHW"))
    for output, called in zip(model.outputs, network.answer.outputs, strict=True):
        output.set_names({called})
    # model_api knows one threshold for all classes: what it would show of several labels is not what was chosen.
    if order.photos and order.classifier.task == "single":
        for key, value in model_info(order).items():
            model.set_rt_info(value, ["model_info", key])
    openvino.save_model(model, order.folder / name, compress_to_fp16=order.precision == "fp16")


def _quantised(order: Order) -> Any:
    """By way of ONNX, whose quantised graphs OpenVINO reads."""
    with TemporaryDirectory() as folder:
        onnx_format.write(replace(order, folder=Path(folder)))
        return openvino_module("openvino").Core().read_model(Path(folder) / onnx_format.MODEL)


def model_info(order: Order) -> dict[str, str]:
    """What Intel's ``model_api`` reads: everything is in the graph, so that nothing is to be done a second time."""
    classes = order.classifier.classes
    height, width = order.classifier.preprocess.size
    return {
        "model_type": "Classification",
        "labels": " ".join("_".join(name.split()) or "_" for name in classes),  # separated by spaces, as it reads them
        "multilabel": "False",
        "topk": str(min(3, len(classes))),
        "output_raw_scores": "True",
        "embedded_processing": "True",
        "orig_height": str(height),
        "orig_width": str(width),
        "reverse_input_channels": "False",  # RGB in, as the network was trained
        "mean_values": "0 0 0",
        "scale_values": "1 1 1",
    }


FORMAT = Format(
    "openvino",
    (MODEL, "model.bin", PHOTO_MODEL, "photo.bin"),
    ("openvino",),
    ("OpenVINO",),
    ("fp32", "fp16", "int8"),
    write,
    photos=PHOTO_MODEL,
    photos_in_8_bits=False,
    of_photos=_OF_PHOTOS,
)
