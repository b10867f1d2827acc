"""The score in words that are true of its photos: learned, leaked, unchecked, nothing held out, close to guessing."""

import numpy as np
import pytest

from tsugiki.evaluation.chance import near_chance
from tsugiki.evaluation.headline import (
    accuracy_without_leaks,
    guess_to_beat,
    headline,
    is_worth_nothing,
    never_answered_sentence,
    trust_state,
)
from tsugiki.evaluation.metrics import class_scores, confusion_matrix
from tsugiki.evaluation.predictions import OUT_OF_FOLD, SEEN, UNCHECKED, Predictions, evaluate_rows
from tsugiki.locale.messages import speaking


def judged(split="test", *, right=28, n=30, classes=3, leaked=None, known=None):
    """``n`` photos, the first ``right`` of them answered right."""
    labels = np.arange(n) % classes
    answers = np.where(np.arange(n) < right, labels, (labels + 1) % classes)
    chances = np.full((n, classes), 0.01)
    chances[np.arange(n), answers] = 1 - 0.01 * (classes - 1)
    names = tuple(f"{row}.jpg" for row in range(n))
    rows = Predictions(names, (split,) * n, labels, chances, tuple(f"c{label}" for label in range(classes)), known)
    return evaluate_rows(rows, split=split, leaked=leaked)


@pytest.mark.robust(
    "scores", case="a score on photos that were all learned from", right="never called held-out; said to be no score"
)
def test_learned_photos_are_never_called_held_out():
    document = judged(SEEN)
    assert headline(document) == (
        "93.3% of 30 photos answered right, but the classifier was trained with all of them: this says nothing about new "
        "photos."
    )
    assert is_worth_nothing(document)
    with speaking("ja"):
        assert "学習に使った写真" in headline(document)


@pytest.mark.robust("scores", case="every held-out photo leaked", right="worth nothing, in the sentence of the score")
def test_a_score_of_leaks_alone_is_worth_nothing():
    document = judged(leaked={f"{row}.jpg": "train/x.jpg" for row in range(30)})
    assert headline(document).endswith("each of them is one with a twin in another split: this score is worth nothing.")
    assert is_worth_nothing(document)
    assert "held-out" not in headline(document)


@pytest.mark.robust(
    "scores", case="some held-out photos leaked", right="counted, and the score without them, in the same sentence"
)
def test_leaks_stand_in_the_sentence_of_the_score():
    told = headline(judged(leaked={f"{row}.jpg": "train/x.jpg" for row in range(10)}))
    assert told.startswith(
        "93.3% of 30 photos answered right, counting 10 with a twin in another split; of the 20 others, 90.0%"
    )
    elsewhere = headline(judged(leaked={"3.jpg": ""}))
    assert "counting 1 with a twin among the photos of the training; of the 29 others" in elsewhere
    assert "30 held-out photos" in headline(judged(leaked={}))


