"""Photos with several labels are parted such that every part has its share of every label, pairs too; nothing is torn apart."""

import numpy as np
import pytest

from tsugiki.data.folds import IN_NO_FOLD, deal_folds_of_sets
from tsugiki.data.splits import Draw, draw_splits

CLASSES = [f"c{number}" for number in range(12)]


def make(count, seed=0):
    """Labels of photos, frequent and rare ones, some photos without any."""
    dice = np.random.default_rng(seed)
    rates = 0.5 / np.arange(1, len(CLASSES) + 1)
    return (dice.random((count, len(CLASSES))) < rates).astype(np.int8)


def sets_of(targets):
    return [frozenset(CLASSES[place] for place in np.flatnonzero(row)) for row in targets]


def digests(count):
    return [f"{number:08x}" for number in range(count)]


def test_the_held_out_photos_have_their_share_of_every_label_and_of_photos_without_any():
    targets = make(1500)
    splits = np.array(draw_splits(Draw(42, 0.2), sets_of(targets), digests(1500), None))
    held = splits == "test"
    assert np.abs(targets[held].sum(axis=0) / targets.sum(axis=0) - 0.2).max() < 0.02
    without = ~targets.any(axis=1)
    assert abs(held[without].mean() - 0.2) < 0.02


def test_pairs_of_labels_are_shared_out_better_than_by_chance():
    targets = make(1500)
    held = np.array(draw_splits(Draw(1, 0.2), sets_of(targets), digests(1500), None)) == "test"
    together = targets.astype(int).T @ targets
    pairs = [(one, two) for one in range(12) for two in range(one) if together[one, two] >= 10]
    assert len(pairs) > 20

    def spread(held):
        return np.mean([(np.mean(held[(targets[:, [one, two]] == 1).all(axis=1)]) - 0.2) ** 2 for one, two in pairs])

    chance = np.mean([spread(np.random.default_rng(seed).random(1500) < 0.2) for seed in range(20)])
    assert spread(held) < chance / 4


def test_groups_stay_together_and_every_label_is_learned_and_judged():
    targets = make(400, seed=3)
    groups = [f"s{number % 80}" for number in range(400)]
    splits = draw_splits(Draw(7, 0.2), sets_of(targets), digests(400), groups)
    assert all(len({splits[row] for row in range(subject, 400, 80)}) == 1 for subject in range(80))
    held = np.array(splits) == "test"
    assert targets[held].any(axis=0).all()
    assert targets[~held].any(axis=0).all()


def test_a_label_of_one_photo_is_learned_and_one_of_two_photos_is_held_out_once():
    sets = [frozenset({"often"})] * 50 + [frozenset({"once", "often"})] + [frozenset({"twice"})] * 2
    splits = draw_splits(Draw(0, 0.2), sets, digests(len(sets)), None)
    assert splits[50] == "train"
    assert sorted(splits[51:]) == ["test", "train"]


def test_the_same_photos_are_drawn_again_wherever_they_stand():
    sets = sets_of(make(200, seed=5))
    splits = draw_splits(Draw(3, 0.2), sets, digests(200), None)
    order = np.random.default_rng(0).permutation(200)
    again = draw_splits(Draw(3, 0.2), [sets[row] for row in order], [digests(200)[row] for row in order], None)
    assert again == tuple(splits[row] for row in order)


@pytest.mark.parametrize("grouped", [False, True])
def test_folds_have_their_share_and_whichever_is_held_out_every_label_is_learned(grouped):
    targets = make(600, seed=2)
    groups = np.random.default_rng(0).integers(0, 150, 600) if grouped else None
    folds = deal_folds_of_sets(targets, groups=groups, seed=4)
    assert set(folds[folds != IN_NO_FOLD]) == set(range(5))
    share = np.stack([targets[folds == fold].sum(axis=0) for fold in range(5)]) / targets.sum(axis=0)
    assert np.abs(share[:, :6] - 0.2).max() < (0.08 if grouped else 0.02)
    for fold in range(5):
        assert targets[folds != fold].any(axis=0).all()
    if groups is not None:
        assert all(len(set(folds[groups == group])) <= 1 for group in range(150))


def test_a_label_whose_photos_belong_together_is_in_no_fold():
    targets = np.zeros((40, 2), np.int8)
    targets[:20, 0] = 1
    targets[20:24, 1] = 1
    groups = np.arange(40)
    groups[20:24] = 20
    folds = deal_folds_of_sets(targets, groups=groups)
    assert (folds[20:24] == IN_NO_FOLD).all()
    assert (np.delete(folds, np.arange(20, 24)) != IN_NO_FOLD).all()


@pytest.mark.parametrize(("classes", "photos"), [(20, 150), (200, 1000)])
def test_held_out_photos_have_as_many_labels_as_the_others_where_most_pairs_are_rare(classes, photos):
    dice = np.random.default_rng(3)
    sets = [frozenset(f"c{dice.integers(classes)}" for _ in range(dice.choice([0, 1, 1, 2, 2, 3]))) for _ in range(photos)]
    held = np.array(draw_splits(Draw(42, 0.2), sets, digests(photos), None)) == "test"
    sizes = np.array([len(one) for one in sets])
    assert abs(held.mean() - 0.2) < 0.03
    assert abs(sizes[held].mean() - sizes[~held].mean()) < 0.2


def test_a_few_photos_without_any_label_are_not_all_held_out():
    sets = [frozenset({f"c{row % 3}"}) for row in range(60)] + [frozenset()] * 3
    assert draw_splits(Draw(42, 0.2), sets, digests(63), None)[60:].count("train") >= 2
