"""The document of several labels: every number again from the rows, leaks, copies, calibration, and its sentence."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import NOT_KNOWN, PRESENT
from tsugiki.evaluation.headline import (
    accuracy_without_leaks,
    chance_sentence,
    guess_to_beat,
    headline,
    is_worth_nothing,
    main_score,
    never_answered_sentence,
    trust_state,
)
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.multi_label.set_metrics import average_precisions, cell_log_loss
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import OUT_OF_FOLD, SEEN, UNCHECKED, VALIDATED
from tsugiki.locale.messages import speaking


def answered(n=60, *, split="test", distance=4.0, seed=0, unknown=0.0, known=None, classes=3):
    """Probabilities that mean what they say, the surer the larger the distance."""
    dice = np.random.default_rng(seed)
    logits = dice.normal(-0.5, distance / 2, (n, classes))
    chances = 1 / (1 + np.exp(-logits))
    targets = (dice.random(chances.shape) < chances).astype(np.int8)
    targets[dice.random(targets.shape) < unknown] = NOT_KNOWN
    names = tuple(f"{row}.jpg" for row in range(n))
    labels = tuple(f"c{label}" for label in range(classes))
    return MultiLabelPredictions(names, (split,) * n, targets, chances, np.full(classes, 0.5), labels, known)


def judged(split="test", *, groups=None, leaked=None, different=None, **options):
    return evaluate_sets(answered(split=split, **options), split=split, leaked=leaked, groups=groups, different=different)


def twins(rows):
    return {f"{row}.jpg": "train/x.jpg" for row in rows}


def test_the_document_is_plain_and_has_every_key_that_its_docstring_lists():
    document = judged(unknown=0.2, leaked=twins(range(5)), groups=np.arange(60) // 2, known=np.arange(60) > 3)
    assert json.loads(json.dumps(document)) == document
    assert {type(value) for value in leaves(document)} <= {str, int, float, bool, type(None)}
    block = evaluate_sets.__doc__.partition("::")[2].partition("Raises:")[0]
    assert re.findall(r"^ {12}(\w+) ", block, re.MULTILINE) == list(order_of_docstring(document))


def leaves(value):
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from leaves(one)
    else:
        yield value


def order_of_docstring(document):
    """The document's keys as the docstring has them: what was judged first, then the numbers."""
    first = ("schema", "task", "split", "n", "n_complete", "n_cells", "n_groups")
    return (*first, *(name for name in document if name not in first))


def test_every_number_is_that_of_the_rows():
    rows = answered(unknown=0.15)
    document = evaluate_sets(rows, split="test")
    targets, shown = rows.targets, rows.shown
    told = targets != NOT_KNOWN
    complete = told.all(axis=1)
    assert (document["n"], document["n_complete"], document["n_cells"]) == (60, complete.sum(), told.sum())
    assert document["n_unknown_class"] == 0
    found = average_precisions(targets, rows.probabilities)
    assert document["mean_average_precision"] == pytest.approx(np.mean(found))
    assert document["exact_match"] == ((targets == PRESENT) == shown)[complete].all(axis=1).mean()
    for column, line in enumerate(document["per_class"]):
        cells = targets[:, column].tolist()
        assert (line["n"], line["n_absent"], line["n_not_known"]) == (cells.count(1), cells.count(0), cells.count(-1))
        assert line["average_precision"] == found[column]
        assert line["average_precision_interval"][0] < found[column] < line["average_precision_interval"][1]
        assert line["guess"] == pytest.approx(cells.count(1) / (cells.count(1) + cells.count(0)))
        calibrated = document["calibration"]["per_class"][column]
        assert calibrated["n"] == told[:, column].sum()
        assert calibrated["predicted"] == pytest.approx(rows.probabilities[told[:, column], column].mean())
        assert calibrated["share"] == pytest.approx(line["guess"])
    assert document["log_loss"] == document["calibration"]["after"]["log_loss"] == cell_log_loss(targets, rows.probabilities)


