"""The fastest compute is chosen by timing, on a copy; the classifier and the random state stay as they were."""

import math
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tests.fine_tuning.conftest import same, state_of, tiny_classifier
from tsugiki.classifier.classifier import Classifier
from tsugiki.core.errors import TrainingError
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.kernels import autotune as tuning
from tsugiki.fine_tuning.kernels.autotune import PLAIN, Choice, Workload, autotune, candidates, preferred
from tsugiki.fine_tuning.kernels.prepared_model import ComputeSettings, Network, PreparedModel
from tsugiki.fine_tuning.settings import FineTuneSettings

WORK = Workload(photos=4, size=(32, 32), steps=1000, learning=7, stored=False)


def timed(monkeypatch: pytest.MonkeyPatch, seconds: dict[ComputeSettings, float]) -> list[ComputeSettings]:
    tried: list[ComputeSettings] = []

    def instead(_classifier: object, _settings: object, _work: object, compute: ComputeSettings) -> float:
        tried.append(compute)
        return seconds.get(compute, 1.0)

    monkeypatch.setattr(tuning, "seconds_per_step", instead)
    return tried


def test_trials_leave_everything_as_it_was():
    classifier = tiny_classifier(dropout=0.5)
    before, random = state_of(classifier), torch.get_rng_state()
    grads = [(one.requires_grad, one.grad) for one in classifier.parameters()]
    modes = [module.training for module in classifier.modules()]
    strides = [one.stride() for one in classifier.parameters()]
    choice = autotune(classifier, FineTuneSettings(), WORK)
    assert choice.seconds > 0
    assert same(before, state_of(classifier))
    assert torch.equal(random, torch.get_rng_state())
    assert grads == [(one.requires_grad, one.grad) for one in classifier.parameters()]
    assert modes == [module.training for module in classifier.modules()]
    assert strides == [one.stride() for one in classifier.parameters()]
    assert not any(module._forward_hooks for module in classifier.modules())


def test_the_fastest_wins_and_is_said(monkeypatch):
    fastest = ComputeSettings(channels_last=True, folded=True)
    timed(monkeypatch, {PLAIN: 0.9, fastest: 0.3})
    choice = autotune(tiny_classifier(), FineTuneSettings(compile="off"), WORK)
    assert choice == Choice(fastest, 0.3, 0.9)
    assert "3.0 times" in choice.describe()
    assert "folded" in choice.describe()


def test_what_is_faster_by_chance_alone_changes_nothing(monkeypatch):
    """The same request is computed in the same compute, however the clock wavers."""
    classifier, settings = tiny_classifier(), FineTuneSettings(compile="off")
    options = candidates(torch.device("cpu"))
    for noise in (0.9, 1.0, 1.15):
        timed(
            monkeypatch,
            {compute: 0.5 * noise**number for number, compute in enumerate(options[-2:])} | dict.fromkeys(options[:-2], 0.5),
        )
        assert autotune(classifier, settings, WORK).compute == options[-1]
    assert preferred({PLAIN: 1.0, options[-1]: 1.19}) == options[-1]
    assert preferred({PLAIN: 1.0, options[-1]: 1.21}) == PLAIN


