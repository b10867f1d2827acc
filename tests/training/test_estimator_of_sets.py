"""Several labels per photo as scikit-learn knows them: tables of 1 and 0, lists of names, cross-validation, missing classes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.multiclass import OneVsRestClassifier

import tsugiki as tg
from tsugiki.core.errors import DataError, RequestError


@pytest.fixture(scope="module")
def photos(plates):
    """Paths, and a table ``[N, 3]`` with NaN where nobody knows; 36 to learn from come first."""
    rows = pd.read_csv(plates)
    return [plates.parent / path for path in rows["path"]], rows[["pizza", "steak", "sushi"]]


@pytest.fixture(scope="module")
def fitted(photos, tmp_path_factory):
    paths, table = photos
    store = tmp_path_factory.mktemp("store")
    return tg.TransferClassifier("bundled:nae", store=store).fit(paths[:36], table[:36])


def lists(table):
    return [[name for name in table.columns if row[name] == 1] for _, row in table.iterrows()]


def test_it_ranks_as_well_as_one_classifier_per_class_by_hand(photos, fitted):
    paths, table = photos
    features = tg.FeatureExtractor("bundled:nae", store=fitted.store).fit()
    vectors, truth = features.transform(paths), table.fillna(0).to_numpy(int)
    by_hand = OneVsRestClassifier(LogisticRegression(max_iter=1000)).fit(vectors[:36], truth[:36])
    ours, theirs = fitted.predict_proba(paths[36:]), by_hand.predict_proba(vectors[36:])
    assert ours.shape == theirs.shape == (18, 3)
    assert average_precision_score(truth[36:], ours) > average_precision_score(truth[36:], theirs) - 0.01
    assert average_precision_score(truth[36:], ours) > truth[36:].mean() + 0.2


def test_a_table_comes_back_as_a_table_and_lists_come_back_as_lists(photos, fitted):
    paths, table = photos
    assert fitted.classes_.tolist() == ["pizza", "steak", "sushi"]
    answers = fitted.predict(paths[36:])
    assert answers.shape == (18, 3)
    assert set(np.unique(answers)) == {0, 1}
    names = [{*answer.labels} for answer in fitted.classifier_.predict(paths[36:])]
    assert [{*fitted.classes_[row > 0]} for row in answers] == names
    known = table.fillna(0)
    of_lists = tg.TransferClassifier("bundled:nae", store=fitted.store).fit(paths[:36], lists(known[:36]))
    of_numbers = tg.TransferClassifier("bundled:nae", store=fitted.store).fit(paths[:36], known[:36].to_numpy())
    assert of_numbers.classes_.tolist() == [0, 1, 2]
    assert [*map(set, of_lists.predict(paths))] == [{*of_lists.classes_[row > 0]} for row in of_numbers.predict(paths)]
    assert of_lists.score(paths[36:], lists(table[36:])) == of_numbers.score(paths[36:], table[36:].to_numpy())
    strange = [[*names, "soup"] for names in lists(table[36:])]  # never learned, so never answered
    assert of_lists.score(paths[36:], strange) == 0


def test_a_class_is_answered_from_its_threshold_on_and_that_is_zero_for_the_decision_function(photos, fitted):
    paths, _ = photos
    thresholds = fitted.classifier_.multi_label.thresholds
    assert np.array_equal(fitted.predict_proba(paths) >= thresholds, fitted.predict(paths) > 0)
    assert np.array_equal(fitted.decision_function(paths) >= 0, fitted.predict(paths) > 0)


def test_the_score_is_of_photos_answered_exactly_right(photos, fitted):
    paths, table = photos
    known = table.notna().all(axis=1).to_numpy()
    assert 0 < known.sum() < len(paths)
    exact = (fitted.predict(paths) == table.to_numpy()).all(axis=1)[known]
    assert fitted.score(paths, table) == exact.mean()
    weights = np.arange(len(paths))
    assert fitted.score(paths, table, weights) == np.average(exact, weights=weights[known])


def test_cross_validation_decodes_each_photo_once(photos, tmp_path, decoded):
    paths, table = photos
    estimator = tg.TransferClassifier("bundled:nae", epochs=5, store=tmp_path / "store")
    truth = table.fillna(0).to_numpy(int)
    scores = cross_val_score(estimator, paths, truth, cv=2, scoring="average_precision")
    assert len(decoded) == len(paths)
    assert scores.min() > truth.mean()
    assert cross_val_predict(estimator, paths, truth, cv=2).shape == truth.shape
    assert len(decoded) == len(paths)


def test_a_class_that_no_photo_shows_keeps_its_column_and_is_never_answered(photos, fitted):
    paths, table = photos
    wider = np.insert(table.fillna(0).to_numpy(int), 1, 0, axis=1)
    wide = tg.TransferClassifier("bundled:nae", epochs=5, store=fitted.store).fit(paths[:36], wider[:36])
    assert wide.classes_.tolist() == [0, 1, 2, 3]
    assert wide.classifier_.classes == ("0", "2", "3")
    assert (wide.predict_proba(paths)[:, 1] == np.float32(0.5 / 37)).all()
    assert not wide.predict(paths)[:, 1].any()
    assert (wide.decision_function(paths)[:, 1] < 0).all()
    assert wide.out_of_fold_.shape == (36, 4)


def test_a_photo_named_twice_counts_twice(photos, fitted):
    paths, table = photos
    twice = tg.TransferClassifier("bundled:nae", epochs=5, store=fitted.store)
    twice.fit([*paths[:36], paths[0]], pd.concat([table[:36], table[:1]]))
    assert twice.out_of_fold_.shape == (37, 3)
    assert np.array_equal(twice.predict([paths[0], paths[1], paths[0]])[0], twice.predict(paths[:1])[0])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.full((3, 2), 2), "1 or 0"),
        ([["cat"], ["cat"], []], "shown by a photo"),
        ([["cat", None], ["dog"], []], "names only"),
        (np.array([[1, 0], [0, 1]]), "do not fit together"),
    ],
)
def test_what_cannot_be_taken_is_told(photos, labels, told):
    paths, _ = photos
    with pytest.raises(RequestError, match=told) as refused:
        tg.TransferClassifier("bundled:nae").fit(paths[:3], labels)
    assert isinstance(refused.value, ValueError)


def test_labels_of_another_kind_are_not_scored(photos, fitted):
    paths, table = photos
    with pytest.raises(RequestError, match="not of the kind"):
        fitted.score(paths, lists(table))
    with pytest.raises(RequestError, match="not of the kind"):
        fitted.score(paths, table.to_numpy()[:, :2])
    with pytest.raises(DataError, match="nothing could be judged"):
        fitted.score(paths[:2], np.full((2, 3), np.nan))
