"""A backbone that this machine has seen: its network is built only when somebody touches it, and nothing else is different."""

import copy
import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import is_frozen
from tsugiki.backbones.known import engine_cache, known_backbones
from tsugiki.backbones.known.known_backbones import is_asleep
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.sources.bundled_source import file_of
from tsugiki.core.errors import WeightsError

PIXELS = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(0))
HEAVY = ("timm", "torchvision", "torch._dynamo")


@pytest.fixture
def unused(monkeypatch):
    """As in a process that has not imported the networks' libraries yet."""

    class Unused(dict):
        def __contains__(self, name):
            return name.partition(".")[0] not in {"timm", "torchvision"} and name in sys.modules

    monkeypatch.setattr(known_backbones, "sys", type("System", (), {"modules": Unused()}))


@pytest.fixture
def nae_again(unused):  # noqa: ARG001 (a fixture cannot ask for one otherwise)
    load_backbone("bundled:nae")
    backbone = load_backbone("bundled:nae")
    assert is_asleep(backbone)
    return backbone


@pytest.fixture(scope="module")
def plain():
    return load_backbone("bundled:nae")


def test_what_is_known_of_it_is_what_it_is(nae_again, plain):
    for name in ("spec", "preprocess", "origin", "num_features", "num_parameters", "device", "training"):
        assert getattr(nae_again, name) == getattr(plain, name)
    assert nae_again.key() == plain.key()
    assert nae_again.changed_since_built() == []
    assert all(torch.equal(tensor, plain.state_dict()[name]) for name, tensor in nae_again.tensors().items())
    assert nae_again.tensors().keys() == plain.state_dict().keys()
    nae_again.check_precision()
    assert nae_again.eval() is nae_again
    assert is_asleep(nae_again)


TOUCHES = {
    "features": lambda backbone: backbone.features(PIXELS),
    "parameters": lambda backbone: list(backbone.parameters()),
    "layers": lambda backbone: backbone.body,
    "state": lambda backbone: backbone.state_dict(),
    "a new layer": lambda backbone: setattr(backbone, "extra", torch.nn.Linear(2, 2)),
    "learning": lambda backbone: backbone.train(),
    "a copy": copy.deepcopy,
    "moving": lambda backbone: backbone.to(torch.float64),
    "text": repr,
    "its head": lambda backbone: backbone.head,
    "groups": lambda backbone: backbone.layer_groups(),
}


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
def test_whoever_touches_it_finds_a_backbone_like_any_other(nae_again, plain, touch):
    nae_again.freeze()
    assert is_asleep(nae_again)
    touch(nae_again)
    assert type(nae_again) is Backbone
    assert is_frozen(nae_again.body)
    assert torch.equal(nae_again.eval().float().features(PIXELS), plain.features(PIXELS))


def test_what_it_does_not_have_it_does_not_have(nae_again):
    assert not hasattr(nae_again, "choose")
    assert is_asleep(nae_again)


@pytest.mark.usefixtures("unused")
def test_weights_that_changed_are_another_backbone(tmp_path):
    path = shutil.copyfile(file_of("nae"), tmp_path / "own.safetensors")
    words = {"weights": path, "model_args": load_backbone("bundled:nae").spec.model_args}
    architecture = load_backbone("bundled:nae").spec.architecture
    first = load_backbone(architecture, **words)
    assert is_asleep(load_backbone(architecture, **words))
    state = load_file(path)
    name = next(iter(state))
    save_file({**state, name: state[name] + 1}, path)
    changed = load_backbone(architecture, **words)
    assert not is_asleep(changed)
    assert changed.origin.sha256 != first.origin.sha256
    assert changed.key() != first.key()


