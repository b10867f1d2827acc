"""The head on features: as good as scikit-learn's, honest about what it has not seen, the same again for the same seed."""

import math

import numpy as np
import pytest
import torch

from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.features import store as vector_files
from tsugiki.features.store import FeatureRows
from tsugiki.heads import linear as head_module
from tsugiki.heads import solver as heads_module
from tsugiki.heads.linear import HeadSettings, Labelled, fit_linear_head
from tsugiki.heads.solver import Heads, Plan, Scaling, train_heads

COLUMNS = ["epoch", "train_loss", "train_acc", "val_loss", "val_acc", "lr", "seconds"]


def make(count, width=40, classes=4, *, noise=1.0, seed=0):
    """Features as backbones give them: not negative, of unequal spread, some dead; classes that overlap."""
    centres = np.random.default_rng(99).normal(size=(classes, width))
    dice = np.random.default_rng(seed)
    labels = (np.arange(count) % classes).astype(np.int64)
    spread = np.linspace(0.2, 3, width)
    vectors = np.maximum((centres[labels] + noise * 2.5 * dice.normal(size=(count, width))) * spread + 1, 0)
    vectors[:, :3] = 0
    return Labelled(FeatureRows(vectors.astype(np.float32), np.arange(count)), labels)


def logits_of(fit, features):
    return features.take(slice(None)) @ fit.weight.numpy().T + fit.bias.numpy()


def log_loss(logits, labels):
    return float(torch.nn.functional.cross_entropy(torch.as_tensor(logits), torch.from_numpy(labels)))


def accuracy(logits, labels):
    return float((np.asarray(logits).argmax(axis=1) == labels).mean())


@pytest.mark.parametrize(("count", "noise"), [(90, 1.5), (600, 2.5)])
def test_it_is_not_worse_than_scikit_learns_cross_validated_logistic_regression(count, noise):
    from sklearn.linear_model import LogisticRegressionCV

    training, fresh = (make(number, width=256, noise=noise, seed=seed) for seed, number in ((1, count), (2, 3000)))
    fit = fit_linear_head(training, 4)
    scaler = Scaling.of(training.features)
    oracle = LogisticRegressionCV(
        Cs=np.logspace(-4, 1, 8), cv=5, scoring="neg_log_loss", max_iter=2000, l1_ratios=(0,), use_legacy_attributes=False
    ).fit(scaler(training.features.vectors), training.labels)
    theirs = oracle.predict_log_proba(scaler(fresh.features.vectors))
    ours = logits_of(fit, fresh.features)
    assert accuracy(ours, fresh.labels) >= accuracy(theirs, fresh.labels) - 0.02
    assert log_loss(ours, fresh.labels) <= log_loss(theirs, fresh.labels) * 1.05


def test_training_reaches_the_minimum_of_the_loss_it_says():
    """The optimum of mean cross-entropy plus penalty / 2 times squared weights, found by an exact solver."""
    from scipy.optimize import minimize

    data = make(240, width=10, classes=3)
    scaling = Scaling.of(data.features)
    plan = Plan(data.labels, 3, np.zeros(240, np.int64), torch.ones(3), epochs=200, batch_size=60, lr=0.01, seed=0)
    heads = Heads.fresh(10, 3, [-1], [0.1])
    train_heads(data.features, scaling, plan, heads, lambda *_: None)
    inputs = scaling(data.features.take(slice(None))).double()

    def loss(numbers):
        weight = torch.tensor(numbers[:30].reshape(10, 3), requires_grad=True)
        bias = torch.tensor(numbers[30:], requires_grad=True)
        value = torch.nn.functional.cross_entropy(inputs @ weight + bias, torch.from_numpy(data.labels))
        value = value + 0.05 * (weight**2).sum()
        value.backward()
        return value.item(), np.concatenate([weight.grad.numpy().ravel(), bias.grad.numpy()])

    best = minimize(loss, np.zeros(33), jac=True, tol=1e-12)
    ours = loss(np.concatenate([heads.weight[:, 0].numpy().ravel(), heads.bias[0].numpy()]).astype(np.float64))[0]
    assert ours == pytest.approx(best.fun, rel=1e-3)


