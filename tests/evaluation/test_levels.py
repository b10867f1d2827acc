"""Parents' probabilities and scores by level, derived again by hand and by loops."""

import math

import numpy as np
import pytest

from tsugiki.data.taxonomy import Taxonomy, grow
from tsugiki.evaluation.levels.level_scores import level_names, score_levels, score_set_levels, targets_of
from tsugiki.evaluation.levels.level_sentences import taxonomy_sentence
from tsugiki.evaluation.levels.parent_probabilities import NOBODY, deepest_sure, parent_probabilities
from tsugiki.evaluation.metrics import softmax, wilson
from tsugiki.evaluation.multi_label.set_metrics import average_precision
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions, evaluate_rows

CLASSES = ("cat", "crow", "sparrow", "stone")
TREE, _ = grow({"sparrow": "bird", "crow": "bird", "cat": "animal", "bird": "animal"}, CLASSES, source="it")


def random_tree(seed):
    """Up to 30 classes under a random forest, some of them inner nodes."""
    dice = np.random.default_rng(seed)
    names = [f"n{number}" for number in range(int(dice.integers(4, 60)))]
    parents = {name: "" if at == 0 or dice.random() < 0.1 else names[dice.integers(0, at)] for at, name in enumerate(names)}
    leaves = [name for name in names if name not in parents.values()]
    inner = [name for name in names if name in parents.values() and dice.random() < 0.2]
    classes = tuple(dice.permutation([*leaves, *inner]).tolist())
    if not any(parents[name] for name in classes):
        parents[leaves[0]] = "top"
    return grow(parents, classes, source="it")[0]


def test_sums_and_maxima_by_hand():
    chances = np.array([[0.1, 0.5, 0.3, 0.1], [0.0, 0.25, 0.0, 0.75]], np.float32)
    assert TREE.inner == ("animal", "bird")
    assert parent_probabilities(TREE, chances, "single") == pytest.approx(np.array([[0.9, 0.8], [0.25, 0.25]]))
    assert parent_probabilities(TREE, chances, "multi") == pytest.approx(np.array([[0.5, 0.5], [0.25, 0.25]]))


def test_a_class_that_is_an_inner_node_is_part_of_it():
    tree, _ = grow({"sparrow": "bird"}, ("bird", "sparrow", "cat"), source="it")
    chances = np.array([[0.5, 0.375, 0.125]], np.float32)
    assert parent_probabilities(tree, chances, "single").tolist() == [[0.875]]
    assert parent_probabilities(tree, chances, "multi").tolist() == [[0.5]]
    assert deepest_sure(tree, chances, np.array([[0.875]]), None).tolist() == [0]


