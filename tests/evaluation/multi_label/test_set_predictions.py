"""The table of several labels survives its trip through a file, and a stranger recomputes everything from it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from tsugiki.core.errors import DataError
from tsugiki.data.label_sets import NOT_KNOWN
from tsugiki.evaluation.multi_label.evaluate_sets import evaluate_sets
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions

NAMES = ("ants", '蜂, "bees"', "=1+1", "class 10", "class 9")


def table(seed=0, n=60, classes=NAMES, *, known=True, unknown=True):
    dice = np.random.default_rng(seed)
    targets = dice.choice([-1, 0, 0, 1] if unknown else [0, 0, 1], (n, len(classes))).astype(np.int8)
    targets[3] = NOT_KNOWN if unknown else 0
    chances = dice.random((n, len(classes)))
    chances[:10] = chances[:10].astype(np.float32)
    names = tuple(f"=写真/猫 é,{i}\r.jpg" for i in range(n))
    splits = tuple(("train", "val", "test")[i % 3] for i in range(n))
    thresholds = np.array([0.1 + 0.2, chances[0, 1], 1.0, 0.0, 1 / 3])[: len(classes)]
    return MultiLabelPredictions(names, splits, targets, chances, thresholds, classes, dice.random(n) < 0.9 if known else None)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_gives_back_every_bit_and_every_answer(tmp_path, known):
    before = table(known=known)
    before.to_csv(tmp_path / "predictions.csv")
    after = MultiLabelPredictions.from_csv(tmp_path / "predictions.csv")
    assert (after.names, after.splits, after.classes) == (before.names, before.splits, before.classes)
    for name in ("targets", "probabilities", "thresholds", "shown"):
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
        assert getattr(after, name).dtype == getattr(before, name).dtype
    assert np.array_equal(after.known, before.known) if known else after.known is None
    assert after.shown[0, 1]  # exactly at its threshold
    assert not after.shown[:, 2].any()
    assert after.shown[:, 3].all()


def test_the_heading_and_the_cells_are_as_documented(tmp_path):
    rows = MultiLabelPredictions(
        ("a.jpg", "b.jpg"), ("test",) * 2, [[1, -1], [0, 0]], [[0.5, 0.25], [0, 1]], [0.5, 0.75], ("x", "y"), [True, False]
    )
    rows.to_csv(tmp_path / "predictions.csv")
    assert (tmp_path / "predictions.csv").read_text(encoding="utf-8").splitlines() == [
        "path,split,label,predicted,known,label:x,label:y,probability:x,probability:y,threshold:x,threshold:y",
        "a.jpg,test,x,x,True,1,,0.5,0.25,0.5,0.75",
        "b.jpg,test,,y,False,0,0,0.0,1.0,0.5,0.75",
    ]


def test_names_of_labels_stand_in_natural_order_and_none_is_empty():
    rows = MultiLabelPredictions(
        ("a.jpg",), ("test",), [[1, 1, 0]], [[0.1, 0.2, 0.9]], [0.5, 0.5, 0.95], ("c10", "c9", "a"), None
    )
    assert rows.label_text(0) == "c9|c10"
    assert rows.answer_text(0) == ""
    assert rows.correct.tolist() == [False]


def test_no_rows_at_all_is_a_table_too(tmp_path):
    table().take([]).to_csv(tmp_path / "predictions.csv")
    after = MultiLabelPredictions.from_csv(tmp_path / "predictions.csv")
    assert (len(after), after.classes, after.shown.shape) == (0, NAMES, (0, 5))


def test_rows_are_taken_by_place_by_split_and_where_something_is_known():
    rows = table()
    assert rows.take([5, 2]).names == (rows.names[5], rows.names[2])
    assert rows.take([5, 2]).known.tolist() == [rows.known[5], rows.known[2]]
    assert set(rows.of("val").splits) == {"val"}
    nothing = [row for row in range(len(rows)) if (rows.targets[row] == NOT_KNOWN).all()]
    assert 3 in nothing
    assert rows.scored().names == tuple(name for row, name in enumerate(rows.names) if row not in nothing)


def test_a_stranger_with_pandas_finds_the_same_numbers(tmp_path):
    rows = table(n=300)
    rows.to_csv(tmp_path / "predictions.csv")
    document = evaluate_sets(rows, split="test")
    sheet = pd.read_csv(tmp_path / "predictions.csv").replace("^'=", "=", regex=True)  # no cell is a formula
    sheet = sheet[sheet["split"] == "test"]
    precisions = []
    for line in document["per_class"]:
        own = sheet[sheet[f"label:{line['class']}"].notna()]
        truth, chance = own[f"label:{line['class']}"] == 1, own[f"probability:{line['class']}"]
        precisions.append(average_precision_score(truth, chance))
        said = chance.astype(np.float32) >= own[f"threshold:{line['class']}"].astype(np.float32)
        assert (line["n"], line["answered"], line["hits"]) == (truth.sum(), said.sum(), (truth & said).sum())
        assert line["threshold"] == own[f"threshold:{line['class']}"].iloc[0]
    assert document["mean_average_precision"] == pytest.approx(np.mean(precisions))


def test_a_notebook_gets_the_table_as_pandas_and_as_html(tmp_path):
    rows = table(classes=tuple(f"c{i}" for i in range(5)))
    frame = rows.to_pandas()
    rows.to_csv(tmp_path / "predictions.csv")
    assert list(frame.columns) == list(pd.read_csv(tmp_path / "predictions.csv", nrows=0).columns)
    assert frame["label:c0"].isna().tolist() == (rows.targets[:, 0] == NOT_KNOWN).tolist()
    assert frame["label:c1"].fillna(NOT_KNOWN).tolist() == rows.targets[:, 1].tolist()
    assert frame["probability:c4"].tolist() == rows.probabilities[:, 4].tolist()
    assert frame["predicted"].tolist() == [rows.answer_text(row) for row in range(60)]
    assert len(rows.take([]).to_pandas()) == 0
    html = MultiLabelPredictions(("<b>.jpg",) * 12, ("test",) * 12, [[1]] * 12, [[0.9]] * 12, [0.5], ("x",))._repr_html_()
    assert "&lt;b&gt;.jpg" in html
    assert "12 of 12 exactly right" in html
    assert "2 more" in html


def test_many_classes_make_a_table_in_pandas_without_a_warning():
    classes = tuple(f"c{i}" for i in range(120))
    assert table(n=6, classes=NAMES).to_pandas().shape == (6, 5 + 15)
    many = MultiLabelPredictions(("a",), ("test",), np.zeros((1, 120)), np.zeros((1, 120)), np.ones(120), classes)
    assert many.to_pandas().shape == (1, 4 + 360)


def test_parts_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        MultiLabelPredictions(("a.jpg",), ("val",), [[1, 0]], [[0.5, 0.5]], [0.5], ("x", "y"))


HEAD = "path,split,label,predicted,label:x,probability:x,threshold:x\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,score\na.jpg,1\n",
        "path,split,label,predicted\na.jpg,val,x,x\n" + "path,split\n",
        "path,split,label,predicted,label:x,probability:y,threshold:x\na.jpg,val,x,x,1,1.0,0.5\n",
        "path,split,label,predicted,label:x,probability:x\na.jpg,val,x,x,1,1.0\n",
        HEAD + "a.jpg,val,x,x,2,1.0,0.5\n",
        HEAD + "a.jpg,val,x,x,1,much,0.5\n",
        HEAD + "a.jpg,val,x,x,1,1.0\n",
        HEAD.replace("predicted,", "predicted,known,") + "a.jpg,val,x,x,maybe,1,1.0,0.5\n",
    ],
)
def test_another_file_is_refused_with_the_cure(tmp_path, text):
    (tmp_path / "other.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"other\.csv(.|\n)*tsugiki evaluate"):
        MultiLabelPredictions.from_csv(tmp_path / "other.csv")


def test_a_table_of_one_kind_is_not_taken_for_the_other(tmp_path):
    table().to_csv(tmp_path / "sets.csv")
    with pytest.raises(DataError):
        Predictions.from_csv(tmp_path / "sets.csv")
    Predictions(("a.jpg",), ("val",), np.array([1]), np.array([[0.5, 0.5]]), ("x", "y")).to_csv(tmp_path / "one.csv")
    with pytest.raises(DataError):
        MultiLabelPredictions.from_csv(tmp_path / "one.csv")
