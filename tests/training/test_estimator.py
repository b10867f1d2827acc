"""Transfer learning as scikit-learn knows it: its own checks, cross-validation that looks at each photo once, bad input."""

import functools
import pickle

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import validate_data

import tsugiki as tg
from tsugiki.backbones.load_backbone import load_backbone
from tsugiki.core.errors import DataError, RequestError
from tsugiki.data.images import decode


@pytest.fixture(scope="module")
def photos(dishes):
    paths = sorted((dishes / "train").rglob("*.jpg"))
    return paths, [path.parent.name for path in paths]


@pytest.fixture
def classifier(tmp_path):
    return tg.TransferClassifier("bundled:nae", epochs=5, store=tmp_path / "store")


class OnNumbers(tg.TransferClassifier):
    """Rows of numbers as pictures of stripes, which is what scikit-learn's checks have to offer; its network is read once."""

    @staticmethod
    @functools.cache
    def _load():
        return load_backbone("bundled:nae")

    def _pictures(self, photos):
        numbers = validate_data(self, photos, reset=not hasattr(self, "n_features_in_"), dtype=np.float64)
        grey = (255 * (np.arctan(numbers) / np.pi + 0.5)).astype(np.uint8)
        stripes = grey[:, None, :, None].repeat(16, 1).repeat(-(-16 // grey.shape[1]), 2).repeat(3, 3)
        return super()._pictures(stripes)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.no_validation = True, False
        return tags


NOT_MET = {
    "check_class_weight_classifiers": "class_weight is None or 'balanced'; weights by class are no setting of the head",
}
"""Checks of scikit-learn that do not pass, each with its reason."""


@pytest.mark.long
def test_scikit_learns_own_checks(tmp_path):
    results = check_estimator(
        OnNumbers("bundled:nae", epochs=1, store=tmp_path), expected_failed_checks=NOT_MET, on_skip=None, on_fail=None
    )
    status = {result["check_name"]: result["status"] for result in results}
    assert {name for name, ended in status.items() if ended == "xfail"} == set(NOT_MET)
    assert {name for name, ended in status.items() if ended == "skipped"} <= {"check_array_api_input"}  # a variable asks for it
    assert {name for name, ended in status.items() if ended == "failed"} == set()
    assert len(status) > 45


def test_cross_validation_decodes_each_photo_once_and_equals_the_loop_by_hand(photos, classifier, decoded):
    paths, labels = map(np.array, photos)
    scores = cross_val_score(classifier, paths, labels, cv=3)
    assert len(decoded) == len(paths)
    by_hand = []
    for train, test in StratifiedKFold(3).split(paths, labels):
        fitted = clone(classifier).fit(paths[train], labels[train])
        by_hand.append(float((fitted.predict(paths[test]) == labels[test]).mean()))
    assert scores.tolist() == by_hand
    assert len(decoded) == len(paths)


@pytest.mark.long
def test_the_answers_are_those_of_the_classifier_inside(photos, classifier, tmp_path):
    paths, labels = photos
    fitted = classifier.fit(paths, labels)
    assert fitted.classes_.tolist() == ["pizza", "steak", "sushi"]
    answers = fitted.classifier_.predict(paths)
    assert fitted.predict(paths).tolist() == [answer.label for answer in answers]
    probabilities = [answer.probability for answer in answers]
    assert fitted.predict_proba(paths).max(axis=1).tolist() == pytest.approx(probabilities, abs=1e-6)
    assert fitted.decision_function(paths).shape == (36, 3)
    fitted.classifier_.save(tmp_path / "run")
    assert tg.Classifier.load(tmp_path / "run").predict(paths[0]).label == answers[0].label
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301 (just made)
    assert np.array_equal(again.predict_proba(paths), fitted.predict_proba(paths))


def test_paths_pictures_arrays_and_columns_are_the_same_photos(photos, classifier):
    paths, labels = photos
    pictures = [decode.open_photo(path) for path in paths]
    expected = classifier.fit(paths, labels).decision_function(paths)
    array, column = np.stack([np.asarray(one) for one in pictures]), list(map(str, paths))
    for same in (pictures, array, pd.Series(column), pd.DataFrame(column)):
        assert np.array_equal(classifier.fit(same, labels).decision_function(same), expected)


def test_labels_come_back_as_they_were_given(photos, classifier):
    paths, names = photos
    numbers = np.array([{"pizza": 10, "steak": 2, "sushi": 1}[name] for name in names])
    fitted = classifier.fit(paths, numbers)
    assert fitted.classes_.tolist() == [1, 2, 10]
    assert fitted.score(paths, numbers) == classifier.fit(paths, names).score(paths, names)
    two = fitted.fit(paths[:24], numbers[:24])
    assert two.decision_function(paths).shape == (36,)
    assert (two.predict(paths) == two.classes_[(two.decision_function(paths) > 0).astype(int)]).all()


def test_a_photo_named_twice_is_answered_twice(photos, classifier):
    paths, labels = photos
    fitted = classifier.fit([*paths, paths[0]], [*labels, labels[0]])
    assert fitted.predict([paths[0], paths[5], paths[0]]).shape == (3,)


@pytest.mark.long
def test_pipelines_searches_and_groups(photos, tmp_path, decoded):
    paths, labels = photos
    features = tg.FeatureExtractor("bundled:nae", store=tmp_path / "store")
    search = GridSearchCV(make_pipeline(features, LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2)
    assert search.fit(paths, labels).best_score_ > 0.5
    assert len(decoded) == len(paths)
    columns = search.best_estimator_[0].get_feature_names_out()
    assert search.best_estimator_[0].transform(paths[:2]).shape == (2, len(columns))
    frame = clone(features).set_output(transform="pandas").fit_transform(paths[:2])
    assert list(frame.columns) == list(columns)
    several = {"backbone": ["bundled:nae"], "class_weight": [None, "balanced"]}
    backbones = GridSearchCV(tg.TransferClassifier(epochs=2, store=tmp_path / "store"), several, cv=2)
    backbones.fit(paths, labels)
    assert len(decoded) == len(paths)
    subjects = [number // 6 for number in range(36)]
    kept = cross_val_predict(backbones.best_estimator_, paths, labels, groups=subjects, cv=GroupKFold(3))
    assert set(kept) <= {"pizza", "steak", "sushi"}


def test_what_cannot_be_taken_is_told(photos, classifier, tmp_path):
    paths, labels = photos
    with pytest.raises(NotFittedError):
        classifier.predict(paths)
    with pytest.raises(NotFittedError):
        tg.FeatureExtractor("bundled:nae").transform(paths)
    for wrong in (str(paths[0]), 7, [], np.zeros((3, 5)), np.zeros((2, 8, 8, 3, 1), np.uint8)):
        with pytest.raises(RequestError, match="These are no photos"):
            classifier.fit(wrong, labels)
    with pytest.raises(ValueError, match="y: 35"):
        classifier.fit(paths, labels[:-1])
    with pytest.raises(ValueError, match="only one class"):
        classifier.fit(paths, ["a"] * 36)
    for nothing in (None, float("nan")):
        with pytest.raises(ValueError, match="Photos without a label: 1"):
            classifier.fit(paths, np.array([nothing, *labels[1:]], object))
    with pytest.raises(RequestError, match="class_weight"):
        tg.TransferClassifier("bundled:nae", class_weight="heavy").fit(paths, labels)
    (tmp_path / "broken.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"Photos cannot be read: 1(.|\n)*broken.jpg"):
        classifier.fit([*paths, tmp_path / "broken.jpg"], [*labels, "pizza"])
    fitted = classifier.fit(paths, labels)
    with pytest.raises(DataError, match=r"missing\.jpg"):
        fitted.predict([paths[0], tmp_path / "missing.jpg"])
    with pytest.raises(DataError, match="Picture 1 cannot be read"):
        fitted.predict([Image.new("RGB", (4, 4)), b"<html>"])
    with pytest.raises(RequestError, match="groups: 2"):
        classifier.fit(paths, labels, groups=["a", "b"])


def test_what_cannot_be_cross_validated_is_said_and_nothing_is_called_calibrated(photos, classifier, capsys):
    paths, labels = photos
    fitted = classifier.fit(paths, labels, groups=labels)  # all photos of a class are of one subject
    assert fitted.out_of_fold_ is None
    assert fitted.classifier_.estimated_temperature is None
    assert "Cross-validation is impossible" in capsys.readouterr().err
    nobody = [None, float("nan"), ""] * 12  # three stand-ins for a subject of its own
    assert np.array_equal(classifier.fit(paths, labels, groups=nobody).out_of_fold_, classifier.fit(paths, labels).out_of_fold_)


def test_the_classifier_inside_knows_what_it_has_learned_from(photos, classifier, dishes):
    judged = tg.evaluate(classifier.fit(*photos).classifier_, dishes)
    assert judged.document["split"] == "test"
    assert tg.evaluate(classifier.classifier_, dishes / "train").document["split"] == "seen"


def test_random_states_are_seeds(photos, tmp_path):
    paths, labels = photos

    def head(state):
        fitted = tg.TransferClassifier("bundled:nae", epochs=2, random_state=state, store=tmp_path).fit(paths, labels)
        return fitted.classifier_.head.weight.detach().numpy()

    assert np.array_equal(head(np.random.RandomState(3)), head(np.random.RandomState(3)))
    assert not np.array_equal(head(3), head(4))