def test_the_frequency_guess_is_what_shares_alone_would_score():
    rows = answered(unknown=0.1)
    guess = evaluate_sets(rows, split="test")["frequency_guess"]
    shares = [(column[column != NOT_KNOWN] == PRESENT).mean() for column in rows.targets.T]
    constant = np.tile(shares, (60, 1))
    assert guess["mean_average_precision"] == pytest.approx(np.mean(average_precisions(rows.targets, constant)))
    assert guess["log_loss"] == pytest.approx(cell_log_loss(rows.targets, constant))
    combination, count = Counter(map(tuple, rows.targets[(rows.targets != NOT_KNOWN).all(axis=1)].tolist())).most_common(1)[0]
    assert guess["combination"] == [f"c{column}" for column in range(3) if combination[column]]
    assert guess["exact_match"] == count / (rows.targets != NOT_KNOWN).all(axis=1).sum()
    assert guess["by_chance"] > guess["mean_average_precision"]
    assert guess["verdict"] == "helped"
    assert guess["difference_interval"][0] < guess["difference"] < guess["difference_interval"][1]


def test_combinations_are_counted_as_they_are_and_as_they_are_answered():
    rows = MultiLabelPredictions(
        tuple("abcd"), ("test",) * 4, [[1, 1], [1, 1], [0, 0], [1, -1]], [[0.9, 0.9], [0.9, 0.1], [0.1, 0.1], [0.9, 0.9]],
        [0.5, 0.5], ("x", "y"),
    )  # fmt: skip
    assert evaluate_sets(rows, split="test")["label_sets"] == [
        {"labels": ["x", "y"], "n": 2, "answered": 1, "hits": 1},
        {"labels": [], "n": 1, "answered": 1, "hits": 1},
        {"labels": ["x"], "n": 0, "answered": 1, "hits": 0},
    ]


def test_photos_of_which_nothing_is_known_are_left_out_and_counted():
    rows = answered()
    targets = rows.targets.copy()
    targets[:7] = NOT_KNOWN
    mixed = MultiLabelPredictions(rows.names, rows.splits, targets, rows.probabilities, rows.thresholds, rows.classes)
    groups = np.arange(60) // 2
    document = evaluate_sets(mixed, split="test", groups=groups, uncalibrated=rows.probabilities**2)
    assert (document["n"], document["n_unknown_class"], document["n_groups"]) == (53, 7, 27)
    rest = evaluate_sets(rows.take(range(7, 60)), split="test", groups=groups[7:], uncalibrated=rows.probabilities[7:] ** 2)
    assert {**document, "n_unknown_class": 0} == rest


@pytest.mark.parametrize("split", ["test", "val"])
def test_without_a_photo_that_shows_a_class_nothing_is_scored(split):
    rows = MultiLabelPredictions(("a.jpg",), ("test",), [[0, -1]], [[0.5, 0.5]], [0.5, 0.5], ("x", "y"))
    with pytest.raises(DataError, match="no photo to evaluate"):
        evaluate_sets(rows, split=split)


def test_one_photo_is_scored_and_proves_nothing():
    rows = MultiLabelPredictions(("a.jpg",), ("test",), [[1, 0]], [[0.9, 0.1]], [0.5, 0.5], ("x", "y"))
    document = evaluate_sets(rows, split="test")
    assert document["mean_average_precision"] == document["exact_match"] == 1
    assert document["mean_average_precision_interval"][0] < 0.25
    assert document["frequency_guess"]["verdict"] == "cannot tell"


