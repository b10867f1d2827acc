"""Files of weights: what is read, what is refused, and what the refusal says."""

import argparse
import functools
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import densenet121, mnasnet0_5, resnet18

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.weights.weights_file import read_weights
from tsugiki.core.errors import WeightsError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return resnet18(num_classes=4)


@pytest.fixture(scope="module")
def other():
    torch.manual_seed(2)
    return resnet18(num_classes=4)


def same(backbone, network):
    """Whether the body, and the head where it was kept, are those of ``network``."""
    mine, theirs = backbone.body.state_dict(), network.state_dict()
    head = backbone.head is None or torch.equal(backbone.head.weight, network.fc.weight)
    return head and all(torch.equal(value, theirs[name]) for name, value in mine.items())


def under(prefix, state, *, without=()):
    return {prefix + name: value for name, value in state.items() if not name.startswith(without or "-")}


def said(capsys):
    return capsys.readouterr().err


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {"state_dict": s}}])
@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_common_wrappings_are_taken_off(network, tmp_path, wrap, prefix):
    torch.save(wrap({prefix + name: value for name, value in network.state_dict().items()}), tmp_path / "w.pt")
    backbone = load_backbone("resnet18", weights=tmp_path / "w.pt", model_args={"num_classes": 4})
    assert same(backbone, network)


def test_a_head_of_another_size_or_none_is_fine(network, tmp_path):
    state = network.state_dict()
    torch.save(state, tmp_path / "four.pth")
    save_file({name: value for name, value in state.items() if not name.startswith("fc.")}, tmp_path / "none.safetensors")
    for file in ("four.pth", "none.safetensors"):
        backbone = load_backbone("resnet18", weights=tmp_path / file)
        assert backbone.head is None
        assert torch.equal(backbone.body.conv1.weight, state["conv1.weight"])
    with_head = load_backbone("resnet18", weights=tmp_path / "four.pth", model_args={"num_classes": 4})
    assert torch.equal(with_head.head.weight, state["fc.weight"])


def test_half_precision_becomes_float32(network, tmp_path):
    save_file(
        {name: v.half() if v.is_floating_point() else v for name, v in network.state_dict().items()}, tmp_path / "h.safetensors"
    )
    backbone = load_backbone("resnet18", weights=tmp_path / "h.safetensors")
    assert {p.dtype for p in backbone.parameters()} == {torch.float32}


def test_every_missing_unexpected_and_misshaped_name_is_counted(network, tmp_path):
    state = dict(network.state_dict())
    del state["bn1.weight"]
    state["layer9.weight"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(64, 3, 5, 5)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError) as caught:
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    assert caught.value.got == "missing 1 (bn1.weight); unexpected 1 (layer9.weight); of another shape 1 (conv1.weight)"
    assert "model_args" in caught.value.cure


def test_a_file_for_another_architecture_is_refused(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="do not fit torchvision:mobilenet_v2"):
        load_backbone("mobilenet_v2", weights=tmp_path / "w.pth")


class Trap:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return (subprocess.check_call, ([sys.executable, "-c", f"open({self.mark!r}, 'w')"],))


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_file_that_would_run_code_is_not_opened(tmp_path, save):
    save({"weight": Trap(str(tmp_path / "ran"))}, tmp_path / "trap.pth")
    with pytest.raises(WeightsError, match=r"could run a program|damaged"):
        load_backbone("resnet18", weights=tmp_path / "trap.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.robust(
    "networks", case="a checkpoint with raw and averaged (EMA) weights", right="the averaged ones, as timm does, and said"
)
@pytest.mark.parametrize("keys", [("state_dict", "state_dict_ema"), ("model", "model_ema"), ("model", "ema_state_dict")])
def test_averaged_weights_come_before_raw_ones(network, other, tmp_path, capsys, keys):
    torch.save({keys[0]: other.state_dict(), keys[1]: network.state_dict(), "epoch": 3}, tmp_path / "w.pth")
    assert same(load_backbone("resnet18", weights=tmp_path / "w.pth"), network)
    assert f"Weights of w.pth: read from {keys[1]} (the file also holds {keys[0]})" in said(capsys)


def _lightning(state, _):
    return {"state_dict": under("model.", state), "hyper_parameters": {"lr": 0.1}, "callbacks": {}, "epoch": 3}


