"""A class that can be told by size or colour alone raises the alarm; chance does not."""

import numpy as np
import pytest

from tsugiki.evaluation.shortcuts import find_set_shortcuts, find_shortcuts


def test_a_planted_shortcut_is_suspicious_and_an_honest_measurement_is_not():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 50)
    size = np.where(labels[:, None] == 1, 640, rng.integers(300, 900, (150, 2)))  # one class from one camera
    found = find_shortcuts({"colour": rng.uniform(0, 255, (150, 3)), "size": size}, labels)
    assert [one.name for one in found] == ["size", "colour"]
    assert [one.suspicious for one in found] == [True, False]
    assert found[0].majority == pytest.approx(1 / 3)
    assert found[0].interval[0] > 0.5
    assert found[0].interval[0] <= found[0].accuracy <= found[0].interval[1]


def test_chance_seldom_raises_the_alarm():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 120)
    noise = {str(number): rng.normal(size=(120, 3)) for number in range(60)}
    assert sum(one.suspicious for one in find_shortcuts(noise, labels)) <= 1


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 0, 0, 1], []])
def test_too_few_photos_say_nothing(labels):
    assert find_shortcuts({"size": np.zeros((len(labels), 2))}, np.array(labels, dtype=int)) == []


def test_two_photos_of_a_class_are_enough_to_try():
    values = np.array([[1.0], [1.1], [5.0], [5.1], [5.2]])
    assert len(find_shortcuts({"size": values}, np.array([0, 0, 1, 1, 1]))) == 1


def test_of_several_labels_the_one_that_is_given_away_is_named():
    dice = np.random.default_rng(0)
    targets = (dice.random((300, 4)) < 0.5).astype(np.int8)
    targets[::7, 2] = -1
    colour = dice.normal(size=(300, 3)) + 3 * (targets[:, 2:3] == 1)
    one, other = find_set_shortcuts({"colour": colour, "size": dice.normal(size=(300, 2))}, targets, ["a", "b", "c", "d"])
    assert (one.name, one.label, one.suspicious) == ("colour", "c", True)
    assert (other.name, other.suspicious) == ("size", False)


def test_many_labels_raise_no_alarm_by_chance():
    alarms = 0
    for seed in range(20):
        dice = np.random.default_rng(seed)
        targets = (dice.random((200, 20)) < 0.5).astype(np.int8)
        found = find_set_shortcuts({"colour": dice.normal(size=(200, 3))}, targets, [str(place) for place in range(20)])
        alarms += any(one.suspicious for one in found)
    assert alarms <= 1
