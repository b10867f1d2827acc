"""Heads that follow labels: near a fit from nothing, and no photo judged by a head that has learned from it."""

from dataclasses import replace

import numpy as np
import pytest

from tsugiki.core.console import quiet
from tsugiki.data.folds import IN_NO_FOLD
from tsugiki.features.store import FeatureRows
from tsugiki.heads.linear import Labelled, fit_linear_head
from tsugiki.heads.refit import folds_of_more, refit_head


def photos(count=400, width=16, classes=3, seed=0):
    dice = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    vectors = (dice.normal(size=(classes, width))[labels] + 1.2 * dice.normal(size=(count, width))).astype(np.float32)
    return Labelled(FeatureRows(vectors, np.arange(count)), labels.astype(np.int64))


@pytest.fixture(scope="module")
def fitted():
    with quiet():
        return photos(), fit_linear_head(photos(), 3)


def relabelled(training, rows):
    labels = training.labels.copy()
    labels[rows] = (labels[rows] + 1) % 3
    return replace(training, labels=labels)


def accuracy(logits, labels):
    return float((logits.argmax(axis=1) == labels).mean())


def test_a_refit_is_near_a_fit_from_nothing(fitted):
    training, before = fitted
    for rows in ([5], [5, 90, 210, 300]):
        changed = relabelled(training, rows)
        found = refit_head(before, changed, before.folds)
        with quiet():
            anew = fit_linear_head(changed, 3)
        assert np.mean(found.out_of_fold.argmax(axis=1) == anew.out_of_fold.argmax(axis=1)) > 0.97
        assert abs(accuracy(found.out_of_fold, changed.labels) - accuracy(anew.out_of_fold, changed.labels)) < 0.02


def test_what_was_there_before_is_left_as_it_was(fitted):
    training, before = fitted
    weight = before.trained[0].weight.clone()
    refit_head(before, relabelled(training, [7]), before.folds)
    assert (before.trained[0].weight == weight).all()


def test_a_photo_is_not_judged_by_a_head_that_learns_from_it(fitted):
    """However its own label changes, what is answered to it stays; what is answered to others does not."""
    training, before = fitted
    row = 11
    own = refit_head(before, training, before.folds).out_of_fold
    changed = refit_head(before, relabelled(training, [row]), before.folds).out_of_fold
    fold = before.folds == before.folds[row]
    np.testing.assert_array_equal(own[fold], changed[fold])
    assert not np.array_equal(own[~fold], changed[~fold])


def test_only_a_fit_from_nothing_helps_where_there_are_no_heads(fitted):
    training, before = fitted
    assert refit_head(replace(before, trained=None), training, before.folds) is None
    assert refit_head(replace(before, out_of_fold=None), training, before.folds) is None


def test_further_photos_go_with_their_group_or_into_the_smallest_fold():
    groups = np.array([0, 1, 2, 3, 0, 7, 7, 9])
    known = np.array([True, True, True, True, False, False, False, False])
    folds = folds_of_more(groups, known, np.array([2, 0, 1, IN_NO_FOLD]))
    assert folds.tolist()[:4] == [2, 0, 1, IN_NO_FOLD]
    assert folds[4] == 2
    assert folds[5] == folds[6]
    assert {int(folds[5]), int(folds[7])} == {0, 1}
