"""What fine-tuning promises: what is frozen stays, what is held out stays closed, how a step is divided does not matter."""

import copy
import itertools
import json
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.fine_tuning.conftest import same, state_of, tiny_classifier, watching_weights
from tsugiki.backbones.freezing import freeze
from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.data.augmentation.augment import NO_AUGMENTATION, Augmentation
from tsugiki.data.augmentation.views import Views
from tsugiki.data.samples import Samples
from tsugiki.fine_tuning import setup, state
from tsugiki.fine_tuning.checkpoints import forget
from tsugiki.fine_tuning.fine_tune import FineTuned, fine_tune
from tsugiki.fine_tuning.kernels import autotune as tuning
from tsugiki.fine_tuning.request import StartingPoint
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.trainer import Trainer
from tsugiki.fine_tuning.training_data import split_for_validation
from tsugiki.locale.messages import use_language

QUICK = FineTuneSettings(epochs=2, batch_size=8, precision="float32", patience=0)


def tuned(samples: Samples, settings: FineTuneSettings = QUICK, **options: Any) -> FineTuned:
    return fine_tune(options.pop("classifier", None) or tiny_classifier(), samples, settings, device="cpu", **options)


def last_weights(samples: Samples, settings: FineTuneSettings, **options: Any) -> dict[str, torch.Tensor]:
    """The weights after the last step, whether or not they are the best."""
    with watching_weights() as found:
        tuned(samples, settings, **options)
    return found


