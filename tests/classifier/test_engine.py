"""The engine of a run: answers without PyTorch what PyTorch answers, and is not there where it would not."""

import dataclasses
import errno
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

import tsugiki as tg
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.classifier import engine_predictor, engine_writer
from tsugiki.classifier.answer import Prediction
from tsugiki.classifier.artefact import read_answer_head
from tsugiki.classifier.engine_predictor import EnginePredictor
from tsugiki.classifier.parity import TOLERANCE, compare, golden_photos
from tsugiki.core.errors import ArtefactError, RequestError, UnreadablePhoto
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines import openvino_conversion

HEAVY = ("torch", "torchvision", "timm", "matplotlib", "accelerate", "huggingface_hub", "jinja2", "pandas", "sklearn", "scipy")


@pytest.fixture(scope="module")
def run(saved_classifier_once, tmp_path_factory):
    return shutil.copytree(saved_classifier_once, tmp_path_factory.mktemp("engine") / "run")


@pytest.fixture
def copied(run, tmp_path):
    return shutil.copytree(run, tmp_path / "run")


def photos_of(dishes):
    return sorted((dishes / "test").rglob("*.jpg"))


def alike(one, other):
    assert (one.label, one.known) == (other.label, other.known)
    assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)
    assert one.distance == pytest.approx(other.distance, abs=TOLERANCE)


def document(run):
    return json.loads((run / "engine" / "parity.json").read_text(encoding="utf-8"))


def without(heavy, code, *words):
    """Run code in a process that cannot import some packages."""
    blocked = "import sys\nfor name in sys.argv[1].split(','): sys.modules[name] = None\ndel sys.argv[1]\n"
    command = [sys.executable, "-c", blocked + code, ",".join(heavy), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})


@pytest.mark.robust(
    "artefacts",
    case="a photo asked about where PyTorch is not installed",
    right="the run's engine answers, as PyTorch does",
)
def test_it_answers_without_pytorch(dish_run, run, dishes):
    photos = photos_of(dishes)[::5]
    code = (
        "import json, tsugiki\n"
        "predictor = tsugiki.load_predictor(sys.argv[1])\n"
        "print(json.dumps([one.to_dict(predictor.classes) for one in predictor.predict(sys.argv[2:])]))"
    )
    done = without(HEAVY, code, run, *photos)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for told, expected in zip(json.loads(done.stdout), dish_run.classifier.predict(photos), strict=True):
        assert told["label"] == expected.label
        assert told["distance"] == pytest.approx(expected.distance, abs=TOLERANCE)
        assert list(told["probabilities"].values()) == pytest.approx(expected.probabilities, abs=TOLERANCE)


