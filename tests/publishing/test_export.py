"""An export answers as PyTorch does, for people who have neither PyTorch nor this program; or there is none."""

import dataclasses
import functools
import io
import json
import os
import runpy
import shutil
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import tsugiki as tg
from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.classifier.parity import TOLERANCE, golden_photos
from tsugiki.core.errors import RequestError, TsugikiError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.preprocess import Preprocess
from tsugiki.publishing import export as exporting
from tsugiki.publishing import graph, photo_input
from tsugiki.publishing.formats import onnx_format
from tsugiki.publishing.formats.registry import FORMATS as FORMATS_THERE

FORMATS = ["openvino", "onnx", "torch"]


def needs(kind):
    for name in FORMATS_THERE[kind].packages:
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def run(saved_classifier_once, tmp_path_factory):
    return shutil.copytree(saved_classifier_once, tmp_path_factory.mktemp("export") / "run")


@pytest.fixture(scope="module")
def made(run, dishes):
    """Exports by format, each made once: tests must leave them as they are."""
    photos = sorted((dishes / "test").rglob("*.jpg"))
    return functools.cache(lambda kind: tg.export(run, kind, run.parent / kind, photos=photos))


@pytest.fixture(scope="module", params=FORMATS)
def exported(request, made):
    needs(request.param)
    return made(request.param)


def stranger(folder, *words, kind=None):
    """Run the exported program where this program, and in the open formats PyTorch, cannot be imported."""
    kind = kind or json.loads((folder / "model.json").read_text(encoding="utf-8"))["format"]
    others = {"timm": ["torch", "timm"], "torchvision": ["torch"], "torch": ["torch"]}.get(kind, [])
    others += ["torchvision", "safetensors", "huggingface_hub"] if kind in {"timm", "torchvision"} else []
    absent = {"torch", "torchvision", "timm", "tsugiki", "safetensors", "huggingface_hub"} - set(others)
    code = (
        "import sys, runpy\n"
        f"for name in {sorted(absent)}: sys.modules[name] = None\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", code, str(folder / "predict.py"), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, env={**os.environ, "LC_ALL": "C"}
    )


@pytest.fixture
def here(capsys, monkeypatch):
    """Run the exported program in this process, where nothing has to be imported again; gives status and what it says."""

    def run(folder, *words):
        monkeypatch.setattr(sys, "argv", [str(folder / "predict.py"), *map(str, words)])
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(folder / "predict.py"), run_name="__main__")
        told = capsys.readouterr()
        if isinstance(left.value.code, str):  # as Python itself ends: the text goes to standard error, and the status is 1
            return 1, told.out, told.err + left.value.code
        return left.value.code or 0, told.out, told.err

    return run


