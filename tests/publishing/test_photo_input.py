"""Resizing in a graph is Pillow's, to the bit: in PyTorch and in ONNX Runtime."""

import io
import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from tsugiki.classifier.parity import golden_photos
from tsugiki.data.images.decode import open_photo
from tsugiki.data.preprocess import Preprocess
from tsugiki.publishing.graph import compiled
from tsugiki.publishing.photo_input import PhotoInput, tall_photos_vertically_first

RULES = [
    Preprocess(size=(64, 60), resize=72),
    Preprocess(size=(48, 80), resize=40, interpolation="bilinear"),
    Preprocess(size=(64, 48), fit="squash", interpolation="lanczos"),
    Preprocess(size=(65, 64), fit="pad"),
    Preprocess(size=(60, 50), resize=(70, 66)),
    Preprocess(size=(60, 50), resize=(70, 66), fit="pad", interpolation="bilinear", halves="down"),
    Preprocess(size=(65, 64), resize=71, halves="down"),
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    noise = np.random.default_rng(0)
    sizes = [(300, 77), (77, 300), (64, 97), (72, 641), (65, 64), (901, 640)]
    drawn = [Image.fromarray(noise.integers(0, 256, (high, wide, 3), dtype=np.uint8)) for wide, high in sizes]
    return [*drawn, *map(open_photo, golden_photos(tmp_path_factory.mktemp("golden")))]


@pytest.mark.robust(
    "artefacts",
    case="decoded photos of any size, tall, wide and of one pixel, given to an exported file itself",
    right="resized and cropped inside the file as Pillow does it, to the bit",
)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: json.dumps(rule.to_dict())[:60])
@pytest.mark.parametrize("frames_too", [True, False])
def test_a_graph_resizes_as_pillow_does(photos, rule, frames_too):
    graph = compiled(PhotoInput(rule, frames_too=frames_too))
    for photo in photos:
        (frame,) = graph(torch.from_numpy(np.array(photo)[None])).numpy()
        assert np.array_equal(frame, rule.array(photo)), photo.size


def test_onnx_runtime_resizes_as_pillow_does(photos):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    rule, file = Preprocess(size=(64, 60), resize=72), io.BytesIO()
    axes = {"pixels": {0: "B", 1: "H", 2: "W", 3: "C"}, "frames": {0: "B"}}
    example = torch.zeros((2, 30, 40, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = {"input_names": ["pixels"], "output_names": ["frames"], "dynamic_axes": axes, "opset_version": 18}
        torch.onnx.export(compiled(PhotoInput(rule)), (example,), file, dynamo=False, **given)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    for photo in photos:
        (frames,) = session.run(None, {"pixels": np.array(photo)[None]})
        assert np.array_equal(frames[0], rule.array(photo)), photo.size
    ready = np.stack([rule.array(photo) for photo in photos])
    assert np.array_equal(session.run(None, {"pixels": ready})[0], ready)


def test_the_order_of_the_passes_is_that_of_this_pillow():
    photo = Image.fromarray(np.random.default_rng(1).integers(0, 256, (120, 40), dtype=np.uint8))
    across = photo.resize((39, 120), Image.Resampling.BICUBIC).resize((39, 50), Image.Resampling.BICUBIC)
    down = photo.resize((40, 50), Image.Resampling.BICUBIC).resize((39, 50), Image.Resampling.BICUBIC)
    assert np.any(np.asarray(across) != np.asarray(down))
    expected = down if tall_photos_vertically_first() else across
    assert np.array_equal(np.asarray(photo.resize((39, 50), Image.Resampling.BICUBIC)), np.asarray(expected))
