"""A run as a person holds it in Python: it prints as one line, saves, loads, reports, and gives its table away."""

import copy
import csv
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

import tsugiki as tg
from tsugiki.core.errors import ArtefactError, RequestError, UnknownName
from tsugiki.features.extract import FeatureSettings
from tsugiki.features.store import FeatureStore


@pytest.fixture(scope="module")
def saved(dish_run, tmp_path_factory):
    return dish_run.save(tmp_path_factory.mktemp("runs") / "dishes")


@pytest.mark.robust(
    "surface", case="`run`, `data`, `audit` typed at a prompt", right="one line each, however many photos and classes"
)
def test_everything_prints_as_one_short_line(dish_run, dishes):
    audit, judged = tg.audit(dishes), tg.evaluate(dish_run.classifier, dishes)
    explained = dish_run.classifier.explain(dish_run.samples.paths[0])
    values = (dish_run, dish_run.samples, dish_run.table, dish_run.predictions, dish_run.findings, audit, judged, explained)
    for value in (*values, dish_run.report()):
        assert len(repr(value)) < 400
        assert "\n" not in repr(value)
        assert repr(value).startswith(f"<{type(value).__name__}")
    assert f"{dish_run.evaluation['accuracy']:.1%} of 18" in repr(dish_run)


def test_a_notebook_shows_tables_and_no_name_writes_html(dish_run, dishes):
    audit, judged = tg.audit(dishes), tg.evaluate(dish_run.classifier, dishes)
    for value in (dish_run, dish_run.samples, dish_run.predictions, audit, judged):
        shown = value._repr_html_()
        assert "<table>" in shown
        assert "pizza" in shown or value is audit
    samples = tg.Samples.from_lists(dish_run.samples.paths[:4], ["<b>a</b>", "c"] * 2, ["train"] * 4)
    assert "<b>a</b>" not in samples._repr_html_()
    assert "&lt;b&gt;a" in samples._repr_html_()
    photo = dish_run.samples.paths[0]
    answer = dish_run.classifier.predict(photo)
    assert answer.label in answer._repr_html_()
    assert f"{answer.probability:.1%}" in answer._repr_html_()
    strange = replace(answer, label="<b>", known=False)._repr_html_()
    assert "<b>" not in strange.replace("<p><b>", "")
    assert "a guess" in strange
    assert "is no photo" in replace(answer, problem="it is no photo")._repr_html_()


@pytest.mark.robust(
    "surface", case="`tg.Run.load(folder)` after `run.save(folder)`", right="the same answers, numbers and report"
)
def test_a_loaded_run_is_the_one_that_was_saved(dish_run, saved, tmp_path):
    run = tg.Run.load(saved)
    assert isinstance(run, tg.Run)
    assert run.classifier.classes == dish_run.classifier.classes
    assert {name: run.evaluation[name] for name in dish_run.evaluation} == json.loads(json.dumps(dish_run.evaluation))
    assert (run.predictions.probabilities == dish_run.predictions.probabilities).all()
    assert [row["train_loss"] for row in run.history] == [row["train_loss"] for row in dish_run.history]
    assert run.report().html == (saved / "report.html").read_text(encoding="utf-8")
    photo = dish_run.samples.paths[0]
    assert run.classifier.predict(photo) == dish_run.classifier.predict(photo)
    assert repr(run) == repr(dish_run)
    copied = run.save(tmp_path / "copy")
    files = {path.relative_to(saved): path.read_bytes() for path in saved.rglob("*.*")}
    assert Path("engine/parity.json") in files
    assert {path.relative_to(copied): path.read_bytes() for path in copied.rglob("*.*")} == files
    assert run.save(saved) == saved


def test_what_a_loaded_run_does_not_have_is_said(saved, dish_run, tmp_path):
    run = tg.Run.load(saved)
    for name in ("table", "samples", "findings", "out_of_fold"):
        with pytest.raises(RequestError, match="photos of this run are not in its folder"):
            getattr(run, name)
    with pytest.raises(RequestError, match="no run folder"):
        tg.Run.load(tmp_path / "gone")
    dish_run.classifier.save(tmp_path / "bare")
    with pytest.raises(ArtefactError, match="not a whole run"):
        tg.Run.load(tmp_path / "bare")