@pytest.mark.usefixtures("unused")
def test_a_file_that_changes_under_it_is_told(tmp_path):
    path = shutil.copyfile(file_of("nae"), tmp_path / "own.safetensors")
    nae = load_backbone("bundled:nae").spec
    load_backbone(nae.architecture, weights=path, model_args=nae.model_args)
    asleep = load_backbone(nae.architecture, weights=path, model_args=nae.model_args)
    state = load_file(path)
    name = next(iter(state))
    save_file({**state, name: state[name] + 1}, path)
    with pytest.raises(WeightsError, match="no longer the network"):
        asleep.features(PIXELS)


@pytest.mark.robust(
    "artefacts",
    case="what the engine cache holds of a backbone is cut short, changed or of another kind",
    right="the backbone is built as if it had never been seen, and that is said",
)
@pytest.mark.parametrize("ending", [".backbone", ".weights"])
@pytest.mark.parametrize("damage", [lambda content: content[:-3], lambda content: content[:40] + b"?" + content[41:]])
@pytest.mark.usefixtures("unused")
def test_damaged_entries_are_made_anew(plain, capsys, ending, damage):
    load_backbone("bundled:nae")
    (entry,) = engine_cache.folder().glob(f"*{ending}")
    entry.write_bytes(damage(entry.read_bytes()))
    backbone = load_backbone("bundled:nae")
    assert all(torch.equal(tensor, plain.state_dict()[name]) for name, tensor in backbone.tensors().items())
    assert not is_asleep(backbone)
    assert "is damaged: it is made anew" in capsys.readouterr().err


@pytest.mark.usefixtures("unused")
def test_entries_of_another_kind_are_made_anew(plain):
    load_backbone("bundled:nae")
    for entry in engine_cache.folder().glob("*.weights"):
        engine_cache.keep(entry.name, b"whole, but of another kind")
    assert load_backbone("bundled:nae").tensors().keys() == plain.state_dict().keys()
    for entry in engine_cache.folder().glob("*.backbone"):
        engine_cache.keep(entry.name, b"whole, but of another kind")
    assert not is_asleep(load_backbone("bundled:nae"))


@pytest.mark.usefixtures("unused")
def test_random_weights_are_never_known():
    for _ in range(2):
        assert not is_asleep(load_backbone("timm:test_vit", weights="none"))


FIT = f"""
import json, sys
from tsugiki.cli.main import run
for words in json.loads(sys.argv[1]):
    try: run(words)
    except SystemExit as done: assert not done.code, done.code
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def in_a_process(*commands):
    """The heavy libraries that commands import, one after the other, and what they say."""
    done = subprocess.run(
        [sys.executable, "-c", FIT, json.dumps([[str(word) for word in words] for words in commands])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.long
@pytest.mark.robust(
    "artefacts",
    case="a second fit or audit, of other photos, by a process of its own, with a backbone that this machine has seen",
    right="the libraries of networks are not imported, and the run is the same to the bit",
)
def test_a_second_process_imports_no_library_of_networks(dishes, flat, tmp_path):
    nae = ("--backbone", "bundled:nae", "--out")
    # So few photos would not be worth converting the network for.
    assert in_a_process(("fit", dishes, *nae, tmp_path / "first", "--engine", "openvino"))[0] != []
    assert in_a_process(("fit", flat, *nae, tmp_path / "other"))[0] == []
    others = (("audit", flat, *nae, tmp_path / "audit"), ("evaluate", tmp_path / "first", flat))
    assert in_a_process(("fit", dishes, *nae, tmp_path / "again"), *others)[0] == []
    first, again = tmp_path / "first", tmp_path / "again"
    for name in (
        "classifier.json",
        "weights.safetensors",
        "evaluation.json",
        "engine/network.bin",
        "engine/answer.safetensors",
    ):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    for run in (first, tmp_path / "other"):
        proof = json.loads((run / "engine" / "parity.json").read_text())["parity"]
        assert proof["same_answer"] == proof["photos"] > 20


@pytest.mark.long
def test_a_first_process_does_not_import_the_compiler(dishes, tmp_path):
    assert "torch._dynamo" not in in_a_process(("fit", dishes, "--backbone", "bundled:nae", "--out", tmp_path / "run"))[0]