@pytest.mark.robust("scores", case="leaks answered right, the other photos guessed", right="close to guessing, by the others")
def test_leaks_do_not_hide_a_guesser():
    labels = np.arange(60) % 2
    answers = np.where(np.arange(60) < 40, labels, np.arange(60) // 2 % 2)  # the last twenty are guessed
    chances = np.eye(2)[answers] * 0.8 + 0.1
    rows = Predictions(tuple(f"{row}.jpg" for row in range(60)), ("test",) * 60, labels, chances, ("a", "b"))
    document = evaluate_rows(rows, split="test", leaked={f"{row}.jpg": "train/x.jpg" for row in range(40)})
    assert not evaluate_rows(rows, split="test")["near_chance"]
    assert document["near_chance"]
    assert "with every class counting the same, 50.0% are right" in headline(document)
    assert guess_to_beat(document)["verdict"] == "cannot tell"
    assert accuracy_without_leaks(document)[0] == 0.5
    assert guess_to_beat(judged(leaked={f"{row}.jpg": "x" for row in range(30)})) is None


@pytest.mark.robust("scores", case="the error of percentages on ten photos", right="not called an error that chance explains")
def test_few_photos_do_not_prove_percentages_wrong():
    dice = np.random.default_rng(1)
    states = {}
    for n in (10, 5000):
        sure = dice.uniform(0.6, 1, n)
        right = dice.random(n) < sure
        labels = np.arange(n) % 2
        answers = np.where(right, labels, 1 - labels)
        chances = np.where(np.eye(2, dtype=bool)[answers], sure[:, None], 1 - sure[:, None])
        rows = Predictions(("x.jpg",) * n, ("test",) * n, labels, chances, ("a", "b"))
        document = evaluate_rows(rows, split="test")
        states[n] = trust_state(document), document["calibration"]["after"]["ece"] > 0.05
    assert states == {10: ("open", True), 5000: ("fine", False)}
    assert trust_state(judged(right=150, n=200)) == "look"  # sure of everything, and wrong about a quarter


@pytest.mark.robust("scores", case="24 held-out photos that are four, six times", right="the interval is said to be too narrow")
def test_near_copies_do_not_narrow_the_interval_in_silence():
    document = {**judged(), "n_different": 5}
    assert "near copies of one another, so the interval is too narrow" in headline(document)
    assert "near copies" not in headline({**judged(), "n_different": 29})
    assert "near copies" not in headline({**judged(leaked={"3.jpg": "x"}), "n_different": 5})


def test_what_nobody_checked_and_what_was_not_held_out_is_said():
    assert headline(judged(UNCHECKED)).endswith("whether the classifier was trained with some of them is not known.")
    assert "since nothing is held out" in headline(judged(OUT_OF_FOLD))
    assert not is_worth_nothing(judged(OUT_OF_FOLD))


@pytest.mark.robust("scores", case="a failed model: 2% on 40 classes", right="said to be close to guessing, with both numbers")
def test_a_failed_model_is_said_to_guess():
    document = judged(right=2, n=80, classes=40)
    assert document["near_chance"]
    assert (
        "That is close to guessing: with every class counting the same, 2.5% are right, and guessing gives 2.5%."
        in headline(document)
    )
    assert is_worth_nothing(document)
    with speaking("ja"):
        assert "当て推量とほとんど変わりません" in headline(document)


@pytest.mark.robust(
    "scores", case="40 : 5, the rare class never answered", right="close to guessing, whatever the accuracy says"
)
def test_who_always_answers_the_largest_class_is_no_classifier():
    labels = np.repeat([0, 1], [40, 5])
    rows = Predictions(("x.jpg",) * 45, ("test",) * 45, labels, np.tile([0.9, 0.1], (45, 1)), ("many", "few"))
    document = evaluate_rows(rows, split="test")
    assert document["accuracy"] > 0.88
    assert document["near_chance"]
    assert never_answered_sentence(document) == (
        "Never answered, although there are photos of it: few. --class-weights makes every class count the same."
    )
    assert never_answered_sentence(judged()) == ""


@pytest.mark.parametrize(
    ("labels", "predicted", "classes", "near"),
    [
        ([0, 0, 0, 1, 1, 1], [0, 0, 0, 1, 1, 1], 2, False),  # six photos prove little, but nobody guesses like this
        ([0] * 50 + [1] * 50, [0] * 30 + [1] * 20 + [1] * 28 + [0] * 22, 2, True),
        ([0] * 50 + [1] * 50, [0] * 45 + [1] * 5 + [1] * 40 + [0] * 10, 2, False),
        ([0] * 6 + [1] * 6, [0] * 4 + [1] * 2 + [1] * 4 + [0] * 2, 2, True),
        (list(range(40)) * 5, [0] * 200, 40, True),
        ([0, 0], [0, 0], 2, False),  # only one class has photos
    ],
)
def test_what_is_close_to_guessing(labels, predicted, classes, near):
    scores = class_scores(confusion_matrix(np.array(labels), np.array(predicted), classes))
    assert near_chance(scores, classes) is near


@pytest.mark.robust("scores", case="held-out photos that are answered with not sure", right="counted, and in predictions.csv")
def test_refused_photos_are_counted_and_written(tmp_path):
    known = np.arange(30) >= 3
    document = judged(right=2, known=known)
    assert document["refused"] == {"n": 3, "correct": 2}
    assert judged()["refused"] is None
    rows = Predictions(("a.jpg", "b.jpg"), ("test",) * 2, np.array([0, 1]), np.eye(2), ("x", "y"), np.array([True, False]))
    rows.to_csv(tmp_path / "predictions.csv")
    first, *lines = (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines()
    assert first == "path,split,label,predicted,known,probability:x,probability:y"
    assert [line.split(",")[4] for line in lines] == ["True", "False"]
    read = Predictions.from_csv(tmp_path / "predictions.csv")
    assert read.known.tolist() == [True, False]
    assert read.take([1]).known.tolist() == [False]