@pytest.mark.robust(
    "artefacts",
    case="an export of which a byte has changed, or half is missing",
    right="its program says which file is damaged, and answers nothing",
)
@pytest.mark.parametrize("name", ["model", "model.json"])
def test_damaged_files_answer_nothing(exported, here, dishes, tmp_path, name):
    folder = shutil.copytree(exported.folder, tmp_path / "copy")
    about = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    files = sorted(about["sha256"]) if name == "model" else [name]
    assert files
    for each in files:
        whole = (folder / each).read_bytes()
        changed = bytearray(whole)
        changed[len(whole) * 2 // 3] ^= 1
        for content in [bytes(changed), whole[: len(whole) // 2]] if name == "model" else [whole[: len(whole) // 2], b"{}"]:
            (folder / each).write_bytes(content)
            status, out, err = here(folder, min(dishes.rglob("*.jpg")))
            assert (status, out) == (1, "")
            assert "cannot be used" in err
            assert "Traceback" not in err
            assert each in err or name == "model.json"
        (folder / each).write_bytes(whole)


@pytest.mark.long
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
    exact = TOLERANCE if exported.folder.name != "openvino" else 5e-3  # it resizes whole photos in float32
    assert proof["frames"]["largest_difference"] <= proof["frames"]["tolerance"] == TOLERANCE
    assert proof["whole_photos"]["largest_difference"] <= proof["whole_photos"]["tolerance"] == exact
    assert proof["frames"]["photos"] == proof["whole_photos"]["photos"] == proof["photos"]
    about = json.loads((exported.folder / "model.json").read_text(encoding="utf-8"))
    assert about["classes"] == ["pizza", "steak", "sushi"]
    assert about["input"]["shape"] == ["B", 3, *about["preprocess"]["size"]]
    assert about["input"]["photo_shape"] == ["B", "H", "W", 3]
    assert about["outputs"] == ["probabilities", "distance"]
    assert str(exported.folder.parent) not in (exported.folder / "model.json").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_program_speaks_to_people_too(exported, here, dishes, tmp_path):
    (tmp_path / "text.jpg").write_text("no photo")
    photo = min((dishes / "test").rglob("*.jpg"))
    done = stranger(exported.folder, photo, tmp_path / "text.jpg")
    first, second = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert first.split("\t")[0] == str(photo)
    assert first.endswith("%")
    assert second.startswith(f"{tmp_path / 'text.jpg'}\t-\t")
    assert here(exported.folder, tmp_path / "text.jpg")[0] == 1
    assert here(exported.folder)[0] == 2
    assert "predict.py PHOTO" in here(exported.folder, "--help")[1]


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


def _tiff(values, **options):
    tifffile = pytest.importorskip("tifffile")
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def _png(image, extra=b"", **options):
    """A PNG file with one chunk more behind its head."""
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    content = stream.getvalue()
    return content[:33] + extra + content[33:]


def _png_of_16_bits(values):
    """Colours of 16 bits, which Pillow does not write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    chunks = (len(data).to_bytes(4, "big") + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


COLOURS = np.random.default_rng(3).integers(0, 256, (40, 60, 3)).astype(np.uint16)
GREY = COLOURS[..., 0]
LAYER = Image.fromarray(COLOURS.astype(np.uint8)).convert("RGBA")
CLEAR = Image.new("RGBA", (40, 30), (200, 10, 10, 0))
NOTE = b"\0\0\0\x04tEXta\0hi\0\0\0\0"  # of a wrong checksum
ODD = {
    "12 of 16 bits, grey": lambda: _png(Image.fromarray(GREY * 16)),
    "10 of 16 bits, grey": lambda: _tiff(GREY * 4, photometric="minisblack"),
    "8 of 16 bits, grey": lambda: _png(Image.fromarray(GREY)),
    "16 bits, transparent where dark": lambda: _png(Image.fromarray(GREY * 257), transparency=0),
    "12 of 16 bits, colours": lambda: _png_of_16_bits(COLOURS * 16),
    "16 bits, colours": lambda: _png_of_16_bits(COLOURS * 257),
    "12 of 16 bits, TIFF": lambda: _tiff(COLOURS * 16, photometric="rgb"),
    "floats": lambda: _tiff(GREY.astype(np.float32) / 300, photometric="minisblack"),
    "floats of 12 bits": lambda: _tiff(GREY.astype(np.float32) * 15, photometric="minisblack"),
    "white is zero": lambda: _tiff(GREY * 257, photometric="miniswhite"),
    "signed": lambda: _tiff(GREY.astype(np.int16), photometric="minisblack"),
    "signed bytes": lambda: _tiff((GREY // 2).astype(np.int8), photometric="minisblack"),
    "32 bits": lambda: _tiff(GREY.astype(np.uint32) << 24, photometric="minisblack"),
    "planes of 16 bits": lambda: _tiff(np.moveaxis(COLOURS * 257, 2, 0), photometric="rgb", planarconfig="separate"),
    "a broken note": lambda: _png(LAYER, NOTE),
    "nothing but transparency": lambda: _png(CLEAR),
    "no picture": lambda: b"<html>",
    "a photo of a maximum": lambda: b"P5 2 2 4095\n" + bytes([0, 9, 1, 0, 2, 0, 15, 255]),
}


@pytest.mark.robust(
    "artefacts",
    case="12-bit values in 16 bits, white is zero, signed values, broken notes, all transparent: before an exported predict.py",
    right="the same pixels as in training, or refused with the reason; never other pixels",
)
@pytest.mark.parametrize("kind", ODD)
def test_the_program_reads_rare_photos_alike_or_refuses_them(tmp_path, kind):
    (tmp_path / "predict.py").write_text(exporting.script("onnx"), encoding="utf-8")
    program = runpy.run_path(str(tmp_path / "predict.py"))
    path = tmp_path / "photo"
    path.write_bytes(ODD[kind]())
    told = program["answer"](path, lambda pixels: {"probabilities": pixels.reshape(1, -1)}, _about())
    if kind in {"white is zero", "signed", "signed bytes", "32 bits", "planes of 16 bits"}:
        assert "a TIFF file of a rare kind" in told["problem"]
        return
    try:
        expected = open_photo(path)
    except UnreadablePhoto:
        assert told["problem"]
        assert "0x" not in told["problem"]  # no address of an object
    else:
        assert np.array_equal(np.asarray(program["open_photo"](path)), np.asarray(expected))


def _about():
    rule = Preprocess(size=(2, 2), resize=2).to_dict()
    classes = [str(number) for number in range(12)]
    return {"task": "single", "classes": classes, "preprocess": json.loads(json.dumps(rule))}


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


def _other_resize_beside_the_graph(monkeypatch):
    script = exporting.script
    bicubic, box = '"bicubic": Image.Resampling.BICUBIC', '"bicubic": Image.Resampling.NEAREST'
    assert bicubic in script("onnx")
    monkeypatch.setattr(exporting, "script", lambda kind: script(kind).replace(bicubic, box))


def _other_resize_in_the_graph(monkeypatch):
    class Other(photo_input.PhotoInput):
        def __init__(self, preprocess, *, frames_too):
            super().__init__(dataclasses.replace(preprocess, interpolation="bilinear"), frames_too=frames_too)

    monkeypatch.setattr(graph, "photo_input", Other)


def _other_crop_in_the_graph(monkeypatch):
    class Other(photo_input.PhotoInput):
        def __init__(self, preprocess, *, frames_too):
            super().__init__(preprocess.squashed(), frames_too=frames_too)

    monkeypatch.setattr(graph, "photo_input", Other)


BROKEN = [_other_mean, _blue_first, _other_resize_beside_the_graph, _other_resize_in_the_graph, _other_crop_in_the_graph]


@pytest.mark.long
@pytest.mark.robust(
    "artefacts",
    case="an exported file with another mean, another resize or blue first",
    right="refused with status 1, and nothing is written",
)
@pytest.mark.parametrize(
    ("kind", "broken"),
    [
        *(("onnx", each) for each in BROKEN[:3]),
        pytest.param("onnx", _other_resize_in_the_graph, marks=pytest.mark.slow),
        pytest.param("onnx", _other_crop_in_the_graph, marks=pytest.mark.slow),
        pytest.param("openvino", _other_mean, marks=pytest.mark.slow),
        ("openvino", _other_crop_in_the_graph),
    ],
)
def test_a_broken_export_is_refused(run, tmp_path, monkeypatch, broken, kind):
    needs(kind)
    broken(monkeypatch)
    with pytest.raises(TsugikiError, match=r"(?s)not those of PyTorch.*allowed 0\.00(01|5)") as refusal:
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


@pytest.mark.long
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


@pytest.mark.long
def test_only_an_older_export_is_replaced(run, made, tmp_path):
    (tmp_path / "holidays").mkdir()
    (tmp_path / "holidays" / "beach.jpg").touch()
    (tmp_path / "file").touch()
    for place in ("holidays", "file"):
        with pytest.raises(RequestError, match="something else than an export"):
            tg.export(run, "openvino", tmp_path / place)
    assert (tmp_path / "holidays" / "beach.jpg").is_file()
    older = shutil.copytree(made("openvino").folder, tmp_path / "again")
    with (older / "model.json").open("a", encoding="utf-8") as stream:
        stream.write(" ")
    tg.export(run, "openvino", older)
    assert not (older / "model.json").read_text(encoding="utf-8").endswith(" ")
    (tmp_path / "again" / "beach.jpg").touch()
    with pytest.raises(RequestError, match=r"beach\.jpg"):
        tg.export(run, "openvino", tmp_path / "again")


def test_what_cannot_be_asked_is_refused(run, monkeypatch):
    with pytest.raises(RequestError, match=r"did you mean openvino\?"):
        tg.export(run, "open-vino")
    with pytest.raises(RequestError, match="There is no precision"):
        tg.export(run, "onnx", precision="int4")
    with pytest.raises(RequestError, match=r"(?s)onnx has no precision 'bf16'.*fp32, fp16, int8"):
        tg.export(run, "onnx", precision="bf16")
    with pytest.raises(RequestError, match="There is no run folder"):
        tg.export(Path("nowhere"), "openvino")
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(RequestError, match="pip install onnx onnxruntime"):
        tg.export(run, "onnx")
    with pytest.raises(RequestError, match="pip install litert-torch ai-edge-litert"):
        tg.export(run, "litert")
    monkeypatch.setattr(exporting.sys, "platform", "linux")
    with pytest.raises(RequestError, match="macOS only"):
        tg.export(run, "coreml")


def _untrained(name, tmp_path):
    torch.manual_seed(0)
    model = tg.Classifier(name, classes=["a b", "c", "d"], weights="none")
    model.temperature = 0.7
    with torch.no_grad():
        model.head.weight.mul_(20)
    return model, model.save(tmp_path / "run")


def _logits(network, model, photo):
    with torch.inference_mode():
        return network(model.preprocess(open_photo(photo))[None]).softmax(1)[0].tolist()


@pytest.mark.long
def test_timm_loads_the_folder(run, tmp_path):
    """Also of the bundled backbone: its arguments say that there are no classes, those of the folder must not."""
    import timm

    model = tg.Classifier.load(run)
    model.temperature = 0.7
    made = tg.export(model.save(tmp_path / "run"), "timm", tmp_path / "out")
    network = timm.create_model(f"local-dir:{made.folder}", pretrained=True).eval()
    assert network.num_classes == len(model.classes)
    photo = golden_photos(tmp_path / "drawn")[4]
    assert _logits(network, model, photo) == pytest.approx(model.predict(photo).probabilities, abs=TOLERANCE)
    assert network.pretrained_cfg["label_names"] == list(model.classes)
    rule = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    assert torch.allclose(rule(open_photo(photo)), model.preprocess(open_photo(photo)), atol=1e-6)
    with pytest.raises(RequestError, match="bundled:nae is no network of torchvision"):
        tg.export(run, "torchvision", tmp_path / "other")
    assert not (tmp_path / "other").exists()


@pytest.mark.slow
def test_torchvision_loads_the_numbers(tmp_path):
    import torchvision
    from safetensors.torch import load_file

    model, run = _untrained("torchvision:shufflenet_v2_x0_5", tmp_path)
    made = tg.export(run, "torchvision", tmp_path / "out")
    network = torchvision.models.shufflenet_v2_x0_5(num_classes=3).eval()
    network.load_state_dict(load_file(made.folder / "model.safetensors"))
    photo = golden_photos(tmp_path / "drawn")[4]
    assert _logits(network, model, photo) == pytest.approx(model.predict(photo).probabilities, abs=TOLERANCE)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_eight_bits_say_what_they_lose(run, dishes, tmp_path, kind):
    for name in ("onnx", kind):
        needs(name)
    with pytest.raises(RequestError, match="name them with --data"):
        tg.export(run, kind, tmp_path / "out", precision="int8")
    made = tg.export(run, kind, tmp_path / "out", precision="int8", data=dishes)
    told = json.loads((made.folder / "parity.json").read_text(encoding="utf-8"))
    assert told["accuracy"]["n"] == made.lost.n == 18
    assert -made.lost.difference <= 0.01
    low, high = told["accuracy"]["difference_interval"]
    assert low <= made.lost.difference <= high
    whole = sum(path.stat().st_size for path in run.glob("weights.safetensors"))
    assert (
        sum((made.folder / name).stat().st_size for name in ("model.onnx", "model.bin") if (made.folder / name).exists())
        < 0.5 * whole
    )


@pytest.mark.long
@pytest.mark.robust(
    "artefacts",
    case="an 8-bit export that answers more held-out photos wrong",
    right="refused, the loss said with its interval, and nothing is written",
)
def test_eight_bits_that_lose_more_than_a_point_are_refused(run, dishes, tmp_path, monkeypatch):
    needs("onnx")
    quantise = onnx_format.quantise
    monkeypatch.setattr(onnx_format, "quantise", lambda source, target, frames: quantise(source, target, np.zeros_like(frames)))
    with pytest.raises(
        TsugikiError, match=r"(?s)8 bits.*1 point less.*Of 18 held-out photos PyTorch.*95% interval.*fp32, fp16"
    ):
        tg.export(run, "onnx", tmp_path / "out", precision="int8", data=dishes)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_sixteen_bits_are_smaller_and_answer_alike(run, tmp_path):
    whole, half = (tg.export(run, "openvino", tmp_path / name, precision=name) for name in ("fp32", "fp16"))
    assert half.parity.holds
    assert (half.folder / "model.bin").stat().st_size < 0.6 * (whole.folder / "model.bin").stat().st_size


def test_intels_model_api_answers_alike(made, dish_run, dishes):
    pytest.importorskip("model_api", reason="no openvino-model-api here")
    from model_api.adapters import OpenvinoAdapter, create_core
    from model_api.models import Model

    settings = {"INFERENCE_PRECISION_HINT": "f32"}
    adapter = OpenvinoAdapter(create_core(), str(made("openvino").folder / "photo.xml"), device="CPU", plugin_config=settings)
    model = Model.create_model(adapter)
    for photo in sorted((dishes / "test").rglob("*.jpg"))[::5]:
        expected, found = dish_run.classifier.predict(photo), model(np.asarray(open_photo(photo)))
        assert found.top_labels[0].name == expected.label
        assert found.raw_scores.tolist() == pytest.approx(expected.probabilities, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["litert", "coreml"])
def test_formats_of_telephones_answer_alike(run, tmp_path, kind):
    needs(kind)
    if FORMATS_THERE[kind].platform not in {"", sys.platform}:
        pytest.skip("Core ML runs on macOS only")
    assert tg.export(run, kind, tmp_path / "out").parity.holds
