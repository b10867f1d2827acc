"""The verbs ``backbones`` and ``summary``, as typed."""

import json

import pytest

from tsugiki.cli.values import parse_model_args
from tsugiki.core.errors import RequestError


def test_backbones_lists_what_is_known(tsu):
    _, out, err = tsu("backbones", "torchvision", "EfficientNet_B0")
    assert "torchvision:efficientnet_b0" in out
    assert "5.3 M" in out
    assert "77.7%" in out
    assert "backbones found: 1" in err


@pytest.mark.robust("surface", case="`tsugiki backbones`, `--here`", right="a shortlist first; those whose weights are here")
def test_backbones_begins_with_a_few_and_finds_those_that_are_here(tsu):
    from rich.cells import cell_len

    _, out, err = tsu("backbones")
    names = [line.split()[0] for line in out.splitlines()[1:]]
    assert names[0] == "bundled:nae"
    assert {"torchvision:efficientnet_b0", "timm:vit_small_patch14_dinov2.lvd142m"} < set(names)
    assert len(names) <= 10
    assert "--all" in err
    assert max(map(cell_len, (out + tsu("--lang", "ja", "backbones")[1]).splitlines())) <= 80
    listed = [line.split()[0] for line in tsu("backbones", "--here")[1].splitlines()[1:]]
    assert "bundled:nae" in listed
    assert json.loads(tsu("backbones", "--here", "--json")[1])[0]["on_this_machine"] is True
    for name in names:
        assert any(name == each["name"] for each in json.loads(tsu("backbones", name.partition(":")[2], "--json")[1]))


def test_backbones_as_json_is_one_document(tsu):
    (nae,) = json.loads(tsu("backbones", "nae", "--json")[1])
    assert nae["name"] == "bundled:nae"
    assert nae["on_this_machine"] is True
    assert json.loads(tsu("backbones", "no-such-thing", "--json")[1]) == []


def test_summary_shows_before_and_after(tsu):
    _, out, err = tsu("summary", "efficientnet_b0", "--classes", 3, "--batch-size", 2)
    assert "Total params: 5,288,548" in out
    assert "Non-trainable params: 4,007,548" in out
    assert "[2, 3, 224, 224]" in out
    assert "3,843 trainable + 4,007,548 frozen" in err


def test_summary_of_parameters_as_json(tsu):
    before, after = json.loads(tsu("summary", "timm:test_resnet", "--json", "--model-arg", "num_classes=8")[1])
    assert before["frozen"] == 0
    assert {row["name"] for row in after["parameters"] if row["trainable"]} == {"fc.weight", "fc.bias"}
    listing = tsu("summary", "resnet18", "--parameters")[1]
    assert "fc.weight" in listing
    assert "layer4.1.bn2.bias" in listing


def test_summary_of_a_run(tsu, tmp_path):
    from tsugiki.classifier.classifier import Classifier

    Classifier("bundled:nae", classes=["a", "b"]).save(tmp_path / "run")
    (only,) = json.loads(tsu("summary", tmp_path / "run", "--json")[1])
    assert (only["trainable"], only["frozen"]) == (2 * 256 + 2, 2_814_976)
    assert "Linear (head)" in tsu("summary", tmp_path / "run")[1]


def test_summary_of_something_else(tsu, tmp_path):
    status, _, err = tsu("summary", tmp_path)
    assert status == 2
    assert "no run folder" in err


def test_model_args_as_typed():
    pairs = ["pad_type=same", "img_size=192", "flag=true", "channels=[1, 2]", "text=a=b"]
    assert parse_model_args(pairs) == {"pad_type": "same", "img_size": 192, "flag": True, "channels": [1, 2], "text": "a=b"}
    assert parse_model_args(["2.num_classes=0"]) == {"2.num_classes": 0}
    for wrong in ("pad_type", "=3", "a b=3", "x.a=3", "2.=3", ".a=3"):
        with pytest.raises(RequestError, match="NAME=VALUE"):
            parse_model_args([wrong])
