"""The fastest way is chosen by timing, on a copy; the classifier and the random state stay as they were."""

from dataclasses import replace

import pytest
import torch

from tests.training.fine_tune.conftest import same, state_of, tiny_classifier
from tsugiki.training.fine_tune.computing import tuning
from tsugiki.training.fine_tune.computing.engine import Way
from tsugiki.training.fine_tune.computing.tuning import PLAIN, Choice, Workload, candidates, choose_way
from tsugiki.training.fine_tune.settings import FineTuneSettings

WORK = Workload(photos=4, size=(32, 32), steps=1000, learning=7, stored=False)


def timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[Way, float]) -> list[Way]:
    tried: list[Way] = []

    def instead(_classifier: object, _settings: object, _work: object, way: Way) -> float:
        tried.append(way)
        return seconds.get(way, 1.0)

    monkeypatch.setattr(tuning, "seconds_per_step", instead)
    return tried


def test_trials_leave_everything_as_it_was():
    classifier = tiny_classifier(drop_path=0.2)
    before, random = state_of(classifier), torch.get_rng_state()
    grads = [(one.requires_grad, one.grad) for one in classifier.parameters()]
    modes = [module.training for module in classifier.modules()]
    strides = [one.stride() for one in classifier.parameters()]
    choice = choose_way(classifier, FineTuneSettings(), WORK)
    assert choice.seconds > 0
    assert same(before, state_of(classifier))
    assert torch.equal(random, torch.get_rng_state())
    assert grads == [(one.requires_grad, one.grad) for one in classifier.parameters()]
    assert modes == [module.training for module in classifier.modules()]
    assert strides == [one.stride() for one in classifier.parameters()]
    assert not any(module._forward_hooks for module in classifier.modules())


def test_the_fastest_wins_and_is_said(monkeypatch):
    fastest = Way(channels_last=True, folded=True)
    timed(monkeypatch, {PLAIN: 0.9, fastest: 0.3})
    choice = choose_way(tiny_classifier(), FineTuneSettings(compile="off"), WORK)
    assert choice == Choice(fastest, 0.3, 0.9)
    assert "3.0 times" in choice.describe()
    assert "folded" in choice.describe()


def test_what_was_fixed_is_not_tried_otherwise(monkeypatch):
    tried = timed(monkeypatch, {})
    classifier = tiny_classifier()
    fixed = FineTuneSettings(precision="float32", memory_format="contiguous", compile="off")
    assert choose_way(classifier, fixed, WORK).way == PLAIN
    assert choose_way(classifier, FineTuneSettings(precision="float32", batch_norm="update"), WORK).way.folded is False
    assert all(way.precision == "float32" for way in tried)
    assert choose_way(classifier, replace(fixed, precision="fp16"), WORK).way.precision == "fp16"


def test_a_short_training_is_not_timed(monkeypatch):
    tried = timed(monkeypatch, {})
    choice = choose_way(tiny_classifier(), FineTuneSettings(), replace(WORK, steps=5))
    assert not tried
    assert choice.way.precision == "float32"


def test_compiling_is_tried_only_when_it_can_be_earned_back(monkeypatch):
    best = candidates(torch.device("cpu"))[-1]
    tried = timed(monkeypatch, {best: 0.9, replace(best, compiled=True): 0.5})
    assert choose_way(tiny_classifier(), FineTuneSettings(), WORK).way == best
    assert not any(way.compiled for way in tried)
    long = replace(WORK, steps=100_000)
    assert choose_way(tiny_classifier(), FineTuneSettings(), long).way == replace(best, compiled=True)
    assert choose_way(tiny_classifier(), FineTuneSettings(compile="off"), long).way == best


def test_a_compiler_that_fails_is_done_without(monkeypatch, capsys):
    def instead(_classifier: object, _settings: object, _work: object, way: Way) -> float:
        if way.compiled:
            raise RuntimeError("no compiler\nat all")
        return 1.0

    monkeypatch.setattr(tuning, "seconds_per_step", instead)
    assert not choose_way(tiny_classifier(), FineTuneSettings(compile="on"), WORK).way.compiled
    assert "no compiler" in capsys.readouterr().err


def test_stored_activations_are_timed_without_the_frozen_layers():
    settings = FineTuneSettings(unfreeze="1")
    work = replace(WORK, photos=8, learning=1)
    whole = tuning.seconds_per_step(tiny_classifier(), settings, work, PLAIN)
    stored = tuning.seconds_per_step(tiny_classifier(), settings, replace(work, stored=True), PLAIN)
    assert stored < whole