@pytest.mark.parametrize("seed", range(20))
def test_in_random_trees_parents_are_never_less_probable_and_roots_add_up_to_one(seed):
    tree, dice = random_tree(seed), np.random.default_rng(seed)
    chances = softmax(dice.normal(0, 4, (50, len(tree.classes)))).astype(np.float32)
    place = {name: at for at, name in enumerate(tree.classes)}
    for task, join in (("single", sum), ("multi", max)):
        found = parent_probabilities(tree, chances, task)
        for at, name in enumerate(tree.inner):
            below = [place[own] for own in tree.classes if name in tree.path(own)]
            assert found[:, at] == pytest.approx([join(row[below].tolist()) for row in chances], abs=1e-6)
            for own in below:
                assert (found[:, at] >= chances[:, own]).all()
            if above := tree.parents[name]:
                assert (found[:, tree.row[above]] >= found[:, at]).all()
        if task == "single":
            roots = [name for name, above in tree.parents.items() if not above]
            whole = [found[:, tree.row[name]] if name in tree.row else chances[:, place[name]] for name in roots]
            assert np.sum(whole, axis=0) == pytest.approx(np.ones(50), abs=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_in_random_trees_the_deepest_sure_node_is_the_one_that_a_search_finds(seed):
    tree, dice = random_tree(seed), np.random.default_rng(seed)
    chances = softmax(dice.normal(0, 2, (60, len(tree.classes)))).astype(np.float32)
    known = dice.random(60) < 0.9
    parents = parent_probabilities(tree, chances, "single")
    found = deepest_sure(tree, chances, parents, known)
    for row, at in enumerate(found.tolist()):
        sure = [name for place, name in enumerate(tree.inner) if parents[row, place] >= np.float32(tree.sure)]
        sure = [name for name in sure if not all(name in tree.path(own) for own in tree.classes)]
        wanted = max(sure, key=tree.depth, default=None) if known[row] and chances[row].max() < tree.sure else None
        assert (None if at == NOBODY else tree.inner[at]) == wanted


def answered(rows, labels, known=None, splits=None):
    chances = np.array(rows, np.float64)
    names = tuple(f"{row}.png" for row in range(len(rows)))
    return Predictions(names, splits or ("test",) * len(rows), np.array(labels), chances, CLASSES, known)


PHOTOS = [
    ([0.9, 0.1, 0.0, 0.0], 0),  # a cat, surely
    ([0.1, 0.5, 0.4, 0.0], 2),  # a sparrow called crow: at least a bird (90%)
    ([0.1, 0.5, 0.4, 0.0], 1),  # a crow, and at least a bird
    ([0.4, 0.3, 0.2, 0.1], 3),  # a stone called cat: at least an animal (90%), wrong
    ([0.3, 0.2, 0.1, 0.4], 3),  # a stone, nothing is sure
    ([0.1, 0.5, 0.4, 0.0], 1),  # not like the training photos
]


def test_levels_by_hand():
    known = np.array([True] * 5 + [False])
    rows = answered([row for row, _ in PHOTOS], [label for _, label in PHOTOS], known)
    found = score_levels(TREE, rows, split="test")
    assert level_names(TREE) == [
        ["animal", "animal", "animal", "stone"],
        ["cat", "bird", "bird", "stone"],
        ["cat", "crow", "sparrow", "stone"],
    ]
    assert [(level["nodes"], level["accuracy"]) for level in found["levels"]] == [(2, 5 / 6), (3, 5 / 6), (4, 4 / 6)]
    assert found["levels"][0]["guess"] == 4 / 6
    assert found["levels"][2]["accuracy_interval"] == list(wilson(4, 6))
    animal, bird = found["per_node"]
    assert (animal["n"], animal["answered"], animal["hits"], animal["classes"]) == (4, 5, 4, 3)
    assert (bird["n"], bird["answered"], bird["hits"], bird["parent"]) == (3, 3, 3, "animal")
    assert (bird["recall_interval"], animal["precision_interval"]) == (list(wilson(3, 3)), list(wilson(4, 5)))
    named = found["at_least"]
    assert (named["n"], named["correct"], named["class_correct"], named["accuracy"]) == (3, 2, 1, 2 / 3)
    assert named["accuracy_interval"] == list(wilson(2, 3))
    assert named["expected"] == pytest.approx(0.9)
    assert named["mean_classes"] == pytest.approx((2 + 2 + 3) / 3)
    assert named["information"] == pytest.approx(1 - (2 * math.log(2) + math.log(3)) / 3 / math.log(4))
    assert (found["sure_class"]["n"], found["sure_class"]["correct"]) == (1, 1)
    assert (found["n_nothing"], found["n_not_known"]) == (1, 1)


def test_photos_that_leaked_have_no_say_unless_there_are_no_others():
    rows = answered([row for row, _ in PHOTOS], [label for _, label in PHOTOS])
    found = score_levels(TREE, rows, split="test", leaked={"0.png": "train.png", "3.png": "train.png"})
    assert (found["n"], found["n_leaked"], found["leaks_counted"]) == (4, 2, False)
    assert found["levels"][0]["accuracy"] == 1
    every = score_levels(TREE, rows, split="test", leaked=dict.fromkeys(rows.names, ""))
    assert (every["n"], every["n_leaked"], every["leaks_counted"]) == (6, 6, True)


def test_the_last_level_is_the_accuracy_of_the_document():
    tree, dice = random_tree(3), np.random.default_rng(0)
    labels, chances = dice.integers(0, len(tree.classes), 80), softmax(dice.normal(0, 1, (80, len(tree.classes))))
    rows = Predictions(tuple(map(str, range(80))), ("test",) * 80, labels, chances, tree.classes)
    found = score_levels(tree, rows, split="test")
    assert found["levels"][-1]["accuracy"] == evaluate_rows(rows, split="test")["accuracy"]
    shares = [level["accuracy"] for level in found["levels"]]
    assert shares == sorted(shares, reverse=True)
    assert found["at_least"]["n"] + found["sure_class"]["n"] + found["n_nothing"] == 80


def test_levels_of_several_labels_by_hand():
    targets = np.array([[1, 0, -1, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]], np.int8)
    within = TREE.within
    assert targets_of(targets, within).tolist() == [[1, -1], [-1, -1], [1, 1], [0, 0], [0, 0]]
    chances = np.array([[0.9, 0.2, 0.1, 0.1], [0.1] * 4, [0.3, 0.6, 0.2, 0.1], [0.7, 0.1, 0.1, 0.4], [0.1, 0.65, 0.1, 0.1]])
    names = tuple(f"{row}.png" for row in range(5))
    rows = MultiLabelPredictions(names, ("test",) * 5, targets, chances, np.full(4, 0.5), CLASSES)
    found = score_set_levels(TREE, rows, split="test")
    animal = average_precision(np.array([True, True, False, False]), np.array([0.9, 0.6, 0.7, 0.65]))
    bird = average_precision(np.array([True, False, False]), np.array([0.6, 0.1, 0.65]))
    assert [row["average_precision"] for row in found["per_node"]] == [animal, bird]
    assert [(row["n"], row["answered"], row["hits"]) for row in found["per_node"]] == [(2, 4, 2), (1, 2, 1)]
    stone = average_precision(np.array([False, False, False, True, False]), chances[:, 3])
    assert found["levels"][0]["mean_average_precision"] == pytest.approx((animal + stone) / 2)
    assert [level["nodes"] for level in found["levels"]] == [2, 3, 4]
    low, high = found["levels"][0]["mean_average_precision_interval"]
    assert low <= found["levels"][0]["mean_average_precision"] <= high
    assert "at_least" not in found


def test_what_is_said_has_its_interval_and_its_leaks():
    rows = answered([row for row, _ in PHOTOS], [label for _, label in PHOTOS])
    document = {"split": "test", "taxonomy": score_levels(TREE, rows, split="test", leaked={"0.png": ""})}
    sentence = taxonomy_sentence(document)
    assert sentence.startswith("Without the photos that leaked (1): Level 1 of 3 of the taxonomy (2 names): 80.0% of 5 photos")
    assert "no class reaches 80%, but something above the classes does: 4. That is right in 75.0% of them" in sentence
    assert sentence.count("95% interval") == 3
    assert taxonomy_sentence({"split": "test"}) == ""
    assert taxonomy_sentence({**document, "split": "seen"}) == ""
    every = score_levels(TREE, rows, split="test", leaked=dict.fromkeys(rows.names, ""))
    assert taxonomy_sentence({"split": "test", "taxonomy": every}) == ""


def test_where_every_class_is_of_one_kind_that_kind_is_never_named():
    tree = Taxonomy(("a", "b"), {"a": "letter", "b": "letter", "letter": ""})
    chances = np.array([[0.5, 0.5]], np.float32)
    assert deepest_sure(tree, chances, parent_probabilities(tree, chances, "single"), None).tolist() == [NOBODY]
