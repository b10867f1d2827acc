"""Every export format by its name."""

from __future__ import annotations

from tsugiki.publishing.formats.device_formats import COREML_FORMAT, LITERT_FORMAT
from tsugiki.publishing.formats.format import Format
from tsugiki.publishing.formats.onnx_format import FORMAT as ONNX
from tsugiki.publishing.formats.openvino_format import FORMAT as OPENVINO
from tsugiki.publishing.formats.torch_format import FORMAT as TORCH
from tsugiki.publishing.formats.weights_formats import TIMM, TORCHVISION

FORMATS: dict[str, Format] = {
    each.name: each for each in (ONNX, OPENVINO, TORCH, TIMM, TORCHVISION, LITERT_FORMAT, COREML_FORMAT)
}
