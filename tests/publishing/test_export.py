"""An export answers as PyTorch does, for people who have neither PyTorch nor this program; or there is none."""

import dataclasses
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tsugiki as tg
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.classifier.parity import TOLERANCE, golden_photos
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.data.images.decode import open_photo
from tsugiki.data.preprocess import Preprocess
from tsugiki.publishing import export as exporting
from tsugiki.publishing import graph

FORMATS = ["openvino", "onnx"]


def needs(kind):
    for name in exporting._NEEDS[kind]:
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def run(dish_run, tmp_path_factory):
    return dish_run.classifier.save(tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module", params=FORMATS)
def exported(request, run, dishes):
    needs(request.param)
    photos = sorted((dishes / "test").rglob("*.jpg"))
    return tg.export(run, request.param, run.parent / request.param, photos=photos)


def stranger(folder, *words):
    """Run the exported program where PyTorch and this program cannot be imported."""
    code = (
        "import sys, runpy\n"
        "for name in ('torch', 'torchvision', 'timm', 'tsugiki', 'safetensors', 'huggingface_hub'): sys.modules[name] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(folder / "predict.py"), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, "LC_ALL": "C"}
    )


@pytest.mark.robust(
    "artefacts",
    case="an exported model that another program runs",
    right="the same class and the same probabilities, proven on odd photos and written beside it",
    source="ultralytics/ultralytics#25794",
)
def test_a_stranger_gets_the_same_answers(exported, dish_run, dishes, tmp_path):
    photos = [*golden_photos(tmp_path / "drawn"), *sorted((dishes / "test").rglob("*.jpg"))[::6]]
    done = stranger(exported.folder, "--json", *photos)
    assert done.returncode == 0, done.stderr
    for told, expected in zip(json.loads(done.stdout), dish_run.classifier.predict(photos), strict=True):
        assert told["label"] == expected.label
        assert told["known"] == expected.known
        assert told["distance"] == pytest.approx(expected.distance, abs=TOLERANCE)
        assert list(told["probabilities"].values()) == pytest.approx(expected.probabilities, abs=TOLERANCE)


def test_the_proof_lies_beside_the_model(exported):
    proof = json.loads((exported.folder / "parity.json").read_text(encoding="utf-8"))
    assert proof["photos"] == proof["same_answer"] == exported.parity.photos > 20
    assert proof["largest_difference"] <= proof["tolerance"] == TOLERANCE
    about = json.loads((exported.folder / "model.json").read_text(encoding="utf-8"))
    assert about["classes"] == ["pizza", "steak", "sushi"]
    assert about["input"]["shape"] == ["B", 3, *about["preprocess"]["size"]]
    assert about["outputs"] == ["probabilities", "distance"]
    assert str(exported.folder.parent) not in (exported.folder / "model.json").read_text(encoding="utf-8")


def test_the_program_speaks_to_people_too(exported, dishes, tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    photo = min((dishes / "test").rglob("*.jpg"))
    done = stranger(exported.folder, photo, tmp_path / "text.jpg")
    first, second = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert first.split("\t")[0] == str(photo)
    assert first.endswith("%")
    assert second.startswith(f"{tmp_path / 'text.jpg'}\t-\t")
    assert stranger(exported.folder, tmp_path / "text.jpg").returncode == 1
    assert stranger(exported.folder).returncode == 2
    assert "predict.py PHOTO" in stranger(exported.folder, "--help").stdout


FITS = [
    Preprocess(size=(64, 64), resize=72),
    Preprocess(size=(48, 80), resize=40, interpolation="bilinear"),
    Preprocess(size=(64, 48), fit="squash", interpolation="lanczos"),
    Preprocess(size=(65, 64), fit="pad", interpolation="nearest"),
]


@pytest.mark.robust(
    "artefacts",
    case="photos of odd size, turn, transparency and depth before an exported model",
    right="the exported program makes the same pixels of them, to the bit",
)
@pytest.mark.parametrize("preprocess", FITS, ids=lambda each: each.fit)
def test_the_program_makes_the_same_pixels(tmp_path, preprocess):
    path = tmp_path / "predict.py"
    path.write_text(exporting.script("onnx"), encoding="utf-8")
    program = runpy.run_path(str(path))
    rule = json.loads(json.dumps(preprocess.to_dict()))
    strip = tmp_path / "strip.png"
    Image.linear_gradient("L").resize((40_000, 2)).convert("RGB").save(strip)
    for photo in [*golden_photos(tmp_path / "drawn"), strip]:
        (pixels,) = program["pixels_of"](program["open_photo"](photo), rule)
        assert np.array_equal(pixels, preprocess.array(open_photo(photo))), photo.name


def _other_mean(monkeypatch):
    class Other(graph.Normalised):
        def __init__(self, backbone, preprocess):
            super().__init__(backbone, dataclasses.replace(preprocess, mean=(0.5, 0.5, 0.5)))

    monkeypatch.setattr(graph, "Normalised", Other)


def _blue_first(monkeypatch):
    class Flipped(graph.Normalised):
        def forward(self, pixels):
            return super().forward(pixels.flip(1))

    monkeypatch.setattr(graph, "Normalised", Flipped)


def _other_resize(monkeypatch):
    script = exporting.script
    bicubic, box = '"bicubic": Image.Resampling.BICUBIC', '"bicubic": Image.Resampling.NEAREST'
    assert bicubic in script("onnx")
    monkeypatch.setattr(exporting, "script", lambda kind: script(kind).replace(bicubic, box))


@pytest.mark.robust(
    "artefacts",
    case="an exported file with another mean, another resize or blue first",
    right="refused with status 1, and nothing is written",
)
@pytest.mark.parametrize("broken", [_other_mean, _blue_first, _other_resize])
@pytest.mark.parametrize("kind", FORMATS)
def test_a_broken_export_is_refused(run, tmp_path, monkeypatch, broken, kind):
    needs(kind)
    broken(monkeypatch)
    with pytest.raises(TsugikiError, match=r"(?s)not those of PyTorch.*allowed 0\.0001") as refusal:
        tg.export(run, kind, tmp_path / "out")
    assert refusal.value.exit_status == 1
    assert list(tmp_path.iterdir()) == []


class _NoGraph(nn.Module):
    def forward(self, x):
        raise RuntimeError(f"an operator that nobody knows, for {list(x.shape)}")


def test_a_network_that_cannot_be_exported_is_told(run, tmp_path, monkeypatch):
    small = Preprocess(size=(32, 32), resize=32)
    backbone = Backbone(
        nn.Sequential(nn.Conv2d(3, 6, 1), _NoGraph()), 6, spec=BackboneSpec("timm", "odd", "timm:odd"), preprocess=small
    ).eval()
    model = tg.Classifier(backbone, classes=["a", "b"])
    monkeypatch.setattr(exporting.Classifier, "load", lambda _: model)
    with pytest.raises(TsugikiError, match=r"(?s)cannot be exported to openvino.*nobody knows"):
        tg.export(run, "openvino", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_without_known_photos_there_is_no_distance(tmp_path):
    torch.manual_seed(0)
    model = tg.Classifier("timm:test_efficientnet", classes=["a", "b"], weights="none")
    made = tg.export(model.save(tmp_path / "run"), "openvino")
    assert made.folder == tmp_path / "run-openvino"
    assert json.loads((made.folder / "model.json").read_text(encoding="utf-8"))["outputs"] == ["probabilities"]
    Image.new("RGB", (30, 20), "red").save(tmp_path / "red.png")
    (told,) = json.loads(stranger(made.folder, "--json", tmp_path / "red.png").stdout)
    assert told["known"] is True
    assert told["distance"] is None


def test_only_an_older_export_is_replaced(run, tmp_path):
    (tmp_path / "holidays").mkdir()
    (tmp_path / "holidays" / "beach.jpg").touch()
    (tmp_path / "file").touch()
    for place in ("holidays", "file"):
        with pytest.raises(RequestError, match="something else than an export"):
            tg.export(run, "openvino", tmp_path / place)
    assert (tmp_path / "holidays" / "beach.jpg").is_file()
    for _ in range(2):
        tg.export(run, "openvino", tmp_path / "again")
    (tmp_path / "again" / "beach.jpg").touch()
    with pytest.raises(RequestError, match=r"beach\.jpg"):
        tg.export(run, "openvino", tmp_path / "again")


def test_what_cannot_be_asked_is_refused(run, monkeypatch):
    with pytest.raises(RequestError, match="onnx, openvino"):
        tg.export(run, "coreml")
    with pytest.raises(RequestError, match="There is no run folder"):
        tg.export(Path("nowhere"), "openvino")
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RequestError, match="pip install onnx onnxruntime"):
        tg.export(run, "onnx")
