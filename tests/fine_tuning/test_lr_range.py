"""The rate test finds where the loss falls, and leaves the network alone."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fine_tuning.conftest import same, state_of, tiny_classifier
from tsugiki.core.errors import RequestError
from tsugiki.fine_tuning.lr_range import find_rate, suggest
from tsugiki.fine_tuning.settings import FineTuneSettings


def test_the_suggestion_is_a_tenth_of_where_the_loss_is_lowest():
    rates = [10 ** (-6 + step / 10) for step in range(60)]
    losses = [(math.log10(rate) + 2.5) ** 2 for rate in rates]
    assert suggest(rates, losses) == pytest.approx(10**-3.5)


def test_a_rate_that_was_not_tried_is_not_suggested():
    rates = [1e-3, 2e-3, 5e-3, 1e-2, 2e-2]
    assert suggest(rates, [1, 2, 3, 4, 5]) is None
    assert suggest(rates, [5, 4, 1, 2, 3]) is None
    assert suggest(rates, [5, 4, 3, 1, 2]) == pytest.approx(1e-3)


def test_the_weights_are_what_they_were(samples):
    classifier = tiny_classifier()
    before, tensors = state_of(classifier), torch.get_rng_state()
    python, arrays = random.getstate(), np.random.get_state()
    found = find_rate(classifier, samples, FineTuneSettings(batch_size=8), steps=20)
    assert same(before, state_of(classifier))
    assert torch.equal(tensors, torch.get_rng_state())
    assert random.getstate() == python
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), arrays, strict=True))
    assert not any(one.requires_grad for one in classifier.backbone.parameters())
    assert found.suggestion is not None
    assert found.suggestion * 10 == pytest.approx(found.rates[found.losses.index(min(found.losses))])
    assert len(found.rates) == len(found.losses) <= 20
    again = find_rate(classifier, samples, FineTuneSettings(batch_size=8), steps=20)
    assert again == found


def test_a_loss_that_explodes_ends_the_test(samples):
    found = find_rate(tiny_classifier(), samples, FineTuneSettings(batch_size=8), steps=40, highest=1e6)
    assert len(found.rates) < 40
    assert all(math.isfinite(loss) for loss in found.losses)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lowest": 1.0, "highest": 0.1}, "highest: more than lowest, which is 1"),
        ({"lowest": math.nan}, "lowest: a number"),
        ({"highest": math.inf}, "highest: a number"),
        ({"lowest": "1e-3"}, "lowest: a number"),
        ({"lowest": 0}, "lowest: a number"),
        ({"steps": 2}, "steps: a whole number, 10 to"),
        ({"steps": 10.5}, "steps: a whole number"),
    ],
)
def test_a_senseless_range_is_refused(samples, changes, named):
    with pytest.raises(RequestError, match="cannot be tried") as caught:
        find_rate(tiny_classifier(), samples, **changes)
    assert caught.value.allowed.startswith(named)


def test_classes_in_another_order_are_the_same_classes(samples):
    turned = replace(samples, classes=samples.classes[::-1], labels=len(samples.classes) - 1 - samples.labels)
    settings = FineTuneSettings(batch_size=8)
    assert find_rate(tiny_classifier(), turned, settings, steps=10) == find_rate(tiny_classifier(), samples, settings, steps=10)
    with pytest.raises(RequestError, match="not the classifier's"):
        find_rate(tiny_classifier(("blue", "green", "violet")), samples, settings)


def test_settings_of_another_kind_are_refused(samples):
    with pytest.raises(RequestError, match="something else") as caught:
        find_rate(tiny_classifier(), samples, {"epochs": 1})
    assert "FineTuneSettings" in caught.value.allowed
