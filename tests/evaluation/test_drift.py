"""An alarm about a changed rate: seldom without cause, soon with one, and never for having been looked at often."""

import numpy as np
import pytest

from tsugiki.evaluation.drift import RateWatch, highest_rate


def _first_alarm(stream, limit, alpha=0.01):
    watch = RateWatch([limit], alpha)
    for at, event in enumerate(stream, start=1):
        if watch.update([event])[0]:
            return at, int(watch.since[0])
    return None


def test_a_rate_at_its_limit_gives_fewer_alarms_than_stated():
    """A false-alarm rate of 20% is asked for, so that 200 streams of 1,000 photos can tell: 40 may alarm, and fewer do."""
    alarms = 0
    for seed in range(200):
        stream = np.random.default_rng(seed).random(1000) < 0.08
        alarms += _first_alarm(stream, 0.08, alpha=0.2) is not None
    assert 0 < alarms <= 40


@pytest.mark.parametrize("before", [0, 200, 3000])
def test_a_change_is_told_soon_and_since_when(before):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        stream = np.concatenate([rng.random(before) < 0.05, rng.random(400) < 0.6])
        found = _first_alarm(stream, 0.08)
        assert found is not None
        at, since = found
        assert before < at <= before + 60
        assert abs(since - before) <= 25


def test_a_small_change_is_found_too_and_a_smaller_rate_is_none():
    rng = np.random.default_rng(0)
    assert _first_alarm(rng.random(5000) < 0.16, 0.08) is not None
    assert _first_alarm(rng.random(5000) < 0.01, 0.08) is None


def test_the_wealth_is_the_sum_over_every_beginning():
    """Derived again by loops: every photo as the first one, every rate."""
    stream, limit = [0, 1, 0, 1, 1], 0.2
    watch = RateWatch([limit], 0.01)
    for event in stream:
        watch.update([event])
    total = 1 / (len(stream) + 1)
    for share in (0.05, 0.12, 0.3, 0.6, 0.9):
        rate = limit + (1 - limit) * share
        for first in range(1, len(stream) + 1):
            wealth = 1.0
            for event in stream[first - 1 :]:
                wealth *= rate / limit if event else (1 - rate) / (1 - limit)
            total += wealth / (first * (first + 1)) / 5
    assert watch.log_wealth()[0] == pytest.approx(np.log(total))


def test_several_rates_are_watched_apart():
    watch = RateWatch([0.3, 0.3], 0.01)
    alarms = np.array([watch.update([True, False]) for _ in range(60)])
    assert alarms[:, 0].sum() == 1
    assert not alarms[:, 1].any()


def test_the_highest_rate_is_the_exact_interval():
    stats = pytest.importorskip("scipy.stats")
    for events, n in ((0, 10), (3, 75), (20, 40), (500, 9000)):
        expected = stats.beta.ppf(0.995, events + 1, n - events)
        assert highest_rate(events, n, miss=0.005) == pytest.approx(expected, rel=1e-6)
    assert highest_rate(0, 0, miss=0.005) == highest_rate(4, 4, miss=0.005) == 1.0
