"""What a person may call a backbone, and what they hear when there is none of that name."""

import pytest

from tsugiki.backbones.loading import load_backbone
from tsugiki.backbones.names import resolve
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
    assert caught.value.cure == "--backbone hub:timm/resnet18.a1_in1k"
    with pytest.raises(RequestError, match="no name on the Hugging Face Hub"):
        resolve("hub:justaname")


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
    assert "--weights" in caught.value.cure