def _moco(state, other):
    pair = under("module.encoder_q.", state) | under("module.encoder_k.", other)
    return {"arch": "resnet18", "state_dict": pair | {"module.queue": torch.zeros(3, 4)}}


def _simsiam(state, _):
    rest = {"module.encoder.fc.0.weight": torch.zeros(3, 3), "module.predictor.0.weight": torch.zeros(3, 3)}
    return {"state_dict": under("module.encoder.", state, without=("fc",)) | rest}


def _dino(state, other):
    student = under("module.backbone.", other, without=("fc",)) | {"module.head.mlp.0.weight": torch.zeros(3, 3)}
    return {
        "student": student,
        "teacher": under("backbone.", state, without=("fc",)) | {"head.mlp.0.weight": torch.zeros(3, 3)},
    }


def _one_dictionary(state, other):
    both = under("student.backbone.", other, without=("fc",)) | under("teacher.backbone.", state, without=("fc",))
    return {"model": both}


CHECKPOINTS = {
    "model.": (lambda state, _: under("model.", state), "prefix model. taken off"),
    "net.": (lambda state, _: under("net.", state), "prefix net. taken off"),
    "backbone.": (
        lambda state, _: under("backbone.", state) | {"head.1.weight": torch.zeros(3, 9)},
        "prefix backbone. taken off",
    ),
    "own.deep.name.": (lambda state, _: under("own.deep.name.", state), "prefix own.deep.name. taken off"),
    "n_averaged": (lambda state, _: {"n_averaged": torch.tensor(5)} | under("module.", state), ""),
    "scalars": (lambda state, _: {**state, "epoch": 3, "name": "best", "loss": 0.5}, ""),
    "lightning": (_lightning, "read from state_dict, prefix model. taken off"),
    "moco": (_moco, "prefix encoder_q. taken off"),
    "simsiam": (_simsiam, "prefix encoder. taken off"),
    "dino": (_dino, "read from teacher, prefix backbone. taken off (the file also holds student)"),
    "teacher and student in one": (_one_dictionary, "prefix teacher.backbone. taken off"),
}


@pytest.mark.robust(
    "networks",
    case="checkpoints of Lightning, MoCo, SimSiam, DINO, averaged and parallel models: a prefix before every name",
    right="any one prefix under which all names are found is taken off, and said",
    source="facebookresearch/moco#84",
)
@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_any_one_prefix_is_taken_off(network, other, tmp_path, capsys, kind):
    make, sentence = CHECKPOINTS[kind]
    torch.save(make(dict(network.state_dict()), dict(other.state_dict())), tmp_path / "w.ckpt")
    assert same(load_backbone("resnet18", weights=tmp_path / "w.ckpt"), network)
    assert sentence in said(capsys)


