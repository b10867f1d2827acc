"""What people look at: parameters, layers, transforms side by side, the catalogue."""

import copy

import pytest
import torch
from torch import nn
from torchvision import transforms
from torchvision.models import EfficientNet_B0_Weights, efficientnet_b0

from tsugiki.backbones.catalog import list_backbones
from tsugiki.backbones.freezing import freeze
from tsugiki.backbones.network_heads import replace_head
from tsugiki.backbones.tables import parameter_table, summary
from tsugiki.backbones.tinyvgg import TinyVGG
from tsugiki.backbones.transforms import MANUAL, as_preprocess, transforms_side_by_side
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import use_language


def test_the_parameter_table_lists_and_adds_up():
    model = TinyVGG()
    freeze(model.conv_block_1)
    table = parameter_table(model)
    assert table.rows[0].name == "conv_block_1.0.weight"
    assert table.rows[0].shape == (10, 3, 3, 3)
    assert table.total == table.trainable + table.frozen == sum(p.numel() for p in model.parameters())
    assert table.frozen == 3 * 10 * 9 + 10 + 10 * 10 * 9 + 10
    assert "classifier.1.weight" in str(table)
    assert "False" in str(table)


def test_the_summary_shows_what_the_article_shows():
    before = summary(efficientnet_b0())
    assert (before.total, before.trainable) == (5_288_548, 5_288_548)
    after = summary(replace_head(freeze(efficientnet_b0()), 3))
    assert (after.total, after.trainable) == (4_011_391, 3_843)
    text = str(after)
    for part in ("Trainable", "Linear (1)", "[32, 1280]", "Total params: 4,011,391", "Non-trainable params: 4,007,548"):
        assert part in text
    assert "Units." not in text


def test_a_summary_leaves_the_network_as_it_was():
    model = replace_head(freeze(efficientnet_b0()), 3).train()
    modes = [module.training for module in model.modules()]
    before = copy.deepcopy(model.state_dict())
    summary(model)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_network_that_needs_numbers_is_run_once_on_a_copy():
    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm2d(3)
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            scale = 1.0 if x.sum().item() == 0 else 2.0
            return self.layer(self.norm(x).mean((2, 3)) * scale)

    model = Picky()
    before = copy.deepcopy(model.state_dict())
    assert summary(model, (2, 3, 8, 8)).total == 6 + 8
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def _composed(*steps):
    return transforms.Compose(
        [*steps, transforms.ToTensor(), transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )


def test_transforms_made_by_hand_and_from_the_weights():
    by_hand = _composed(transforms.Resize((224, 224)))
    automatic = EfficientNet_B0_Weights.DEFAULT.transforms()
    assert as_preprocess(by_hand) == MANUAL
    assert as_preprocess(automatic) == Preprocess(size=(224, 224), resize=256, interpolation="bicubic")
    assert as_preprocess(_composed(transforms.Resize(256), transforms.CenterCrop(224))) == Preprocess(interpolation="bilinear")
    table = transforms_side_by_side(by_hand, automatic)
    assert table.splitlines()[-1] == "they differ in: fit, interpolation"
    assert "they are the same" in transforms_side_by_side(MANUAL, by_hand)
    use_language("ja")
    assert "手動" in transforms_side_by_side(MANUAL, automatic)


@pytest.mark.parametrize("transform", [transforms.ToTensor(), _composed(transforms.RandomHorizontalFlip()), _composed()])
def test_transforms_that_are_no_fixed_preprocessing(transform):
    with pytest.raises(RequestError, match="not a fixed preprocessing"):
        as_preprocess(transform)


def test_the_catalogue_knows_what_the_metadata_knows(tmp_path, monkeypatch):
    from tsugiki.backbones.sources import torchvision_source

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (info,) = list_backbones("torchvision efficientnet_B0")
    assert (info.parameters, info.input_size, info.imagenet_top1) == (5_288_548, (224, 224), 77.692)
    assert not info.on_this_machine
    place = torchvision_source.place_of(torchvision_source.default_weights("efficientnet_b0"))
    place.parent.mkdir(parents=True)
    place.touch()
    assert list_backbones("torchvision:efficientnet_b0")[0].on_this_machine
    (bundled,) = list_backbones("nae")
    assert (bundled.name, bundled.parameters, bundled.on_this_machine) == ("bundled:nae", 2_814_976, True)
    (tagged,) = list_backbones("timm:resnet18.a1_in1k")
    assert tagged.licence == "apache-2.0"
    assert list_backbones("no such thing") == []


def test_the_catalogue_is_the_whole_of_both_libraries():
    names = [info.name for info in list_backbones()]
    assert names[0] == "bundled:nae"
    assert len(names) == len(set(names)) > 1500