@pytest.mark.robust("surface", case="`run.report()`", right="the page: shown, written, or opened")
def test_the_report_of_a_run_is_a_value(dish_run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or True)
    report = dish_run.report()
    assert report.save(tmp_path / "mine.html").read_text(encoding="utf-8") == report.html
    assert report._repr_html_().startswith("<iframe srcdoc=")
    assert asked == []
    opened = report.open()
    assert asked == [opened.as_uri()]
    assert "</html>" in opened.read_text(encoding="utf-8")


@pytest.mark.robust("surface", case="`run.predictions.to_pandas()`", right="the table of predictions.csv")
def test_predictions_as_a_frame_are_the_table_on_disk(dish_run, saved):
    frame = dish_run.predictions.to_pandas()
    with (saved / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert list(frame.columns) == header
    assert [[str(value) for value in row] for row in frame.itertuples(index=False)] == rows
    pd.testing.assert_frame_equal(frame, pd.read_csv(saved / "predictions.csv"))


@pytest.mark.robust("surface", case="`model.explain(photo)`", right="a picture that can be shown and saved")
def test_a_classifier_explains_itself(dish_run, dishes, tmp_path):
    photo = dish_run.samples.paths[0]
    explained = dish_run.classifier.explain(photo, data=dishes, label="steak")
    assert explained.prediction == dish_run.classifier.predict(photo)
    assert (explained.asked, len(explained.near)) == ("steak", 5)
    assert explained.save(tmp_path / "why.jpg").read_bytes().startswith(b"\xff\xd8")
    assert {"text/plain"} < set(explained._repr_mimebundle_())
    with pytest.raises(RequestError, match="would be lost"):
        explained.save(photo)
    with pytest.raises(UnknownName, match="steak"):
        dish_run.classifier.explain(photo, label="stake")


def test_methods_are_the_functions_they_are_named_after(dish_run, tmp_path):
    one, other = dish_run.save(tmp_path / "one"), tg.save_run(dish_run, tmp_path / "two")
    names = ("classifier.json", "weights.safetensors", "predictions.csv", "suspects.csv", "history.csv", "evaluation.json")
    for name in names:
        assert (Path(one) / name).read_bytes() == (Path(other) / name).read_bytes()


@pytest.mark.long
@pytest.mark.robust(
    "scores", case="`run.save()` after its classifier was trained again", right="refused: the score is another's"
)
def test_a_run_whose_classifier_has_learned_anew_is_not_saved(dish_run, dishes, tmp_path):
    model = copy.deepcopy(dish_run.classifier)
    first = tg.fit(model, dishes, settings=tg.HeadSettings(epochs=5), features=FeatureSettings(store=FeatureStore(tmp_path)))
    first.save(tmp_path / "first")
    with torch.no_grad():
        model.head.weight.add_(0.5)
    for telling in (lambda: first.save(tmp_path / "again"), first.report):
        with pytest.raises(RequestError, match="trained again since"):
            telling()
    assert not (tmp_path / "again").exists()


@pytest.mark.robust(
    "surface", case="`tg.fit('resnet18', data)`, `tg.evaluate(run, data)`", right="a sentence with what to give"
)
def test_what_is_no_model_is_refused_in_a_sentence(dish_run, dishes):
    with pytest.raises(RequestError, match="model is something else") as told:
        tg.fit("bundled:nae", dishes)
    assert "model=Classifier(...)" in str(told.value)
    for given, cure in ((dish_run, "run.classifier"), ("runs/food", "tsugiki.load_predictor(run)")):
        with pytest.raises(RequestError, match="model is something else") as told:
            tg.evaluate(given, dishes)
        assert cure in str(told.value)
    with pytest.raises(RequestError, match="run is something else") as told:
        tg.save_run(dish_run.classifier, "runs/x")
    assert "model.save(folder)" in str(told.value)
    with pytest.raises(RequestError, match="at least two classes") as told:
        tg.Classifier("bundled:nae", classes=3)
    assert "got: 3" in str(told.value)