@pytest.mark.robust(
    "networks", case="weights of another network under some key", right="refused, with the keys that the file holds"
)
def test_the_keys_that_exist_are_listed(network, tmp_path):
    half = {name: value for name, value in network.state_dict().items() if "layer4" not in name}
    torch.save({"weights_of": under("x.", half), "epoch": 1}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="do not fit") as caught:
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    assert "the file holds weights_of (92: x.conv1.weight, x.bn1.weight, ...)" in caught.value.got
    torch.save({"epoch": 3, "optimizer": {"state": {0: torch.zeros(3)}}}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no weights") as caught:
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    assert caught.value.got == "dict: epoch, optimizer"


class Own:
    """A class that whoever reads the file need not have."""


@pytest.mark.robust(
    "networks",
    case="a training checkpoint with an argparse Namespace, paths and NumPy scalars",
    right="its weights are read; nothing else in it is ever made",
    source="jtabox/safetensors-converter#2",
)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_leaves_beside_the_weights(network, tmp_path, zipped):
    beside = {"args": argparse.Namespace(lr=0.1, out=Path("runs")), "best": np.float64(81.5), "epoch": np.int64(3)}
    if zipped:  # of the older format nobody can say beforehand what it names
        beside |= {"config": Own(), "layer": functools.partial(nn.Linear, bias=False)}
    torch.save({"model": network.state_dict(), **beside}, tmp_path / "w.pth", _use_new_zipfile_serialization=zipped)
    assert same(load_backbone("resnet18", weights=tmp_path / "w.pth"), network)


def test_a_file_that_would_run_code_is_not_opened_for_the_weights_in_it(network, tmp_path):
    torch.save({"model": network.state_dict(), "args": Trap(str(tmp_path / "ran"))}, tmp_path / "trap.pth")
    with pytest.raises(WeightsError, match="could run a program") as caught:
        load_backbone("resnet18", weights=tmp_path / "trap.pth")
    assert "check_call" in caught.value.got
    assert not (tmp_path / "ran").exists()


@pytest.mark.robust(
    "networks", case="`torch.save(model)` instead of its weights", right="said so, with how to save the weights"
)
def test_a_whole_network_is_no_weights(network, tmp_path):
    torch.save(network, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="a whole network as a Python object"):
        load_backbone("resnet18", weights=tmp_path / "w.pth")


def _zipped(content):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", content)
    return stream.getvalue()


ELSE = {
    "a pointer of Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n", "git lfs pull"),
    "a web page": (b"\n<!DOCTYPE html><html>Sign in</html>", "fetch the file itself"),
    "an empty file": (b"", "fetch it again"),
    "an HDF5 file": (b"\x89HDF\r\n\x1a\n" + b"\0" * 50, "convert it"),
    "a file of another library": (b"\x93NUMPY\x01\0" + b"\0" * 50, "convert it"),
    "a file of another library (ONNX)": (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0:\xff\xff", "convert it"),
    "a file of another library (GGUF)": (b"GGUF\x03" + b"\0" * 50, "convert it"),
    "a compressed archive": (b"\x1f\x8b\x08" + b"\0" * 50, "unpack it"),
    "a zip archive": (_zipped("x"), "unpack it"),
    "a picture": (b"\xff\xd8\xff\xe0" + b"\0" * 50, "fetch it again"),
    "a text file": (b'{"error": "not found"}', "give the file"),
}


@pytest.mark.robust(
    "networks",
    case="a Git LFS pointer, a web page, a zip, Keras' HDF5 or a picture called `.pth` or `.safetensors`",
    right="named for what it is, by its first bytes, with what to do",
    source="mit-han-lab/smoothquant#13",
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("kind", ELSE)
def test_files_that_are_something_else_are_named(tmp_path, name, kind):
    content, cure = ELSE[kind]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"it is {kind.partition(' (')[0]}") as caught:
        load_backbone("resnet18", weights=tmp_path / name)
    assert cure in caught.value.cure


def test_the_content_counts_and_not_the_ending(network, tmp_path):
    save_file(network.state_dict(), tmp_path / "safe.pth")
    torch.save(network.state_dict(), tmp_path / "pickled.safetensors")
    for file in ("safe.pth", "pickled.safetensors"):
        assert same(load_backbone("resnet18", weights=tmp_path / file), network)


@pytest.mark.robust("networks", case="weights in several safetensors files with an index", right="read as one")
def test_shards_are_read_as_one(network, tmp_path):
    state = dict(network.state_dict())
    names = sorted(state)
    parts = {"a.safetensors": names[:50], "b.safetensors": names[50:]}
    for file, part in parts.items():
        save_file({name: state[name] for name in part}, tmp_path / file, metadata={"license": "MIT"})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {name: file for file, part in parts.items() for name in part}}))
    backbone = load_backbone("resnet18", weights=index)
    assert same(backbone, network)
    assert backbone.origin.licence == "MIT"
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"no file of weights .*b\.safetensors"):
        load_backbone("resnet18", weights=index)
    index.write_text(json.dumps({"weight_map": {"x": "../secret.safetensors"}}))
    with pytest.raises(WeightsError, match="damaged"):
        load_backbone("resnet18", weights=index)


@pytest.mark.robust("networks", case="one NaN among the weights", right="refused at load, with the tensor's name")
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(network, tmp_path, value):
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = value
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="no finite numbers") as caught:
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    assert "layer1.0.conv1.weight" in caught.value.got


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.bin"])
@pytest.mark.parametrize("content", [b"\x00" * 100, b"\x07\x09\x12\x07pytorch", b"\x80\x02broken", "half"])
def test_damaged_files_get_a_sentence(network, tmp_path, name, content):
    path = tmp_path / name
    if content == "half":
        save = save_file if name.endswith("safetensors") else torch.save
        save(network.state_dict(), path)
        content = path.read_bytes()[:-100_000]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"is damaged"):
        load_backbone("resnet18", weights=path)