@pytest.mark.parametrize("verb", ["predict", "evaluate"])
def test_the_command_line_imports_no_pytorch(dish_run, run, dishes, verb):
    words = (
        ["predict", run, *photos_of(dishes)[:2], "--format", "json"]
        if verb == "predict"
        else ["evaluate", run, dishes, "--json"]
    )
    code = "from tsugiki.cli.main import run\nrun(sys.argv[1:])"
    done = without(HEAVY, code, *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    if verb == "evaluate":
        assert told["accuracy"] == dish_run.evaluation["accuracy"]
    else:
        assert len(told) == 2


def test_one_photo_needs_nothing_that_draws_or_serves(run, dishes):
    """What a verb imports is what a person waits for."""
    code = (
        "from tsugiki.cli.main import run\n"
        "try: run(sys.argv[1:])\n"
        "except SystemExit: print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'asyncio', 'http', 'ssl', 'multiprocessing', 'unittest'}))"
    )
    done = without(HEAVY, code, "predict", run, photos_of(dishes)[0])
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_whatever_can_be_asked_can_be_asked(dish_run, run, dishes, tmp_path):
    predictor, classifier = tg.load_predictor(run), dish_run.classifier
    assert isinstance(predictor, EnginePredictor)
    assert repr(predictor) == "<EnginePredictor: 3 classes (pizza, steak, sushi)>"
    path = photos_of(dishes)[3]
    expected = classifier.predict(path)
    photo = Image.open(path).convert("RGB")
    for asked in (path, str(path), path.read_bytes(), photo, np.asarray(photo), io.BytesIO(path.read_bytes())):
        alike(predictor.predict(asked), expected)
    (tmp_path / "text.jpg").write_text("no photo")
    first, bad = predictor.predict([path, tmp_path / "text.jpg"])
    alike(first, expected)
    assert bad.problem
    for one, other in zip(predictor.predict(dishes / "test"), classifier.predict(dishes / "test"), strict=True):
        alike(one, other)
    with pytest.raises(UnreadablePhoto):
        predictor.predict(tmp_path / "text.jpg")
    with pytest.raises(RequestError, match="not for preprocessed tensors"):
        predictor.predict(torch.zeros(3, *predictor.preprocess.size))


def test_a_photo_has_one_answer_in_any_company(run, dishes):
    predictor, photos = tg.load_predictor(run), photos_of(dishes)
    together = predictor.predict(photos)
    for photo, one in zip(photos[:3], together, strict=False):
        assert predictor.predict(photo).probabilities == one.probabilities


def test_the_proof_lies_beside_it(dish_run, run):
    proof = document(run)["parity"]
    assert proof["photos"] == proof["same_answer"] > 15
    assert proof["largest_difference"] <= proof["tolerance"] == TOLERANCE
    assert document(run)["weights_sha256"] == json.loads((run / "classifier.json").read_text())["weights_sha256"]
    saved = tg.save_run(dish_run, run.parent / "whole")
    assert document(saved)["parity"]["photos"] > proof["photos"]  # held-out photos besides


def _other_mean(monkeypatch):
    files = openvino_conversion.network_files

    def converted(backbone, preprocess, *, key):
        return files(backbone, dataclasses.replace(preprocess, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)), key=key)

    monkeypatch.setattr(openvino_conversion, "network_files", converted)


def _blue_first(monkeypatch):
    class Flipped(openvino_conversion.Normalised):
        def forward(self, pixels):
            return super().forward(pixels.flip(1))

    monkeypatch.setattr(openvino_conversion, "Normalised", Flipped)


def _other_resize(monkeypatch):
    def squashed(values):
        return dataclasses.replace(Preprocess.from_dict(values), fit="squash")

    monkeypatch.setattr(engine_predictor, "preprocess_of", squashed)


def _other_temperature(monkeypatch):
    read = engine_predictor.answer_head_of

    def warmer(description, arrays):
        return dataclasses.replace(read(description, arrays), temperature=1.01 * read(description, arrays).temperature)

    monkeypatch.setattr(engine_predictor, "answer_head_of", warmer)


@pytest.mark.robust(
    "artefacts",
    case="an export with another mean, another resize or blue first",
    right="refused: nothing is written, and the difference is told",
    source="openvinotoolkit/openvino#11942",
)
@pytest.mark.parametrize("broken", [_other_mean, _blue_first, _other_resize, _other_temperature])
def test_a_broken_engine_is_refused(dish_run, tmp_path, capsys, monkeypatch, broken):
    folder = dish_run.classifier.save(tmp_path / "run")
    assert (folder / "engine").is_dir()
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "another cache"))
    with monkeypatch.context() as patch:
        broken(patch)
        dish_run.classifier.save(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["classifier.json", "weights.safetensors"]
    assert "its answers are not those of PyTorch" in capsys.readouterr().err
    assert isinstance(tg.load_predictor(folder), tg.Classifier)
    assert "PyTorch answers" in capsys.readouterr().err


@pytest.mark.parametrize("where", ["writing", "asking"])
def test_without_openvino_pytorch_answers(dish_run, copied, dishes, capsys, monkeypatch, where):
    monkeypatch.setattr("importlib.util.find_spec", lambda *_: None)
    if where == "writing":
        dish_run.classifier.save(copied)
        assert "OpenVINO is not installed" in capsys.readouterr().err
        assert not (copied / "engine").exists()
    else:
        monkeypatch.setattr(engine_predictor, "OpenVINOEngine", _not_here)
        alike(tg.load_predictor(copied).predict(photos_of(dishes)[0]), dish_run.classifier.predict(photos_of(dishes)[0]))
        assert "does not start here. (No module named 'openvino') PyTorch answers" in capsys.readouterr().err


def _not_here(*_, **__):
    raise ImportError("No module named 'openvino'")


def test_it_may_lie_anywhere(run, dishes, tmp_path, monkeypatch):
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "空の キャッシュ"))
    moved = shutil.copytree(run, tmp_path / "写真 é" / "a'b")
    predictor = tg.load_predictor(moved)
    assert isinstance(predictor, EnginePredictor)
    assert predictor.predict(photos_of(dishes)[0]).label


