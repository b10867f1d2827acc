"""Intervals hold the truth as often as they say, and McNemar's test counts what it should."""

import math

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from tsugiki.evaluation.metrics import f1_interval, mcnemar, mean_share_interval, share_of, verdict, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (10, 10), (1, 3), (147, 153), (500, 1000), (99_999, 100_000)])
def test_wilson_equals_scipy(hits, n):
    expected = binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_says_nothing():
    assert wilson(0, 0) == (0.0, 1.0)
    assert share_of(np.zeros(0, dtype=bool)) == (0.0, (0.0, 1.0))


@pytest.mark.parametrize("n", [20, 60, 153, 500])
def test_wilson_holds_the_true_share_95_times_in_100(n):
    # Exact, no dice: every possible count, weighted with its chance, over the accuracies that classifiers have.
    truths = np.linspace(0.5, 0.99, 200)
    ends = np.array([wilson(hits, n) for hits in range(n + 1)])
    covered = [(binom.pmf(range(n + 1), n, p) * ((ends[:, 0] <= p) & (p <= ends[:, 1]))).sum() for p in truths]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def simulate(rounds, seed):
    """Shares of rounds in which an interval held the truth: accuracy, recall, balanced accuracy, F1, difference of two."""
    rng = np.random.default_rng(seed)
    names = ("accuracy", "balanced", "f1", "difference")
    held = dict.fromkeys(names, 0)
    for _ in range(rounds):
        first, second = rng.uniform(0.7, 0.98, 2)
        n = int(rng.integers(40, 160))
        hits = rng.binomial(n, [first, second])
        held["accuracy"] += _holds(wilson(int(hits[0]), n), first)
        held["balanced"] += _holds(mean_share_interval(hits.tolist(), [n, n]), (first + second) / 2)
        held["f1"] += _f1_holds(rng, n, first, second)
        held["difference"] += _difference_holds(rng, n, first, second)
    return {name: count / rounds for name, count in held.items()}


def _holds(interval, truth):
    return interval[0] <= truth <= interval[1]


def _f1_holds(rng, n, first, second):
    # A two-class problem with as many photos of each: hit, miss, false alarm, right rejection.
    cells = np.array([first, 1 - first, 1 - second, second]) / 2
    hit, miss, alarm, _ = rng.multinomial(2 * n, cells)
    return _holds(f1_interval(int(hit), int(miss + alarm)), 2 * cells[0] / (2 * cells[0] + cells[1] + cells[2]))


def _difference_holds(rng, n, first, second):
    shared = rng.random(n)  # the same photo is hard for both
    mixed = np.where(rng.random(n) < 0.5, shared, rng.random(n))
    comparison = mcnemar(shared < first, mixed < second)
    return _holds(comparison.difference_interval, second - first)


def test_intervals_hold_the_truth_by_simulation():
    for name, share in simulate(4000, seed=0).items():
        assert share == pytest.approx(0.95, abs=0.015), name


@pytest.mark.slow
def test_intervals_hold_the_truth_by_a_long_simulation():
    for name, share in simulate(60_000, seed=1).items():
        assert share == pytest.approx(0.95, abs=0.015), name


def test_mcnemar_is_the_sign_test_of_the_photos_on_which_the_two_disagree():
    rng = np.random.default_rng(0)
    for _ in range(20):
        first, second = rng.random((2, 80)) < rng.uniform(0.6, 0.9, (2, 1))
        found = mcnemar(first, second)
        only_a = sum(a and not b for a, b in zip(first, second, strict=True))
        only_b = sum(b and not a for a, b in zip(first, second, strict=True))
        assert (found.only_a, found.only_b, found.n) == (only_a, only_b, 80)
        assert found.p_value == pytest.approx(binomtest(only_a, only_a + only_b, 0.5).pvalue)
        assert found.difference == pytest.approx(second.mean() - first.mean())
        assert found.interval_a == wilson(int(first.sum()), 80)


def test_mcnemar_by_hand():
    first = np.array([True] * 10 + [False] * 10)
    second = np.array([True] * 19 + [False])
    # 9 photos against 0: twice the chance of nine heads in a row.
    assert mcnemar(first, second).p_value == pytest.approx(2 * 0.5**9)
    assert verdict(mcnemar(first, second)) == "helped"
    assert verdict(mcnemar(second, first)) == "hurt"


def test_no_difference_and_no_photos_cannot_tell():
    same = np.array([True, False, True])
    assert mcnemar(same, same).p_value == 1.0
    assert verdict(mcnemar(same, same)) == "cannot tell"
    nothing = mcnemar(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    assert (nothing.accuracy_a, verdict(nothing)) == (0.0, "cannot tell")
    assert math.isclose(nothing.p_value, 1.0)


def test_a_test_at_5_percent_cries_wolf_at_most_5_times_in_100():
    rng = np.random.default_rng(2)
    alarms = [verdict(mcnemar(*(rng.random((2, 150)) < 0.9))) != "cannot tell" for _ in range(1000)]
    assert np.mean(alarms) < 0.05


def test_different_photos_cannot_be_compared():
    with pytest.raises(ValueError, match="same shape"):
        mcnemar(np.ones(3, dtype=bool), np.ones(4, dtype=bool))
