"""Folds: stratified, groups whole, reproducible, and never so many that a class is missing from what is learned."""

import numpy as np
import pytest

from tsugiki.training.folds import MOST_FOLDS, deal_folds


def random_labels(seed, counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.default_rng(seed).permutation(labels).astype(np.int64)


@pytest.mark.parametrize("counts", [(40, 30), (7, 100, 5), (5, 5, 5, 5), (3, 50), (2, 2)])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_class_is_dealt_evenly(counts, seed):
    labels = random_labels(seed, counts)
    folds = deal_folds(labels, seed=seed)
    number = min(MOST_FOLDS, *counts)
    assert set(folds) == set(range(number))
    for label in range(len(counts)):
        dealt = np.bincount(folds[labels == label], minlength=number)
        assert dealt.max() - dealt.min() <= 1
        assert dealt.max() < counts[label], "no fold holds a whole class"
    sizes = np.bincount(folds)
    assert sizes.max() - sizes.min() <= 1


def test_the_same_seed_deals_the_same_and_another_one_differently():
    labels = random_labels(0, (30, 30))
    assert np.array_equal(deal_folds(labels, seed=3), deal_folds(labels, seed=3))
    assert not np.array_equal(deal_folds(labels, seed=3), deal_folds(labels, seed=4))


@pytest.mark.parametrize("seed", range(5))
def test_groups_are_never_split_and_classes_stay_even(seed):
    dice = np.random.default_rng(seed)
    labels = random_labels(seed, (60, 60, 60))
    groups = [f"{label}-{dice.integers(12)}" if dice.random() < 0.8 else "" for label in labels]
    folds = deal_folds(labels, groups=groups, seed=seed)
    for name in set(groups) - {""}:
        assert len({int(fold) for fold, group in zip(folds, groups, strict=True) if group == name}) == 1
    assert len({int(fold) for fold, group in zip(folds, groups, strict=True) if not group}) == MOST_FOLDS, "no name: alone"
    for label in range(3):
        dealt = np.bincount(folds[labels == label], minlength=MOST_FOLDS)
        assert dealt.max() - dealt.min() <= 12


def test_a_class_of_one_photo_or_one_group_still_gives_two_folds():
    assert set(deal_folds(np.array([0, 0, 0, 1]))) == {0, 1}
    assert deal_folds(np.array([0, 0, 0, 1, 1]), groups=["a", "b", "c", "d", "d"]).max() == 1


def test_one_group_in_all_is_one_fold():
    assert set(deal_folds(np.array([0, 1, 0, 1]), groups=["a"] * 4)) == {0}
