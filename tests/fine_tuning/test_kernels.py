"""Folding, quickening and cutting change how a network is computed, never what it is."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.fine_tuning.kernels.depthwise import DepthwiseConvolution, depthwise, is_depthwise
from tsugiki.fine_tuning.kernels.folding import FoldedConvolution, fold_batch_norm
from tsugiki.fine_tuning.kernels.frozen_prefix import ActivationStore, cut
from tsugiki.fine_tuning.kernels.relu6 import FastReLU6
from tsugiki.fine_tuning.kernels.replace_modules import replace_modules
from tsugiki.fine_tuning.kernels.slow_layers import replace_slow_layers
from tsugiki.fine_tuning.kernels.squeeze_excitation import FastSqueezeExcitation

NETWORKS = {
    "timm:mobilenetv2_035": 64,
    "timm:tf_mobilenetv3_small_minimal_100": 64,
    "torchvision:resnet18": 64,
    "timm:test_vit": 160,
    "timm:densenet121": 64,
}

GEOMETRIES = [((3, 3), (1, 1)), ((3, 3), (0, 0)), ((3, 3), (4, 4)), ((5, 5), (2, 2)), ((5, 5), (1, 1)), ((7, 7), (3, 3))]
GEOMETRIES += [((1, 1), (0, 0)), ((2, 4), (1, 0))]


def body_of(name: str) -> nn.Module:
    torch.manual_seed(0)
    body = load_backbone(name, weights="none").body
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return body.eval()


def photos(size: int, count: int = 2) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def snapshot(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_rewiring_leaves_the_original_whole():
    network = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2))
    inner = network.get_submodule("0.0")
    other = replace_modules(network, {"0.1": nn.Tanh()})
    assert isinstance(network.get_submodule("0.1"), nn.ReLU)
    assert isinstance(other.get_submodule("0.1"), nn.Tanh)
    assert other.get_submodule("0.0") is inner
    assert other.get_submodule("1") is network.get_submodule("1")
    assert replace_modules(network, {"": inner}) is inner


def assert_same_answers_and_gradients(plain: nn.Module, other: nn.Module, fast: nn.Module) -> None:
    """``fast`` shares its parameters with ``other``, which starts as a copy of ``plain``."""
    before = snapshot(plain)
    inputs = photos(64, 3)
    outputs = plain(inputs), fast.eval()(inputs)
    torch.testing.assert_close(*outputs, rtol=1e-3, atol=1e-4)
    for output in outputs:
        output.square().mean().backward()
    theirs = dict(other.named_parameters())
    for key, parameter in plain.named_parameters():
        assert parameter.grad is not None
        scale = max(1e-6, float(parameter.grad.abs().max()))
        found = theirs[key].grad
        assert found is not None
        torch.testing.assert_close(found / scale, parameter.grad / scale, rtol=0, atol=5e-3, msg=key)
    assert all(torch.equal(before[key], tensor) for key, tensor in other.state_dict().items())


@pytest.mark.parametrize("name", ["timm:mobilenetv2_035", "timm:tf_mobilenetv3_small_minimal_100", "torchvision:resnet18"])
def test_folding_keeps_output_and_every_gradient(name):
    plain = body_of(name)
    other = copy.deepcopy(plain)
    fast = fold_batch_norm(other, photos(64))
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in plain.modules())
    assert sum(isinstance(module, FoldedConvolution) for module in fast.modules()) == norms
    assert_same_answers_and_gradients(plain, other, fast)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("timm:mobilenetv2_035", {DepthwiseConvolution, FastReLU6}),
        ("timm:mobilenetv3_small_050", {DepthwiseConvolution, FastSqueezeExcitation, nn.Hardswish}),
        ("torchvision:efficientnet_b0", {DepthwiseConvolution, FastSqueezeExcitation, nn.SiLU}),
        ("timm:regnety_002", {FastSqueezeExcitation}),
        ("timm:convnext_atto", {DepthwiseConvolution}),
    ],
)
def test_quickening_keeps_output_and_every_gradient(name, kinds):
    plain = body_of(name)
    other = copy.deepcopy(plain)
    fast = replace_slow_layers(other, photos(64))
    assert kinds <= {type(module) for module in fast.modules()}
    inside = {
        part for module in fast.modules() if isinstance(module, FastSqueezeExcitation) for part in module.modules()
    }  # tiny there
    assert not any(type(module) in kinds and getattr(module, "inplace", False) for module in set(fast.modules()) - inside)
    assert_same_answers_and_gradients(plain, other, fast)


def test_nothing_to_quicken_is_said_by_giving_the_body_back():
    body = body_of("torchvision:resnet18")
    assert replace_slow_layers(body, photos(64)) is body


def test_what_a_network_does_otherwise_than_its_kind_is_left_alone():
    class SEModule(nn.Module):
        """Called like timm's, but pooling the largest value."""

        def __init__(self) -> None:
            super().__init__()
            self.fc1, self.bn, self.act = nn.Conv2d(3, 3, 1), nn.Identity(), nn.ReLU()
            self.fc2, self.gate = nn.Conv2d(3, 3, 1), nn.Sigmoid()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            scale: torch.Tensor = self.gate(self.fc2(self.act(self.fc1(x.amax((2, 3), keepdim=True)))))
            return x * scale

    body = nn.Sequential(SEModule(), nn.Flatten())
    assert replace_slow_layers(body, photos(8)) is body


