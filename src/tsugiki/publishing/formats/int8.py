"""Eight-bit numbers in an ONNX graph, their ranges measured on training photos.

Letters: ``N`` photos, ``h`` x ``w`` the network's input.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_PHOTOS = 128
"""Training photos that ranges are measured on."""

# With the activations that cut values off: the ranges that count are those behind them.
_OPERATORS = ("Conv", "Gemm", "MatMul", "Clip", "Relu")


def quantise(source: Path, target: Path, frames: npt.NDArray[np.uint8]) -> None:
    """Write ``source`` with the backbone's weights and values in 8 bits; resizing, head and answer stay as they are.

    Args:
        source: A graph of ONNX.
        target: Where the other is written.
        frames: Training photos ``[N, 3, h, w]``.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when it is imported first: it would report to its maker
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    with warnings.catch_warnings(), _without_advice():
        warnings.simplefilter("ignore")
        quantize_static(
            str(source),
            str(target),
            _reader(frames),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,  # weights of 7 bits: processors without VNNI add two products in 16 bits, and would overflow
            extra_options={"TensorQuantOverrides": _of_all_bits(source, QuantType.QInt8)},
            op_types_to_quantize=list(_OPERATORS),
            nodes_to_exclude=_beside_the_backbone(source),
            calibrate_method=CalibrationMethod.MinMax,
        )


@contextmanager
def _without_advice() -> Iterator[None]:
    """Within this block nothing is logged but errors."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _beside_the_backbone(path: Path) -> list[str]:
    return [node.name for node in _graph(path).node if not node.name.startswith("/features/")]


def _of_all_bits(path: Path, kind: Any) -> dict[str, list[dict[str, Any]]]:
    """Weights of depthwise convolutions: few and unlike each other they need every bit, and nothing adds them in 16."""
    graph = _graph(path)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    weights = [node.input[1] for node in graph.node if node.op_type == "Conv" and node.name.startswith("/features/")]
    depthwise = [name for name in weights if shapes.get(name, (0, 0))[1] == 1 < shapes[name][0]]
    return {name: [{"quant_type": kind, "reduce_range": False, "axis": 0}] for name in depthwise}


def _graph(path: Path) -> Any:
    import onnx

    return onnx.load(str(path), load_external_data=False).graph


def _reader(frames: npt.NDArray[np.uint8]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.rest: Iterator[npt.NDArray[np.uint8]] = iter(frames)

        def get_next(self) -> dict[str, npt.NDArray[np.uint8]] | None:
            frame = next(self.rest, None)
            return None if frame is None else {"pixels": frame[None]}

    return Reader()
