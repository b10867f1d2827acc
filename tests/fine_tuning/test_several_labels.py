"""Fine-tuning where photos may have several labels: what is learned from, chosen by and judged."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fine_tuning.conftest import same, several, state_of
from tests.fine_tuning.test_resume import Interrupted, interrupt_at
from tsugiki.core.errors import DataError
from tsugiki.data.augmentation.augment import Augmentation
from tsugiki.data.label_sets import NOT_KNOWN
from tsugiki.data.load import load
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, mean_over_classes
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.fine_tuning.comparison import compare, verdict_sentence
from tsugiki.fine_tuning.fine_tune import fine_tune
from tsugiki.fine_tuning.lr_range import find_rate
from tsugiki.fine_tuning.model_selection import SetAnswers, best_of, choice_sentence, cross_fit, prefers_fine_tuning
from tsugiki.fine_tuning.objectives import ManyLabels
from tsugiki.fine_tuning.request import check_request
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.training_data import deal_halves, split_for_validation

SETTINGS = FineTuneSettings(epochs=3, batch_size=8, precision="float32", compile="off", memory_format="contiguous")
CLASSES = ("blue", "green", "red")


@pytest.fixture
def samples(colours):
    return load(colours)


def test_the_loss_is_binary_cross_entropy_over_known_cells():
    random = np.random.default_rng(0)
    targets = random.integers(-1, 2, (12, 4)).astype(np.int8)
    logits = torch.from_numpy(random.normal(size=(12, 4))).float()
    for balanced in (False, True):
        settings = FineTuneSettings(label_smoothing=0.2, class_weights=balanced)
        asked = ManyLabels.of(targets, targets, settings, torch.device("cpu"))
        per_class = []
        for column in range(4):
            known = np.flatnonzero(targets[:, column] != NOT_KNOWN)
            share = ((targets[known, column] > 0).sum() + 0.5) / (len(known) + 1)
            losses = []
            for row in known:
                truth, chance = float(targets[row, column]), 1 / (1 + np.exp(-float(logits[row, column])))
                weight = (0.5 / share if truth else 0.5 / (1 - share)) if balanced else 1
                truth = 0.8 * truth + 0.2 * (0.5 if balanced else share)
                losses.append(-weight * (truth * np.log(chance) + (1 - truth) * np.log(1 - chance)))
            per_class.append(np.mean(losses))
        found = asked.losses(logits, range(12)).mean()
        assert float(found) == pytest.approx(np.mean(per_class), rel=1e-5)


def test_cells_that_nobody_knows_teach_nothing():
    targets = np.array([[1, -1], [0, 1], [1, 0]], np.int8)
    asked = ManyLabels.of(targets, targets, FineTuneSettings(), torch.device("cpu"))
    logits = torch.zeros(3, 2, requires_grad=True)
    asked.losses(logits, range(3)).sum().backward()
    assert ((logits.grad != 0).numpy() == (targets != NOT_KNOWN)).all()


def test_blended_photos_count_with_the_labels_of_either():
    targets = np.array([[1, 0], [0, 0], [1, 1], [0, 1]], np.int8)
    asked = ManyLabels.of(targets, targets, FineTuneSettings(label_smoothing=0), torch.device("cpu"))
    logits = torch.tensor([[0.3, -0.2]])
    mixed = torch.tensor([[1.0, 0.3]])  # seven tenths of the first photo, three of the third
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, mixed)
    assert float(0.7 * asked.losses(logits, [0]) + 0.3 * asked.losses(logits, [2])) == pytest.approx(float(expected))


def test_it_learns_and_every_epoch_is_told_by_its_average_precision(samples, capsys):
    settings = replace(SETTINGS, epochs=8, lr=5e-3, augmentation=Augmentation(crop=(1, 1)))
    found = fine_tune(several(), samples, settings, device="cpu")
    assert list(found.history[0]) == ["epoch", "train_loss", "train_map", "val_loss", "val_map", "lr", "seconds"]
    assert found.history[-1]["train_map"] > found.history[0]["train_map"]
    assert found.notes["best"]["mean_average_precision"] > found.notes["start"]["mean_average_precision"]
    said = capsys.readouterr().err
    assert f"validation mean average precision {found.history[-1]['val_map']:.1%}" in said
    assert found.classifier.multi_label is not None  # as fresh as it was: calibrating comes later
    assert found.notes["validated"]["metric"] == "mean_average_precision"


def test_the_score_of_an_epoch_is_that_of_all_its_photos(samples):
    """However the batches are cut, and with photos blended."""
    settings = replace(SETTINGS, epochs=1, blend=False, augmentation=Augmentation(mixup=0.5, crop=(1, 1), flip=False))
    whole = fine_tune(several(), samples, settings, device="cpu").history[0]
    parts = fine_tune(several(), samples, replace(settings, micro_batch=3), device="cpu").history[0]
    assert parts["train_map"] == pytest.approx(whole["train_map"], abs=1e-6)
    assert parts["val_loss"] == pytest.approx(whole["val_loss"], rel=1e-4)


def test_half_the_bits_are_enough(samples):
    settings = replace(SETTINGS, epochs=1, blend=False)
    whole = fine_tune(several(), samples, settings, device="cpu").history[0]
    half = fine_tune(several(), samples, replace(settings, precision="bfloat16"), device="cpu").history[0]
    assert half["train_loss"] == pytest.approx(whole["train_loss"], rel=0.02)
    assert half["train_loss"] != whole["train_loss"]


@pytest.mark.parametrize("step", [1, 4, 7])
def test_an_interrupted_training_ends_as_one_that_was_not(samples, tmp_path, monkeypatch, step):
    settings = replace(SETTINGS, checkpoint_steps=1)
    alone = fine_tune(several(), samples, settings, device="cpu", folder=tmp_path / "a")
    interrupt_at(monkeypatch, step)
    with pytest.raises(Interrupted):
        fine_tune(several(), samples, settings, device="cpu", folder=tmp_path / "b")
    monkeypatch.undo()
    resumed = fine_tune(several(), samples, settings, device="cpu", folder=tmp_path / "b", resume="must")
    assert same(state_of(alone.classifier), state_of(resumed.classifier))
    for name in ("train_loss", "train_map", "val_loss", "val_map"):
        assert [row[name] for row in alone.history] == [row[name] for row in resumed.history]
    assert alone.notes == resumed.notes


def test_other_labels_are_another_request(samples):
    changed = samples.targets.copy()
    changed[0, 0] = 1 - changed[0, 0]
    one, other = (check_request(several(), part, SETTINGS) for part in (samples, replace(samples, targets=changed)))
    assert one != other
    turned = samples.with_classes(CLASSES[::-1])
    assert check_request(several(), turned, SETTINGS) == one


def test_validation_photos_and_their_halves_have_their_share_of_every_class(samples):
    training, val = split_for_validation(samples, SETTINGS)
    assert not {*training, *val} & {*samples.held_out_rows}
    shown = samples.targets > 0
    for rows in (training, val):
        assert np.abs(shown[rows].mean(axis=0) - shown[:40].mean(axis=0)).max() < 0.13
    half = deal_halves(samples, range(40), seed=1).numpy()
    for column in range(3):
        assert abs(int(shown[:40][half, column].sum()) - int(shown[:40][~half, column].sum())) <= 1
    groups = np.arange(40) // 5
    together = deal_halves(samples, range(40), seed=1, groups_of=lambda rows: groups[list(rows)]).numpy()
    assert all(len({*together[groups == group].tolist()}) == 1 for group in range(8))
    assert 0 < together.sum() < 40


def test_validation_photos_that_show_nothing_choose_no_epoch(samples):
    splits = ("val",) * 3 + samples.splits[3:]
    targets = samples.targets.copy()
    targets[:3] = 0
    with pytest.raises(DataError, match="No validation photo shows"):
        split_for_validation(replace(samples, splits=splits, targets=targets), SETTINGS)


def test_each_half_judges_what_the_other_chose_by_its_own_order():
    random = np.random.default_rng(1)
    targets = random.integers(0, 2, (12, 3)).astype(np.int8)
    half = torch.from_numpy(random.permutation(12) < 6)

    def answers():
        return SetAnswers(torch.from_numpy(random.random(12)), torch.from_numpy(random.normal(size=(12, 3))), targets)

    def precision(one, photos):
        rows = photos.numpy()
        return mean_over_classes(average_precisions(targets[rows], one.logits.numpy()[rows]))

    start, *epochs = (answers() for _ in range(6))
    judged, chosen = [], []
    for choosing in (half, ~half):
        best = max(range(5), key=lambda epoch, photos=choosing: precision(epochs[epoch], photos))
        chosen.append(best + 1)
        judged.append(precision(epochs[best], ~choosing))
    blended = next(epoch for epoch in range(1, 6) if epoch not in chosen)
    found = cross_fit(start, epochs, [answers()], blended=blended, half=half)
    assert found == {
        "photos": 12,
        "start": pytest.approx((precision(start, half) + precision(start, ~half)) / 2),
        "fine_tuned": pytest.approx(sum(judged) / 2),
        "epochs": chosen,
        "metric": "mean_average_precision",
    }
    assert f"mean average precision {found['fine_tuned']:.1%}" in choice_sentence({"validated": {**found, "start": 0.0}})
    assert prefers_fine_tuning({"validated": {**found, "start": 0.0}})
    assert "Kept: the frozen backbone" in choice_sentence({"validated": {**found, "start": 1.0}})
    assert best_of([start, start]) == 0
    empty = replace(start, targets=np.where(half.numpy()[:, None], targets, 0).astype(np.int8))
    assert cross_fit(empty, [empty], [], blended=1, half=half) is None  # one half shows no class


def predictions(probabilities, targets, names=None):
    names = tuple(f"{row}.png" for row in range(len(targets))) if names is None else names
    return MultiLabelPredictions(names, ("test",) * len(targets), targets, probabilities, np.full(2, 0.5), ("cat", "dog"))


def test_both_classifiers_are_compared_on_the_same_photos():
    random = np.random.default_rng(2)
    targets = random.integers(0, 2, (80, 2)).astype(np.int8)
    weak = np.clip(0.5 + 0.1 * (targets - 0.5) + 0.3 * random.normal(size=(80, 2)), 0, 1)
    strong = np.clip(0.5 + 0.8 * (targets - 0.5) + 0.1 * random.normal(size=(80, 2)), 0, 1)
    found = json.loads(json.dumps(compare(predictions(weak, targets), predictions(strong, targets), np.arange(80))))
    assert found["verdict"] == "helped"
    assert found["frozen_head"]["mean_average_precision"] < found["fine_tuned"]["mean_average_precision"]
    assert found["difference_interval"][0] > 0
    assert "Fine-tuning helped: mean average precision from" in verdict_sentence(found)
    back = compare(predictions(strong, targets), predictions(weak, targets))
    assert back["verdict"] == "hurt"
    assert back["difference"] == pytest.approx(-found["difference"])
    # A photo that has vanished meanwhile, in another order.
    rows = [3, 1, 0, *range(5, 80)]
    some = predictions(strong[rows], targets[rows], tuple(f"{row}.png" for row in rows))
    fewer = compare(predictions(weak, targets), some, np.arange(80))
    assert fewer["n"] == 78
    equal = compare(predictions(weak, targets), predictions(weak, targets))
    assert equal["verdict"] == "cannot tell"
    assert "cannot be told from 80 held-out photos" in verdict_sentence(equal)


def test_a_learning_rate_is_looked_for(samples):
    found = find_rate(several(), samples, replace(SETTINGS, augmentation=Augmentation(crop=(1, 1))), steps=12, highest=0.1)
    assert found.losses[0] == pytest.approx(np.log(2), abs=0.15)  # the mean over cells, of a head that knows nothing
    assert len(found.rates) == len(found.losses)
