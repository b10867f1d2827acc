"""Faults planted in features and photos are found, and named by the right row."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.samples import Samples
from tsugiki.evaluation.learning_curve import fit_discriminant, learning_curve, narrowed
from tsugiki.evaluation.metrics import softmax
from tsugiki.features.store import FeatureRows
from tsugiki.features.table import FeatureTable
from tsugiki.heads.linear import Labelled, fit_linear_head
from tsugiki.inspection.finding_sentences import suspects_sentence
from tsugiki.inspection.findings import find

N, D = 120, 24


@pytest.fixture(scope="module")
def planted():
    """Two classes, the held-out photos in between the others; returns table and truth."""
    rng = np.random.default_rng(0)
    truth = np.arange(N) % 2
    features = rng.normal(4, 1, (N, D)).astype(np.float32)
    features[:, 0] += 6 * truth
    labels = truth.copy()
    wrong = [4, 31, 58]
    labels[wrong] = 1 - labels[wrong]
    splits = tuple("test" if row % 5 == 0 else "train" for row in range(N))
    features[10] = features[11] + 0.01  # the held-out photo 10 is 11 again
    features[77] = 0
    features[77, :2] = 20 * truth[77], -40  # like no other
    looks = rng.integers(-(2**62), 2**62, N)
    looks[10] = looks[11]
    digests = tuple(f"{row:064x}" for row in range(N))
    # Photos of class 1 come from another camera.
    facts = [
        PhotoFacts(640 if label else 500, 480, (90.0, 90.0, 90.0), int(look)) for label, look in zip(labels, looks, strict=True)
    ]
    samples = Samples(Path("photos"), tuple(f"{row}.jpg" for row in range(N)), labels, splits, ("a", "b"), digests)
    training, held_out = samples.rows_of("train"), samples.rows_of("test")
    table = FeatureTable(
        samples,
        FeatureRows(features, np.array(training)),
        features[:0],
        features[held_out],
        list(facts),
        0,
    )
    return table, wrong


@pytest.fixture(scope="module")
def found(planted):
    table, _ = planted
    labels = table.samples.labels[table.samples.train_rows]
    head = fit_linear_head(Labelled(table.train_photos, labels), 2)
    return find(table, table.samples.train_rows, softmax(head.out_of_fold))


def test_suspects_are_rows_of_the_samples(planted, found):
    table, wrong = planted
    assert {one.row for one in found.suspects[:3]} == {row for row in wrong if row in table.samples.train_rows}
    assert all(one.label == table.samples.labels[one.row] for one in found.suspects)


def test_a_copy_across_splits_is_a_leak(found):
    assert found.leaks == {10: 11}
    assert [(pair.first, pair.second) for pair in found.copies] == [(10, 11)]


def test_the_odd_one_comes_first(found):
    assert found.odd[0].row == 77
    assert len(found.odd) < N / 10


def test_the_size_that_gives_the_class_away_is_suspicious(found):
    assert [one.name for one in found.shortcuts if one.suspicious] == ["size", "shape"]


def test_the_summary_is_plain_json(found):
    import json

    summary = json.loads(json.dumps(found.summary()))
    assert summary["suspects"] == len(found.suspects)
    assert summary["learning_curve"]["n"] == len([row for row in range(N) if row % 5])


def test_photos_that_nobody_could_judge_are_no_suspects(planted):
    table, _ = planted
    labels = table.samples.labels[table.samples.train_rows]
    probabilities = np.full((len(labels), 2), 0.2)
    probabilities[np.arange(len(labels)), labels] = 0.8
    probabilities[:5] = 1 - probabilities[:5]
    probabilities[40:] = np.nan
    found = find(table, table.samples.train_rows, probabilities)
    assert found.examined == 40
    assert sorted(one.row for one in found.suspects) == table.samples.train_rows[:5]
    nobody = find(table, table.samples.train_rows, None, with_curve=False)
    assert (nobody.examined, nobody.suspects, nobody.curve) == (0, (), None)
    assert nobody.summary()["suspects"] is None


def test_copies_groups_and_near_copies_belong_together(planted):
    table, _ = planted
    assert len(table.samples) == N
    rows = list(range(N))
    alone = table.groups_of(rows)
    assert alone[10] == alone[11]
    assert len(set(alone)) == N - 1
    training = table.groups_of(table.samples.train_rows)
    assert len(set(training)) == len(training), "the copy of 11 is held out: it has no say here"
    groups = tuple("s" if row in {11, 20} else "" for row in rows)
    digests = tuple("d" if row in {20, 30} else digest for row, digest in enumerate(table.samples.digests))
    joined = replace(table, samples=replace(table.samples, groups=groups, digests=digests)).groups_of(rows)
    assert {row for row in rows if joined[row] == joined[10]} == {10, 11, 20, 30}


def test_every_feature_keeps_the_order_of_the_samples(planted):
    table, _ = planted
    assert np.array_equal(table.every, table.train.vectors)


def test_the_quick_head_answers_like_the_textbook():
    """Scikit-learn's discriminant with the same shrinkage is the oracle."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(1)
    labels = np.repeat([0, 2, 5], 30)
    features = rng.normal(0, 1, (90, 7)) + labels[:, None] * 0.4
    asked = rng.normal(1, 1, (200, 7))
    book = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5).fit(features, labels)
    assert np.array_equal(fit_discriminant(features, labels)(asked), book.predict(asked))


