"""The new classifying layer: in the right place, alone in learning, repeatable."""

import pytest
import timm
import torch
from torch import nn
from torchvision.models import efficientnet_b0

from tsugiki.backbones.freezing import freeze
from tsugiki.backbones.network_heads import head_paths, replace_head
from tsugiki.backbones.tables import parameter_table
from tsugiki.backbones.tinyvgg import TinyVGG
from tsugiki.core.errors import RequestError


def test_the_second_articles_numbers():
    model = efficientnet_b0()
    assert parameter_table(model).total == 5_288_548
    table = parameter_table(replace_head(freeze(model), 3))
    assert (table.frozen, table.trainable) == (4_007_548, 3_843)


def test_the_dropout_before_the_head_stays_and_works_again():
    model = replace_head(freeze(efficientnet_b0()), 3).train()
    assert isinstance(model.classifier[0], nn.Dropout)
    features = torch.ones(1, 1280)
    assert (model.classifier[0](features) == 0).any()
    model.eval()
    assert torch.equal(model.classifier[0](features), features)


def test_a_seed_makes_the_start_repeatable_and_touches_no_global_state():
    plain = nn.Sequential(nn.Linear(2, 2))
    state = torch.random.get_rng_state()
    first, second = (replace_head(TinyVGG(), 4, seed=7).classifier[1].weight for _ in range(2))
    assert torch.equal(first, second)
    torch.random.set_rng_state(state)
    expected = torch.rand(3)
    torch.random.set_rng_state(state)
    replace_head(plain, 4, seed=7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("make", [TinyVGG, lambda: timm.create_model("test_resnet")])
def test_a_seed_for_a_model_on_the_processor_is_none_for_other_devices(make, monkeypatch):
    seeded = []
    for device in (torch.cuda, torch.mps, torch.xpu):
        for name in ("manual_seed", "manual_seed_all"):
            monkeypatch.setattr(device, name, seeded.append, raising=False)
    heads = [replace_head(make(), 4, seed=seed) for seed in (7, 7, 8)]
    weights = [head.get_submodule(head_paths(head)[0]).weight for head in heads]
    assert seeded == []
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("make", [TinyVGG, lambda: timm.create_model("test_resnet")])
def test_no_generator_of_the_machine_moves(make, device):
    model = make().to(device)
    before = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    replace_head(model, 4, seed=7)
    after = [torch.get_rng_state(), *torch.cuda.get_rng_state_all()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


@pytest.mark.parametrize("make", [TinyVGG, lambda: timm.create_model("test_resnet"), lambda: timm.create_model("test_vit")])
def test_the_new_layer_is_of_the_old_ones_kind(make):
    model = replace_head(make().to(torch.float64).eval(), 4)
    (path,) = head_paths(model)
    head = model.get_submodule(path)
    assert head.weight.dtype == torch.float64
    assert head.out_features == 4
    assert not head.training


def test_a_network_without_a_classifying_end_is_refused():
    with pytest.raises(RequestError, match="does not classify"):
        replace_head(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), 2)
    with pytest.raises(RequestError, match="at least one class"):
        replace_head(TinyVGG(), 0)


def test_tiny_vgg_is_the_articles():
    assert parameter_table(TinyVGG(3, 10, 3)).total == 8_083
    assert TinyVGG(output_shape=5)(torch.zeros(2, 3, 64, 64)).shape == (2, 5)
