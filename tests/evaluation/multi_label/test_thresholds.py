"""Thresholds and probabilities of every class by itself: what is asked for is reached, and little is changed without need."""

import numpy as np
import pytest

from tsugiki.core.errors import RequestError
from tsugiki.evaluation.multi_label.platt import fit_platt, sigmoid
from tsugiki.evaluation.multi_label.thresholds import (
    FEW,
    ThresholdGoal,
    choose_thresholds,
    crossed_thresholds,
)


def precision_score(truth, shown):
    return (truth[shown] == 1).mean() if shown.any() else 0.0


def recall_score(truth, shown):
    return shown[truth == 1].mean()


def f1_score(truth, shown):
    return 2 * (truth[shown] == 1).sum() / (shown.sum() + (truth == 1).sum())


def make(count=250, seed=0, rates=(0.5, 0.2, 0.08)):
    """Logits that are calibrated, and what the photos show."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(size=(count, len(rates))) * 1.5 + np.log(np.array(rates) / (1 - np.array(rates)))
    return logits, (dice.random(logits.shape) < sigmoid(logits)).astype(np.int8)


def test_the_best_f1_is_that_of_trying_every_threshold():
    logits, targets = make(count=400)
    chances = sigmoid(logits)
    chosen = choose_thresholds(chances, targets)
    assert not chosen.shared.any()
    for place in range(3):
        reached = f1_score(targets[:, place], chances[:, place] >= chosen.values[place])
        best = max(f1_score(targets[:, place], chances[:, place] >= cut) for cut in chances[:, place])
        assert reached == pytest.approx(best, abs=1e-12)
    # The rare class would hardly ever be shown at one half.
    assert chosen.values[2] < 0.4


@pytest.mark.parametrize("goal", ["precision=0.7", "recall=0.9", "recall=90%"])
def test_what_is_asked_for_is_reached_with_as_little_loss_as_can_be(goal):
    logits, targets = make(count=400)
    chances, goal = sigmoid(logits), ThresholdGoal.read(goal)
    measure, other = (precision_score, recall_score) if goal.kind == "precision" else (recall_score, precision_score)
    for place, value in enumerate(choose_thresholds(chances, targets, goal).values):
        truth, column = targets[:, place], chances[:, place]
        assert measure(truth, column >= value) >= goal.least
        if goal.kind == "precision":
            others = [other(truth, column >= cut) for cut in column if measure(truth, column >= cut) >= goal.least]
            assert other(truth, column >= value) == pytest.approx(max(others))


def test_cells_that_nobody_knows_have_no_say():
    logits, targets = make(seed=1)
    hidden = targets.copy()
    hidden[::2] = -1
    assert choose_thresholds(sigmoid(logits), hidden).values == pytest.approx(
        choose_thresholds(sigmoid(logits[1::2]), targets[1::2]).values
    )


@pytest.mark.parametrize("goal", ["f1", "precision=0.7", "recall=0.9"])
@pytest.mark.parametrize(("seed", "few"), [(seed, few) for seed in range(4) for few in (0, FEW - 1)])
def test_a_class_of_few_photos_takes_the_threshold_that_is_best_for_all_cells_together(seed, few, goal):
    logits, targets = make(count=120, seed=seed, rates=(0.5, 0.3))
    truth = np.hstack([targets, np.zeros((len(targets), 1), np.int8)])
    truth[:few, 2] = 1
    chances, goal = sigmoid(np.hstack([logits, logits[:, :1]])), ThresholdGoal.read(goal)
    chosen = choose_thresholds(chances, truth, goal)
    assert chosen.shared.tolist() == [False, False, True]
    assert chosen.values[2] == choose_thresholds(chances.reshape(-1, 1), truth.reshape(-1, 1), goal).values[0]
    if goal.kind == "f1":
        reached, *tried = (f1_score(truth, chances >= cut) for cut in (chosen.values[2], *chances.ravel()))
        assert reached == pytest.approx(max(tried), abs=1e-12)


def test_thresholds_of_a_photo_are_chosen_by_the_others():
    logits, targets = make(count=60)
    chances, folds = sigmoid(logits), np.arange(60) % 3
    crossed = crossed_thresholds(chances, targets, folds)
    others = folds != 1
    assert (crossed[folds == 1] == choose_thresholds(chances[others], targets[others]).values).all()


@pytest.mark.parametrize("text", ["f2", "precision", "precision=0", "recall=1.5", "0.5", ""])
def test_a_goal_that_is_none_is_refused(text):
    with pytest.raises(RequestError, match="thresholds"):
        ThresholdGoal.read(text)


def test_calibrated_logits_stay_and_others_are_mended():
    logits, targets = make(count=3000)
    slope, offset = fit_platt(logits, targets)
    assert (slope.tolist(), offset.tolist()) == ([1, 1, 1], [0, 0, 0])
    slope, offset = fit_platt((logits - 1) * 2.5, targets)
    mended = slope * (logits - 1) * 2.5 + offset
    assert np.abs(mended - logits).mean(axis=0) == pytest.approx(0, abs=0.3)


def test_logits_of_the_wrong_sign_are_not_turned_round():
    logits, targets = make(count=2000)
    assert fit_platt(-logits, targets)[0].tolist() == [1, 1, 1]


def test_the_fit_is_the_optimum_that_scipy_finds():
    from scipy.optimize import minimize

    logits, targets = make(count=500, rates=(0.3,), seed=4)
    logits = logits * 3 + 1
    shown = targets[:, 0] == 1
    truth = np.where(shown, (shown.sum() + 1) / (shown.sum() + 2), 1 / ((~shown).sum() + 2))

    def loss(pair):
        z = pair[0] * logits[:, 0] + pair[1]
        return (np.logaddexp(0, z) - truth * z).sum()

    slope, offset = fit_platt(logits, targets)
    assert [slope[0], offset[0]] == pytest.approx(minimize(loss, [1.0, 0.0]).x, abs=1e-3)
