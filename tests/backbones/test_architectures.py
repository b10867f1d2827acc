"""Every classification network of torchvision, and a small member of many timm families: cut, grouped, given a new head.

On the meta device, so nothing is computed; that features are right is tested with real numbers in ``test_contract.py``.
"""

import pytest
from torch import nn

from tests.backbones.hollow import hollow_network, hollow_photos
from tsugiki.backbones.layer_groups import FEWEST, MOST, group_layers
from tsugiki.backbones.network_heads import cut_head, head_paths, replace_head
from tsugiki.backbones.sources import timm_source, torchvision_source

QUICK_TORCHVISION = {
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5",
    "mobilenet_v3_small", "regnet_x_400mf", "resnet18", "shufflenet_v2_x0_5", "squeezenet1_0", "swin_t", "vgg11", "vit_b_32",
}  # fmt: skip
QUICK_TIMM = (
    "test_convnext", "test_mambaout", "test_coatnet", "test_vit", "mobilenetv3_small_050", "levit_128s", "crossvit_tiny_240",
    "resnet10t", "ghostnet_050", "vgg11", "coat_tiny", "eva02_tiny_patch14_224", "pit_ti_224", "regnetx_002", "dpn48b",
)  # fmt: skip
MORE_TIMM = (
    "beit_base_patch16_224", "halonet_h1", "gernet_s", "cait_xxs24_224", "convit_tiny", "convmixer_768_32", "darknet17",
    "davit_tiny", "deit_tiny_patch16_224", "densenet121", "dla46_c", "edgenext_xx_small", "efficientformer_l1",
    "efficientformerv2_s0", "mnasnet_small", "efficientvit_b0", "efficientvit_m0", "fastvit_t8", "focalnet_tiny_srf",
    "gcvit_xxtiny", "hardcorenas_b", "hgnetv2_b0", "hiera_tiny_224", "hrnet_w18_small", "inception_next_atto",
    "inception_resnet_v2", "inception_v3", "inception_v4", "caformer_s18", "gmlp_ti16_224", "mobilevit_xxs", "mvitv2_tiny",
    "nest_tiny", "nextvit_small", "nfnet_f0", "pvt_v2_b0", "repghostnet_050", "repvit_m1", "res2next50", "resnest14d",
    "resnetv2_18", "rexnet_100", "selecsls42", "legacy_seresnet18", "skresnet18", "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window16_256", "tiny_vit_5m_224", "tresnet_m", "twins_svt_small", "visformer_tiny", "test_vit_relpos",
    "volo_d1_224", "vovnet39a", "legacy_xception", "xception41p", "xcit_nano_12_p8_224", "tnt_s_legacy_patch16_224",
)  # fmt: skip


def _torchvision_names():
    return [
        pytest.param(name, marks=() if name in QUICK_TORCHVISION else pytest.mark.slow) for name in torchvision_source.names()
    ]


def _check(network, preprocess):
    photos = hollow_photos(preprocess)
    before = _count(network)
    heads = [network.get_submodule(path) for path in head_paths(network)]

    replace_head(network, 3)
    assert network(photos).shape == (2, 3)
    new = [network.get_submodule(path) for path in head_paths(network)]
    cut = cut_head(network, preprocess.size)
    assert cut.body(photos).flatten(1).shape == (2, cut.num_features)
    if cut.head is not None:
        assert cut.head.out_features == 3
        assert cut.head.in_features == cut.num_features
        assert _count(cut.body) == before - _count(*heads)
        assert new == [cut.head]
    _check_groups(cut.body)


def _count(*modules):
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def _check_groups(body):
    groups = group_layers(body)
    assert FEWEST <= len(groups) <= MOST
    grouped = [parameter for group in groups for parameter in group.parameters()]
    assert len(grouped) == len(set(grouped)) == len(list(body.parameters()))
    assert groups[0].own[0] in set(body.parameters())
    assert len({group.name for group in groups}) == len(groups)


@pytest.mark.parametrize("name", _torchvision_names())
def test_every_torchvision_network(name):
    _check(*hollow_network(torchvision_source, name))


@pytest.mark.parametrize("name", [*QUICK_TIMM, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE_TIMM)])
def test_a_small_member_of_each_timm_family(name):
    _check(*hollow_network(timm_source, name))


def test_torchvision_has_no_network_that_is_not_tested():
    assert set(torchvision_source.names()) >= QUICK_TORCHVISION
    assert len(torchvision_source.names()) >= 80


@pytest.mark.parametrize(
    ("name", "width"),
    [("efficientnet_b0", 1280), ("vgg11", 4096), ("alexnet", 4096), ("mobilenet_v3_small", 1024), ("squeezenet1_0", 512)],
)
def test_features_are_the_input_of_the_last_layer(name, width):
    network, _ = hollow_network(torchvision_source, name)
    assert cut_head(network).num_features == width


def test_auxiliary_heads_are_replaced_too():
    from torchvision.models import googlenet

    network = replace_head(googlenet(weights=None, init_weights=False), 3)
    assert [network.get_submodule(path).out_features for path in ("fc", "aux1.fc2", "aux2.fc2")] == [3, 3, 3]


def test_the_first_group_is_the_input_side_and_the_last_is_the_output_side():
    network, _ = hollow_network(torchvision_source, "resnet18")
    cut_head(network)
    assert [group.name for group in group_layers(network)] == ["conv1..bn1", "layer1", "layer2", "layer3", "layer4"]


def test_a_network_of_one_layer_is_one_group():
    assert [group.name for group in group_layers(nn.Linear(3, 2))] == ["all"]