def test_heads_beside_each_other_do_not_disturb_each_other():
    data = make(100, width=8, classes=3)
    scaling = Scaling.of(data.features)
    folds = np.arange(100, dtype=np.int64) % 4
    plan = Plan(data.labels, 3, folds, torch.ones(3), epochs=5, batch_size=16, lr=0.01, seed=0)
    asked = [(0, 0.1), (2, 0.1), (-1, 0.001)]
    together = Heads.fresh(8, 3, [fold for fold, _ in asked], [penalty for _, penalty in asked])
    train_heads(data.features, scaling, plan, together, lambda *_: None)
    for place, (fold, penalty) in enumerate(asked):
        alone = Heads.fresh(8, 3, [fold], [penalty])
        train_heads(data.features, scaling, plan, alone, lambda *_: None)
        assert torch.allclose(alone.weight[:, 0], together.weight[:, place], atol=1e-5)
        assert torch.allclose(alone.bias[0], together.bias[place], atol=1e-5)


def test_a_head_learns_nothing_from_the_fold_it_holds_out():
    data, folds = make(100, width=8, classes=3), np.arange(100, dtype=np.int64) % 4
    changed = Labelled(FeatureRows(data.features.vectors.copy(), data.features.rows), data.labels.copy())
    changed.labels[folds == 1] = 0
    scaling = Scaling.of(data.features)
    found = []
    for part in (data, changed):
        plan = Plan(part.labels, 3, folds, torch.ones(3), epochs=3, batch_size=16, lr=0.01, seed=0)
        heads = Heads.fresh(8, 3, [1, 2], [0.01, 0.01])
        train_heads(part.features, scaling, plan, heads, lambda *_: None)
        found.append(heads)
    assert torch.equal(found[0].weight[:, 0], found[1].weight[:, 0])
    assert not torch.equal(found[0].weight[:, 1], found[1].weight[:, 1])


def test_what_nobody_can_know_is_not_known_out_of_fold():
    """Random labels on features wide enough to memorise them."""
    dice = np.random.default_rng(0)
    vectors = dice.normal(size=(200, 300)).astype(np.float32)
    labels = dice.integers(0, 2, 200)
    fit = fit_linear_head(Labelled(FeatureRows(vectors, np.arange(200)), labels), 2, settings=HeadSettings(epochs=60))
    assert accuracy(logits_of(fit, FeatureRows(vectors, np.arange(200))), labels) > 0.8
    assert 0.38 < accuracy(fit.out_of_fold, labels) < 0.62
    assert 0.38 < fit.history[-1]["val_acc"] < 0.62


