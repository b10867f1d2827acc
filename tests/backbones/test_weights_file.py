"""Files of weights: what is read, what is refused, and what the refusal says."""

import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import densenet121, mnasnet0_5, resnet18

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.weights_file import read_weights
from tsugiki.core.errors import WeightsError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return resnet18(num_classes=4)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": {"state_dict": s}}])
@pytest.mark.parametrize("prefix", ["", "module.", "module._orig_mod."])
def test_common_wrappings_are_taken_off(network, tmp_path, wrap, prefix):
    torch.save(wrap({prefix + name: value for name, value in network.state_dict().items()}), tmp_path / "w.pt")
    state = read_weights(tmp_path / "w.pt").state
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


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
    assert "--model-arg" in caught.value.cure


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


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "w.bin"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\x00" * 100, "half"])
def test_damaged_files_get_a_sentence(network, tmp_path, name, content):
    path = tmp_path / name
    if content == "half":
        save = save_file if name.endswith("safetensors") else torch.save
        save(network.state_dict(), path)
        content = path.read_bytes()[:-100_000]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged"):
        load_backbone("resnet18", weights=path)


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