@pytest.mark.robust(
    "scores", case="several labels: held-out photos five times each", right="the interval is as wide as that of one of each"
)
def test_copies_do_not_narrow_any_interval():
    once = answered(40, distance=2)
    rows = once.take(np.repeat(np.arange(40), 5).tolist())
    alone, copied, naive = (
        evaluate_sets(once, split="test"),
        evaluate_sets(rows, split="test", groups=np.repeat(np.arange(40), 5), different=40),
        evaluate_sets(rows, split="test", different=40),
    )
    for name in ("mean_average_precision", "macro_f1", "exact_match"):
        low, high = copied[f"{name}_interval"]
        assert copied[f"{name}_interval"] == pytest.approx(alone[f"{name}_interval"], abs=0.03)
        assert high - low > 1.5 * (naive[f"{name}_interval"][1] - naive[f"{name}_interval"][0])
    for name in ("precision", "recall", "f1"):
        ends = [line[f"{name}_interval"] for line in alone["per_class"]]
        assert [line[f"{name}_interval"] for line in copied["per_class"]] == [pytest.approx(pair, abs=0.02) for pair in ends]
    assert "copies and groups together" in copied["interval_method"]
    assert "copies and groups" not in naive["interval_method"]
    assert "near copies" not in headline(copied)
    assert "near copies of one another, so the interval is too narrow" in headline(naive)


def test_percentages_are_judged_before_and_after_by_all_cells_and_by_those_shown():
    rows = answered(400, distance=3, seed=1)
    sharp = 1 / (1 + np.exp(-3 * np.log(rows.probabilities / (1 - rows.probabilities))))
    calibration = evaluate_sets(rows, split="test", uncalibrated=sharp)["calibration"]
    assert calibration["corrected"]
    assert calibration["after"]["ece"] < calibration["by_chance"] < calibration["before"]["ece"]
    assert calibration["after"]["ece_shown"] < calibration["by_chance_shown"] < calibration["before"]["ece_shown"]
    bars = calibration["after"]["reliability"]
    assert sum(bar["n"] for bar in bars) == rows.targets.size
    inside = (rows.probabilities > bars[1]["lower"]) & (rows.probabilities <= bars[1]["upper"])
    assert bars[1]["accuracy"] == pytest.approx(rows.targets[inside].mean())
    assert bars[1]["confidence"] == pytest.approx(rows.probabilities[inside].mean())
    rounded = evaluate_sets(rows, split="test", uncalibrated=rows.probabilities.astype(np.float32))["calibration"]
    assert not rounded["corrected"]
    same = evaluate_sets(rows, split="test")["calibration"]
    assert not same["corrected"]
    assert same["before"] == same["after"]


@pytest.mark.robust(
    "scores", case="40 rare labels, each shown one far too sure", right="not trusted because absent ones are easy"
)
def test_many_easy_absent_cells_do_not_make_percentages_right():
    dice = np.random.default_rng(2)
    targets = np.zeros((300, 40), np.int8)
    column = np.arange(300) % 40
    targets[np.arange(300), column] = dice.random(300) < 0.7
    chances = np.full((300, 40), 0.001)
    chances[np.arange(300), column] = 0.99
    names = tuple(f"{row}.jpg" for row in range(300))
    rows = MultiLabelPredictions(names, ("test",) * 300, targets, chances, np.full(40, 0.5), tuple(f"c{k}" for k in range(40)))
    document = evaluate_sets(rows, split="test")
    assert document["calibration"]["after"]["ece"] < 0.01
    assert document["calibration"]["after"]["ece_shown"] > 0.25
    assert trust_state(document) == "look"
    assert trust_state(judged(n=1000)) == "fine"
    assert trust_state(judged(n=30, distance=3)) == "open"
    assert trust_state(judged(leaked=twins(range(60)))) == "open"


def test_the_sentence_says_what_photos_they_were():
    assert re.fullmatch(
        r"Mean average precision \d\d\.\d% on 60 held-out photos \(95% interval \d\d\.\d% to \d\d\.\d%; guessing gives "
        r"\d\d\.\d%\)\.",
        headline(judged()),
    )
    assert headline(judged(UNCHECKED)).endswith("whether the classifier was trained with some of them is not known.")
    assert "since nothing is held out" in headline(judged(OUT_OF_FOLD))
    assert "60 validation photos" in headline(judged(VALIDATED))
    seen = judged(SEEN)
    assert headline(seen).endswith("trained with all of them: this says nothing about new photos.")
    assert [is_worth_nothing(document) for document in (seen, judged(OUT_OF_FOLD), judged())] == [True, False, False]
    with speaking("ja"):
        assert "学習に使った写真" in headline(seen)
        assert headline(judged()).startswith("取り分けておいた写真 60 枚での mAP")