def test_twins_are_known_unless_they_stay_together():
    """Pairs of one photo with random labels: only folds that split them let a head know its own."""
    dice = np.random.default_rng(0)
    vectors = np.repeat(dice.normal(size=(100, 300)), 2, axis=0).astype(np.float32)
    labels = np.repeat(dice.integers(0, 2, 100), 2)
    data = Labelled(FeatureRows(vectors, np.arange(200)), labels)
    groups = [str(row // 2) for row in range(200)]
    apart = fit_linear_head(data, 2, settings=HeadSettings(epochs=60))
    together = fit_linear_head(data, 2, groups=groups, settings=HeadSettings(epochs=60))
    assert accuracy(apart.out_of_fold, labels) > 0.7
    assert accuracy(together.out_of_fold, labels) < 0.65
    assert all(together.folds[row] == together.folds[row + 1] for row in range(0, 200, 2))


def test_the_history_has_a_row_per_epoch_and_its_last_row_is_the_result():
    data = make(150)
    fit = fit_linear_head(data, 4, settings=HeadSettings(epochs=7))
    assert [list(row) for row in fit.history] == [COLUMNS] * 7
    assert [row["epoch"] for row in fit.history] == list(range(1, 8))
    assert all(earlier["lr"] > later["lr"] for earlier, later in zip(fit.history, fit.history[1:], strict=False))
    last, logits = fit.history[-1], logits_of(fit, data.features)
    assert last["train_loss"] == pytest.approx(log_loss(logits, data.labels), rel=1e-4)
    assert last["train_acc"] == pytest.approx(accuracy(logits, data.labels))
    assert last["val_loss"] == pytest.approx(log_loss(fit.out_of_fold, data.labels), rel=1e-4)
    assert last["val_acc"] == pytest.approx(accuracy(fit.out_of_fold, data.labels))
    assert last["train_loss"] < fit.history[0]["train_loss"]


def test_validation_photos_give_the_curves_and_are_never_learned_from():
    data, validation = make(150, seed=1), make(50, seed=2)
    plain = fit_linear_head(data, 4, settings=HeadSettings(epochs=5))
    watched = fit_linear_head(data, 4, validation=validation, settings=HeadSettings(epochs=5))
    assert torch.equal(plain.weight, watched.weight)
    assert np.array_equal(plain.out_of_fold, watched.out_of_fold)
    assert watched.history[-1]["val_loss"] == pytest.approx(
        log_loss(logits_of(watched, validation.features), validation.labels), rel=1e-4
    )
    assert (plain.notes["validation"], watched.notes["validation"]) == ("out-of-fold", "val")


def test_the_same_seed_gives_the_same_head_and_another_one_another():
    data = make(150)
    first, second, other = (fit_linear_head(data, 4, settings=HeadSettings(epochs=5, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(first.weight, second.weight)
    assert np.array_equal(first.out_of_fold, second.out_of_fold)
    assert not torch.equal(first.weight, other.weight)


def test_class_weights_let_rare_classes_count_and_touch_no_curve():
    data = make(1200, classes=2, noise=1.6)
    kept = np.flatnonzero((data.labels == 0) | (np.arange(1200) % 20 == 1))
    rare = Labelled(FeatureRows(data.features.vectors, kept), data.labels[kept])
    fresh = make(2000, classes=2, noise=1.6, seed=5)
    recalls = []
    for weighed in (False, True):
        fit = fit_linear_head(rare, 2, settings=HeadSettings(class_weights=weighed))
        logits = logits_of(fit, fresh.features)
        recalls.append([float((logits.argmax(axis=1)[fresh.labels == label] == label).mean()) for label in (0, 1)])
        assert fit.history[-1]["val_loss"] == pytest.approx(log_loss(fit.out_of_fold, rare.labels), rel=1e-4)
    assert recalls[1][1] > recalls[0][1] + 0.1
    assert np.mean(recalls[1]) > np.mean(recalls[0])


def test_streaming_gives_a_head_as_good(monkeypatch, tmp_path):
    """Vectors on disk in another order than the photos, and less memory than they need."""
    training, fresh = make(5000, noise=1.0, seed=1), make(3000, noise=1.0, seed=2)
    order = np.random.default_rng(0).permutation(5000)
    stored = np.memmap(tmp_path / "v.f32", np.float32, mode="w+", shape=(5000, 40))
    stored[order] = training.features.vectors
    on_disk = Labelled(FeatureRows(stored, order), training.labels)
    in_memory = fit_linear_head(training, 4)
    monkeypatch.setattr(vector_files, "_IN_MEMORY", 1000)
    for module in (vector_files, heads_module):
        monkeypatch.setattr(module, "STREAMED_BLOCK", 300)
    streamed = fit_linear_head(on_disk, 4)
    ours, theirs = (log_loss(logits_of(fit, fresh.features), fresh.labels) for fit in (streamed, in_memory))
    assert ours <= theirs * 1.02
    assert accuracy(streamed.out_of_fold, training.labels) == pytest.approx(
        accuracy(in_memory.out_of_fold, training.labels), abs=0.01
    )
    assert streamed.notes["penalty"]["C"] == in_memory.notes["penalty"]["C"]


@pytest.mark.parametrize("count", [1, 255, 256, 257, 5000])
@pytest.mark.parametrize("size", [32, 100])
def test_a_streamed_epoch_meets_every_photo_once_with_its_own_vector(monkeypatch, count, size):
    monkeypatch.setattr(vector_files, "_IN_MEMORY", 0)
    for module in (vector_files, heads_module):
        monkeypatch.setattr(module, "STREAMED_BLOCK", 200)
    rows = np.random.default_rng(0).permutation(count)
    vectors = np.empty((count, 2), np.float32)
    vectors[rows] = np.stack([np.arange(count), -np.arange(count)], axis=1)
    plan = Plan(np.zeros(count, np.int64), 2, np.zeros(count, np.int64), torch.ones(2), 2, size, 0.1, 0)
    batches = heads_module._Batches(FeatureRows(vectors, rows), Scaling(torch.zeros(2), 1.0), plan)
    seen = [list(batches.of_epoch(epoch)) for epoch in (1, 2)]
    for epoch in seen:
        met = torch.cat([photos for photos, _ in epoch])
        assert sorted(met.tolist()) == list(range(count))
        assert torch.equal(torch.cat([inputs for _, inputs in epoch])[:, 0], met.float())
        assert len(epoch) == plan.steps // 2
        assert all(len(photos) == size for photos, _ in epoch[:-1])
    if count > 100:
        assert not torch.equal(seen[0][0][0], seen[1][0][0])


def test_scaling_is_undone_in_the_head_that_comes_out():
    data = make(200)
    scaling = Scaling.of(data.features)
    vectors = data.features.take(slice(None))
    scaled = scaling(vectors)
    assert torch.allclose(scaled.mean(dim=0), torch.zeros(40), atol=1e-4)
    assert float((scaled**2).mean()) == pytest.approx(1, rel=1e-4)
    weight, bias = torch.randn(4, 40), torch.randn(4)
    plain = scaling.undo(weight, bias)
    assert torch.allclose(torch.from_numpy(vectors) @ plain[0].T + plain[1], scaled @ weight.T + bias, atol=1e-3)


def test_features_that_are_all_alike_are_no_trouble():
    data = Labelled(FeatureRows(np.full((20, 4), 3, np.float32), np.arange(20)), np.arange(20) % 2)
    fit = fit_linear_head(data, 2)
    assert torch.isfinite(fit.weight).all()
    assert np.isfinite(fit.out_of_fold).all()


@pytest.mark.parametrize("groups", [None, ["a"] * 40, [str(row % 4) for row in range(40)]], ids=["alone", "one", "by class"])
def test_where_no_class_can_be_held_out_there_is_a_head_and_nothing_is_made_up(groups):
    data = make(4 if groups is None else 40)
    fit = fit_linear_head(data, 4, groups=groups)
    assert fit.out_of_fold is None
    assert accuracy(logits_of(fit, data.features), data.labels) > 0.9
    assert all(np.isnan(row["val_loss"]) and np.isnan(row["val_acc"]) for row in fit.history)
    assert fit.notes["penalty"] == {"C": pytest.approx(10**-1.5), "chosen_by": "default", "log_loss": {}}
    assert fit.notes["validation"] == "none"


def test_a_class_of_one_photo_is_learned_by_every_head_and_judged_by_none():
    data = make(101, classes=2)
    lonely = Labelled(data.features, np.where(np.arange(101) == 100, 2, data.labels))
    fit = fit_linear_head(lonely, 3)
    assert fit.out_of_fold is not None
    assert np.flatnonzero(np.isnan(fit.out_of_fold).any(axis=1)).tolist() == [100]
    assert fit.notes["penalty"]["chosen_by"] == "5-fold cross-validation"
    judged = slice(0, 100)
    assert fit.history[-1]["val_loss"] == pytest.approx(log_loss(fit.out_of_fold[judged], lonely.labels[judged]), rel=1e-4)


def test_a_photo_in_no_fold_is_learned_from_by_every_head():
    data, folds = make(100, width=8, classes=3), np.arange(100, dtype=np.int64) % 4
    folds[7] = -1
    found = []
    for label in (0, 1):
        labels = data.labels.copy()
        labels[7] = label
        plan = Plan(labels, 3, folds, torch.ones(3), epochs=3, batch_size=16, lr=0.01, seed=0)
        heads = Heads.fresh(8, 3, [3, -1], [0.01, 0.01])
        train_heads(data.features, Scaling.of(data.features), plan, heads, lambda *_: None)
        found.append(heads)
    assert all(not torch.equal(found[0].weight[:, place], found[1].weight[:, place]) for place in (0, 1))


def test_many_photos_get_few_epochs_and_large_batches_and_curves_at_the_end_only(monkeypatch):
    plans = {count: HeadSettings().plan(np.arange(count) % 3, 3, np.zeros(count, np.int64)) for count in (30, 400, 1_000_000)}
    assert [plans[count].batch_size for count in plans] == [32, 32, 1024]
    assert plans[30].epochs == 100
    assert plans[1_000_000].epochs == 3
    assert 450 <= plans[400].steps <= 550
    monkeypatch.setattr(head_module, "_EVERY_EPOCH_UP_TO", 10)
    history = fit_linear_head(make(40), 4, settings=HeadSettings(epochs=4)).history
    assert [row["epoch"] for row in history] == [4]


def test_choosing_on_a_part_of_many_photos_chooses_about_the_same(monkeypatch):
    data = make(900)
    whole = fit_linear_head(data, 4).notes["penalty"]
    monkeypatch.setattr(head_module, "_MOST_TO_CHOOSE_ON", 400)
    monkeypatch.setattr(head_module, "_MOST_NUMBERS", 1)  # one fold only
    part = fit_linear_head(data, 4).notes["penalty"]
    assert 0.1 <= part["C"] / whole["C"] <= 10
    assert min(whole["log_loss"], key=whole["log_loss"].get) == str(whole["C"])


@pytest.mark.robust("networks", case="a transfer learning rate that diverges", right="said, with the loss that guessing has")
@pytest.mark.parametrize(("rate", "told"), [(0.003, False), (0.1, False), (100.0, True)])
def test_a_learning_rate_that_diverges_says_so(capsys, rate, told):
    fit_linear_head(make(80), 4, settings=HeadSettings(lr=rate))
    said = capsys.readouterr().err
    assert ("diverged on the way" in said) == told
    assert ("where guessing has 1.39" in said) == told


def test_a_loss_that_is_no_number_ends_the_training(monkeypatch):
    watched = head_module._Watch._scores
    monkeypatch.setattr(head_module._Watch, "_scores", lambda watch, heads: ((math.nan, 0.0), watched(watch, heads)[1]))
    with pytest.raises(TrainingError, match="diverged"):
        fit_linear_head(make(80), 4)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": -1}, {"lr": 0.0}, {"lr": float("nan")}])
def test_settings_that_cannot_be_are_refused_by_name(wrong):
    with pytest.raises(RequestError, match=next(iter(wrong))):
        HeadSettings(**wrong)


@pytest.mark.parametrize(
    "changes",
    [
        *({"epochs": value} for value in (0, "3", 1.5)),
        *({"lr": value} for value in (float("nan"), float("inf"), "1e-3", None, 0)),
        *({"seed": value} for value in (-1, "x")),
        {"batch_size": True},
        {"class_weights": "yes"},
    ],
)
def test_settings_of_a_wrong_kind_are_refused_with_what_is_allowed(changes):
    with pytest.raises(RequestError, match="head cannot work") as caught:
        HeadSettings(**changes)
    (name,) = changes
    assert caught.value.allowed.startswith(f"{name}: ")
    assert "leave them out" in caught.value.cure


def test_a_large_rate_is_the_persons_own_affair():
    assert HeadSettings(lr=20, epochs=np.int64(3)) == HeadSettings(lr=20.0, epochs=3)


def make_sets(count, width=120, classes=5, *, seed=0):
    """Features, and which classes each photo shows: rare ones and frequent ones."""
    weight = np.random.default_rng(99).normal(size=(width, classes)) / np.sqrt(width) * 2
    dice = np.random.default_rng(seed)
    vectors = dice.normal(size=(count, width)).astype(np.float32)
    odds = vectors @ weight + np.array([0.5, 0, -1, -2, -3])[:classes]
    targets = (dice.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    return Labelled(FeatureRows(vectors, np.arange(count)), np.arange(count), targets)


def test_several_labels_are_learned_like_one_tuned_classifier_of_scikit_learn_per_class():
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.metrics import average_precision_score

    training, fresh = make_sets(700, seed=1), make_sets(4000, seed=2)
    fit = fit_linear_head(training, 5)
    scaler = Scaling.of(training.features)
    ours = logits_of(fit, fresh.features)
    theirs = np.stack(
        [
            LogisticRegressionCV(
                Cs=np.logspace(-4, 1, 8),
                cv=5,
                scoring="neg_log_loss",
                max_iter=2000,
                l1_ratios=(0,),
                use_legacy_attributes=False,
            )
            .fit(scaler(training.features.vectors), training.targets[:, place])
            .decision_function(scaler(fresh.features.vectors))
            for place in range(5)
        ],
        axis=1,
    )

    def precision(scores):
        return np.mean([average_precision_score(fresh.targets[:, place], scores[:, place]) for place in range(5)])

    assert precision(ours) >= precision(theirs) - 0.01
    assert set(fit.history[-1]) == {name.replace("_acc", "_map") for name in COLUMNS}
    assert np.isfinite(fit.out_of_fold).all()


def test_a_cell_that_nobody_knows_is_as_if_the_photo_was_not_there_for_its_class():
    """What stands behind an unknown cell must not matter, and a class is learned from its known cells alone."""
    training = make_sets(300, classes=2, seed=3)
    targets = training.targets.copy()
    targets[150:, 1] = -1
    fit = fit_linear_head(Labelled(training.features, training.labels, targets), 2, settings=HeadSettings(epochs=100, lr=0.01))
    part = Labelled(FeatureRows(training.features.vectors, np.arange(150)), np.arange(150), training.targets[:150])
    settings = HeadSettings(epochs=200, lr=0.01)
    alone = fit_linear_head(part, 2, settings=settings)
    fresh = make_sets(1000, classes=2, seed=4)
    ours, theirs = logits_of(fit, fresh.features)[:, 1], logits_of(alone, fresh.features)[:, 1]
    # The penalties are chosen apart, so the answers agree in what they say, not in every digit.
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97
    assert fit.weight.shape == (2, 120)


def test_classes_of_any_rarity_begin_at_what_is_usual_for_them():
    """A head that may not learn anything answers each class's share."""
    training = make_sets(600, seed=5)
    plan = HeadSettings().plan(training.labels, 5, np.zeros(600, np.int64), training.targets)
    shares = training.targets.mean(axis=0)
    assert 1 / (1 + np.exp(-plan.cells.odds.numpy())) == pytest.approx(shares, abs=0.01)
    balanced = HeadSettings(class_weights=True).plan(training.labels, 5, np.zeros(600, np.int64), training.targets).cells
    counted = (balanced.weights * balanced.targets).sum(dim=0)
    others = (balanced.weights * (1 - balanced.targets)).sum(dim=0)
    assert counted.numpy() == pytest.approx(others.numpy(), rel=0.02)
