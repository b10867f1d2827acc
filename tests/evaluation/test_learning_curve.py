"""The law is found where it was put, its band holds the truth, and the sentence follows from it."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from sklearn.linear_model import LogisticRegression

from tsugiki.evaluation.learning_curve import (
    fit_discriminant,
    fit_power_law,
    learning_curve,
    more_photos_sentence,
    narrowed,
    summarise_curve,
)
from tsugiki.locale.messages import use_language

SIZES = [10, 20, 40, 80, 160, 320]


def law(n, floor, amount, rate):
    return floor + amount * n**-rate


def drawn(seed, truth, count=400):
    """Hits of heads whose error follows ``truth``: each photo has one difficulty, the same for all sizes."""
    difficulty = np.random.default_rng(seed).random(count)
    return (difficulty[None, :] > law(np.array(SIZES, dtype=float), *truth)[:, None]).astype(float)


def test_an_exact_law_is_found():
    sizes = np.array(SIZES, dtype=float)
    found = fit_power_law(sizes, law(sizes, 0.05, 1.2, 0.5))
    assert [found.accuracy(n) for n in (15, 1000)] == pytest.approx([1 - law(n, 0.05, 1.2, 0.5) for n in (15, 1000)], abs=0.002)


def test_the_fit_is_as_close_as_scipys():
    rng = np.random.default_rng(0)
    sizes = np.array(SIZES, dtype=float)
    for _ in range(10):
        errors = law(sizes, rng.uniform(0, 0.2), rng.uniform(0.5, 1.2), rng.uniform(0.3, 1.2)) + rng.normal(0, 0.01, 6)
        other, _ = curve_fit(law, sizes, errors, p0=(0.05, 1, 0.6), bounds=([0, 0, 0.05], [1, 50, 2]))
        missed = sum((1 - fit_power_law(sizes, errors).accuracy(n) - e) ** 2 for n, e in zip(sizes, errors, strict=True))
        assert missed <= ((law(sizes, *other) - errors) ** 2).sum() * 1.05 + 1e-7


def test_errors_that_grow_are_a_flat_line():
    found = fit_power_law(np.array([10.0, 20, 40, 80]), np.array([0.1, 0.1, 0.12, 0.12]))
    assert found.accuracy(10) == pytest.approx(found.accuracy(1000)) == pytest.approx(0.89)


def test_the_band_of_the_forecast_holds_the_truth():
    truth = (0.06, 1.5, 0.6)
    held = []
    for seed in range(25):
        forecast = summarise_curve(SIZES, drawn(seed, truth), seed=seed).forecast[1]
        held.append(forecast.low <= 1 - law(forecast.n, *truth) <= forecast.high)
    assert np.mean(held) >= 0.88


def clusters(seed, n, apart):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return rng.normal(size=(n, 40)) + apart * np.eye(40)[labels], labels


def fit(features, labels):
    return LogisticRegression(C=0.1, max_iter=500).fit(features, labels).predict


def test_a_curve_of_real_heads():
    features, labels = clusters(0, 300, apart=2.5)
    curve = learning_curve(features, labels, fit)
    assert curve is not None
    assert curve == learning_curve(features, labels, fit)
    assert curve.n == 300
    assert [point.n for point in curve.measured][-1] == 240
    assert [point.n for point in curve.forecast] == [300, 600, 1200]
    accuracies = [point.accuracy for point in curve.measured]
    assert accuracies[-1] > accuracies[0] + 0.1
    assert all(point.low <= point.high for point in (*curve.measured, *curve.forecast))
    new_features, new_labels = clusters(1, 3000, apart=2.5)
    really = np.mean(fit(features, labels)(new_features) == new_labels)
    assert curve.forecast[0].low - 0.02 <= really <= curve.forecast[0].high + 0.02


def test_photos_of_a_class_with_few_are_in_every_part():
    features, labels = clusters(2, 200, apart=3)
    labels = np.where(np.arange(200) < 8, 2, labels % 2)
    seen = []

    def watched(part, part_labels):
        seen.append(set(part_labels.tolist()))
        return fit(part, part_labels)

    learning_curve(features, labels, watched)
    assert seen
    assert all(classes == {0, 1, 2} for classes in seen)


def test_groups_with_random_labels_cannot_be_learned():
    """Ten photos of each of thirty subjects, a class per subject by chance: only who has seen the subject knows."""
    rng = np.random.default_rng(4)
    subjects = np.repeat(np.arange(30), 10)
    labels = rng.permutation(np.arange(30) % 2)[subjects]
    features = 3 * rng.normal(size=(30, 40))[subjects] + rng.normal(size=(300, 40))
    alone, whole = (learning_curve(features, labels, fit, groups=groups) for groups in (None, subjects))
    assert alone is not None
    assert whole is not None
    assert alone.measured[-1].accuracy > 0.95
    assert whole.measured[-1].accuracy < 0.7
    assert whole.n == 300
    assert whole.measured[-1].high - whole.measured[-1].low > 0.2, "thirty subjects are no three hundred photos"


def test_no_group_is_on_both_sides_and_parts_grow_group_by_group():
    rng = np.random.default_rng(5)
    groups = rng.integers(0, 40, 200)
    labels = groups % 3
    features = np.column_stack([groups, rng.normal(size=200)])
    learned = []

    def watched(part, _labels):
        learned.append(part[:, 0])

        def predict(asked):
            assert not set(asked[:, 0]) & set(part[:, 0])
            return np.zeros(len(asked), int)

        return predict

    assert learning_curve(features, labels, watched, groups=groups) is not None
    for part in learned:
        starts = 1 + np.count_nonzero(np.diff(part))
        assert starts == len(set(part))


def test_one_group_or_a_group_per_class_is_no_curve():
    features, labels = clusters(3, 90, apart=3)
    assert learning_curve(features, labels, fit, groups=np.zeros(90, int)) is None
    assert learning_curve(features, labels, fit, groups=labels) is None


def test_too_few_photos_are_no_curve():
    features, labels = clusters(3, 9, apart=3)
    assert learning_curve(features, labels, fit) is None


@pytest.mark.parametrize(
    ("truth", "english", "japanese"),
    [
        ((0.0, 3.0, 0.5), "More photos will help", "良くなります"),
        ((0.08, 5.0, 1.8), "hardly help", "ほとんど"),
        ((0.03, 0.6, 0.35), None, "写真"),
    ],
)
def test_the_sentence(truth, english, japanese):
    curve = summarise_curve(SIZES, drawn(0, truth))
    sentence = more_photos_sentence(curve)
    assert english is None or english in sentence
    assert f"twice as many ({2 * curve.n} instead of {curve.n})" in sentence
    use_language("ja")
    assert japanese in more_photos_sentence(curve)


def test_few_photos_do_not_pretend_to_know():
    assert "Nobody can tell" in more_photos_sentence(summarise_curve(SIZES, drawn(1, (0.05, 1.0, 0.8), count=60)))


def test_photos_that_all_look_the_same_are_guessed():
    same = narrowed(np.ones((12, 5), np.float32))
    assert len(set(fit_discriminant(same, np.arange(12) % 3)(same).tolist())) == 1