def farthest(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_the_callers_classifier_is_not_touched(samples):
    classifier = tiny_classifier()
    freeze(classifier.backbone)
    before, grads = state_of(classifier), [one.requires_grad for one in classifier.parameters()]
    result = tuned(samples, classifier=classifier)
    assert same(before, state_of(classifier))
    assert grads == [one.requires_grad for one in classifier.parameters()]
    assert result.classifier is not classifier
    assert not same(before, state_of(result.classifier))
    assert not result.classifier.training


def test_batch_norm_statistics_stay_unless_asked_for(samples):
    before = state_of(tiny_classifier())
    buffers = [name for name, _ in tiny_classifier().named_buffers()]
    frozen = state_of(tuned(samples).classifier)
    assert all(torch.equal(before[name], frozen[name]) for name in buffers)
    result = tuned(samples, replace(QUICK, batch_norm="update", epochs=4, lr=5e-3))
    moved = state_of(result.classifier)
    assert not all(torch.equal(before[name], moved[name]) for name in buffers)
    assert result.notes["batch_norm"] == "updated"


def test_only_the_unfrozen_groups_change(samples):
    classifier = tiny_classifier()
    before = state_of(classifier)
    changed = last_weights(samples, replace(QUICK, unfreeze="1", lr=1e-2))
    learning = {id(one) for one in classifier.backbone.layer_groups()[-1].parameters()}
    learning |= {id(one) for one in classifier.head.parameters()}
    assert changed.keys() == {name for name, one in classifier.named_parameters() if id(one) in learning}
    assert all(not torch.equal(before[name], tensor) for name, tensor in changed.items())
    after = state_of(tuned(samples, replace(QUICK, unfreeze="1", lr=1e-2)).classifier)
    assert all(torch.equal(before[name], after[name]) for name in before.keys() - changed.keys())


def test_held_out_photos_are_not_even_opened(folder, samples, tmp_path):
    import shutil

    shutil.copytree(folder / "train", tmp_path / "train")  # no test photos there
    assert len(tuned(replace(samples, root=tmp_path)).history) == 2


def test_validation_is_a_part_of_the_training_photos(samples):
    training, val = split_for_validation(samples, QUICK)
    assert not set(training) & set(val)
    assert {samples.splits[row] for row in (*training, *val)} == {"train"}
    assert [sum(samples.labels[row] == label for row in val) for label in range(3)] == [2, 2, 2]
    own = replace(samples, splits=tuple("val" if row in {0, 20, 30} else split for row, split in enumerate(samples.splits)))
    assert split_for_validation(own, QUICK)[1] == [row for row, split in enumerate(own.splits) if split == "val"]


def test_the_epoch_that_validation_likes_best_is_kept(samples):
    result = tuned(samples, replace(QUICK, epochs=6, lr=2e-2, ema_decay=0.0, blend=False))
    best = max(result.history, key=lambda row: (row["val_acc"], -row["val_loss"]))
    assert result.notes["best_epoch"] == best["epoch"]
    assert result.notes["best"] == {"loss": best["val_loss"], "accuracy": best["val_acc"]}
    assert result.notes["start"] != result.notes["best"]


def test_weights_between_start_and_end_are_kept_where_they_validate_better(samples):
    ruinous = replace(QUICK, lr=0.3, clip=0.0, warmup=0.0, ema_decay=0.0)
    whole, blended = (tuned(samples, replace(ruinous, blend=blend)) for blend in (False, True))
    score, other = whole.notes["best"], blended.notes["best"]
    assert (other["accuracy"], -other["loss"]) > (score["accuracy"], -score["loss"])
    share = blended.notes["blended"]
    assert 0 < share < 1
    assert whole.notes["blended"] == 1
    start, end, between = (state_of(one) for one in (tiny_classifier(), whole.classifier, blended.classifier))
    for name, one in between.items():
        if one.is_floating_point():
            torch.testing.assert_close(one, torch.lerp(start[name], end[name], share))


def test_the_same_request_gives_the_same_bits(samples):
    settings = replace(QUICK, augmentation=Augmentation(trivial=True, mixup=0.3, erase=0.3))
    classifier = tiny_classifier(dropout=0.5)
    first = last_weights(samples, settings, classifier=classifier)
    torch.manual_seed(1234)
    assert same(first, last_weights(samples, settings, classifier=classifier))
    assert not same(first, last_weights(samples, replace(settings, seed=1), classifier=classifier))


@pytest.mark.parametrize("augmentation", [Augmentation(), Augmentation(mixup=0.5)])
def test_a_batch_in_parts_is_the_same_step(samples, augmentation):
    settings = replace(QUICK, epochs=1, lr=1e-4, augmentation=augmentation)
    whole = last_weights(samples, settings)
    parts = last_weights(samples, replace(settings, micro_batch=3))
    assert farthest(whole, parts) < 2e-5


def test_memory_that_runs_out_halves_the_part_and_keeps_the_step(samples, monkeypatch, capsys):
    settings = replace(QUICK, epochs=1, lr=1e-4)
    whole = last_weights(samples, settings)
    compute, sizes = Trainer.part, []

    def small_machine(trainer, part, photos, means):
        if len(part) > 3:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 byte.")
        sizes.append(len(part))
        compute(trainer, part, photos, means)

    monkeypatch.setattr(Trainer, "part", small_machine)
    assert farthest(whole, last_weights(samples, settings)) < 2e-5
    assert max(sizes) == 2
    assert "learns from all of its photos at once" in capsys.readouterr().err
    monkeypatch.setattr(Trainer, "part", lambda *_: (_ for _ in ()).throw(RuntimeError("CUDA out of memory. Tried")))
    with pytest.raises(TrainingError, match="memory"):
        tuned(samples, settings)


def test_a_repeated_step_begins_as_the_first_attempt_did(samples, monkeypatch):
    settings = replace(QUICK, epochs=1, lr=1e-3, batch_norm="update", augmentation=Augmentation(mixup=0.5))
    classifier = tiny_classifier(dropout=0.5)
    straight = last_weights(samples, replace(settings, micro_batch=4), classifier=classifier)
    compute, failed = Trainer.part, []

    def small_machine(trainer, part, photos, means):
        compute(trainer, part, photos, means)  # dropout has drawn, statistics have moved, losses are counted
        if len(part) > 4:
            failed.append(len(part))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 byte.")

    monkeypatch.setattr(Trainer, "part", small_machine)
    assert same(straight, last_weights(samples, settings, classifier=classifier))
    assert failed == [8]


@pytest.mark.parametrize("batch_norm", ["frozen", "update"])
def test_a_last_batch_of_one_is_learned_from(samples, batch_norm):
    settings = replace(QUICK, batch_size=2, batch_norm=batch_norm, epochs=1)
    three = samples.take(
        [row for label in range(3) for row in [k for k in samples.rows_of("train") if samples.labels[k] == label][:2]]
    )
    training, _ = split_for_validation(three, settings)
    assert len(training) == 3  # batches of two and of one
    assert len(tuned(three, settings).history) == 1


def test_stored_activations_give_what_the_whole_network_gives(samples):
    settings = replace(QUICK, epochs=3, unfreeze="2", augmentation=NO_AUGMENTATION, lr=1e-3)
    stored = last_weights(samples, replace(settings, stored_views=1))
    whole = last_weights(samples, replace(settings, stored_views=0))
    assert farthest(stored, whole) < 1e-5


def test_stored_views_run_the_frozen_layers_once_per_view(samples, monkeypatch):
    turns: list[int] = []
    monkeypatch.setattr(Views, "pixels", _counting(Views.pixels, turns))
    tuned(samples, replace(QUICK, epochs=6, unfreeze="1", stored_views=2))
    assert sorted(set(turns)) == [0, 1]
    assert len(turns) == 2  # 30 photos in one chunk each


def _counting(pixels: Any, turns: list[int]) -> Any:
    def counted(self: Any, rows: Any, turn: int) -> Any:
        turns.append(turn)
        return pixels(self, rows, turn)

    return counted


def test_layers_unfreeze_step_by_step(samples):
    result = tuned(samples, replace(QUICK, epochs=4, unfreeze="3", unfreeze_every=1))
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4]


def test_training_stops_when_validation_stops_getting_better(samples):
    result = tuned(samples, replace(QUICK, epochs=30, lr=1e-12, patience=2, ema_decay=0.0))
    assert len(result.history) <= result.notes["best_epoch"] + 2 < 30