class _Loop(nn.Module):
    """Control flow that depends on the photo: what tracing one photo writes down is wrong for others."""

    def forward(self, x):
        turns = int(x.abs().mean() * 1000) % 7
        for _ in range(turns):
            x = torch.sin(x) + 0.1
        return x.mean(dim=(2, 3))


class _NoGraph(nn.Module):
    def forward(self, x):
        return (
            torch.from_numpy(x.numpy().mean(axis=(2, 3)).repeat(2, axis=1))
            if x.is_cpu and not torch.jit.is_tracing()
            else 1 / 0
        )


def test_a_full_disk_is_not_the_networks_fault(dish_run, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "network.bin")

    monkeypatch.setattr(engine_writer, "_written", full)
    run = tg.save_run(dish_run, tmp_path / "run")
    assert not (run / "engine").exists()
    said = capsys.readouterr().err
    assert "No engine: it cannot be written (No space left on device)" in said
    assert "cannot be exported" not in said


@pytest.mark.robust(
    "artefacts",
    case="a network that no exporter can take, or that takes another way for another photo",
    right="no engine is left, PyTorch answers, and both are said",
)
@pytest.mark.parametrize("body", [_Loop, _NoGraph])
def test_a_network_that_cannot_be_exported_stays_with_pytorch(tmp_path, capsys, body):
    torch.manual_seed(0)
    small = Preprocess(size=(32, 32), resize=32)
    layers = nn.Sequential(nn.Conv2d(3, 6, 1), body()) if body is _Loop else nn.Sequential(body(), nn.Linear(6, 6))
    backbone = Backbone(layers, 6, spec=BackboneSpec("timm", "odd", "timm:odd"), preprocess=small).eval()
    model = tg.Classifier(backbone, classes=["a", "b"])
    folder = model.save(tmp_path / "run")
    assert not (folder / "engine").exists()
    assert "PyTorch will answer" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["timm:test_vit", "timm:test_efficientnet"])
