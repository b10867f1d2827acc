"""What was chosen is judged by photos that did not choose it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.cross_fitting import answers, how_often_kept
from tsugiki.fine_tuning.model_selection import Score, best_of, cross_fit
from tsugiki.fine_tuning.settings import FineTuneSettings
from tsugiki.fine_tuning.training_data import deal_halves, split_for_validation


def test_chance_alone_is_kept_in_less_than_half_of_the_cases():
    kept, best = how_often_kept(better=0.0)
    assert kept < 0.5
    assert best > 0.9  # what the best of all epochs would have been taken for


def test_what_is_better_is_still_kept():
    kept, _ = how_often_kept(better=0.08)
    assert kept > 0.9


def test_each_half_judges_what_the_other_chose():
    random = np.random.default_rng(1)
    for _ in range(50):
        start, *epochs = (random.random(9) < 0.6 for _ in range(6))
        losses = [random.random(9) for _ in range(8)]
        blends = [random.random(9) < 0.7 for _ in range(3)]
        half = random.permutation(9) < 4
        blended = int(random.integers(1, 6))
        correct, chosen = 0, []
        for rows in (np.flatnonzero(half), np.flatnonzero(~half)):
            rest = np.setdiff1d(np.arange(9), rows)
            worth = [(one[rows].sum(), -loss[rows].sum()) for one, loss in zip(epochs, losses, strict=False)]
            epoch = max(range(5), key=lambda one, worth=worth: worth[one])
            chosen.append(epoch + 1)
            best, most = epochs[epoch], worth[epoch]
            if epoch + 1 == blended:
                for one, loss in zip(blends, losses[5:], strict=True):
                    if (one[rows].sum(), -loss[rows].sum()) > most:
                        best, most = one, (one[rows].sum(), -loss[rows].sum())
            correct += best[rest].sum()
        given = [answers(one, loss) for one, loss in zip([*epochs, *blends], losses, strict=True)]
        found = cross_fit(answers(start), given[:5], given[5:], blended=blended, half=torch.from_numpy(half))
        assert found == {"photos": 9, "start": start.sum() / 9, "fine_tuned": correct / 9, "epochs": chosen}


def test_the_first_of_equals_is_chosen_and_accuracy_counts_before_loss():
    right = np.array([True, False])
    assert best_of([answers(right), answers(right)]) == 0
    assert best_of([answers(right, np.ones(2)), answers(right)]) == 1
    assert best_of([answers(right), answers(np.ones(2), np.full(2, 9.0))]) == 1
    assert answers(np.array([1, 0, 0]), np.array([1.0, 2.0, 6.0])).score() == Score(3.0, 1 / 3)


@pytest.mark.parametrize("half", [[False], [True], [False, False]])
def test_an_empty_half_judges_nothing(half):
    one = answers(np.ones(len(half)))
    assert cross_fit(one, [one], [], blended=1, half=torch.tensor(half)) is None


def test_halves_are_even_in_every_class_and_follow_the_seed(samples):
    half = deal_halves(samples, range(len(samples)), seed=42)
    assert torch.equal(half, deal_halves(samples, range(len(samples)), seed=42))
    assert any(not torch.equal(half, deal_halves(samples, range(len(samples)), seed=seed)) for seed in range(3))
    for label in range(3):
        assert int(half[samples.labels == label].sum()) == 8  # of 16
    turned = deal_halves(samples, list(reversed(range(len(samples)))), seed=42)
    assert torch.equal(turned.flip(0), half)


def test_photos_that_belong_together_stay_together(samples):
    few = samples.take(range(12))
    groups = tuple("one" if row < 5 else f"{row // 2}" for row in range(12))
    digests = (*few.digests[:10], few.digests[9], few.digests[11])
    half = deal_halves(replace(few, groups=groups, digests=digests), range(12), seed=42).tolist()
    assert len(set(half[:5])) == 1
    assert half[9] == half[10]
    assert all(len({half[row] for row in range(12) if groups[row] == name}) == 1 for name in set(groups))
    assert abs(Counter(half)[True] - 6) <= 1


def test_one_photo_of_each_class_still_makes_two_halves(samples):
    rows = [int(np.flatnonzero(samples.labels == label)[0]) for label in range(3)]
    assert sum(deal_halves(samples, rows, seed=42).tolist()) in {1, 2}


def test_what_is_known_to_belong_together_is_never_parted(samples):
    """Near copies have neither content nor group in common: somebody else knows of them."""

    def in_threes(rows):
        return np.array(rows) // 3

    rows = [int(row) for row in samples.rows_of("train")]
    settings = FineTuneSettings()
    training, val = split_for_validation(samples, settings, in_threes)
    assert sorted((*training, *val)) == rows
    assert not set(in_threes(training)) & set(in_threes(val))
    assert split_for_validation(samples, settings, np.array) == split_for_validation(samples, settings)  # each photo for itself
    half = deal_halves(samples, rows, seed=42, groups_of=in_threes).numpy()
    assert all(len(set(half[in_threes(rows) == mark])) == 1 for mark in in_threes(rows))
    assert 0 < half.sum() < len(rows)
