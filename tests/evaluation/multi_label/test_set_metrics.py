"""Every metric of several labels is derived again: by naive loops over cells, and by scikit-learn where it knows the metric."""

import math
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.metrics import hamming_loss as sklearn_hamming_loss

from benchmarks.multi_label_honesty import World
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT
from tsugiki.evaluation.metrics import macro_f1, wilson
from tsugiki.evaluation.multi_label.set_metrics import (
    average_precision,
    average_precision_by_chance,
    average_precisions,
    average_precisions_among_others,
    cell_log_loss,
    complete_rows,
    exact_rows,
    grouped_interval,
    hamming_loss,
    mean_over_classes,
    micro_f1,
    present_shares,
    roc_areas,
    set_class_scores,
    shown_cells,
)


def cells(seed, *, n=None, unknown=True, ties=True):
    """Cells with classes that no photo shows, that every photo shows, that nobody knows; scores with many ties."""
    dice = np.random.default_rng(seed)
    n, classes = n or int(dice.integers(1, 40)), int(dice.integers(1, 7))
    targets = (dice.random((n, classes)) < dice.choice([0, 0.1, 0.5, 1], classes)).astype(np.int8)
    if unknown:
        targets[dice.random((n, classes)) < dice.choice([0, 0, 0.4, 1], classes)] = NOT_KNOWN
    scores = dice.random((n, classes))
    return targets, np.round(scores, 1) if ties else scores, dice.random(classes)


def known(targets, scores, column):
    rows = targets[:, column] != NOT_KNOWN
    return targets[rows, column] == PRESENT, scores[rows, column]


ROUNDS = range(60)


def by_hand_average_precision(present, scores):
    """Over the positives, the mean share of positives among all photos of at least their score."""
    shares = []
    for one in range(len(present)):
        if present[one]:
            above = [other for other in range(len(present)) if scores[other] >= scores[one]]
            shares.append(sum(present[other] for other in above) / len(above))
    return sum(shares) / len(shares) if shares else None


@pytest.mark.parametrize("seed", ROUNDS)
def test_average_precision_is_that_of_loops_and_of_scikit_learn(seed):
    targets, scores, _ = cells(seed)
    found = average_precisions(targets, scores)
    for column, value in enumerate(found):
        present, own = known(targets, scores, column)
        assert value == pytest.approx(by_hand_average_precision(present.tolist(), own.tolist()), abs=1e-12)
        if present.any():
            assert value == pytest.approx(average_precision_score(present, own), abs=1e-12)
    some = [value for value in found if value is not None]
    assert mean_over_classes(found) == (pytest.approx(sum(some) / len(some)) if some else None)