def test_a_convolution_that_something_else_reads_too_is_not_folded():
    class Reused(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            nn.init.constant_(self.norm.bias, 1.0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.conv(x)
            return torch.as_tensor(y + self.norm(y)).mean((2, 3))

    body = Reused()
    body.train()
    assert fold_batch_norm(body, photos(8)) is body
    assert body.training
    assert body.norm.training


def test_nothing_to_fold_is_said_by_giving_the_body_back():
    body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    assert fold_batch_norm(body, photos(8)) is body


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "padding", "size"),
    [
        (kernel, padding, size)
        for kernel, padding in GEOMETRIES
        for size in [(9, 12), (8, 7), (2, 1)]
        if all(place + 2 * pad >= tap for place, pad, tap in zip(size, padding, kernel, strict=True))
    ],
)
def test_depthwise_gradients_are_those_of_autograd(stride, kernel, padding, size):
    generator = torch.Generator().manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)
        for shape in ((2, 4, *size), (4, 1, *kernel), (4,))
    )
    expected = functional.conv2d(x, weight, bias, stride, padding, 1, 4)
    found = depthwise(x, weight, bias, (stride, stride), padding)
    assert torch.equal(found, expected)
    grad = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    wanted = torch.autograd.grad(expected, (x, weight, bias), grad)
    got = torch.autograd.grad(found, (x, weight, bias), grad)
    torch.testing.assert_close(got, wanted)


def test_only_plain_depthwise_convolutions_count():
    assert is_depthwise(nn.Conv2d(4, 4, 3, groups=4, padding=1))
    assert not is_depthwise(nn.Conv2d(4, 8, 3, groups=4))
    assert not is_depthwise(nn.Conv2d(4, 4, 3, groups=2))
    assert not is_depthwise(nn.Conv2d(4, 4, 3, groups=4, dilation=2))


def test_the_fast_network_in_bf16_is_near_float32():
    body = body_of("timm:mobilenetv2_035")
    fast = replace_slow_layers(fold_batch_norm(body, photos(64)), photos(64)).eval()
    with torch.no_grad():
        expected = body(photos(64, 3))
        with torch.autocast("cpu", torch.bfloat16):
            reduced = fast(photos(64, 3)).float()
    assert float((reduced - expected).abs().max() / expected.abs().max()) < 0.1


@pytest.mark.long
@pytest.mark.parametrize("name", NETWORKS)
def test_prefix_and_suffix_together_are_the_body(name):
    size = NETWORKS[name]
    backbone = load_backbone(name, weights="none")
    groups = backbone.layer_groups()
    before = snapshot(backbone)
    for learning in range(1, len(groups)):
        modules = [module for group in groups[-learning:] for module in group.modules]
        parts = cut(backbone.body, modules, photos(size))
        if parts is None:
            assert name == "timm:densenet121", f"{name} cannot be cut below its last {learning} groups"
            continue
        prefix, suffix = parts
        inputs = photos(size, 4)
        backbone.body.eval()
        with torch.no_grad():
            assert torch.equal(suffix(prefix(inputs)), backbone.body(inputs))
            assert torch.equal(suffix(prefix(inputs)), backbone.body(inputs))  # nothing remembered was spent
    assert all(torch.equal(before[key], tensor) for key, tensor in backbone.state_dict().items())


def test_the_suffix_learns_and_the_prefix_does_not():
    backbone = load_backbone("timm:mobilenetv2_035", weights="none")
    group = backbone.layer_groups()[-1]
    parts = cut(backbone.body, group.modules, photos(64))
    assert parts is not None
    parts[1](parts[0](photos(64))).sum().backward()
    learning = {id(parameter) for parameter in group.parameters()}
    for parameter in backbone.parameters():
        assert (parameter.grad is not None) == (id(parameter) in learning)


def test_a_suffix_can_be_folded():
    backbone = load_backbone("torchvision:resnet18", weights="none")
    parts = cut(backbone.body, backbone.layer_groups()[-1].modules, photos(64))
    assert parts is not None
    prefix, suffix = parts
    activations = prefix(photos(64, 3))
    fast = fold_batch_norm(suffix, activations[:2])
    assert any(isinstance(module, FoldedConvolution) for module in fast.modules())
    torch.testing.assert_close(fast.eval()(activations), suffix(activations), rtol=1e-3, atol=1e-4)


def test_nothing_before_the_cut_is_no_cut():
    backbone = load_backbone("torchvision:resnet18", weights="none")
    modules = [module for group in backbone.layer_groups() for module in group.modules]
    assert cut(backbone.body, modules, photos(64)) is None


def test_activations_are_stored_once_per_view(tmp_path):
    values = torch.randn(40, 3, 2)
    calls = []

    def compute(rows: list[int]) -> torch.Tensor:
        calls.append(rows)
        stored: torch.Tensor = values[rows].to(torch.bfloat16)
        return stored

    one = values[:1].to(torch.bfloat16)
    store = ActivationStore(tmp_path / "a.bin", views=2, photos=40, one=one)
    store.fill(1, compute)
    store.fill(1, compute)
    assert [row for rows in calls for row in rows] == list(range(40))
    assert torch.equal(store.read(1, [39, 0, 7]), values[[39, 0, 7]].to(torch.bfloat16))
    assert (tmp_path / "a.bin").stat().st_size == ActivationStore.bytes_for(views=2, photos=40, one=one)
