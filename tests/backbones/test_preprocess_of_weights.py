"""The preprocessing that belongs to weights: ours must give the network what its own library gives it."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data.config import resolve_data_config
from timm.data.transforms_factory import create_transform

from tsugiki.backbones.sources import timm_source, torchvision_source
from tsugiki.backbones.sources.transformers_source import from_processor
from tsugiki.core.errors import WeightsError
from tsugiki.data.preprocess import Preprocess


@pytest.fixture(scope="module", params=[(300, 200), (150, 400), (224, 224)])
def photo(request):
    width, height = request.param
    noise = np.random.default_rng(0).integers(0, 256, (height // 10 + 1, width // 10 + 1, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", ["efficientnet_b0", "resnet18", "swin_t", "vit_b_16"])
def test_torchvision(name, photo):
    expected = torchvision_source.default_weights(name).transforms()(photo)
    got = torchvision_source.preprocess(torchvision_source.plan(name, "", {}))(photo)
    torch.testing.assert_close(got, expected)


@pytest.mark.parametrize(
    "name", ["mobilenetv2_100.ra_in1k", "resnet18.a1_in1k", "vit_tiny_patch16_224", "convnext_tiny.fb_in22k_ft_in1k_384"]
)
def test_timm(name, photo):
    config = timm.models.get_pretrained_cfg(name).to_dict()
    expected = create_transform(**resolve_data_config({}, pretrained_cfg=config), is_training=False)(photo)
    got = timm_source.preprocess(timm_source.plan(name, "", {}))(photo)
    torch.testing.assert_close(got, expected)


def test_an_image_size_of_the_architecture_counts():
    plan = timm_source.plan("vit_tiny_patch16_224", "", {"img_size": 96})
    assert timm_source.preprocess(plan).size == (96, 96)


def test_every_configuration_of_both_libraries_can_be_said():
    for name in torchvision_source.names():
        for weights in torchvision_source.weights_of(name):
            assert torchvision_source.preprocess(torchvision_source.plan(name, weights.name, {})).size[0] > 0
    for name in timm_source.tagged_names():
        assert timm_source.preprocess(timm_source.plan(name, "", {})).size[0] > 0


@pytest.mark.parametrize(
    ("processor", "meant"),
    [
        (
            {"size": {"height": 224, "width": 224}, "resample": 2},
            Preprocess(fit="squash", interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3),
        ),
        (
            {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True, "resample": 3,
             "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]},
            Preprocess(),
        ),
        (
            {"size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3, "image_mean": [0.485, 0.456, 0.406],
             "image_std": [0.229, 0.224, 0.225]},
            Preprocess(),
        ),
        (
            {"size": {"shortest_edge": 384}, "crop_pct": 0.875, "resample": 3, "do_normalize": False},
            Preprocess(size=(384, 384), fit="squash", mean=(0.0,) * 3, std=(1.0,) * 3),
        ),
        ({"size": 224, "resample": 2}, Preprocess(fit="squash", interpolation="bilinear", mean=(0.5,) * 3, std=(0.5,) * 3)),
    ],
)  # fmt: skip
def test_transformers(processor, meant):
    assert from_processor(processor) == meant


def test_transformers_own_scale_goes_into_mean_and_std():
    got = from_processor({"size": 8, "rescale_factor": 1 / 127.5, "image_mean": [1.0] * 3, "image_std": [1.0] * 3})
    white = got(Image.new("RGB", (8, 8), "white"))
    torch.testing.assert_close(white, torch.full((3, 8, 8), 255 / 127.5 - 1.0))
    with pytest.raises(WeightsError, match="cannot be done here"):
        from_processor({"size": 8, "rescale_offset": True})
