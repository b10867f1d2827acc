"""The artefact: travels anywhere, answers the same, and is believed only where every value is what it must be."""

import hashlib
import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import tsugiki as tg
from tsugiki.core.errors import ArtefactError, RequestError


@pytest.fixture
def saved(saved_classifier):
    return saved_classifier


def described(folder):
    return json.loads((folder / "classifier.json").read_text(encoding="utf-8"))


def rewrite(folder, change):
    document = described(folder)
    change(document)
    (folder / "classifier.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


def reseal(folder):
    """What someone who means harm would do: make the digest right again."""
    digest = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    return rewrite(folder, lambda document: document.update(weights_sha256=digest))


def test_it_answers_the_same_wherever_it_is_taken(dish_run, saved, dishes, tmp_path):
    photos = sorted((dishes / "test").rglob("*.jpg"))
    moved = shutil.move(saved, tmp_path / "写真 é" / "elsewhere") if (tmp_path / "写真 é").mkdir() is None else saved
    loaded = tg.Classifier.load(moved)
    for one, other in zip(dish_run.classifier.predict(photos), loaded.predict(photos), strict=True):
        assert one.probabilities == other.probabilities
        assert (one.known, one.distance) == (other.known, other.distance)
    original = dish_run.classifier
    assert loaded.classes == original.classes
    assert loaded.preprocess == original.preprocess
    assert loaded.temperature == original.temperature
    assert loaded.notes == json.loads(json.dumps(original.notes))
    assert loaded.backbone.spec == original.backbone.spec
    assert loaded.backbone.origin == original.backbone.origin
    assert not loaded.training
    assert [name for name, parameter in loaded.named_parameters() if parameter.requires_grad] == ["head.weight", "head.bias"]


def test_saved_again_it_is_the_same_to_the_byte(saved, tmp_path):
    again = tg.Classifier.load(saved).save(tmp_path / "again")
    for name in ("classifier.json", "weights.safetensors"):
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_nothing_of_this_machine_is_inside(saved, dishes):
    text = (saved / "classifier.json").read_text(encoding="utf-8")
    weights = (saved / "weights.safetensors").read_bytes()
    engine = b"".join(path.read_bytes() for path in sorted((saved / "engine").iterdir()))
    for trace in (str(saved), str(dishes), str(dishes.parent), "cpu", "cuda"):
        assert trace not in text
        assert trace.encode() not in weights[:100_000]
    assert str(saved).encode() not in engine
    assert str(dishes.parent).encode() not in engine
    assert sorted(path.name for path in saved.iterdir()) == ["classifier.json", "engine", "weights.safetensors"]


def test_it_says_what_it_is(saved, dish_run):
    document = described(saved)
    assert list(document["classes"]) == ["pizza", "steak", "sushi"]
    assert document["pretrained"]["sha256"] == dish_run.classifier.backbone.origin.sha256
    assert len(document["pretrained"]["sha256"]) == 64
    assert document["trained"]["method"] == "transfer"
    assert document["trained"]["photos"] == {"test": 18, "train": 36}
    assert set(document["versions"]) == {"tsugiki", "torch", "torchvision", "timm"}


@pytest.mark.robust("surface", case="`model.save` where another classifier lies", right="refused without `overwrite=True`")
def test_another_classifier_is_replaced_where_that_is_asked_for(saved, nae, dish_run):
    other = tg.Classifier(nae, classes=["猫", "犬"])
    before = {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()}
    with pytest.raises(RequestError, match=r"(?s)another classifier.*overwrite=True"):
        other.save(saved)
    assert {path: path.read_bytes() for path in saved.rglob("*") if path.is_file()} == before
    assert dish_run.classifier.save(saved) == saved  # the same once more: nothing is lost
    other.save(saved, overwrite=True)
    assert tg.Classifier.load(saved).classes == ("猫", "犬")


@pytest.mark.robust(
    "surface", case="`model.save` into the run folder of another classifier", right="refused: its report would be untrue"
)
def test_a_classifier_never_lies_beside_the_report_of_another_one(saved_run, nae, dish_run):
    folder = saved_run
    for overwrite in (False, True):
        with pytest.raises(RequestError, match=r"report\.html"):
            tg.Classifier(nae, classes=["猫", "犬"]).save(folder, overwrite=overwrite)
    assert dish_run.classifier.save(folder) == folder


def test_tied_weights_are_saved_once_per_name(tmp_path):
    model = tg.Classifier("timm:test_vit", classes=["a", "b"], weights="none")
    blocks = model.backbone.body.blocks
    blocks[1].mlp.fc1.weight = blocks[0].mlp.fc1.weight
    loaded = tg.Classifier.load(model.save(tmp_path / "run"))
    assert torch.equal(loaded.backbone.body.blocks[1].mlp.fc1.weight, blocks[0].mlp.fc1.weight)


@pytest.mark.long
@pytest.mark.parametrize("name", ["mobilenet_v2", "timm:test_efficientnet", "timm:test_vit"])
def test_every_source_of_architectures_comes_back(tmp_path, name):
    torch.manual_seed(1)
    model = tg.Classifier(name, classes=["a", "b"], weights="none")
    loaded = tg.Classifier.load(model.save(tmp_path / "run"))
    inputs = torch.randn(2, 3, *model.preprocess.size)
    with torch.inference_mode():
        assert torch.equal(loaded(inputs), model(inputs))


def test_no_folder_and_another_folder_are_told_apart(tmp_path):
    with pytest.raises(RequestError, match="tsugiki fit"):
        tg.Classifier.load(tmp_path / "nowhere")
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(ArtefactError, match=r"holiday\.jpg"):
        tg.Classifier.load(tmp_path)


def test_a_newer_version_of_the_format_is_refused_with_the_way_out(saved):
    rewrite(saved, lambda document: document.update(schema=99))
    with pytest.raises(ArtefactError, match=r"(?s)got: 99.*--upgrade"):
        tg.Classifier.load(saved)


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '{"format": "something else"}', "[" * 100_000, "\xff"], ids=lambda text: text[:9]
)
def test_what_is_no_description_is_refused(saved, text):
    (saved / "classifier.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ArtefactError, match=r"classifier\.json"):
        tg.Classifier.load(saved)


def _drop(key):
    return lambda document: document.pop(key)


def _set(*path, value):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


DAMAGES = {
    **{
        f"without {key}": _drop(key)
        for key in ("classes", "backbone", "preprocess", "calibration", "trained", "pretrained", "unknown")
    },
    "without sha256": _drop("weights_sha256"),
    "classes as text": _set("classes", value="abc"),
    "one class": _set("classes", value=["a"]),
    "more classes": _set("classes", value=["a", "b", "c", "d"]),
    "no classes": _set("classes", value=None),
    "backbone as list": _set("backbone", value=[]),
    "strange setting of backbone": _set("backbone", "code", value="import os"),
    "another architecture": _set("backbone", "architecture", value="timm:resnet10t"),
    "no architecture": _set("backbone", "architecture", value="timm:nothing"),
    "no library": _set("backbone", "architecture", value="os:system"),
    "a place above": _set("backbone", "architecture", value="../../evil:x"),
    "hub": _set("backbone", "architecture", value="timm:hf-hub:someone/something"),
    "folder": _set("backbone", "architecture", value="timm:local-dir:/evil"),
    "a network that fetches weights": _set("backbone", "architecture", value="torchvision:fcn_resnet50"),
    "checkpoint_path": _set("backbone", "model_args", value={"checkpoint_path": "/evil.pth"}),
    "pretrained": _set("backbone", "model_args", value={"pretrained": True}),
    "pretrained_cfg": _set("backbone", "model_args", value={"pretrained_cfg": {"file": "/evil.pth"}}),
    "strange argument": _set("backbone", "model_args", value={"nobody_knows": 1}),
    "model_args as list": _set("backbone", "model_args", value=[1]),
    "preprocess as list": _set("preprocess", value=[]),
    "strange setting of preprocess": _set("preprocess", "size_", value=3),
    "impossible size": _set("preprocess", "size", value=[0, 128]),
    "half a pixel": _set("preprocess", "size", value=[128.5, 128]),
    "size as text": _set("preprocess", "size", value="ab"),
    "std 0": _set("preprocess", "std", value=[0, 1, 1]),
    "mean as text": _set("preprocess", "mean", value=["a", "b", "c"]),
    "temperature 0": _set("calibration", "temperature", value=0),
    "temperature not a number": _set("calibration", "temperature", value=float("nan")),
    "temperature as text": _set("calibration", "temperature", value="warm"),
    "calibration as text": _set("calibration", value="warm"),
    "unknown as list": _set("unknown", value=[1]),
    "strange setting of unknown": _set("unknown", "more", value=1),
    "threshold as text": _set("unknown", "threshold", value="far"),
    "origin with more": _set("pretrained", "more", value=1),
    "notes as number": _set("trained", value=3),
    "another digest": _set("weights_sha256", value="0" * 64),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_value_that_cannot_be_is_refused_with_a_sentence(saved, damage):
    with pytest.raises(ArtefactError, match=r"damaged or foreign") as caught:
        tg.Classifier.load(rewrite(saved, DAMAGES[damage]))
    assert caught.value.got
    assert caught.value.cure


class Harm:
    def __reduce__(self):
        return open, ("harm-was-done", "w")


@pytest.mark.parametrize("resealed", [False, True])
def test_a_pickle_in_place_of_weights_is_never_opened(saved, resealed, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (saved / "weights.safetensors").write_bytes(pickle.dumps(Harm()))
    if resealed:
        reseal(saved)
    with pytest.raises(ArtefactError, match=r"weights\.safetensors is damaged"):
        tg.Classifier.load(saved)
    assert not (tmp_path / "harm-was-done").exists()


def test_missing_cut_off_and_changed_weights_are_refused(saved):
    weights = saved / "weights.safetensors"
    content = weights.read_bytes()
    for broken in (content[:-1], content[:1000], b"", content[:-1] + bytes([content[-1] ^ 1])):
        weights.write_bytes(broken)
        with pytest.raises(ArtefactError, match="damaged"):
            tg.Classifier.load(saved)
    weights.unlink()
    with pytest.raises(ArtefactError, match="missing"):
        tg.Classifier.load(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("head.bias"),
        lambda tensors: tensors.update({"head.bias": torch.zeros(9)}),
        lambda tensors: tensors.update({"one.more": torch.zeros(1)}),
        lambda tensors: tensors.update({"unknown.reference": torch.zeros(2, 3)}),
        lambda tensors: tensors.update({"unknown.reference": torch.zeros(256)}),
    ],
    ids=["one-less", "other-shape", "one-more", "narrow-reference", "flat-reference"],
)
def test_weights_that_do_not_fit_are_refused_though_the_digest_is_right(saved, change):
    tensors = load_file(saved / "weights.safetensors")
    change(tensors)
    save_file(tensors, saved / "weights.safetensors")
    with pytest.raises(ArtefactError, match="damaged or foreign"):
        tg.Classifier.load(reseal(saved))


def test_an_interrupted_save_leaves_no_half_written_file(saved, dish_run, monkeypatch):
    from tsugiki.classifier import classifier

    before = {path.name: path.read_bytes() for path in saved.rglob("*.*")}

    def interrupted(_, path, **__):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(classifier, "save_file", interrupted)
    with pytest.raises(KeyboardInterrupt):
        dish_run.classifier.save(saved)
    assert {path.name: path.read_bytes() for path in saved.rglob("*.*")} == before


class Killed(BaseException):
    """As good as a process that ends here: nothing is tidied up after it."""


@pytest.mark.parametrize("moment", range(4))
def test_killed_at_any_moment_the_folder_holds_the_old_or_the_new_classifier(saved, nae, monkeypatch, moment):
    from tsugiki.classifier import artefact, classifier

    steps = ["save_file", "write_json", "_digest_in", "Path.replace"]
    old = tg.Classifier.load(saved)
    monkeypatch.setattr(artefact, "_digest_in", _kill if moment < 3 else artefact._digest_in)
    if moment == 3:
        monkeypatch.setattr(artefact.Path, "replace", _only_temporary_files(artefact.Path.replace))
    elif moment < 2:
        monkeypatch.setattr((classifier, artefact)[moment], steps[moment], _kill)
    with pytest.raises(Killed):
        tg.Classifier(nae, classes=["猫", "犬"]).save(saved, overwrite=True)
    monkeypatch.undo()
    now = old.classes if moment < 2 else ("猫", "犬")
    assert tg.Classifier.load(saved).classes == now
    assert tg.load_predictor(saved).classes == now  # the old engine does not answer for the new classifier
    again = tg.Classifier(nae, classes=["a", "b"]).save(saved, overwrite=True)
    assert tg.Classifier.load(again).classes == ("a", "b")
    assert tg.load_predictor(saved).classes == ("a", "b")
    assert sorted(path.name for path in saved.iterdir()) == ["classifier.json", "engine", "weights.safetensors"]


def _kill(*_, **__):
    raise Killed


def _only_temporary_files(replace):
    def move(self, target):
        return replace(self, target) if self.name.startswith(".") else _kill()

    return move


def test_probabilities_are_calibrated_after_loading_too(saved):
    rewrite(saved, lambda document: document["calibration"].update(temperature=2.5))
    model = tg.Classifier.load(saved)
    logits = torch.randn(4, 3)
    assert np.allclose(model.probabilities(logits), torch.softmax(logits / 2.5, dim=1))