def test_other_architectures_have_engines_too(tmp_path, name, dishes):
    torch.manual_seed(1)
    model = tg.Classifier(name, classes=["a", "b", "c"], weights="none")
    predictor = tg.load_predictor(model.save(tmp_path / "run"))
    assert isinstance(predictor, EnginePredictor)
    photos = photos_of(dishes)[:3]
    for one, other in zip(predictor.predict(photos), model.predict(photos), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=TOLERANCE)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def _changed(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")


def _replaced(engine):
    shutil.rmtree(engine)
    engine.touch()


DAMAGES = {
    "no parity": lambda engine: (engine / "parity.json").unlink(),
    "half a parity": lambda engine: _cut(engine / "parity.json"),
    "a newer parity": lambda engine: (engine / "parity.json").write_text('{"schema": 99}'),
    "a parity without files": lambda engine: _changed(engine / "parity.json", files=None),
    "a parity of other files": lambda engine: _changed(engine / "parity.json", files={}),
    "a parity of no shape": lambda engine: _changed(engine / "parity.json", input="x"),
    "a parity without features": lambda engine: _changed(engine / "parity.json", features=None),
    "a file in its place": _replaced,
    "no network": lambda engine: (engine / "network.xml").unlink(),
    "half a network": lambda engine: _cut(engine / "network.bin"),
    "no answer": lambda engine: (engine / "answer.safetensors").unlink(),
    "half an answer": lambda engine: _cut(engine / "answer.safetensors"),
}


@pytest.mark.robust(
    "artefacts", case="an engine folder that is damaged or incomplete", right="PyTorch answers from the weights, and says why"
)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_engine_is_not_used(dish_run, copied, dishes, capsys, monkeypatch, tmp_path, damage):
    monkeypatch.setenv("TSUGIKI_CACHE", str(tmp_path / "nothing compiled"))
    DAMAGES[damage](copied / "engine")
    photo = photos_of(dishes)[0]
    with pytest.raises(ArtefactError) as refusal:
        EnginePredictor.load(copied)
    assert "classifier.json" not in str(refusal.value)  # which is whole
    alike(tg.load_predictor(copied).predict(photo), dish_run.classifier.predict(photo))
    assert "PyTorch answers" in capsys.readouterr().err


@pytest.mark.robust(
    "artefacts",
    case="a run whose preprocessing or classifier was changed after its engine was made",
    right="the engine is not used",
)
def test_an_engine_counts_only_beside_its_own_classifier(copied, capsys):
    path = copied / "classifier.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described["preprocess"]["fit"] = "squash"
    path.write_text(json.dumps(described), encoding="utf-8")
    assert tg.load_predictor(copied).preprocess.fit == "squash"
    assert "another preprocessing" in capsys.readouterr().err


def test_what_is_set_in_the_description_counts_for_the_engine(copied, dishes):
    path = copied / "classifier.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described["calibration"]["temperature"] *= 3
    described["unknown"]["threshold"] = 0.0
    path.write_text(json.dumps(described), encoding="utf-8")
    photo = photos_of(dishes)[0]
    answer = tg.load_predictor(copied).predict(photo)
    alike(answer, tg.Classifier.load(copied).predict(photo))
    assert not answer.known


@pytest.mark.robust(
    "artefacts", case="a folder without the weights that PyTorch needs, its engine whole", right="the engine answers"
)
def test_the_engine_needs_no_weights_of_pytorch(copied, dishes):
    (copied / "weights.safetensors").unlink()
    assert tg.load_predictor(copied).predict(photos_of(dishes)[0]).label
    shutil.rmtree(copied / "engine")
    with pytest.raises(ArtefactError, match=r"weights\.safetensors"):
        tg.load_predictor(copied)


def test_another_device_is_pytorchs(run, capsys):
    assert isinstance(tg.load_predictor(run, device="cpu"), EnginePredictor)
    with pytest.raises(RequestError, match="There is no device"):
        tg.load_predictor(run, device="warp")
    with pytest.raises(RequestError, match="There is no run folder"):
        tg.load_predictor(run / "nowhere")
    assert capsys.readouterr().err == ""


def test_many_photos_go_where_a_graphics_processor_seems_to_be(run, monkeypatch):
    monkeypatch.setattr("tsugiki.classifier.load_predictor._seems_accelerated", lambda: True)
    assert isinstance(tg.load_predictor(run, count=1), EnginePredictor)
    assert isinstance(tg.load_predictor(run, count=1000), tg.Classifier)
    assert isinstance(tg.load_predictor(run, device="cpu", count=1000), EnginePredictor)


@pytest.mark.robust(
    "artefacts", case="a classifier saved in 16 bits", right="its head is read, in float32, with PyTorch and without"
)
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_a_head_in_another_number_format_is_read(copied, kind):
    path = copied / "weights.safetensors"
    tensors = {name: value.to(kind) if value.is_floating_point() else value for name, value in load_file(path).items()}
    save_file(tensors, path)
    described = json.loads((copied / "classifier.json").read_text(encoding="utf-8"))
    described["weights_sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (copied / "classifier.json").write_text(json.dumps(described), encoding="utf-8")
    head = read_answer_head(Path(copied))
    assert head.weight.dtype == head.bias.dtype == np.float32
    assert head.unknown is not None
    assert head.unknown.reference.dtype == np.float16
    assert np.array_equal(head.weight, tensors["head.weight"].float().numpy())
    assert np.array_equal(head.bias, tensors["head.bias"].float().numpy())
    assert np.array_equal(tg.Classifier.load(copied).answer_head.weight, head.weight)


def _answer(*probabilities, distance=0.1, problem=""):
    return Prediction("", max(probabilities, default=0.0), distance=distance, problem=problem, probabilities=probabilities)


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        ((0.50001, ("a",)), (0.49999, ()), True),  # a hair on either side of one threshold
        ((0.50001, ()), (0.49999, ("a",)), False),  # two thresholds
        ((0.5, ("a",)), (0.5, ()), False),
        ((0.5, ("a",)), (0.50001, ("a",)), True),
        ((0.5, ("a",)), (0.5, None), False),
    ],
)
def test_what_parity_means_of_several_labels(one, other, holds):
    first, second = (Prediction("", 0.6, probabilities=(0.6, chance), labels=labels) for chance, labels in (one, other))
    assert compare([first], [second], ["photo"], classes=("b", "a")).holds == holds


