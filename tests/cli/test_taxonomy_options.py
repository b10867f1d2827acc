"""``--taxonomy`` from the command line: refused early, used everywhere, and seen in every form of an answer."""

import csv
import io
import json

import numpy as np
import pytest

from tsugiki.classifier.answer import AnswerHead, MultiLabel
from tsugiki.classifier.predict import unreadable
from tsugiki.cli.answer_rows import set_answer_rows, taxonomy_cells, taxonomy_columns
from tsugiki.data.taxonomy import grow


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("taxonomy") / "taxonomy.csv"
    path.write_text("class,parent\nsteak,savoury\nsushi,savoury\nramen,savoury\nsavoury,\npizza,baked\n", encoding="utf-8")
    return path


@pytest.mark.long
def test_a_taxonomy_goes_from_fit_to_every_form_of_an_answer(run_cli, tsu, dishes, table, tmp_path):
    done = run_cli(
        "fit", dishes, "--backbone", "bundled:nae", "--taxonomy", table, "--at-least", 0.9, "--out", tmp_path / "run"
    )
    assert done.returncode == 0, done.stderr
    assert "In taxonomy.csv, but no photo is of them, so they are left out: ramen." in done.stderr
    assert "Level 1 of 2 of the taxonomy (2 names): " in done.stderr
    stored = json.loads((tmp_path / "run" / "classifier.json").read_text())["taxonomy"]
    assert stored["sure"] == 0.9
    assert stored["parents"] == {"steak": "savoury", "sushi": "savoury", "savoury": "", "pizza": "baked", "baked": ""}

    photos = dishes / "test"
    _, told, _ = tsu("predict", tmp_path / "run", photos, "--format", "json")
    answers = json.loads(told)
    _, told, _ = tsu("predict", tmp_path / "run", photos, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(told)))
    assert len(rows) == len(answers) == 18
    assert any(answer["at_least"] for answer in answers)
    for row, answer in zip(rows, answers, strict=True):
        chances = answer["probabilities"]
        assert float(row["parent:savoury"]) == pytest.approx(min(1, chances["steak"] + chances["sushi"]), abs=1e-6)
        assert float(row["parent:baked"]) == pytest.approx(chances["pizza"], abs=1e-6)
        named = answer["at_least"] or {"name": "", "probability": ""}
        assert [row["at_least"], row["at_least_probability"]] == [named["name"], str(named["probability"])]
        (above,) = answer["ancestors"]
        assert above["name"] == ("baked" if answer["label"] == "pizza" else "savoury")
        assert above["probability"] == float(row[f"parent:{above['name']}"])
    _, told, _ = tsu("predict", tmp_path / "run", photos)
    assert "at least" in told.splitlines()[0]
    for line, answer in zip(told.splitlines()[1:], answers, strict=True):
        named = answer["at_least"]
        assert ("savoury" in line) == (named is not None and named["name"] == "savoury")
    status, told, said = tsu("evaluate", tmp_path / "run", dishes)
    assert status == 0
    assert "Level 1 of 2 of the taxonomy (2 names): " in said
    assert [line.split()[0] for line in told.splitlines()] == ["class", "pizza", "steak", "sushi"]


def test_what_cannot_be_a_taxonomy_is_refused_before_a_photo_is_opened(tsu, dishes, tmp_path, decoded):
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("class,parent\nsteak,savoury\nsavoury,steak\n", encoding="utf-8")
    status, _, said = tsu("fit", dishes, "--backbone", "bundled:nae", "--taxonomy", wrong, "--out", tmp_path / "run")
    assert status == 2
    assert "in a circle" in said
    assert "got: steak → savoury → steak" in said
    status, _, said = tsu("fit", dishes, "--at-least", 0.9, "--out", tmp_path / "run")
    assert (status, "--taxonomy FILE" in said) == (2, True)
    status, _, said = tsu("fit", dishes, "--taxonomy", wrong, "--at-least", 0.4, "--out", tmp_path / "run")
    assert (status, "got: --at-least 0.4" in said) == (2, True)
    status, _, said = tsu("fit", dishes, "--taxonomy", tmp_path / "none.csv", "--out", tmp_path / "run")
    assert (status, "There is no file" in said) == (2, True)
    assert decoded == []
    assert not (tmp_path / "run").exists()


def test_without_one_answers_have_the_columns_that_they_had(tsu, dish_run, dishes, tmp_path):
    dish_run.save(tmp_path / "run")
    _, told, _ = tsu("predict", tmp_path / "run", dishes / "test" / "pizza", "--format", "csv")
    assert told.splitlines()[0] == "path,predicted,known,probability:pizza,probability:steak,probability:sushi,problem"
    _, told, _ = tsu("predict", tmp_path / "run", dishes / "test" / "pizza")
    assert told.splitlines()[0].split() == ["photo", "answer", "probability", "next", "best"]


def test_of_several_labels_a_table_tells_what_they_are_kinds_of():
    tree, _ = grow({"steak": "savoury", "sushi": "savoury"}, ("pizza", "steak", "sushi"), source="it")
    bias = np.array([-2, 1, 2], np.float32)
    head = AnswerHead(tree.classes, np.zeros((3, 4), np.float32), bias, multi_label=MultiLabel.fresh(3), taxonomy=tree)
    answers = head.answer(np.zeros((1, 4), np.float32), ["x.png"])
    heading, row = set_answer_rows(answers, tree.classes)
    assert heading == ("photo", "answer", "kinds of", "next best")
    assert row == ("x.png", "sushi 88.1%, steak 73.1%", "savoury 88.1%", "pizza 11.9%")
    assert taxonomy_columns(head) == ["parent:savoury"]
    assert taxonomy_cells(answers[0], head) == [answers[0].probabilities[2]]
    assert taxonomy_cells(unreadable("y.png", "no photo"), head) == [""]
