"""Temperatures are found where they were put, and calibration error is what a loop computes."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tsugiki.evaluation.calibration import at_temperature, calibration_error, fit_temperature, reliability
from tsugiki.evaluation.metrics import log_loss, softmax


def drawn(seed, n, num_classes=4, temperature=1.0):
    """Logits whose probabilities are right at ``temperature``: labels are drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(n, num_classes))
    labels = np.array([rng.choice(num_classes, p=row) for row in softmax(logits)])
    return logits * temperature, labels


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_planted_temperature_is_found(temperature):
    logits, labels = drawn(0, 6000, temperature=temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.06)


def test_the_temperature_has_the_least_log_loss():
    logits, labels = drawn(1, 5000, temperature=2.0)
    best = minimize_scalar(lambda t: log_loss(labels, softmax(logits, t)), bounds=(0.1, 20), method="bounded").x
    assert fit_temperature(logits, labels) == pytest.approx(best, rel=0.01)


def test_answers_that_are_all_right_do_not_become_certain():
    labels = np.array([0, 1] * 20)
    logits = 3.0 * np.eye(2)[labels]
    sure = softmax(logits, fit_temperature(logits, labels, level=1)).max(axis=1)
    assert sure == pytest.approx(1 - 1 / 42, abs=1e-3)  # the rule of succession: (40 + 1) / (40 + 2)


def test_a_calibrated_head_is_left_alone():
    told = [fit_temperature(*drawn(seed, 150)) for seed in range(200)]
    assert np.mean([temperature == 1 for temperature in told]) >= 0.93
    assert fit_temperature(*drawn(0, 150), level=1) != 1


def test_calibration_lowers_the_error_on_other_photos():
    logits, labels = drawn(2, 3000, temperature=3.0)
    other, truth = drawn(3, 3000, temperature=3.0)
    after = softmax(other, fit_temperature(logits, labels))
    for binning in ("width", "mass"):
        before_error = calibration_error(reliability(truth, softmax(other), binning=binning))
        assert calibration_error(reliability(truth, after, binning=binning)) < 0.3 * before_error


def test_before_is_computed_from_after():
    logits, _ = drawn(4, 200)
    assert np.allclose(at_temperature(softmax(logits, 2.5), 1 / 2.5), softmax(logits), rtol=1e-9)


@pytest.mark.parametrize("binning", ["width", "mass"])
def test_calibration_error_equals_a_loop(binning):
    logits, labels = drawn(7, 500)
    probabilities = softmax(logits)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bars = reliability(labels, probabilities, bins=10, binning=binning)
    total = 0.0
    for bar in bars:
        inside = [i for i in range(500) if bar.lower < confidence[i] <= bar.upper]
        assert len(inside) == bar.n
        total += abs(sum(confidence[i] for i in inside) - sum(right[i] for i in inside)) / 500
    assert calibration_error(bars) == pytest.approx(total, abs=1e-12)
    assert sum(bar.n for bar in bars) == 500
    if binning == "mass":
        assert [bar.n for bar in bars] == [50] * 10


def test_the_order_of_photos_does_not_matter():
    labels = np.array([0, 1, 0, 1, 1, 0] * 10)
    tied = np.tile([[0.6, 0.4], [0.7, 0.3]], (30, 1))
    order = np.random.default_rng(0).permutation(60)
    for binning in ("width", "mass"):
        assert reliability(labels, tied, binning=binning) == reliability(labels[order], tied[order], binning=binning)


def test_certainty_and_a_flat_answer_have_their_bars():
    bars = reliability(np.array([0, 1]), np.array([[1.0, 0.0], [0.5, 0.5]]), bins=4)
    assert [(bar.lower, bar.upper, bar.n) for bar in bars] == [(0.25, 0.5, 1), (0.75, 1.0, 1)]
