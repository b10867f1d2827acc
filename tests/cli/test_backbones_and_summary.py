"""The verbs ``backbones`` and ``summary``, run in this process."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tsugiki.cli.backbones import backbones
from tsugiki.cli.options import parse_model_args
from tsugiki.cli.summary import summary
from tsugiki.core.errors import RequestError


@pytest.fixture
def run():
    app = typer.Typer()
    app.command("backbones")(backbones)
    app.command("summary")(summary)

    def invoke(*words):
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return invoke


def test_backbones_lists_what_is_known(run):
    done = run("backbones", "torchvision", "EfficientNet_B0")
    assert "torchvision:efficientnet_b0" in done.stdout
    assert "5.3 M" in done.stdout
    assert "77.7%" in done.stdout
    assert "backbones found: 1" in done.stderr


def test_backbones_as_json_is_one_document(run):
    (nae,) = json.loads(run("backbones", "nae", "--json").stdout)
    assert nae["name"] == "bundled:nae"
    assert nae["on_this_machine"] is True
    assert json.loads(run("backbones", "no-such-thing", "--json").stdout) == []


def test_summary_shows_before_and_after(run):
    done = run("summary", "efficientnet_b0", "--classes", 3, "--batch-size", 2)
    assert "Total params: 5,288,548" in done.stdout
    assert "Non-trainable params: 4,007,548" in done.stdout
    assert "[2, 3, 224, 224]" in done.stdout
    assert "3,843 trainable + 4,007,548 frozen" in done.stderr


def test_summary_of_parameters_as_json(run):
    before, after = json.loads(run("summary", "timm:test_resnet", "--json", "--model-arg", "num_classes=8").stdout)
    assert before["frozen"] == 0
    assert {row["name"] for row in after["parameters"] if row["trainable"]} == {"fc.weight", "fc.bias"}
    listing = run("summary", "resnet18", "--parameters").stdout
    assert "fc.weight" in listing
    assert "layer4.1.bn2.bias" in listing


def test_summary_of_a_run(run, tmp_path):
    from tsugiki.classifier.classifier import Classifier

    Classifier("bundled:nae", classes=["a", "b"]).save(tmp_path / "run")
    (only,) = json.loads(run("summary", tmp_path / "run", "--json").stdout)
    assert (only["trainable"], only["frozen"]) == (2 * 256 + 2, 2_814_976)
    assert "Linear (head)" in run("summary", tmp_path / "run").stdout


def test_summary_of_something_else(run, tmp_path):
    with pytest.raises(RequestError, match="no run folder"):
        run("summary", tmp_path)


def test_model_args_as_typed():
    pairs = ["pad_type=same", "img_size=192", "flag=true", "channels=[1, 2]", "text=a=b"]
    assert parse_model_args(pairs) == {"pad_type": "same", "img_size": 192, "flag": True, "channels": [1, 2], "text": "a=b"}
    for wrong in ("pad_type", "=3", "a b=3"):
        with pytest.raises(RequestError, match="no argument"):
            parse_model_args([wrong])
