"""evaluation.json says what the rows say, in plain values."""

import json

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from tsugiki.core.errors import DataError
from tsugiki.evaluation.headline import headline
from tsugiki.evaluation.metrics import softmax, wilson
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.locale.messages import use_language


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 120)
    labels[[5, 60]] = -1
    logits = rng.normal(size=(120, 4)) + 2 * np.eye(4)[np.maximum(labels, 0)]
    splits = tuple("train" if i < 50 else "val" for i in range(120))
    return Predictions(tuple(f"{i}.jpg" for i in range(120)), splits, labels, softmax(logits), tuple("abcd"))


def test_accuracy_is_right_rows_over_rows(predictions):
    document = evaluate_rows(predictions, split="val")
    rows = [i for i in range(50, 120) if predictions.labels[i] >= 0]
    right = sum(predictions.probabilities[i].argmax() == predictions.labels[i] for i in rows)
    assert document["accuracy"] == accuracy_score(predictions.labels[rows], predictions.predicted[rows])
    assert (document["n"], document["correct"], document["n_unknown_class"]) == (69, right, 1)
    assert document["accuracy"] == right / 69
    assert document["accuracy_interval"] == list(wilson(int(right), 69))
    assert sum(map(sum, document["confusion"]["counts"])) == 69
    assert sum(document["confusion"]["counts"][c][c] for c in range(4)) == right
    assert sum(line["n"] for line in document["per_class"]) == 69
    assert document["top_k"]["1"]["accuracy"] == document["accuracy"]
    assert list(document["top_k"]) == ["1", "2", "3"]


def test_it_is_plain_json(predictions):
    document = evaluate_rows(predictions, split="val", temperature=1.7, leaked={"51.jpg": "3.jpg"})
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_a_class_that_never_occurs_is_none_not_a_number(predictions):
    few = predictions.take(np.flatnonzero(predictions.labels < 2).tolist())
    document = evaluate_rows(few, split="val")
    assert document["per_class"][3]["recall"] is None
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_the_majority_guess_is_compared(predictions):
    document = evaluate_rows(predictions, split="val")
    counts = np.bincount(predictions.of("val").scored().labels)
    assert document["majority_guess"]["class"] == "abcd"[counts.argmax()]
    assert document["majority_guess"]["accuracy"] == counts.max() / 69
    assert document["majority_guess"]["verdict"] == "helped"


def test_the_temperature_is_undone_for_before(predictions):
    plain = evaluate_rows(predictions, split="val")["calibration"]
    assert plain["before"]["log_loss"] == pytest.approx(plain["after"]["log_loss"])
    cooled = softmax(np.log(predictions.probabilities), 0.5)
    scaled = Predictions(predictions.names, predictions.splits, predictions.labels, cooled, predictions.classes)
    calibration = evaluate_rows(scaled, split="val", temperature=0.5)["calibration"]
    assert calibration["before"]["log_loss"] == pytest.approx(plain["after"]["log_loss"], rel=1e-9)
    assert calibration["before"]["ece"] == pytest.approx(plain["after"]["ece"], rel=1e-9)
    assert calibration["after"]["log_loss"] != pytest.approx(plain["after"]["log_loss"])


def test_leaks_stand_beside_the_score(predictions):
    assert evaluate_rows(predictions, split="val")["leaks"] is None
    assert evaluate_rows(predictions, split="val", leaked={})["leaks"]["n"] == 0
    leaked = [55, 60, 70, 80]  # 60 is of an unknown class: it does not count anyway
    leaks = evaluate_rows(predictions, split="val", leaked={f"{row}.jpg": "1.jpg" for row in leaked})["leaks"]
    assert leaks["photos"] == [{"path": f"{row}.jpg", "twin": "1.jpg"} for row in (55, 70, 80)]
    rest = [i for i in range(50, 120) if i not in leaked]
    assert (leaks["n"], leaks["n_clean"]) == (3, len(rest))
    assert leaks["accuracy_without"] == predictions.correct[rest].sum() / len(rest)


def test_where_every_photo_leaked_there_is_no_score(predictions):
    leaks = evaluate_rows(predictions, split="val", leaked=dict.fromkeys(predictions.names, "twin.jpg"))["leaks"]
    assert (leaks["n_clean"], leaks["accuracy_without"], leaks["accuracy_without_interval"]) == (0, None, [0.0, 1.0])


def test_a_split_without_photos_is_an_error(predictions):
    with pytest.raises(DataError, match="split test"):
        evaluate_rows(predictions, split="test")


def test_the_headline_in_both_languages(predictions):
    document = evaluate_rows(predictions, split="val")
    assert f"{document['accuracy']:.1%} of 69 held-out photos" in headline(document)
    use_language("ja")
    assert "69 枚" in headline(document)