def test_what_parity_means():
    assert compare([_answer(0.7, 0.3)], [_answer(0.70001, 0.29999)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(0.71, 0.29)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(0.3, 0.7)], ["a"]).holds
    assert compare([_answer(0.50001, 0.49999)], [_answer(0.49999, 0.50001)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(0.7, 0.3, distance=0.2)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(0.7, 0.3, distance=None)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(float("nan"), 0.3)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(0.7, 0.2, 0.1)], ["a"]).holds
    assert not compare([_answer(0.7, 0.3)], [_answer(problem="cut off")], ["a"]).holds
    assert compare([_answer(problem="cut off")], [_answer(problem="cut off")], ["a"]).holds
    assert not compare([], [], []).holds
    found = compare([_answer(0.7, 0.3)] * 2, [_answer(0.7, 0.3), _answer(0.2, 0.8)], ["a", "b"])
    assert (found.photos, found.same_answer, found.worst) == (2, 1, "b")


def test_the_photos_of_the_proof_are_as_odd_as_real_ones(tmp_path):
    from tsugiki.data.images.decode import open_photo

    photos = golden_photos(tmp_path / "drawn")
    assert {f"exif-{turn}.jpg" for turn in range(1, 9)} <= {path.name for path in photos}
    modes = set()
    for path in photos:
        with Image.open(path) as photo:
            modes.add(photo.mode)
    assert modes >= {"RGB", "RGBA", "LA", "L", "CMYK", "P", "I;16"}
    sizes = {open_photo(path).size for path in photos}
    assert {(1, 1), (97, 64), (64, 97), (1200, 5), (3, 700)} <= sizes
    few = golden_photos(tmp_path / "again", [Path(f"{number}.jpg") for number in range(100)])
    assert len(few) == len(photos) + 8


@pytest.mark.long
@pytest.mark.cold
def test_a_network_that_was_proven_before_is_compared_by_what_the_run_was_judged_by(dish_run, tmp_path, monkeypatch):
    """PyTorch is asked about it once; afterwards only where the run's own features are not the engine's."""
    from tsugiki.classifier import engine_writer

    asked = []
    compute = engine_writer.features_of_files
    monkeypatch.setattr(engine_writer, "features_of_files", lambda *words, **more: asked.append(1) or compute(*words, **more))
    held_out = dish_run.samples.take(dish_run.samples.held_out_rows).paths
    judged = dict(zip(held_out, dish_run.table.held_out, strict=True))
    told = []
    for proof in (judged, judged, {path: vector + 1 for path, vector in judged.items()}, list(judged)):
        run = dish_run.classifier.save(tmp_path / "run", proof=proof)
        told.append((document(run)["network"], len(asked)))
        assert document(run)["parity"]["same_answer"] == document(run)["parity"]["photos"] == 28
    assert told == [("compared now", 1), ("compared before", 1), ("compared now", 2), ("compared now", 3)]
