"""Eight bits where values are cut off, and where channels are unlike each other."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CHANNELS, SIDE = 16, 24


def network(path):
    """A dense and a depthwise convolution, each followed by a Clip to 0..6, where many values are far above."""
    from onnx import TensorProto, helper, numpy_helper

    dice = np.random.default_rng(0)
    dense = dice.normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32) / 3
    scales = np.logspace(-1.5, 0.5, CHANNELS).astype(np.float32)[:, None, None, None]
    depthwise = np.abs(dice.normal(size=(CHANNELS, 1, 3, 3))).astype(np.float32) * scales / 9
    smallest, largest = np.float32(0), np.float32(6)
    values = {"dense": dense, "depthwise": depthwise, "smallest": smallest, "largest": largest}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["numbers"], "/cast", to=TensorProto.FLOAT),
        helper.make_node("Conv", ["numbers", "dense"], ["a"], "/features/dense/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["a", "smallest", "largest"], ["b"], "/features/dense/Clip"),
        helper.make_node("Conv", ["b", "depthwise"], ["c"], "/features/depthwise/Conv", group=CHANNELS, pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c", "smallest", "largest"], ["d"], "/features/depthwise/Clip"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("d", TensorProto.FLOAT, [1, CHANNELS, SIDE, SIDE])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), str(path))
    return path


def answers(path, frames):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"pixels": frame[None]})[0].ravel() for frame in frames])


def test_values_that_are_cut_off_do_not_widen_the_range_of_those_that_count(tmp_path):
    from tsugiki.publishing.formats.int8 import quantise

    frames = np.random.default_rng(1).integers(0, 256, (24, 3, SIDE, SIDE), dtype=np.uint8)
    source = network(tmp_path / "float.onnx")
    quantise(source, tmp_path / "int8.onnx", frames[:16])
    exact, rounded = answers(source, frames[16:]), answers(tmp_path / "int8.onnx", frames[16:])
    assert np.abs(rounded - exact).mean() < 0.014 * exact.mean()


def test_depthwise_weights_have_eight_bits_and_dense_ones_seven(tmp_path):
    from onnx import numpy_helper

    from tsugiki.publishing.formats.int8 import quantise

    frames = np.random.default_rng(1).integers(0, 256, (8, 3, SIDE, SIDE), dtype=np.uint8)
    quantise(network(tmp_path / "float.onnx"), tmp_path / "int8.onnx", frames)
    weights = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(tmp_path / "int8.onnx")).graph.initializer}
    largest = {name: int(np.abs(weights[f"{name}_quantized"].astype(int)).max()) for name in ("dense", "depthwise")}
    assert largest["dense"] <= 64  # two products with values of 8 bits fit into 16
    assert largest["depthwise"] > 120
