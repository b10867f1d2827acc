"""Frozen layers neither learn nor move, through everything a person may do to the network around them."""

import copy
import pickle

import torch
from torch import nn
from torchvision.models import resnet18

from tsugiki.backbones.freezing import freeze, is_frozen, unfreeze
from tsugiki.backbones.network_heads import replace_head
from tsugiki.backbones.tables import parameter_table


class FunctionalDropout(nn.Module):
    """A module that asks for its own mode, as many networks do."""

    def forward(self, x):
        return nn.functional.dropout(x, 0.5, self.training)


def _network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), FunctionalDropout(), nn.Flatten(), nn.Linear(4 * 36, 2)
    )


PHOTOS = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def _moves(network):
    """Whether anything in the network changes, or is random, when it runs in training mode."""
    before = copy.deepcopy(network.state_dict())
    network.train()
    first, second = network(PHOTOS), network(PHOTOS)
    after = network.state_dict()
    return not torch.equal(first, second) or any(not torch.equal(before[name], after[name]) for name in before)


def test_a_frozen_network_stays_as_it_is_after_train():
    assert _moves(_network())
    network = freeze(_network())
    assert not _moves(network)
    assert is_frozen(network)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_freezing_survives_copies_and_pickles():
    network = freeze(freeze(_network()))
    assert not _moves(copy.deepcopy(network))
    assert not _moves(pickle.loads(pickle.dumps(network)))  # noqa: S301 (our own)


def test_unfreezing_undoes_it_in_copies_too():
    network = freeze(_network())
    copied = unfreeze(copy.deepcopy(network))
    assert _moves(copied)
    assert not is_frozen(copied)
    assert all(parameter.requires_grad for parameter in copied.parameters())
    assert not _moves(network)


def test_a_part_can_be_frozen():
    network = _network()
    freeze(network[:2])
    assert is_frozen(network[1])
    assert not is_frozen(network)
    network.train()
    before = network[1].running_mean.clone()
    assert not torch.equal(network(PHOTOS), network(PHOTOS))  # the dropouts are free
    assert torch.equal(network[1].running_mean, before)


def test_the_first_articles_listings():
    model = resnet18(num_classes=1000)
    assert [row.trainable for row in parameter_table(model).rows] == [True] * 62
    freeze(model)
    assert [row.trainable for row in parameter_table(model).rows] == [False] * 62
    replace_head(model, 10)
    assert [row.name for row in parameter_table(model).rows if row.trainable] == ["fc.weight", "fc.bias"]


def test_only_the_new_head_moves_in_training():
    model = replace_head(freeze(resnet18()), 2, seed=0)
    before = copy.deepcopy(model.state_dict())
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model(torch.randn(3, 3, 64, 64)).square().sum().backward()
    optimizer.step()
    after = model.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"fc.weight", "fc.bias"}
