"""Evidence lies where it was put: networks made by hand, whose answer is known to hang on one place."""

import numpy as np
import pytest
import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone, BackboneSpec
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.preprocess import Preprocess
from tsugiki.inspection.attribution import attribute, last_map, log_odds

SIDE = 32


def classifier_of(body, width, classes=("a", "b", "c")):
    torch.manual_seed(0)
    backbone = Backbone(
        body, width, spec=BackboneSpec("zoo", "hand", "zoo:hand"), preprocess=Preprocess(size=(SIDE, SIDE), resize=SIDE)
    )
    return Classifier(backbone, classes=classes)


def convolutional():
    body = nn.Sequential(nn.Conv2d(3, 5, 4, stride=4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return classifier_of(body, 5)


class Tokens(nn.Module):
    """Cuts the photo into patches by a convolution, and works on them for long: no map to look at."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 6, 8, stride=8)
        self.mix = nn.Sequential(*(layer for _ in range(4) for layer in (nn.LayerNorm(6), nn.Linear(6, 6), nn.GELU())))

    def forward(self, x):
        return self.mix(self.patches(x).flatten(2).transpose(1, 2)).mean(dim=1)


class Corner(nn.Module):
    """Sees nothing but the upper left quarter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return self.scale * x[:, :, : SIDE // 2, : SIDE // 2].mean(dim=(2, 3))


def test_grad_cam_is_what_each_place_adds_to_the_log_odds():
    """Behind average pooling and a linear head there is a formula for it, derived here naively."""
    classifier = convolutional()
    photo = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    maps = classifier.backbone.body[:2](photo[None])[0]  # [5, 8, 8]
    logits = classifier(photo[None])[0].detach().requires_grad_()
    (share,) = torch.autograd.grad(log_odds(logits[None], 1).sum(), logits)
    weight = share @ classifier.head.weight  # [5]
    expected = (weight[:, None, None] * maps).sum(dim=0).clamp_min(0).detach()
    found = attribute(classifier, photo, 1)
    assert found.method == "Grad-CAM"
    smooth = nn.functional.interpolate(expected[None, None], size=(SIDE, SIDE), mode="bilinear")[0, 0]
    assert np.allclose(found.heat, (smooth / smooth.max()).numpy(), atol=1e-5)


def test_covering_finds_the_only_place_that_counts():
    classifier = classifier_of(Corner(), 3, ("a", "b"))
    with torch.no_grad():
        classifier.head.weight.copy_(torch.tensor([[1.0, 1, 1], [-1, -1, -1]]))
    found = attribute(classifier, torch.ones(3, SIDE, SIDE), 0)
    assert found.method == "occlusion"
    assert found.heat.shape == (SIDE, SIDE)
    assert found.heat[: SIDE // 2, : SIDE // 2].mean() > 0.5
    assert found.heat[SIDE // 2 + 7 :].max() < 0.05
    assert found.heat[:, SIDE // 2 + 7 :].max() < 0.05


def test_what_speaks_against_a_class_is_not_shown():
    classifier = classifier_of(Corner(), 3, ("a", "b"))
    with torch.no_grad():
        classifier.head.weight.copy_(torch.tensor([[1.0, 1, 1], [-1, -1, -1]]))
    assert not attribute(classifier, torch.ones(3, SIDE, SIDE), 1).heat.any()


def test_a_network_of_tokens_has_no_map():
    assert last_map(classifier_of(Tokens(), 6).backbone, torch.randn(1, 3, SIDE, SIDE)) is None


@pytest.mark.parametrize(
    ("name", "size", "method"),
    [
        ("timm:mobilenetv2_050", 64, "Grad-CAM"),
        ("torchvision:resnet18", 64, "Grad-CAM"),
        ("timm:convnext_atto", 64, "Grad-CAM"),
    ],
)
def test_real_architectures_are_asked_by_their_maps(name, size, method):
    classifier = Classifier(name, classes=("a", "b"), weights="none")
    assert attribute(classifier, torch.randn(3, size, size), 0).method == method


def test_the_classifier_is_left_as_it_was():
    classifier = convolutional()
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    classifier.head.train()
    attribute(classifier, torch.randn(3, SIDE, SIDE), 0)
    assert classifier.head.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items())
    assert all(not module._forward_hooks for module in classifier.modules())
    assert all(parameter.grad is None for parameter in classifier.parameters())
