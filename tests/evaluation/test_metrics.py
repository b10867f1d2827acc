"""Every metric equals scikit-learn's and a naive loop's."""

import numpy as np
import pytest
import sklearn.metrics as oracle

from tsugiki.evaluation import metrics


@pytest.fixture(params=[(0, 2, 40), (1, 3, 200), (2, 12, 500), (3, 5, 7)], ids=str)
def case(request):
    seed, num_classes, n = request.param
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, n)
    logits = rng.normal(size=(n, num_classes)) + 1.5 * np.eye(num_classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities, probabilities.argmax(axis=1), num_classes


def test_confusion_matrix(case):
    labels, _, predicted, num_classes = case
    counts = metrics.confusion_matrix(labels, predicted, num_classes)
    assert np.array_equal(counts, oracle.confusion_matrix(labels, predicted, labels=range(num_classes)))
    naive = np.zeros((num_classes, num_classes), dtype=int)
    for label, answer in zip(labels, predicted, strict=True):
        naive[label, answer] += 1
    assert np.array_equal(counts, naive)


def test_per_class(case):
    labels, _, predicted, num_classes = case
    scores = metrics.class_scores(metrics.confusion_matrix(labels, predicted, num_classes))
    table = oracle.precision_recall_fscore_support(labels, predicted, labels=range(num_classes), zero_division=0)
    mine = [[score.precision or 0, score.recall or 0, score.f1 or 0, score.n] for score in scores]
    assert np.allclose(np.array(table).T, mine, atol=1e-12)
    for score in scores:
        for value, (low, high) in (
            (score.precision, score.precision_interval),
            (score.recall, score.recall_interval),
            (score.f1, score.f1_interval),
        ):
            assert 0 <= low <= high <= 1
            assert value is None or low <= value <= high


def test_balanced_accuracy_and_macro_f1(case):
    labels, _, predicted, num_classes = case
    scores = metrics.class_scores(metrics.confusion_matrix(labels, predicted, num_classes))
    recalls = [np.mean(predicted[labels == c] == c) for c in range(num_classes) if (labels == c).any()]
    value, (low, high) = metrics.balanced_accuracy(scores)
    assert value == pytest.approx(np.mean(recalls), abs=1e-12)
    assert low < value < high
    if set(predicted) <= set(labels):
        assert value == pytest.approx(oracle.balanced_accuracy_score(labels, predicted), abs=1e-12)
    present = sorted(set(labels) | set(predicted))
    expected = oracle.f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert metrics.macro_f1(scores) == pytest.approx(expected, abs=1e-12)


def test_top_k(case):
    labels, probabilities, _, num_classes = case
    ranks = metrics.true_class_rank(labels, probabilities)
    for k in range(1, num_classes):
        expected = oracle.top_k_accuracy_score(
            labels, probabilities if num_classes > 2 else probabilities[:, 1], k=k, labels=range(num_classes)
        )
        assert (ranks < k).mean() == pytest.approx(expected, abs=1e-12)


def test_top_1_is_accuracy_even_where_all_are_equally_probable():
    labels = np.array([0, 1, 2, 1])
    flat = np.full((4, 3), 1 / 3)
    assert ((metrics.true_class_rank(labels, flat) == 0) == (flat.argmax(axis=1) == labels)).all()
    assert metrics.true_class_rank(labels, flat).tolist() == [0, 1, 2, 1]


def test_log_loss(case):
    labels, probabilities, _, num_classes = case
    expected = oracle.log_loss(labels, probabilities, labels=range(num_classes))
    assert metrics.log_loss(labels, probabilities) == pytest.approx(expected, rel=1e-12)


def test_log_loss_stays_finite_where_the_right_class_got_nothing():
    labels, sure = np.array([1]), np.array([[1.0, 0.0]])
    assert metrics.log_loss(labels, sure) == pytest.approx(oracle.log_loss([1], sure, labels=[0, 1]))


def test_a_class_without_photos_or_answers_has_no_score():
    scores = metrics.class_scores(metrics.confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 4))
    assert (scores[3].precision, scores[3].recall, scores[3].f1) == (None, None, None)
    assert metrics.balanced_accuracy(scores)[0] == pytest.approx((0.5 + 1) / 2)


def test_majority_class():
    assert metrics.majority_class(np.array([2, 2, 1, 1, 0]), 3) == 1


def test_classes_that_have_photos_weigh_the_same():
    labels = np.array([0, 0, 0, 2])
    weights = metrics.class_weights(labels, 4)
    assert weights.dtype == np.float64
    assert weights[[0, 2]] == pytest.approx([4 / (2 * 3), 4 / 2])
    assert weights[labels].mean() == pytest.approx(1)
    assert np.isfinite(weights).all()