def test_a_budget_ends_the_training(samples, monkeypatch, capsys):
    seconds = itertools.count()
    monkeypatch.setattr(state, "time", SimpleNamespace(monotonic=lambda: float(next(seconds))))  # one per look at the clock
    monkeypatch.setattr(setup, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(tuning, "seconds_per_step", lambda *_: 1e-6)
    result = tuned(samples, replace(QUICK, epochs=1000, budget=60.0))
    said = capsys.readouterr().err
    assert f"The budget ends the training after epoch {len(result.history)}." in said
    each = [row["seconds"] for row in result.history]
    assert len(set(each)) == 1
    assert 60 - each[0] < sum(each) <= 60  # no epoch is begun that would not end in time


def test_epochs_that_a_budget_leaves_no_time_for_are_told(samples, monkeypatch, capsys):
    monkeypatch.setattr(setup, "time", SimpleNamespace(monotonic=lambda: 0.0))
    monkeypatch.setattr(tuning, "seconds_per_step", lambda *_: 1.0)  # 4 steps an epoch and a third on top: 5.2 s
    assert len(tuned(samples, replace(QUICK, epochs=9, budget=11.0)).history) == 2
    assert "The budget of 11 s leaves time for 2 of 9 epochs." in capsys.readouterr().err
    assert len(tuned(samples, replace(QUICK, epochs=9, budget=11.0), starting_point=StartingPoint(spent=9.0)).history) == 1
    assert "longer than the budget of 2 s" in capsys.readouterr().err


@pytest.mark.robust(
    "scores", case="timing trials eat a budget", right="the budget pays for them; a line says what is being done"
)
def test_the_budget_pays_for_timing_and_decoding(samples, monkeypatch, capsys):
    clock = itertools.count(step=4)
    monkeypatch.setattr(setup, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))  # four seconds per look
    monkeypatch.setattr(tuning, "seconds_per_step", lambda *_: 1.0)  # 4 steps an epoch and a third on top: 5.2 s
    result = tuned(samples, replace(QUICK, epochs=9, budget=11.0))
    said = capsys.readouterr().err
    assert "The budget of 7 s leaves time for 1 of 9 epochs." in said
    assert "Timing which way of computing a step is the fastest here" in said
    assert len(result.history) == 1


def test_the_callers_generators_stay_as_they_were(samples):
    classifier = tiny_classifier()
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    python, arrays, tensors = random.getstate(), np.random.get_state(), torch.get_rng_state()
    tuned(samples, classifier=classifier)
    assert random.getstate() == python
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), arrays, strict=True))
    assert torch.equal(torch.get_rng_state(), tensors)


def test_the_order_of_the_samples_classes_does_not_matter(samples):
    turned = replace(samples, classes=samples.classes[::-1], labels=len(samples.classes) - 1 - samples.labels)
    assert tuned(turned).history[0]["train_loss"] == tuned(samples).history[0]["train_loss"]


def test_history_has_the_columns_of_every_history(samples):
    (first, _) = tuned(samples).history
    assert list(first) == ["epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"]


def test_the_head_is_fitted_without_the_validation_photos(samples):
    asked: list[list[int]] = []

    def fit_head(rows: list[int]) -> torch.nn.Linear:
        asked.append(rows)
        return copy.deepcopy(tiny_classifier().head)

    tuned(samples, starting_point=StartingPoint(fit_head))
    assert asked == [split_for_validation(samples, QUICK)[0]]


def test_weights_get_a_new_origin(samples):
    result = tuned(samples, replace(QUICK, lr=1e-2, epochs=4))
    assert result.classifier.backbone.origin.label == "none, fine-tuned"
    assert len(result.classifier.backbone.origin.sha256) == 64
    assert result.notes["began_with"] == {"label": "none", "sha256": ""}
    again = tuned(samples, classifier=result.classifier)
    assert again.classifier.backbone.origin.label == "none, fine-tuned"
    assert again.notes["began_with"] == {"label": "none, fine-tuned", "sha256": result.classifier.backbone.origin.sha256}


def test_notes_are_plain_in_every_language(samples):
    english = tuned(samples).notes
    use_language("ja")
    assert tuned(samples).notes == english
    assert english["compute"] == {"precision": "float32", "channels_last": True, "folded": True, "compiled": False}
    assert english["batch_norm"] == "frozen"
    assert json.loads(json.dumps(english["compute"])) == english["compute"]


def test_a_broken_loss_is_said(samples):
    classifier = tiny_classifier()
    with torch.no_grad():
        classifier.head.weight.fill_(float("inf"))
    with pytest.raises(TrainingError, match="finite"):
        tuned(samples, classifier=classifier)


def test_there_must_be_something_to_continue(samples, tmp_path):
    with pytest.raises(RequestError, match="nothing to continue"):
        tuned(samples, folder=tmp_path / "c", resume="must")


def test_nothing_is_left_behind(samples, tmp_path: Path):
    tuned(samples, folder=tmp_path / "c")
    (request,) = (tmp_path / "c").iterdir()
    assert {path.suffix for path in request.iterdir()} == {".pt", ".json"}
    forget(tmp_path / "c")
    assert not (tmp_path / "c").exists()