def test_trials_end_when_their_share_of_the_budget_is_spent(monkeypatch):
    """What is preferred in case of doubt is timed first; of the others, those that a tenth of the budget pays for."""
    classifier = tiny_classifier()
    everything = timed(monkeypatch, {})
    autotune(classifier, FineTuneSettings(compile="off"), WORK)
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(tuning, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    tried = timed(monkeypatch, {})
    choice = autotune(classifier, FineTuneSettings(compile="off", budget=80.0), WORK)
    assert tried == everything[:-3:-1]
    assert choice.compute == everything[-1]


def test_a_network_without_batch_norm_is_told_nothing_of_folding():
    vit = Classifier("timm:test_vit", classes=("a", "b"), weights="none")
    work = replace(WORK, size=vit.preprocess.size, learning=len(vit.backbone.layer_groups()))
    for steps in (5, 1000):  # untimed and timed
        choice = autotune(vit, FineTuneSettings(precision="float32", compile="off"), replace(work, steps=steps))
        assert not choice.compute.folded
        assert "folded" not in choice.describe()
    assert autotune(tiny_classifier(), FineTuneSettings(), replace(WORK, steps=5)).compute.folded


def test_a_way_is_not_praised_for_being_slower():
    assert Choice(PLAIN, 0.5, 0.45).describe() == "A step is computed in float32, contiguous: 0.5 s."


def test_what_was_fixed_is_not_tried_otherwise(monkeypatch):
    tried = timed(monkeypatch, {})
    classifier = tiny_classifier()
    fixed = FineTuneSettings(precision="float32", memory_format="contiguous", compile="off")
    assert autotune(classifier, fixed, WORK).compute == PLAIN
    assert autotune(classifier, FineTuneSettings(precision="float32", batch_norm="update"), WORK).compute.folded is False
    assert all(compute.precision == "float32" for compute in tried)
    assert autotune(classifier, replace(fixed, precision="float16"), WORK).compute.precision == "float16"


def test_a_short_training_is_not_timed(monkeypatch):
    tried = timed(monkeypatch, {})
    choice = autotune(tiny_classifier(), FineTuneSettings(), replace(WORK, steps=5))
    assert not tried
    assert choice.compute.precision == "float32"


def test_compiling_is_tried_only_when_it_can_be_earned_back(monkeypatch):
    best = candidates(torch.device("cpu"))[-1]
    tried = timed(monkeypatch, {best: 0.9, replace(best, compiled=True): 0.5})
    assert autotune(tiny_classifier(), FineTuneSettings(), WORK).compute == best
    assert not any(compute.compiled for compute in tried)
    long = replace(WORK, steps=100_000)
    assert autotune(tiny_classifier(), FineTuneSettings(), long).compute == replace(best, compiled=True)
    assert autotune(tiny_classifier(), FineTuneSettings(compile="off"), long).compute == best


def test_a_compiler_that_fails_is_done_without(monkeypatch, capsys):
    def instead(_classifier: object, _settings: object, _work: object, compute: ComputeSettings) -> float:
        if compute.compiled:
            raise RuntimeError("no compiler\nat all")
        return 1.0

    monkeypatch.setattr(tuning, "seconds_per_step", instead)
    assert not autotune(tiny_classifier(), FineTuneSettings(compile="on"), WORK).compute.compiled
    assert "no compiler" in capsys.readouterr().err


def test_stored_activations_are_timed_without_the_frozen_layers():
    work = replace(WORK, photos=8, learning=1)
    whole, stored = convolutions_timed(work), convolutions_timed(replace(work, stored=True))
    assert stored * 5 < whole  # the highest group's alone


def convolutions_timed(work: Workload) -> int:
    """How many convolutions are computed in the steps that are timed."""
    calls: list[int] = []
    timed, convolve = tuning._timed, nn.Conv2d._conv_forward

    def counted(self: nn.Conv2d, *inputs: Any) -> torch.Tensor:
        calls.append(1)
        answer: torch.Tensor = convolve(self, *inputs)
        return answer

    def watched(step: Callable[[], None], device: torch.device) -> float:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nn.Conv2d, "_conv_forward", counted)
            return timed(step, device)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "_timed", watched)
        tuning.seconds_per_step(tiny_classifier(), FineTuneSettings(unfreeze="1"), work, PLAIN)
    return len(calls)


def small_memory(monkeypatch: pytest.MonkeyPatch, room: Callable[[ComputeSettings, int], bool]) -> list[int]:
    """Steps of more photos than there is ``room`` for end as they do on a device; gives the sizes of those that did not."""
    step, sizes = tuning._step, []

    def watched(model: PreparedModel, inputs: torch.Tensor) -> Callable[[], None]:
        if not room(model.compute, len(inputs)):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        sizes.append(len(inputs))
        return step(model, inputs)

    monkeypatch.setattr(tuning, "_step", watched)
    return sizes


def test_a_way_that_runs_out_of_memory_is_not_taken(monkeypatch):
    small_memory(monkeypatch, lambda compute, _photos: compute.folded)
    choice = autotune(tiny_classifier(), FineTuneSettings(compile="off"), WORK)
    assert choice.compute.folded
    assert 0 < choice.seconds < math.inf
    assert choice.plain_seconds == 0
    assert "times as fast" not in choice.describe()


def test_where_no_way_has_the_memory_smaller_parts_are_timed(monkeypatch):
    sizes = small_memory(monkeypatch, lambda _way, photos: photos <= 3)
    monkeypatch.setattr(tuning, "_timed", lambda *_: 1.0)
    choice = autotune(tiny_classifier(), FineTuneSettings(compile="off"), replace(WORK, photos=10))
    assert set(sizes) == {3}
    assert choice.seconds == 4  # of a whole step: four parts


def test_memory_for_not_even_one_photo_is_said(monkeypatch):
    small_memory(monkeypatch, lambda *_: False)
    with pytest.raises(TrainingError, match="not enough memory to train with 1 photos"):
        autotune(tiny_classifier(), FineTuneSettings(), WORK)


def test_another_error_of_a_trial_is_not_taken_for_memory(monkeypatch):
    monkeypatch.setattr(tuning, "_step", lambda *_: (_ for _ in ()).throw(RuntimeError("shapes do not meet")))
    with pytest.raises(RuntimeError, match="shapes"):
        autotune(tiny_classifier(), FineTuneSettings(), WORK)


def test_a_training_finds_its_way_through_a_small_memory(samples, monkeypatch):
    """From the trials to the last step: nothing of more than four photos fits."""
    sizes: list[int] = []
    forward = Network.forward

    def small_machine(self: Network, inputs: torch.Tensor) -> torch.Tensor:
        if self.training and len(inputs) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        sizes.append(len(inputs))
        logits: torch.Tensor = forward(self, inputs)
        return logits

    monkeypatch.setattr(Network, "forward", small_machine)
    result = fine_tune(tiny_classifier(), samples, FineTuneSettings(epochs=8, batch_size=8, patience=0), device="cpu")
    assert len(result.history) == 8
    assert 4 in sizes
