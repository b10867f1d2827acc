"""A backbone of PyTorch becomes a network of OpenVINO: traced once, and kept for later processes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.backbones.known import engine_cache
from tsugiki.core.devices import one_thread
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.openvino_engine import OpenVINONetwork
from tsugiki.features.engines.openvino_import import openvino_module
from tsugiki.features.engines.reference import Normalised

BATCH = 8
"""Photos that a converted network takes at once."""

_FORM = 1
"""Goes up whenever the same backbone is converted otherwise than before."""


def converted(backbone: Backbone, preprocess: Preprocess, *, key: str = "") -> OpenVINONetwork:
    """A backbone in OpenVINO's form, normalisation inside; it is converted when it is needed.

    Args:
        backbone: On the CPU; its weights must not change before it is converted.
        preprocess: For the size of the input and the normalisation.
        key: A digest of the backbone's architecture and weights (:func:`~tsugiki.features.engines.reference.weights_key`): with
            it what was compiled before is not compiled again.

    Returns:
        A network whose ``model`` raises whatever the conversion of a network that OpenVINO cannot take raises.
    """
    shape = (BATCH, 3, *preprocess.size)
    if not key:
        return OpenVINONetwork(lambda: _convert(backbone, preprocess, shape), shape)
    digest = _digest(key, preprocess)

    def convert() -> Any:
        model = _convert(backbone, preprocess, shape)
        engine_cache.keep(f"{digest}.network", _packed(model))
        return model

    return OpenVINONetwork(convert, shape, digest=digest)


def network_files(backbone: Backbone, preprocess: Preprocess, *, key: str) -> NetworkFiles:
    """The same as files, for one photo at a time where the network can be asked that; kept from an earlier conversion, or made.

    Args:
        backbone: On the CPU.
        preprocess: For the size of the input and the normalisation.
        key: The backbone's digest.

    Raises:
        Exception: Whatever the conversion of a network that OpenVINO cannot take raises.
    """
    name = f"{_digest(key, preprocess)}.network"
    content = engine_cache.kept(name)
    if content is None:
        content = _packed(_convert(backbone, preprocess, (BATCH, 3, *preprocess.size)))
        engine_cache.keep(name, content)
    end = 8 + int.from_bytes(content[:8], "big")
    return NetworkFiles(content[8:end], content[end:])


@dataclass(frozen=True)
class NetworkFiles:
    """What OpenVINO's two files of a network hold.

    Attributes:
        graph: For the file that ends with ``.xml``.
        numbers: For the one beside it that ends with ``.bin``.
    """

    graph: bytes
    numbers: bytes


def _digest(key: str, preprocess: Preprocess) -> str:
    version = openvino_module("openvino").get_version()
    return engine_cache.key_of(("network", _FORM, key, preprocess.size, preprocess.mean, preprocess.std, version))


def _packed(model: Any) -> bytes:
    """The two files of a network in a row, behind the length of the first."""
    single = model.clone()
    try:
        single.reshape({0: [1, *single.inputs[0].shape[1:]]})
    except Exception:  # noqa: BLE001 (OpenVINO's own ways of refusing: this network takes its own number of photos only)
        single = model
    with TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        openvino_module("openvino").save_model(single, path, compress_to_fp16=False)
        graph, numbers = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    return len(graph).to_bytes(8, "big") + graph + numbers


def _convert(backbone: Backbone, preprocess: Preprocess, shape: tuple[int, ...]) -> Any:
    return traced_network(Normalised(backbone, preprocess).eval(), backbone, shape)


def traced_network(network: nn.Module, backbone: Backbone, shape: tuple[int, ...]) -> Any:
    """A network of OpenVINO, as its own library has them, from one of PyTorch that takes uint8 ``[B, 3, H, W]``.

    Args:
        network: On the CPU, in evaluation mode.
        backbone: The part of it whose parameters may be learning.
        shape: ``(B, 3, H, W)``.

    Raises:
        Exception: Whatever the conversion of a network that OpenVINO cannot take raises.
    """
    # The front end is used directly: `openvino.convert_model` takes the same way, and reports it to its maker.
    type_u8 = openvino_module("openvino").Type.u8
    front_ends = openvino_module("openvino.frontend").FrontEndManager()
    decoders = openvino_module("openvino.frontend.pytorch.ts_decoder")
    with warnings.catch_warnings(), evaluating(backbone), as_constants(backbone), one_thread():
        warnings.simplefilter("ignore")  # tracing is deprecated in favour of an exporter that takes five times as long
        decoder = decoders.TorchScriptPythonDecoder(_traced(network, torch.zeros(shape, dtype=torch.uint8)))
        front_end = front_ends.load_by_framework("pytorch")
        model = front_end.convert(front_end.load(decoder))
    model.inputs[0].get_node().set_element_type(type_u8)
    model.reshape({0: list(shape)})
    return model


def _traced(network: nn.Module, example: torch.Tensor) -> Any:
    """The network as a graph. Tracing a function takes half the time of tracing a module, which would copy each submodule."""

    def compute(pixels: torch.Tensor) -> Any:
        return network.forward(pixels)

    trace: Any = torch.jit.trace
    has_compiled_parts = any(
        isinstance(part, torch.jit.ScriptModule) for part in network.modules()
    )  # those only a module may hold
    return trace(network if has_compiled_parts else compute, example, check_trace=False, strict=False)


@contextmanager
def as_constants(backbone: Backbone) -> Iterator[None]:
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
