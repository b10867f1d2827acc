"""One contract for every engine: the reference's features for any number of photos from any thread; and how one is chosen."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines import choose as engines_module
from tsugiki.features.engines import openvino_engine
from tsugiki.features.engines.choose import Engines
from tsugiki.features.engines.engine import (
    ALIKE,
    EQUAL,
    NEAR,
    mean_cosine,
    worst_difference,
)
from tsugiki.features.engines.openvino_conversion import converted
from tsugiki.features.engines.openvino_engine import OpenVINOEngine, native_precisions
from tsugiki.features.engines.reference import reduced_precision, reference_features
from tsugiki.features.engines.torch_engine import TorchEngine

SMALL = Preprocess(size=(64, 64), resize=64)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pixels(dishes):
    """Real pixels, uint8 ``[33, 3, 64, 64]``: noise would not tell one network's features from another's."""
    from tsugiki.data.images.pixels import read_pixels

    files = sorted(dishes.rglob("*.jpg"))[:33]
    return np.stack([read_pixels(path.read_bytes(), SMALL, fast=False).values.numpy() for path in files])


def _transformer():
    torch.manual_seed(0)
    return load_backbone("timm:test_vit", weights="none", model_args={"img_size": 64}, preprocess=SMALL)


@pytest.fixture(scope="module", params=["convolutions", "transformer"])
def backbone(request, nae):
    return nae if request.param == "convolutions" else _transformer()


@pytest.fixture(scope="module")
def network(backbone):
    return converted(backbone, SMALL)


ENGINES = [
    ("torch", "float32"),
    *([("torch", reduced_precision(CPU))] if reduced_precision(CPU) != "float32" else []),
    ("openvino", "float32"),
    *(("openvino", precision) for precision in native_precisions()),
]


@pytest.fixture(scope="module", params=ENGINES, ids="-".join)
def engine(request, backbone, network):
    name, precision = request.param
    if name == "torch":
        return TorchEngine(backbone, SMALL, reduced=precision != "float32")
    return OpenVINOEngine(network, precision=precision)


def _holds(engine, features, expected):
    assert features.dtype == np.float32
    assert features.shape == expected.shape
    assert mean_cosine(features, expected) >= ALIKE
    assert worst_difference(features, expected) <= (EQUAL if engine.precision == "float32" else NEAR)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 33])
def test_features_are_the_references_for_any_number_of_photos(engine, backbone, pixels, count):
    _holds(engine, engine(pixels[:count]), reference_features(backbone, SMALL, pixels[:count]))


def test_features_do_not_depend_on_the_company(engine, pixels):
    together, alone = engine(pixels[:9]), np.concatenate([engine(pixels[at : at + 1]) for at in range(9)])
    assert worst_difference(alone, together) <= (EQUAL if engine.precision == "float32" else 0.05)


def test_as_many_threads_as_it_has_lanes_may_call_it(engine, backbone, pixels):
    parts = [pixels[at : at + 5] for at in range(0, 30, 5)]
    with ThreadPoolExecutor(engine.lanes) as pool:
        together = np.concatenate(list(pool.map(engine, parts)))
    _holds(engine, together, reference_features(backbone, SMALL, pixels[:30]))


@pytest.mark.robust(
    "threads",
    case="two threads whose first inferences by OpenVINO meet: its binding waits for ever",
    right="the first inference of a process is one thread's alone",
)
def test_the_first_inference_is_one_threads_alone(monkeypatch):
    meeting, met = threading.Barrier(2), []

    class Request:
        def infer(self, inputs, *, share_inputs):
            assert share_inputs
            if not met:  # nobody has ended an inference yet
                with contextlib.suppress(threading.BrokenBarrierError):
                    meeting.wait(0.2)
                    met.append("met")
            met.append("done")
            return [inputs[0].reshape(len(inputs[0]), -1).astype(np.float32)]

    monkeypatch.setattr(openvino_engine, "_begun", threading.Event())
    monkeypatch.setattr(openvino_engine, "_compiled", lambda *_: SimpleNamespace(create_infer_request=Request))
    engine = OpenVINOEngine(SimpleNamespace(shape=(1, 3, 2, 2)), precision="float32", lanes=2)
    with ThreadPoolExecutor(2) as pool:
        answers = [*pool.map(engine, [np.ones((1, 3, 2, 2), np.uint8)] * 2)]
    assert met == ["done", "done"]
    assert all((answer == 1).all() for answer in answers)


def test_pixels_need_not_lie_in_a_row(engine, backbone, pixels):
    _holds(engine, engine(pixels[::3, :, :, ::-1]), reference_features(backbone, SMALL, pixels[::3, :, :, ::-1].copy()))


def test_the_pixels_and_the_network_stay_as_they_were(engine, backbone, pixels):
    before, state = pixels.copy(), {name: value.clone() for name, value in backbone.state_dict().items()}
    backbone.train()
    modes = [module.training for module in backbone.modules()]
    try:
        engine(pixels[:3])
        assert [module.training for module in backbone.modules()] == modes
    finally:
        backbone.eval()
    assert np.array_equal(pixels, before)
    assert all(torch.equal(value, state[name]) for name, value in backbone.state_dict().items())


def _said(capsys):
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("name", ["auto", "torch", "openvino"])
@pytest.mark.parametrize("exact", [True, False])
def test_the_engine_that_is_chosen_is_stated_in_one_line(nae, pixels, capsys, name, exact):
    engines = Engines(nae, SMALL, name=name)
    chosen = engines.choose(pixels[:8], exact=exact, count=400)
    (line,) = _said(capsys)
    assert line.startswith(f"Engine: {chosen.name}, {chosen.precision}, on cpu")
    assert chosen.name == ("openvino" if name == "auto" else name)
    assert not exact or chosen.precision == "float32"
    assert engines.choose(pixels[:8], exact=exact, count=400) is chosen
    assert _said(capsys) == []


def test_converting_a_network_is_not_worth_it_for_a_few_photos(nae, pixels):
    assert Engines(nae, SMALL).choose(pixels[:8], exact=False, count=10).name == "torch"


def test_a_few_photos_are_computed_like_the_many_that_are_stored(nae, pixels):
    for precision in {"float32", reduced_precision(CPU), *native_precisions()}:
        assert Engines(nae, SMALL).choose(pixels[:8], exact=False, count=10, like=precision).precision == precision


class _Broken:
    name, precision, batch_size, lanes = "openvino", "float32", 8, 1

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, pixels):
        return self.answer(pixels)


@pytest.fixture
def sabotage(monkeypatch):
    """``sabotage(answer)``: every OpenVINO engine answers so."""

    def break_it(answer):
        monkeypatch.setattr(Engines, "_openvino", lambda *_: _Broken(answer))

    return break_it


def _fails(_pixels):
    raise RuntimeError("an operator\nthat nobody knows")


@pytest.mark.parametrize(
    "fault",
    [
        lambda _: _fails,
        lambda right: lambda pixels: -right(pixels),
        lambda right: lambda pixels: 2 * right(pixels),
        lambda right: lambda pixels: right(pixels) * np.nan,
        lambda right: lambda pixels: right(pixels)[:, :-1],
    ],
    ids=["fails", "turned", "scaled", "not-finite", "too-narrow"],
)
@pytest.mark.parametrize("exact", [True, False])
def test_an_engine_that_fails_or_differs_is_passed_over_with_a_sentence(nae, pixels, capsys, sabotage, fault, exact):
    sabotage(fault(lambda given: reference_features(nae, SMALL, given)))
    chosen = Engines(nae, SMALL).choose(pixels[:8], exact=exact, count=400)
    *passed, stated = _said(capsys)
    assert chosen.name == "torch"
    assert passed
    assert all("passed over" in line for line in passed)
    assert stated.startswith("Engine: torch")
    _holds(chosen, chosen(pixels), reference_features(nae, SMALL, pixels))


def test_reported_features_must_be_equal_and_not_only_alike(nae, pixels, sabotage):
    def slightly_off(given):
        right = reference_features(nae, SMALL, given)
        return right * (1 + 0.002 * np.sin(np.arange(right.shape[1], dtype=np.float32)))

    sabotage(slightly_off)
    engines = Engines(nae, SMALL)
    assert engines.choose(pixels[:8], exact=True, count=400).name == "torch"
    assert engines.choose(pixels[:8], exact=False, count=400).name == "openvino"


class _Odd(nn.Module):
    """Control flow that no tracer can follow."""

    def forward(self, x):
        return x.mean(dim=(2, 3)) if x.mean().item() > 1e9 else torch.stack([row.mean(dim=(1, 2)) for row in x])


def test_a_network_that_only_pytorch_can_take_is_taken_by_pytorch(pixels):
    body = nn.Sequential(nn.Conv2d(3, 3, 1), _Odd())
    backbone = Backbone(body, 3, spec=BackboneSpec("test", "odd", "test:odd"), preprocess=SMALL).eval()
    engine = Engines(backbone, SMALL).choose(pixels[:8], exact=True, count=400)
    for count in (1, 9):
        _holds(engine, engine(pixels[:count]), reference_features(backbone, SMALL, pixels[:count]))


def test_a_library_that_does_not_start_is_passed_over(nae, pixels, capsys, monkeypatch):
    def refuse():
        raise ImportError("libtbb.so.12: cannot open shared object file")

    monkeypatch.setattr("tsugiki.features.engines.openvino_engine.native_precisions", refuse)
    monkeypatch.setattr(Engines, "_openvino", lambda *_: refuse())
    assert Engines(nae, SMALL).choose(pixels[:8], exact=False, count=400).name == "torch"
    assert "libtbb.so.12" in capsys.readouterr().err


def test_a_library_that_is_not_there_is_not_missed(nae, pixels, capsys, monkeypatch):
    monkeypatch.setattr(engines_module, "_openvino_is_here", lambda: False)
    assert Engines(nae, SMALL).choose(pixels[:8], exact=True, count=400).name == "torch"
    assert len(_said(capsys)) == 1
    with pytest.raises(RequestError, match="not installed"):
        Engines(nae, SMALL, name="openvino")


def test_engines_that_cannot_be_are_refused(nae):
    with pytest.raises(RequestError, match="auto, openvino, torch"):
        Engines(nae, SMALL, name="onnx")
    elsewhere = SimpleNamespace(device=torch.device("meta"))
    with pytest.raises(RequestError, match="engine='openvino' device='cpu'"):
        Engines(elsewhere, SMALL, name="openvino")


def test_cosine_and_difference_are_what_they_say():
    first = np.array([[3, 4], [0, 0], [1, 0]], np.float32)
    second = np.array([[4, 3], [0, 0], [2, 0]], np.float32)
    assert mean_cosine(first, second) == pytest.approx((24 / 25 + 1 + 1) / 3)
    assert worst_difference(first, second) == pytest.approx(0.5)
    assert worst_difference(second[:1], first[:1]) == pytest.approx(2**0.5 / 5)
    assert mean_cosine(first, first[:2]) == -1
    assert worst_difference(np.full_like(first, np.nan), second) == np.inf
