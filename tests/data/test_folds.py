"""Folds: stratified, groups whole, reproducible, and never so many that a class is missing from what is learned."""

import numpy as np
import pytest

from tsugiki.data.folds import IN_NO_FOLD, MOST_FOLDS, deal_folds


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


def test_a_class_of_one_photo_or_one_group_is_always_learned_and_takes_no_fold_from_the_others():
    assert deal_folds(np.array([0, 0, 0, 1, 1, 1, 2])).tolist()[-1] == IN_NO_FOLD
    assert set(deal_folds(np.array([0, 0, 0, 1, 1, 1, 2]))[:6]) == {0, 1, 2}
    folds = deal_folds(np.array([0, 0, 0, 1, 1, 1, 2, 2]), groups=["a", "b", "c", "d", "e", "f", "g", "g"])
    assert folds[6:].tolist() == [IN_NO_FOLD] * 2
    assert set(folds[:6]) == {0, 1, 2}


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        ([0, 1, 0, 1], ["a"] * 4),
        ([0, 0, 1, 1, 2, 2], ["a", "a", "b", "b", "c", "c"]),
        ([0, 0, 0, 1], None),
        ([0, 1, 2], None),
        ([0, 0, 0, 1, 1], ["a", "b", "c", "d", "d"]),
    ],
    ids=["one group", "a group per class", "one class could be judged", "a photo per class", "a group in the other class"],
)
def test_where_cross_validation_is_impossible_nobody_is_in_a_fold(labels, groups):
    assert set(deal_folds(np.array(labels), groups=groups)) == {IN_NO_FOLD}


@pytest.mark.parametrize("seed", range(40))
def test_whichever_fold_is_held_out_every_class_is_learned(seed):
    """Groups that hold any classes, few of them, named or numbered."""
    dice = np.random.default_rng(seed)
    labels = dice.integers(0, 4, 40)
    numbers = dice.integers(0, dice.integers(2, 15), 40)
    folds = deal_folds(labels, groups=[f"g{number}" for number in numbers], seed=seed)
    assert np.array_equal(folds, deal_folds(labels, groups=numbers, seed=seed))
    assert all(len(set(folds[numbers == number])) == 1 for number in set(numbers))
    for fold in range(folds.max() + 1):
        assert set(labels[folds != fold]) == set(labels)
        assert (folds == fold).any()


def test_more_folds_than_the_smallest_class_has_photos_on_request():
    folds = deal_folds(np.array([0] * 20 + [1] * 2), folds=5)
    assert set(folds) == set(range(5))
    assert folds[20] != folds[21]