@pytest.mark.robust(
    "scores", case="several labels: some held-out photos leaked", right="counted, and the score without them, in one sentence"
)
def test_leaks_stand_in_the_sentence_of_the_score():
    document = judged(leaked=twins(range(20)))
    without = evaluate_sets(answered().take(range(20, 60)), split="test")
    leaks = document["leaks"]
    assert (leaks["n"], leaks["n_clean"], len(leaks["photos"])) == (20, 40, 20)
    assert leaks["mean_average_precision_without"] == without["mean_average_precision"]
    assert leaks["frequency_guess_without"] == without["frequency_guess"] == guess_to_beat(document)
    assert accuracy_without_leaks(document) == main_score(without)
    assert main_score(document)[0] == document["mean_average_precision"]
    assert "counting 20 with a twin in another split; on the 40 others, " in headline(document)
    assert "with a twin among the photos of the training" in headline(judged(leaked={"3.jpg": ""}))
    assert "60 held-out photos" in headline(judged(leaked={}))
    assert guess_to_beat(judged(leaked={}))["verdict"] == "helped"


def test_a_score_of_leaks_alone_is_worth_nothing():
    document = judged(leaked=twins(range(60)))
    assert headline(document).endswith("each of them is one with a twin in another split: this score is worth nothing.")
    assert is_worth_nothing(document)
    assert guess_to_beat(document) is None
    rows = answered()
    targets = rows.targets.copy()
    targets[50:] = 0
    empty = MultiLabelPredictions(rows.names, rows.splits, targets, rows.probabilities, rows.thresholds, rows.classes)
    document = evaluate_sets(empty, split="test", leaked=twins(range(50)))
    assert headline(document).endswith("the 10 others show none of the classes, so this score is worth nothing.")
    assert is_worth_nothing(document)
    assert guess_to_beat(document) is None


@pytest.mark.robust("scores", case="several labels: leaks answered right, the others guessed", right="close to guessing")
def test_leaks_do_not_hide_a_guesser():
    rows = answered(120)
    chances = rows.probabilities.copy()
    chances[80:] = np.random.default_rng(3).random((40, 3))
    mixed = MultiLabelPredictions(rows.names, rows.splits, rows.targets, chances, rows.thresholds, rows.classes)
    assert not evaluate_sets(mixed, split="test")["near_chance"]
    document = evaluate_sets(mixed, split="test", leaked=twins(range(80)))
    assert document["near_chance"]
    assert is_worth_nothing(document)
    assert chance_sentence(document) in headline(document)
    assert chance_sentence(document).startswith("That is close to guessing: a random order of these photos has ")
    by_chance = document["leaks"]["frequency_guess_without"]["by_chance"]
    assert f"{by_chance:.1%}" in headline(document)
    assert trust_state(document) == "look"
    with speaking("ja"):
        assert "当て推量とほとんど変わりません" in headline(document)


def test_classes_that_are_never_answered_are_named():
    rows = answered()
    shy = MultiLabelPredictions(rows.names, rows.splits, rows.targets, rows.probabilities, [0.5, 1.0, 0.5], rows.classes)
    assert never_answered_sentence(evaluate_sets(shy, split="test")) == "Never answered, although there are photos of it: c1."
    assert never_answered_sentence(judged()) == ""


def test_refused_photos_are_counted():
    rows = answered(known=np.arange(60) >= 9)
    assert evaluate_sets(rows, split="test")["refused"] == {"n": 9, "correct": int(rows.correct[:9].sum())}
    assert judged()["refused"] is None


def test_probabilities_of_float32_make_the_same_document(tmp_path):
    rows = answered(unknown=0.1)
    narrow = MultiLabelPredictions(
        rows.names, rows.splits, rows.targets, rows.probabilities.astype(np.float32), rows.thresholds, rows.classes
    )
    narrow.to_csv(tmp_path / "predictions.csv")
    again = MultiLabelPredictions.from_csv(tmp_path / "predictions.csv")
    assert evaluate_sets(again, split="test") == evaluate_sets(narrow, split="test")