@pytest.mark.parametrize("count", [20, 300])
def test_narrowing_keeps_the_distances(count):
    rng = np.random.default_rng(2)
    features = rng.normal(0, 1, (count, 40)).astype(np.float32)
    narrow = narrowed(features, 40)
    before = np.linalg.norm(features[:, None] - features[None], axis=2)
    after = np.linalg.norm(narrow[:, None] - narrow[None], axis=2)
    assert np.allclose(before, after, atol=1e-3)


def uneven(counts=(40, 5), apart=4.0, wrong=()):
    """Photos of two classes, far from evenly many, and out-of-fold probabilities of a head that knows how frequent they are."""
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], counts)
    count = len(labels)
    features = rng.normal(4, 1, (count, D)).astype(np.float32)
    features[:, 0] += apart * labels
    labels[list(wrong)] = 1 - labels[list(wrong)]
    names = tuple(f"{row}.jpg" for row in range(count))
    digests = tuple(f"{row:064x}" for row in range(count))
    samples = Samples(Path("photos"), names, labels, ("train",) * count, ("many", "few"), digests)
    looks = rng.integers(-(2**62), 2**62, count)
    facts = [PhotoFacts(500, 480, (90.0, 90.0, 90.0), int(look)) for look in looks]
    table = FeatureTable(samples, FeatureRows(features, np.arange(count)), features[:0], features[:0], facts, 0)
    # What a strong penalty leaves of the evidence: right in its order, and never enough to name the rare class.
    evidence = 0.8 * (features[:, 0] - 4 - apart / 2) / apart - np.log(counts[0] / counts[1])
    few = 1 / (1 + np.exp(-evidence))
    return table, np.stack([1 - few, few], axis=1)


@pytest.mark.robust("scores", case="40 : 5, a head that never names the rare class", right="its photos are not the suspects")
def test_a_rare_class_is_not_doubted_for_being_rare():
    table, probabilities = uneven(wrong=(3,))
    assert (probabilities.argmax(axis=1) == 0).all()
    found = find(table, range(45), probabilities)
    assert found.head_accuracy > 0.9
    assert not found.head_near_chance
    assert found.suspects[0].row == 3
    assert sum(one.label == 1 for one in found.suspects) <= 2
    weighted = find(table, range(45), probabilities, weighted=True)
    assert weighted.head_near_chance, "who was trained evenly and never names a class knows nothing of it"
    assert weighted.suspects == ()


@pytest.mark.robust("scores", case="a head that guesses", right="no label is doubted")
def test_a_guessing_head_doubts_nobody(planted):
    table, _ = planted
    rng = np.random.default_rng(0)
    guessed = rng.dirichlet(np.ones(2), len(table.samples.train_rows))
    found = find(table, table.samples.train_rows, guessed)
    assert (found.suspects, found.head_near_chance) == ((), True)
    assert found.examined == len(guessed)
    assert suspects_sentence(found, backbone="x").startswith("No label is doubted: a head on x is right about")


@pytest.mark.robust("scores", case="40 : 5 and a learning curve", right="every class counts the same")
def test_the_curve_hears_the_rare_class():
    table, probabilities = uneven((120, 20), apart=1.2)
    curve = find(table, range(140), probabilities).curve
    labels = table.samples.labels
    assert curve is not None
    right = learning_curve(table.every, labels, lambda *_: lambda asked: np.zeros(len(asked), np.int64))
    assert right is not None
    assert {round(point.accuracy, 6) for point in right.measured} == {0.5}, "who names the largest class only is half right"
