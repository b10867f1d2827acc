"""What a person may call a backbone, and what they hear when there is none of that name."""

import pytest

from tsugiki.backbones.load_backbone import arguments_given, load_backbone
from tsugiki.backbones.names import Address, resolve
from tsugiki.core.errors import RequestError, UnknownName


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("resnet18", "torchvision:resnet18"),  # both libraries have it: torchvision first, as in the articles
        ("timm:resnet18", "timm:resnet18"),
        ("mobilenetv2_100", "timm:mobilenetv2_100"),
        ("resnet18.a1_in1k", "timm:resnet18.a1_in1k"),
        ("bundled:nae", "bundled:nae"),
        ("hub:someone/some-net", "hub:someone/some-net"),
        ("hub:someone/net@v1.0", "hub:someone/net@v1.0"),
        ("ours", "zoo:ours"),
        ("zoo:ours", "zoo:ours"),
    ],
)
def test_names_and_where_they_lead(typed, meant):
    assert str(resolve(typed, ["ours"])) == meant


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("efficientnet_b00", "efficientnet_b0"),
        ("torchvision:resnet81", "resnet18"),
        ("bundled:nea", "nae"),
        ("mobilnetv2_100", "mobilenetv2_100"),
        ("our-mobilnet", "our-mobilenet"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(typed, near):
    with pytest.raises(UnknownName) as caught:
        resolve(typed, ["our-mobilenet"])
    assert near in caught.value.allowed
    assert "tsugiki backbones" in caught.value.cure
    assert caught.value.exit_status == 2


def test_odd_names_are_explained():
    with pytest.raises(RequestError, match="no source") as caught:
        resolve("keras:resnet50")
    assert "torchvision:" in caught.value.allowed
    with pytest.raises(RequestError) as caught:
        resolve("timm/resnet18.a1_in1k")
    assert caught.value.cure.endswith("hub:timm/resnet18.a1_in1k")
    with pytest.raises(RequestError, match="no name on the Hugging Face Hub"):
        resolve("hub:justaname")


@pytest.mark.parametrize(
    "path", ["runs/mistyped", "./mistyped", ".hidden", "runs\\mistyped", "C:\\runs\\food", "runs/a:b", "a/b/c"]
)
def test_a_path_to_nothing_is_no_run(path):
    with pytest.raises(RequestError, match="no run folder") as caught:
        resolve(path)
    assert "check the path" in caught.value.cure
    assert ("hub:" in caught.value.cure) == (path == "runs/mistyped")


def test_what_is_at_a_path_is_told(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "some net.pth").write_bytes(b"")
    with pytest.raises(RequestError, match="neither a run folder nor a backbone") as caught:
        resolve(f"{tmp_path}/run")
    assert "classifier.json" in caught.value.got
    (tmp_path / "run" / "classifier.json").write_text("{}")
    assert resolve(f"{tmp_path}/run") == Address("run", f"{tmp_path}/run")
    with pytest.raises(RequestError) as caught:
        resolve(f"{tmp_path}/some net.pth")
    assert caught.value.cure.endswith(f"weights='{tmp_path}/some net.pth'")


def test_only_the_arguments_that_were_given_have_to_be_typed_again():
    assert arguments_given(load_backbone("bundled:nae").spec) == {}
    spec = load_backbone("timm:resnet10t", weights="none", model_args={"drop_rate": 0.5}).spec
    assert arguments_given(spec) == {"drop_rate": 0.5}


@pytest.mark.parametrize(
    ("name", "weights", "told"),
    [
        ("resnet18", "IMAGENET1K_V7", "IMAGENET1K_V1"),
        ("timm:resnet18", "a9_in1k", "a1_in1k"),
        ("timm:resnet18.nonsense", "default", "a1_in1k"),
        ("bundled:nae", "IMAGENET1K_V1", "one set of weights only"),
    ],
)
def test_an_unknown_set_of_weights_is_answered_with_those_that_exist(name, weights, told):
    with pytest.raises(RequestError) as caught:
        load_backbone(name, weights=weights)
    assert told in str(caught.value)


def test_arguments_that_an_architecture_does_not_take():
    with pytest.raises(RequestError, match="cannot be built") as caught:
        load_backbone("resnet18", weights="none", model_args={"pad_type": "same"})
    assert "pad_type" in str(caught.value)


def test_an_architecture_without_pretrained_weights():
    with pytest.raises(RequestError, match="no pretrained weights") as caught:
        load_backbone("timm:seresnet18")
    assert "weights='none'" in caught.value.cure