@pytest.mark.parametrize("seed", ROUNDS)
def test_among_others_no_photo_vouches_for_itself(seed):
    targets, scores, _ = cells(seed)
    groups = np.random.default_rng(seed).integers(0, max(1, len(targets) // 2), len(targets)) * 7
    for own in (groups, None):
        found = average_precisions_among_others(targets, scores, own)
        for column, value in enumerate(found):
            rows = np.flatnonzero(targets[:, column] != NOT_KNOWN).tolist()
            shares = []
            for one in (row for row in rows if targets[row, column] == PRESENT):
                above = [
                    targets[row, column]
                    for row in rows
                    if scores[row, column] >= scores[one, column] and (row != one if own is None else own[row] != own[one])
                ]
                shares.append(sum(above) / len(above) if above else 1.0)
            assert value == (pytest.approx(sum(shares) / len(shares)) if shares else None)


def test_among_others_few_photos_do_not_look_too_good():
    usual, others, world = [], [], World(60, (0.1, 0.2), 1.5)
    for seed in range(300):
        targets, scores, _ = world.photos(np.random.default_rng(seed))
        if targets.any():
            usual.append(mean_over_classes(average_precisions(targets, scores)))
            others.append(mean_over_classes(average_precisions_among_others(targets, scores)))
    assert np.mean(usual) > world.truth() + 0.03
    assert np.mean(others) == pytest.approx(world.truth(), abs=0.02)


@pytest.mark.parametrize("seed", ROUNDS)
def test_roc_area_is_that_of_all_pairs_and_of_scikit_learn(seed):
    targets, scores, _ = cells(seed)
    for column, value in enumerate(roc_areas(targets, scores)):
        present, own = known(targets, scores, column)
        pairs = [(high > low) + (high == low) / 2 for high in own[present] for low in own[~present]]
        assert value == (pytest.approx(sum(pairs) / len(pairs), abs=1e-12) if pairs else None)
        if pairs:
            assert value == pytest.approx(roc_auc_score(present, own), abs=1e-12)


def by_hand_counts(targets, shown, column):
    counts = {"hit": 0, "miss": 0, "alarm": 0}
    for row in range(len(targets)):
        if targets[row, column] == PRESENT:
            counts["hit" if shown[row, column] else "miss"] += 1
        elif targets[row, column] == ABSENT and shown[row, column]:
            counts["alarm"] += 1
    return counts


@pytest.mark.parametrize("seed", ROUNDS)
def test_counts_of_classes_and_f1_are_those_of_loops(seed):
    targets, scores, thresholds = cells(seed)
    shown = shown_cells(scores, thresholds)
    found = set_class_scores(targets, shown)
    f1s, total = [], {"hit": 0, "miss": 0, "alarm": 0}
    for column, score in enumerate(found):
        counts = by_hand_counts(targets, shown, column)
        hit, miss, alarm = counts.values()
        assert (score.n, score.answered, score.hits) == (hit + miss, hit + alarm, hit)
        assert score.precision == (pytest.approx(hit / (hit + alarm)) if hit + alarm else None)
        assert score.recall == (pytest.approx(hit / (hit + miss)) if hit + miss else None)
        assert score.recall_interval == wilson(hit, hit + miss)
        assert score.f1 == (pytest.approx(2 * hit / (2 * hit + miss + alarm)) if hit + miss + alarm else None)
        f1s += [score.f1] if score.f1 is not None else []
        total = {name: total[name] + count for name, count in counts.items()}
    whole = 2 * total["hit"] + total["miss"] + total["alarm"]
    assert micro_f1(targets, shown) == (pytest.approx(2 * total["hit"] / whole) if whole else None)
    if f1s:
        assert macro_f1(found) == pytest.approx(sum(f1s) / len(f1s))


@pytest.mark.parametrize("seed", ROUNDS)
def test_exact_match_hamming_and_log_loss_are_those_of_loops(seed):
    targets, scores, thresholds = cells(seed)
    shown = shown_cells(scores, thresholds)
    exact, complete, wrong, losses = [], [], [], []
    for row, own in enumerate(targets):
        told = [column for column in range(len(own)) if own[column] != NOT_KNOWN]
        complete.append(len(told) == len(own))
        exact.append(complete[-1] and all((own[column] == PRESENT) == shown[row, column] for column in told))
        wrong += [(own[column] == PRESENT) != shown[row, column] for column in told]
        for column in told:
            chance = min(max(scores[row, column], 2.0**-52), 1 - 2.0**-52)
            losses.append(-math.log(chance if own[column] == PRESENT else 1 - chance))
    assert exact_rows(targets, shown).tolist() == exact
    assert complete_rows(targets).tolist() == complete
    if losses:
        assert hamming_loss(targets, shown) == pytest.approx(sum(wrong) / len(wrong))
        assert cell_log_loss(targets, scores) == pytest.approx(sum(losses) / len(losses), rel=1e-12)


@pytest.mark.parametrize("seed", ROUNDS)
def test_complete_cells_are_scored_as_by_scikit_learn(seed):
    targets, scores, thresholds = cells(seed, n=25, unknown=False)
    if targets.shape[1] == 1:
        targets, scores, thresholds = (np.repeat(one, 2, axis=-1) for one in (targets, scores, thresholds))  # no multi-label
    shown, options = shown_cells(scores, thresholds), {"average": None, "zero_division": np.nan}
    found = set_class_scores(targets, shown)
    for name, score in {"precision": precision_score, "recall": recall_score, "f1": f1_score}.items():
        own = [np.nan if getattr(one, name) is None else getattr(one, name) for one in found]
        assert own == pytest.approx(score(targets, shown, **options).tolist(), nan_ok=True)
    if (targets | shown).any():
        assert micro_f1(targets, shown) == pytest.approx(f1_score(targets, shown, average="micro"))
        asked = (targets | shown).any(axis=0)  # scikit-learn counts a class of which nothing is said or known as zero
        assert macro_f1(found) == pytest.approx(np.mean(f1_score(targets, shown, **options)[asked]))
    assert exact_rows(targets, shown).mean() == pytest.approx(accuracy_score(targets, shown))
    assert hamming_loss(targets, shown) == pytest.approx(sklearn_hamming_loss(targets, shown))
    flat = log_loss(targets.ravel(), scores.ravel(), labels=[0, 1])
    assert cell_log_loss(targets, scores) == pytest.approx(flat, rel=1e-12)


def test_certainty_that_is_wrong_costs_as_much_as_in_scikit_learn():
    targets, sure = np.array([[1, 0], [0, 1]], np.int8), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert cell_log_loss(targets, sure) == pytest.approx(log_loss(targets.ravel(), sure.ravel()), rel=1e-9)
    assert cell_log_loss(targets, np.array([[1.0, 0.0], [0.0, 1.0]])) < 1e-15


@pytest.mark.parametrize(("positives", "n"), [(1, 1), (1, 4), (2, 5), (3, 6), (6, 6)])
def test_a_random_order_has_the_average_precision_of_all_orders(positives, n):
    orders = permutations(range(n))
    every = [average_precision(np.arange(n) < positives, np.array(order, np.float64)) for order in orders]
    assert average_precision_by_chance(positives, n) == pytest.approx(sum(every) / len(every), abs=1e-12)
    assert average_precision_by_chance(0, n) is None


def test_one_score_for_all_photos_has_the_average_precision_of_the_share():
    targets, _, _ = cells(3, n=30)
    found = average_precisions(targets, np.zeros(targets.shape))
    shares = present_shares(targets).tolist()
    assert [share for share, value in zip(shares, found, strict=True) if value is not None] == pytest.approx(
        [value for value in found if value is not None]
    )


def test_a_probability_falls_on_one_side_of_its_threshold_in_either_precision():
    exact = np.random.default_rng(0).random((2000, 1))
    rounded = exact.astype(np.float32)
    for threshold in exact[:50, 0]:
        told = shown_cells(exact, np.array([threshold]))
        assert np.array_equal(told, shown_cells(rounded, np.array([threshold])))
        assert np.array_equal(told, shown_cells(rounded.astype(np.float64), np.array([threshold], np.float32)))
    assert (exact[:50, 0].astype(np.float32) < exact[:50, 0]).any()  # where a plain comparison would differ


def test_photos_that_tell_the_same_count_once_in_an_interval():
    dice = np.random.default_rng(0)
    flags, everyone = dice.random(40) < 0.8, np.ones(40, bool)
    alone = grouped_interval(flags, everyone, np.arange(40))
    assert alone == pytest.approx(wilson(int(flags.sum()), 40))
    assert grouped_interval(flags, everyone, None) == wilson(int(flags.sum()), 40)
    five_times = grouped_interval(np.repeat(flags, 5), np.ones(200, bool), np.repeat(np.arange(40), 5))
    assert five_times == pytest.approx(alone, abs=0.005)
    narrow = wilson(int(flags.sum()) * 5, 200)
    assert five_times[1] - five_times[0] > 1.8 * (narrow[1] - narrow[0])
    assert grouped_interval(np.ones(200, bool), np.ones(200, bool), np.repeat(np.arange(40), 5)) == wilson(40, 40)
    assert grouped_interval(np.ones(5, bool), np.ones(5, bool), np.zeros(5, int)) == wilson(1, 1)
    assert grouped_interval(np.zeros(5, bool), np.zeros(5, bool), np.zeros(5, int)) == (0, 1)
