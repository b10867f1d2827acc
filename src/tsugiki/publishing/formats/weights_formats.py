"""timm's and torchvision's own networks with the head grafted in: weights that those libraries load.

Their answers are logits; the head is divided by the temperature, so that a softmax of them (a sigmoid,
where photos may have several labels) is calibrated.
"""

from __future__ import annotations

import json
from typing import Any

from safetensors.torch import save_file
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.network_heads import head_paths
from tsugiki.backbones.sources import timm_source, torchvision_source
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr
from tsugiki.publishing.formats.format import DTYPES, Format, Order, Precision
from tsugiki.publishing.graph import calibrated_layer

WEIGHTS, CONFIG = "model.safetensors", "config.json"

_CROP_MODES = {"crop": "center", "squash": "squash", "pad": "border"}


def write_timm(order: Order) -> dict[str, Any]:
    """See :class:`Format`: the folder that ``timm.create_model("local-dir:FOLDER", pretrained=True)`` loads."""
    name, arguments = architecture_of(order.classifier.backbone, "timm")
    classes = order.classifier.classes
    network = grafted(order, timm_source.build(name, {**arguments, "num_classes": len(classes)}))
    _save(order, network)
    config = {
        "architecture": name,
        "num_classes": len(classes),
        "num_features": order.classifier.backbone.num_features,
        "label_names": list(classes),
        "model_args": arguments,
        "pretrained_cfg": {**_timm_config(order.classifier.preprocess), "num_classes": len(classes), "custom_load": False},
    }
    (order.folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")
    return {}


def write_torchvision(order: Order) -> dict[str, Any]:
    """See :class:`Format`: the state that a network of torchvision loads."""
    name, arguments = architecture_of(order.classifier.backbone, "torchvision")
    network = torchvision_source.build(name, {**arguments, "num_classes": len(order.classifier.classes)})
    _save(order, grafted(order, network))
    return {"architecture": name, "model_args": arguments}


def architecture_of(backbone: Backbone, library: str) -> tuple[str, dict[str, Any]]:
    """What a library calls the backbone, and the arguments that it builds it with.

    Raises:
        RequestError: When the backbone is no network of this library, or several, or its stages count, too.
    """
    source, _, name = backbone.spec.architecture.partition(":")
    if len(backbone.parts) > 1 or backbone.spec.features != "last":
        raise RequestError(
            tr("The library's own network has one backbone, and a head on its last features."),
            allowed="onnx, openvino, torch",
            got=str(backbone.spec),
        )
    if source != library:
        raise RequestError(
            tr("{name} is no network of {library}.", name=str(backbone.spec), library=library),
            allowed=", ".join(["onnx", "openvino", "torch", *([source] if source in {"timm", "torchvision"} else [])]),
            got=f"--format {library}",
        )
    arguments = {key: value for key, value in backbone.spec.model_args.items() if key != "num_classes"}  # it gets a head
    return name.partition(".")[0] if library == "timm" else name, arguments


def grafted(order: Order, network: nn.Module) -> nn.Module:
    """A network of its library with the classifier's backbone and head as its numbers.

    Raises:
        RequestError: When the library's network has more than one layer between features and classes.
    """
    paths = head_paths(network)
    state = order.classifier.backbone.body.state_dict()
    heads = {f"{path}.{part}" for path in paths for part in ("weight", "bias")}
    if len(paths) != 1 or set(network.state_dict()) - heads - set(state) or set(state) - set(network.state_dict()):
        raise RequestError(
            tr("The head of this network does not fit into the library's own."),
            allowed="onnx, openvino, torch",
            got=str(order.classifier.backbone.spec),
        )
    weight, bias = calibrated_layer(order.classifier.answer_head)
    shape = network.state_dict()[f"{paths[0]}.weight"].shape
    network.load_state_dict({**state, f"{paths[0]}.weight": weight.reshape(shape), f"{paths[0]}.bias": bias})
    return network.eval()


def _save(order: Order, network: nn.Module) -> None:
    dtype = DTYPES[order.precision]
    numbers = {
        name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).detach().clone().contiguous()
        for name, tensor in network.state_dict().items()
    }
    save_file(numbers, order.folder / WEIGHTS, metadata={"format": "pt"})


def _timm_config(rule: Preprocess) -> dict[str, Any]:
    frame = rule.resize if isinstance(rule.resize, tuple) else (rule.resize, rule.resize)
    share = min(inner / outer for inner, outer in zip(rule.size, frame, strict=True)) if rule.fit == "crop" else 1.0
    return {
        "input_size": [3, *rule.size],
        "interpolation": rule.interpolation,
        "crop_pct": share,
        "crop_mode": _CROP_MODES[rule.fit],
        "mean": list(rule.mean),
        "std": list(rule.std),
    }


_PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "bf16")

TIMM = Format("timm", (WEIGHTS, CONFIG), ("timm",), ("PyTorch", "timm"), _PRECISIONS, write_timm, distance=False)
TORCHVISION = Format(
    "torchvision",
    (WEIGHTS,),
    ("torchvision",),
    ("PyTorch", "torchvision", "safetensors"),
    _PRECISIONS,
    write_torchvision,
    distance=False,
)
