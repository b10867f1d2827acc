"""The table behind every number survives its trip through a file, and a stranger recomputes everything from it."""

import numpy as np
import pandas as pd
import pytest

from tsugiki.core.errors import DataError
from tsugiki.data.samples import UNKNOWN_CLASS
from tsugiki.evaluation.predictions import Predictions, evaluate_rows


def table(seed=0, n=60, classes=("ants", '蜂, "bees"', "=1+1")):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(classes), n)
    labels[3] = UNKNOWN_CLASS
    chances = rng.dirichlet(np.ones(len(classes)), n)
    names = tuple(f"写真/猫 é,{i}.jpg" for i in range(n))
    splits = tuple(("train", "val", "test")[i % 3] for i in range(n))
    return Predictions(names, splits, labels, chances, classes)


def test_a_file_gives_back_every_bit(tmp_path):
    before = table()
    before.to_csv(tmp_path / "predictions.csv")
    after = Predictions.from_csv(tmp_path / "predictions.csv")
    assert (after.names, after.splits, after.classes) == (before.names, before.splits, before.classes)
    assert np.array_equal(after.labels, before.labels)
    assert np.array_equal(after.probabilities, before.probabilities)


def test_no_rows_at_all_is_a_table_too(tmp_path):
    table().take([]).to_csv(tmp_path / "predictions.csv")
    assert len(Predictions.from_csv(tmp_path / "predictions.csv")) == 0


def test_a_stranger_with_pandas_finds_the_same_numbers(tmp_path):
    predictions = table(n=300)
    predictions.to_csv(tmp_path / "predictions.csv")
    document = evaluate_rows(predictions, split="test")
    sheet = pd.read_csv(tmp_path / "predictions.csv").replace("^'=", "=", regex=True)  # no cell is a formula
    sheet = sheet[(sheet["split"] == "test") & sheet["label"].notna()]
    assert document["accuracy"] == (sheet["label"] == sheet["predicted"]).sum() / len(sheet)
    own = [row[f"probability:{row['label']}"] for _, row in sheet.iterrows()]
    assert document["log_loss"] == pytest.approx(-np.log(own).mean(), rel=1e-12)
    for line in document["per_class"]:
        of_class = sheet[sheet["label"] == line["class"]]
        assert line["recall"] == (of_class["predicted"] == line["class"]).sum() / len(of_class)


def test_equal_probabilities_are_answered_with_the_first_class():
    tie = Predictions(("a.jpg",), ("val",), np.array([1]), np.array([[0.5, 0.5]]), ("x", "y"))
    assert tie.predicted.tolist() == [0]
    assert tie.correct.tolist() == [False]


def test_parts_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        Predictions(("a.jpg",), ("val",), np.array([0, 1]), np.array([[0.5, 0.5]]), ("x", "y"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,score\na.jpg,1\n",
        "path,split,label,predicted,probability:x\na.jpg,val,x,x\n",
        "path,split,label,predicted,probability:x\na.jpg,val,z,x,1.0\n",
        "path,split,label,predicted,probability:x\na.jpg,val,x,x,much\n",
    ],
)
def test_another_file_is_refused_with_the_cure(tmp_path, text):
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.csv(.|\n)*tsugiki evaluate"):
        Predictions.from_csv(tmp_path / "other.csv")