@pytest.mark.robust(
    "networks",
    case="ONNX, Flax' msgpack, TensorFlow's index and NumPy arrays given as weights",
    right="named for what they are, with the way to PyTorch; never: delete it and fetch it again",
)
@pytest.mark.parametrize("name", ["flax_model.msgpack", "model.ckpt.index", "model.pb", "model.onnx"])
def test_files_of_other_libraries_are_not_called_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x82\xa6params" + bytes(60))
    with pytest.raises(WeightsError, match="a file of another library") as caught:
        load_backbone("resnet18", weights=tmp_path / name)
    assert caught.value.cure == "convert it to PyTorch first"


def test_a_folder_given_as_weights_is_told(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="is a folder, and no file of weights") as caught:
        load_backbone("resnet18", weights=tmp_path)
    assert (caught.value.got, caught.value.cure) == ("w.pth", "name the file inside that holds the weights")
    (tmp_path / "classifier.json").write_text("{}")
    with pytest.raises(WeightsError) as caught:
        load_backbone("resnet18", weights=tmp_path)
    assert f"backbone='{tmp_path}'" in caught.value.cure


def test_arrays_instead_of_tensors_are_told(network, tmp_path):
    torch.save({name: tensor.numpy() for name, tensor in network.state_dict().items()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="NumPy arrays") as caught:
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    assert "torch.from_numpy" in caught.value.cure


def test_a_file_without_tensors_or_no_file_at_all(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no weights"):
        load_backbone("resnet18", weights=tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="no file of weights"):
        load_backbone("resnet18", weights="nowhere/w.pth")


def test_torchvisions_old_densenet_names_are_known(tmp_path):
    network = densenet121()
    old = {name.replace(".norm1.", ".norm.1.").replace(".conv2.", ".conv.2."): v for name, v in network.state_dict().items()}
    assert set(old) != set(network.state_dict())
    torch.save(old, tmp_path / "w.pth")
    backbone = load_backbone("densenet121", weights=tmp_path / "w.pth")
    assert torch.equal(backbone.head.weight, network.classifier.weight)


@pytest.mark.parametrize("file", ["w.pth", "w.safetensors"])
def test_networks_that_look_at_versions_load(tmp_path, file):
    network = mnasnet0_5()
    (save_file if file.endswith("safetensors") else torch.save)(network.state_dict(), tmp_path / file)
    backbone = load_backbone("mnasnet0_5", weights=tmp_path / file)
    assert torch.equal(backbone.head.weight, network.classifier[1].weight)


@pytest.mark.material
@pytest.mark.parametrize(
    ("name", "file", "model_args"),
    [
        ("timm:mobilenetv2_100", "mobilenetv2_100.same_pad.safetensors", {"pad_type": "same"}),
        ("timm:mobilenetv1_100", "mobilenetv1_100.same_pad.features.safetensors", {"pad_type": "same"}),
        ("mobilenet_v2", "mobilenet_v2.torchvision.safetensors", {}),
        ("mobilenet_v2", "mobilenet_v2.torchvision.pth", {}),
    ],
)
def test_real_weights_load(material, name, file, model_args):
    path = material / "weights" / file
    backbone = load_backbone(name, weights=path, model_args=model_args)
    state = read_weights(path).state
    mine = backbone.body.state_dict()
    assert all(torch.equal(mine[key], state[key]) for key in mine)
    assert (backbone.head is None) == ("mobilenetv1" in name)
    if backbone.head is not None:
        assert any(torch.equal(backbone.head.weight, value) for value in state.values())


@pytest.mark.material
def test_torchvisions_own_place_is_used_without_a_network(material, tmp_path, monkeypatch):
    checkpoints = tmp_path / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (checkpoints / "mobilenet_v2-b0353104.pth").symlink_to(material / "weights" / "mobilenet_v2.torchvision.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    backbone = load_backbone("mobilenet_v2", weights="IMAGENET1K_V1")
    assert backbone.origin.label == "IMAGENET1K_V1"
    assert backbone.preprocess.resize == 256
    assert backbone.head.out_features == 1000
