"""Settings check themselves; schedules, groups and averages are plain arithmetic."""

import json
import math

import numpy as np
import pytest
import torch

from tests.fine_tuning.conftest import state_of, tiny_classifier
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.fine_tuning.layers import chosen_groups, lr_factor, parameter_groups, phases_of, set_learning, set_modes
from tsugiki.fine_tuning.settings import PRESETS, FineTuneSettings
from tsugiki.fine_tuning.state import Ema


def test_all_faults_are_reported_at_once():
    with pytest.raises(RequestError) as caught:
        FineTuneSettings(epochs=0, batch_size=-1, lr=-1.0, precision="half", unfreeze="", warmup=2.0)
    assert all(name in str(caught.value) for name in ("epochs", "batch_size", "lr", "precision", "unfreeze", "warmup"))
    assert "channels" not in str(caught.value)


@pytest.mark.parametrize("value", [True, 1.5, "3", float("nan")])
def test_whole_numbers_are_whole(value):
    with pytest.raises(RequestError, match="epochs"):
        FineTuneSettings(epochs=value)


def test_presets_are_valid_and_can_be_changed():
    for name in PRESETS:
        assert FineTuneSettings.preset(name, seed=7).seed == 7
    with pytest.raises(UnknownName, match="thorough"):
        FineTuneSettings.preset("thorogh")
    with pytest.raises(UnknownName, match="gentle"):
        FineTuneSettings.preset(["gentle"])
    with pytest.raises(UnknownName, match="lr_decay"):
        FineTuneSettings.preset(lr_dekay=0.5)


def test_the_rate_rises_straight_and_falls_along_a_cosine():
    rates = [lr_factor(step, 100, 0.1) for step in range(100)]
    assert rates[:3] == [pytest.approx((step + 1) / 11) for step in range(3)]
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)
    assert 0 < rates[-1] < 0.01
    assert lr_factor(0, 1, 0.0) == 1
    assert lr_factor(0, 1, 1.0) == 0.5  # a single step of warm-up


def test_groups_are_chosen_by_number_and_name():
    backbone = tiny_classifier().backbone
    names = [group.name for group in backbone.layer_groups()]
    assert [group.name for group in chosen_groups(backbone, "all")] == names
    assert [group.name for group in chosen_groups(backbone, "2")] == names[-2:]
    assert chosen_groups(backbone, "0") == []
    assert [group.name for group in chosen_groups(backbone, "blocks.3")] == names[names.index("blocks.3") :]
    assert [group.name for group in chosen_groups(backbone, "conv_head")] == names[-1:]
    with pytest.raises(UnknownName, match=r"blocks\.3"):
        chosen_groups(backbone, "block.3")
    with pytest.raises(RequestError, match="fewer"):
        chosen_groups(backbone, "99")


def test_every_parameter_has_its_rate_and_norms_no_decay():
    classifier = tiny_classifier()
    settings = FineTuneSettings(lr=1.0, lr_decay=0.5, weight_decay=0.1)
    groups = chosen_groups(classifier.backbone, "3")
    found = parameter_groups(classifier.head, groups, settings)
    rates = {group["name"]: group["lr"] for group in found}
    assert list(rates.values()) == [1, 0.5, 0.25, 0.125]
    assert list(rates) == ["head", *(group.name for group in reversed(groups))]
    counted = [one for group in found for one in group["params"]]
    expected = [*classifier.head.parameters(), *(one for group in groups for one in group.parameters())]
    assert {id(one) for one in counted} == {id(one) for one in expected}
    assert len(counted) == len(expected)
    for group in found:
        assert all((one.ndim > 1) == (group["weight_decay"] > 0) for one in group["params"])


def test_phases_unfreeze_from_the_head_down():
    assert [(p.first, p.last, p.learning) for p in phases_of(5, FineTuneSettings(epochs=9))] == [(1, 9, 5)]
    steps = phases_of(3, FineTuneSettings(epochs=9, unfreeze_every=2))
    assert [(p.first, p.last, p.learning) for p in steps] == [(1, 2, 1), (3, 4, 2), (5, 9, 3)]
    short = phases_of(5, FineTuneSettings(epochs=3, unfreeze_every=2))
    assert [(p.first, p.last, p.learning) for p in short] == [(1, 2, 1), (3, 3, 2)]


@pytest.mark.parametrize("batch_norm", ["frozen", "update"])
def test_modes_follow_what_learns(batch_norm):
    classifier = tiny_classifier()
    learning = chosen_groups(classifier.backbone, "1")
    set_learning(classifier, learning)
    set_modes(classifier, batch_norm=batch_norm)
    last = {id(module) for module in learning[0].modules for module in module.modules()}
    norms = [module for module in classifier.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for norm in norms:
        assert norm.training == (batch_norm == "update" and id(norm) in last)
    assert sum(one.requires_grad for one in classifier.parameters()) == 2 + len(list(learning[0].parameters()))


def test_the_average_is_the_naive_average():
    weight, count = torch.zeros(3), torch.zeros((), dtype=torch.int64)
    ema = Ema({"w": weight, "n": count}, 0.9)
    naive = [0.0]
    for step in range(1, 40):
        weight += step
        count += 1
        ema.update()
        decay = min(0.9, (1 + step) / (10 + step))
        naive.append(decay * naive[-1] + (1 - decay) * float(weight[0]))
    assert ema.average["w"].tolist() == pytest.approx([naive[-1]] * 3)
    assert int(ema.average["n"]) == 39
    with ema.in_place():
        assert weight.tolist() == pytest.approx([naive[-1]] * 3)
    assert weight.tolist() == [math.fsum(range(40))] * 3


def test_without_an_average_the_weights_themselves_count():
    classifier = tiny_classifier()
    ema = Ema(dict(classifier.named_parameters()), 0.0)
    before = state_of(classifier)
    ema.update()
    with ema.in_place():
        assert all(torch.equal(before[name], tensor) for name, tensor in classifier.state_dict().items())
    assert ema.values().keys() == dict(classifier.named_parameters()).keys()


@pytest.mark.parametrize("value", [2, "2", np.int64(2), "conv_head", "blocks.3..blocks.4", "all"])
def test_what_may_learn(value):
    assert FineTuneSettings(unfreeze=value).unfreeze == str(value)


@pytest.mark.parametrize(
    "changes",
    [{"unfreeze": value} for value in ("²", "--5", "-1", "", " ", -1, True, None, 1.5, (1, 2))]
    + [
        {"blend": "x"},
        {"class_weights": 7},
        {"augmentation": None},
        {"augmentation": "none"},
        {"lr": math.inf},
        {"lr": math.nan},
    ]
    + [{"lr": 10**400}, {"precision": ["auto"]}],
)
def test_values_of_a_wrong_kind_are_refused_with_what_is_allowed(changes):
    with pytest.raises(RequestError) as caught:
        FineTuneSettings(**changes)
    (name,) = changes
    assert caught.value.allowed.startswith(f"{name}: ")
    assert caught.value.got.startswith(f"{name}=")
    assert "leave them out" in caught.value.cure


def test_numbers_of_numpy_are_numbers():
    found = FineTuneSettings(epochs=np.int64(4), lr=np.float32(0.5), blend=np.False_)
    assert found == FineTuneSettings(epochs=4, lr=0.5, blend=False)
    assert json.loads(json.dumps(found.to_dict()))["epochs"] == 4
