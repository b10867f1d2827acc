"""An audit looks with the best network whose weights are on this machine; nothing is fetched for it."""

import os

import pytest
from huggingface_hub import constants

from tsugiki.backbones.catalog import best_at_hand
from tsugiki.backbones.sources.torchvision_source import default_weights, place_of

SIZES = {"resnet18.a1_in1k": 10, "mobilenetv2_100.ra_in1k": 20, "vit_giant_patch14_dinov2.lvd142m": 1 << 30}


@pytest.fixture(autouse=True)
def hub_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def put(name):
    path = place_of(default_weights(name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"weights")


@pytest.mark.robust("scores", case="audit where better weights than the bundled ones are here", right="those are taken")
def test_the_best_network_on_this_machine_is_taken(tmp_path):
    assert best_at_hand() == "bundled:nae"
    (tmp_path / "own.safetensors").write_bytes(b"weights")
    text = '[backbone.ours]\narchitecture = "timm:mobilenetv2_100"\nweights = "own.safetensors"\n'
    (tmp_path / "zoo.toml").write_text(text, encoding="utf-8")
    assert best_at_hand(tmp_path / "zoo.toml") == "ours"
    put("resnet18")
    assert best_at_hand(tmp_path / "zoo.toml") == "torchvision:resnet18"
    put("efficientnet_b0")
    assert best_at_hand() == "torchvision:efficientnet_b0"
    put("vit_h_14")  # right more often, and too large for a look
    assert best_at_hand() == "torchvision:efficientnet_b0"


def test_weights_of_timm_in_the_hubs_cache_come_before_the_bundled_ones(hub_cache):
    for name, size in SIZES.items():
        snapshot = hub_cache / f"models--timm--{name}" / "snapshots" / "main"
        snapshot.mkdir(parents=True)
        (snapshot / "model.safetensors").touch()
        os.truncate(snapshot / "model.safetensors", size)
    assert best_at_hand() == "timm:mobilenetv2_100.ra_in1k"
