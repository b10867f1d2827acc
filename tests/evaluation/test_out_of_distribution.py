"""Photos unlike anything seen are told apart, at the false-reject rate that was promised."""

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from tsugiki.evaluation import metrics
from tsugiki.evaluation.out_of_distribution import (
    auroc,
    distance,
    energy,
    judge_rejection,
    nearest,
    nearest_others,
    threshold_at,
    training_distance,
)


def cloud(seed, n, centre=0.0, width=20):
    return np.random.default_rng(seed).normal(centre, 1.0, (n, width)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 3])
def test_distance_equals_scikit_learn(k):
    photos, training = cloud(0, 40), cloud(1, 70)
    oracle = NearestNeighbors(n_neighbors=k, metric="cosine", algorithm="brute").fit(training)
    expected, rows = oracle.kneighbors(photos)
    assert np.allclose(distance(photos, training, k=k), expected.mean(axis=1), atol=1e-5)
    assert np.array_equal(nearest(photos, training, k=k).rows, rows)


def test_a_photo_is_no_neighbour_of_itself():
    training = cloud(2, 50)
    found = nearest_others(training, k=2)
    assert not (found.rows == np.arange(50)[:, None]).any()
    for row in range(50):
        others = np.delete(training, row, axis=0)
        assert training_distance(training)[row] == pytest.approx(distance(training[[row]], others)[0], abs=1e-6)


def test_twins_of_one_group_do_not_make_each_other_known():
    training = np.concatenate([cloud(3, 20), cloud(3, 20)])
    assert training_distance(training).max() < 1e-6
    groups = np.tile(np.arange(20), 2)
    assert np.allclose(training_distance(training, groups=groups)[:20], training_distance(cloud(3, 20)), atol=1e-6)


def test_blocks_do_not_change_the_answer(monkeypatch):
    training = cloud(4, 60)
    whole = nearest_others(training, k=5)
    monkeypatch.setattr(metrics, "_TILE", 300)
    parts = nearest_others(training, k=5)
    assert np.array_equal(whole.rows, parts.rows)
    assert np.allclose(whole.similarity, parts.similarity, atol=1e-6)


def test_fewer_photos_than_neighbours():
    found = nearest_others(cloud(5, 2), k=3)
    assert found.rows.tolist() == [[1, -1, -1], [0, -1, -1]]
    assert training_distance(cloud(5, 1)).tolist() == [2.0]
    assert nearest(cloud(5, 2), np.zeros((0, 20), dtype=np.float32), k=1).rows.tolist() == [[-1], [-1]]


def test_energy_is_minus_logsumexp():
    logits = cloud(7, 30, width=4) * 50
    assert np.allclose(energy(logits), -logsumexp(logits.astype(float), axis=1))
    assert np.allclose(energy(logits, temperature=2.0), -2 * logsumexp(logits.astype(float) / 2, axis=1))


def test_auroc_equals_scikit_learn_with_ties():
    rng = np.random.default_rng(8)
    known, unknown = rng.integers(0, 8, 60).astype(float), rng.integers(3, 12, 45).astype(float)
    truth = np.repeat([0, 1], [60, 45])
    assert auroc(known, unknown) == pytest.approx(roc_auc_score(truth, np.concatenate([known, unknown])))
    naive = np.mean([(b > a) + 0.5 * (b == a) for a in known for b in unknown])
    assert auroc(known, unknown) == pytest.approx(naive)


@pytest.mark.parametrize("rate", [0.05, 0.2])
def test_new_known_photos_are_rejected_as_often_as_promised(rate):
    rng = np.random.default_rng(9)
    rejected = [(rng.random(400) > threshold_at(rng.random(119), false_reject_rate=rate)).mean() for _ in range(300)]
    assert np.mean(rejected) == pytest.approx(rate, abs=0.01)


def test_the_threshold_by_hand():
    scores = np.arange(1.0, 20.0)  # 19 photos: the 19th of 20 places
    assert threshold_at(scores) == 19.0
    assert threshold_at(scores, false_reject_rate=0.5) == 10.0
    assert threshold_at(scores[:3]) == 3.0
    with pytest.raises(ValueError, match="at least one"):
        threshold_at(np.zeros(0))


def test_other_things_are_rejected():
    training = cloud(10, 200, centre=3.0)
    threshold = threshold_at(training_distance(training))
    found = judge_rejection(
        distance(cloud(11, 200, centre=3.0), training), distance(cloud(12, 100, centre=-3.0), training), threshold
    )
    assert found.auroc == 1.0
    assert found.rejected == 1.0
    assert found.false_reject == pytest.approx(0.05, abs=0.04)
    assert found.false_reject_interval[0] <= found.false_reject <= found.false_reject_interval[1]
