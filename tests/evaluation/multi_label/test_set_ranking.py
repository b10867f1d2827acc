"""Mean average precision: its intervals hold the truth, a guesser is never proven, two classifiers are told apart or not."""

import numpy as np
import pytest
from scipy.stats import norm

from benchmarks.multi_label_honesty import World, true_average_precision
from tsugiki.data.label_sets import NOT_KNOWN
from tsugiki.evaluation.metrics import macro_f1
from tsugiki.evaluation.multi_label import set_ranking
from tsugiki.evaluation.multi_label.bootstrap import (
    drawn_average_precisions,
    drawn_macro_f1,
    drawn_photos,
    drawn_shares,
    draws_for,
    mean_of_classes,
)
from tsugiki.evaluation.multi_label.set_metrics import (
    average_precisions,
    mean_over_classes,
    present_shares,
    set_class_scores,
)
from tsugiki.evaluation.multi_label.set_ranking import compare_sets, macro_f1_interval, plain_comparison, rank


def photos(dice, n, shares, distance, *, copies=1):
    """Cells and scores of ``n`` photos, and which of them are one."""
    targets, scores, _ = World(n, tuple(shares), distance, copies).photos(dice)
    return targets, scores, np.repeat(np.arange(n // copies), copies)


@pytest.fixture
def few_draws(monkeypatch):
    monkeypatch.setattr(set_ranking, "draws_for", lambda *_: 100)


@pytest.mark.parametrize("groups", [None, np.arange(23) // 2])
def test_each_draw_is_the_metric_of_the_photos_drawn(groups):
    dice = np.random.default_rng(0)
    targets = dice.choice([-1, 0, 0, 1], (23, 4)).astype(np.int8)
    targets[:, 3] = np.where(targets[:, 3] == 1, 0, targets[:, 3])  # nobody shows it
    targets[1:, 2] = 0  # in many draws nobody shows it
    targets[0, 2] = 1
    scores = np.round(dice.random((23, 4)), 1)
    shown = scores > 0.6
    drawn = np.hstack(list(drawn_photos(groups, 23, draws=40, seed=5))).astype(int)
    options = {"draws": 40, "seed": 5}
    precisions = drawn_average_precisions(targets, scores, groups, **options)
    shares, f1s = drawn_shares(targets, groups, **options), drawn_macro_f1(targets, shown, groups, **options)
    means = mean_of_classes(precisions)
    for column, times in enumerate(drawn.T):
        rows = np.repeat(np.arange(23), times)
        expected = average_precisions(targets[rows], scores[rows])
        told = [np.nan if value is None else value for value in expected]
        assert precisions[:, column] == pytest.approx(told, nan_ok=True)
        assert means[column] == pytest.approx(mean_over_classes(expected))
        own = np.where(np.isnan(told), np.nan, present_shares(targets[rows]))
        assert shares[:, column] == pytest.approx(own, nan_ok=True, abs=1e-6)
        assert f1s[column] == pytest.approx(macro_f1(set_class_scores(targets[rows], shown[rows])), abs=1e-6)
    assert np.isnan(precisions[2]).any()
    assert np.isnan(precisions[3]).all()
    if groups is not None:
        assert (drawn[:-1:2] == drawn[1::2]).all()  # photos of one group are drawn as often


def test_large_collections_are_drawn_in_blocks_and_less_often(monkeypatch):
    assert draws_for(1_000, 80) == 500
    assert draws_for(1_000_000, 100) == 200
    monkeypatch.setattr("tsugiki.evaluation.multi_label.bootstrap._BLOCK", 30)
    blocks = list(drawn_photos(None, 10, draws=7, seed=0))
    assert [block.shape for block in blocks] == [(10, 3), (10, 3), (10, 1)]
    whole = np.hstack(blocks)
    assert (whole.sum(axis=0) == 10).all()
    monkeypatch.undo()
    assert np.array_equal(whole, np.hstack(list(drawn_photos(None, 10, draws=7, seed=0))))


def test_many_photos_of_a_class_are_drawn_in_coarse_steps_of_the_same_variance(monkeypatch):
    targets, scores, _ = photos(np.random.default_rng(10), 4000, [0.3, 0.5], 1)
    coarse = drawn_average_precisions(targets, scores, None, draws=150)
    monkeypatch.setattr("tsugiki.evaluation.multi_label.bootstrap._STEPS", 10**9)
    exact = drawn_average_precisions(targets, scores, None, draws=150)
    assert coarse.std(axis=1) == pytest.approx(exact.std(axis=1), rel=0.03)
    assert coarse.mean(axis=1) == pytest.approx(exact.mean(axis=1), abs=0.001)
    assert (coarse != exact).all()


@pytest.mark.parametrize(
    ("n", "shares", "distance", "copies"),
    [
        (40, [0.4] * 3, 2, 1),
        (40, [0.4] * 3, 4, 1),  # hardly any mistake: percentiles of the bootstrap hold the truth 3 times in 4
        (100, [0.05, 0.1, 0.2, 0.3], 2.5, 1),
        (100, [0.05] * 12, 1.5, 1),  # few photos of each class: percentiles of the bootstrap seldom hold the truth
        (160, [0.3] * 4, 2, 4),
    ],
)
@pytest.mark.usefixtures("few_draws")
def test_intervals_hold_the_true_mean_average_precision(n, shares, distance, copies):
    dice, truths = np.random.default_rng(1), [true_average_precision(share, distance) for share in shares]
    held, held_class = [], []
    for seed in range(150):
        targets, scores, own = photos(dice, n, shares, distance, copies=copies)
        found = rank(targets, scores, own if copies > 1 else None, seed=seed)
        held.append(found.interval[0] <= np.mean(truths) <= found.interval[1])
        held_class += [low <= truth <= high for (low, high), truth in zip(found.intervals, truths, strict=True)]
    assert 0.92 <= np.mean(held) <= 1
    assert np.mean(held_class) >= 0.93


def test_copies_do_not_narrow_an_interval():
    targets, scores, own = photos(np.random.default_rng(2), 400, [0.3] * 3, 1.5, copies=8)
    apart, wide = (rank(targets, scores, groups).interval for groups in (None, own))
    assert wide[1] - wide[0] > 1.8 * (apart[1] - apart[0])


def test_no_mistake_is_no_certainty():
    targets = np.eye(3, dtype=np.int8)[np.arange(30) % 3]
    found = rank(targets, targets + 0.0)
    assert found.mean == 1
    assert found.interval == pytest.approx((0.886, 1), abs=0.001)
    assert all(low == pytest.approx(0.722, abs=0.001) for low, _ in found.intervals)
    assert found.verdict == "helped"
    assert not found.near_chance
    assert macro_f1_interval(1.0, targets, targets == 1) == pytest.approx((0.886, 1), abs=0.001)


@pytest.mark.usefixtures("few_draws")
def test_macro_f1_has_an_interval_that_holds_the_truth():
    dice, distance, shares = np.random.default_rng(3), 2.0, [0.2, 0.4]
    hits, alarms = norm.sf(1 - distance), norm.sf(1)
    truth = np.mean([2 * share * hits / (share + share * hits + (1 - share) * alarms) for share in shares])
    held = []
    for seed in range(150):
        targets, scores, _ = photos(dice, 60, shares, distance)
        value = macro_f1(set_class_scores(targets, scores >= 1))
        low, high = macro_f1_interval(value, targets, scores >= 1, seed=seed)
        held.append(low <= truth <= high)
    assert 0.92 <= np.mean(held) <= 1


@pytest.mark.robust(
    "scores", case="several labels, few photos, a random order", right="never proven better than guessing; close to guessing"
)
@pytest.mark.parametrize(("n", "share", "copies"), [(12, 0.3, 1), (60, 0.1, 1), (150, 0.2, 5)])
@pytest.mark.usefixtures("few_draws")
def test_a_guesser_is_not_proven_by_few_photos(n, share, copies):
    dice, found = np.random.default_rng(4), []
    for seed in range(100):
        targets, scores, own = photos(dice, n, [share] * 3, 0, copies=copies)
        if targets.any():
            found.append(rank(targets, scores, own if copies > 1 else None, seed=seed))
    above = [one.difference > 0 for one in found]
    assert np.mean(above) > 0.7  # a random order of few photos scores above the share,
    assert np.mean([one.verdict == "helped" for one in found]) <= 0.03  # which proves nothing
    assert np.mean([one.near_chance for one in found]) > 0.9


def test_a_reversed_order_is_worse_than_guessing():
    targets, scores, _ = photos(np.random.default_rng(5), 200, [0.3] * 3, 2)
    assert rank(targets, -scores).verdict == "hurt"
    assert rank(targets, scores).verdict == "helped"


def test_where_nothing_absent_is_known_nothing_is_proven():
    targets = np.where(np.random.default_rng(6).random((30, 3)) < 0.5, 1, NOT_KNOWN).astype(np.int8)
    found = rank(targets, np.random.default_rng(7).random((30, 3)))
    assert (found.mean, found.share, found.by_chance, found.mean_roc_area) == (1, 1, pytest.approx(1), None)
    assert found.verdict == "cannot tell"
    assert found.near_chance


def test_cells_without_any_positive_have_no_score():
    found = rank(np.zeros((5, 2), np.int8), np.zeros((5, 2)))
    assert (found.mean, found.interval, found.verdict, found.near_chance) == (None, (0, 1), "cannot tell", True)
    one = rank(np.ones((1, 1), np.int8), np.zeros((1, 1)))
    assert one.mean == 1
    assert one.verdict == "cannot tell"


@pytest.mark.usefixtures("few_draws")
def test_two_classifiers_that_differ_are_told_apart_and_equal_ones_are_not():
    dice, verdicts = np.random.default_rng(8), []
    for seed in range(100):
        targets, scores, _ = photos(dice, 120, [0.2] * 4, 1.5)
        other = targets * 1.5 + 0.7 * (scores - targets * 1.5) + 0.7 * dice.normal(size=scores.shape)
        verdicts.append(compare_sets(targets, scores, other, seed=seed).verdict)
    assert verdicts.count("cannot tell") >= 90
    targets, scores, _ = photos(dice, 300, [0.2] * 4, 1)
    better = compare_sets(targets, scores, scores + targets)
    assert better.verdict == "helped"
    assert better.p_value < 0.001
    assert better.difference == pytest.approx(better.mean_average_precision_b - better.mean_average_precision_a)
    assert compare_sets(targets, scores + targets, scores).verdict == "hurt"
    assert plain_comparison(better)["difference_interval"] == list(better.difference_interval)


def test_two_classifiers_without_a_difference_still_have_an_interval():
    targets, scores, _ = photos(np.random.default_rng(9), 30, [0.3] * 2, 1)
    same = compare_sets(targets, scores, scores)
    assert (same.difference, same.p_value, same.verdict) == (0, 1, "cannot tell")
    assert same.difference_interval[0] < -0.05
    with pytest.raises(ValueError, match="same photos"):
        compare_sets(targets, scores, scores[1:])
    with pytest.raises(ValueError, match="no photo"):
        compare_sets(np.zeros_like(targets), scores, scores)
