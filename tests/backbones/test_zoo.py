"""Zoo files: an organisation's own names, and every fault said at once."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from tsugiki.backbones.catalog import list_backbones
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.backbones.zoo import find_zoo, read_zoo
from tsugiki.core.errors import RequestError, UnknownName


@pytest.fixture
def zoo(tmp_path):
    torch.manual_seed(0)
    save_file(resnet18(num_classes=3).state_dict(), tmp_path / "leaf.safetensors")
    path = tmp_path / "zoo.toml"
    path.write_text(
        '[backbone."葉"]\narchitecture = "torchvision:resnet18"\nweights = "leaf.safetensors"\nlicence = "MIT"\n'
        "model_args = { num_classes = 3 }\n",
        encoding="utf-8",
    )
    return path


def test_a_name_of_the_zoo_loads_by_argument_and_by_environment(zoo, monkeypatch):
    by_argument = load_backbone("葉", zoo=zoo)
    monkeypatch.setenv("TSUGIKI_ZOO", str(zoo))
    by_environment = load_backbone("葉")
    assert by_argument.origin == by_environment.origin
    assert by_argument.origin.licence == "MIT"
    assert by_argument.head.out_features == 3
    assert str(by_argument.spec) == "zoo:葉"
    assert [info.name for info in list_backbones("葉")] == ["葉"]


@pytest.fixture
def marked(tmp_path):
    """Zoo files around weights that name a licence themselves; gives the path of one that says ``licence``, or nothing."""
    torch.manual_seed(0)
    save_file(resnet18(num_classes=3).state_dict(), tmp_path / "leaf.safetensors", metadata={"license": "Apache-2.0"})

    def written(licence=""):
        lines = ["[backbone.leaf]", 'architecture = "torchvision:resnet18"', 'weights = "leaf.safetensors"']
        lines += ["model_args = { num_classes = 3 }", *([f'licence = "{licence}"'] if licence else [])]
        (tmp_path / "zoo.toml").write_text("\n".join(lines))
        return tmp_path / "zoo.toml"

    return written


@pytest.mark.long
@pytest.mark.robust(
    "networks",
    case="a zoo file and the file of weights name different licences",
    right="what the person wrote counts, in lists and wherever it is loaded; the other one is named",
)
def test_the_licence_that_the_zoo_file_says_counts_everywhere(marked, capsys):
    for licence, counts in (("CC-BY-NC-4.0", "CC-BY-NC-4.0"), ("apache-2.0", "apache-2.0"), ("", "Apache-2.0")):
        zoo = marked(licence)  # the same weights each time: what was kept of them must not tell the last one's
        assert load_backbone("leaf", zoo=zoo).origin.licence == counts
        assert [info.licence for info in list_backbones("leaf", zoo=zoo)] == [counts]
        said = "The licence of zoo:leaf is CC-BY-NC-4.0, as the zoo file says; the file of its weights says Apache-2.0."
        assert (said in capsys.readouterr().err) == (counts == "CC-BY-NC-4.0")
    assert load_backbone("leaf", zoo=marked("MIT"), weights="none").origin.licence == "unknown"
    assert load_backbone("leaf", zoo=zoo, weights=zoo.parent / "leaf.safetensors").origin.licence == "Apache-2.0"


def test_another_file_can_stand_in_for_the_zoos(zoo, tmp_path):
    other = resnet18(num_classes=3).state_dict()
    save_file(other, tmp_path / "other.safetensors")
    backbone = load_backbone("葉", zoo=zoo, weights=tmp_path / "other.safetensors")
    assert torch.equal(backbone.body.conv1.weight, other["conv1.weight"])


def test_without_a_file_there_is_no_zoo():
    assert find_zoo().names() == ()


def test_unknown_names_are_looked_for_in_the_zoo_too(zoo):
    with pytest.raises(UnknownName, match="no backbone called"):
        load_backbone("枝", zoo=zoo)


def test_every_fault_is_said_at_once(tmp_path):
    path = tmp_path / "zoo.toml"
    path.write_text(
        'colour = "green"\n'
        '[backbone.resnet18]\narchitecture = "resnet18"\nweights = "none.pth"\n'
        '[backbone.b]\narchitecture = "torchvision:resnet81"\nweights = 3\nlicense = "MIT"\n'
        '[backbone.c]\narchitecture = "resnt18"\nweights = "c.npz"\npreprocess = { size = [0, 1] }\n'
        '[backbone.d]\narchitecture = "bundled:nae"\nweights = "none.pth"\nmodel_args = 4\n'
    )
    with pytest.raises(RequestError, match="has faults") as caught:
        read_zoo(path)
    faults = caught.value.got
    for told in (
        "colour is no setting",
        "resnet18: the name is taken by torchvision:resnet18",
        f"resnet18: there is no file {tmp_path / 'none.pth'}",
        "b: license is no setting",
        "b: weights is missing or of the wrong kind",
        "c: There is no backbone called 'resnt18'.",
        "c: weights is a file of",
        "c: This preprocessing cannot work.",
        "d: model_args is missing or of the wrong kind",
    ):
        assert told in faults


@pytest.mark.parametrize("content", ["[backbone", "x = 1", "[backbone]\n", 'backbone = "b"', "[backbone]\na = 1"])
def test_files_that_are_no_zoo(tmp_path, content):
    (tmp_path / "zoo.toml").write_text(content)
    with pytest.raises(RequestError, match="zoo file"):
        read_zoo(tmp_path / "zoo.toml")
    with pytest.raises(RequestError, match="cannot be read"):
        read_zoo(tmp_path / "absent.toml")
