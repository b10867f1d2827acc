"""No command takes the place of what an earlier one wrote without being told to."""

import json
import shutil

import pytest

import tsugiki as tg


@pytest.fixture
def run_folder(saved_run):
    return saved_run


def _content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.robust(
    "surface",
    case="`fit --out` over a run on other classes",
    right="refused, naming its classes, date and score",
    source="LibreYOLO/libreyolo#833",
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_fit_names_the_run_that_it_would_replace(tsu, run_folder, tmp_path, language):
    before = _content(tmp_path)
    status, out, err = tsu("--lang", language, "fit", tmp_path / "no photos", "--out", run_folder)
    assert (status, out) == (2, "")
    for words in ("pizza, steak, sushi", "18", "%", "--force", "run-2", "20"):
        assert words in err
    assert "no photos" not in err
    assert _content(tmp_path) == before


def test_a_fit_replaces_the_run_where_that_is_asked_for(tsu, run_folder, flat):
    shutil.rmtree(flat / "sushi")
    status, out, _ = tsu("fit", flat, "--backbone", "bundled:nae", "--epochs", "3", "--out", run_folder, "--force")
    assert (status, out) == (0, f"{run_folder}\n")
    assert tg.Classifier.load(run_folder).classes == ("pizza", "steak")


def test_a_run_that_came_meanwhile_is_no_reason_to_lose_this_one(dish_run, run_folder, tmp_path, capsys):
    """Two fits into one folder: the second to come to its end is written beside the first."""
    import copy
    from dataclasses import replace

    import torch

    from tsugiki.cli.fit import finish
    from tsugiki.cli.options import OutputOptions

    other = replace(dish_run, classifier=copy.deepcopy(dish_run.classifier))
    with torch.no_grad():
        other.classifier.head.bias += 1
    before = _content(run_folder)
    finish(other, run_folder, OutputOptions())
    assert capsys.readouterr().out == f"{tmp_path / 'run-2'}\n"
    assert _content(run_folder) == before
    assert torch.equal(tg.Classifier.load(tmp_path / "run-2").head.bias, other.classifier.head.bias)


@pytest.mark.robust(
    "surface", case="`audit --out` over an audit with decisions in its list", right="refused, naming the decisions"
)
def test_an_audit_does_not_forget_what_a_person_decided(tsu, flat, tmp_path):
    assert tsu("audit", flat, "--out", tmp_path / "audit")[0] == 0
    path = tmp_path / "audit" / "suspects.csv"
    path.write_text("path,label,suggested,score,action\npizza/00.jpg,pizza,steak,0.9,exclude\n", encoding="utf-8")
    status, _, err = tsu("audit", flat, "--out", tmp_path / "audit")
    assert status == 2
    assert "decisions of yours in suspects.csv" in err
    assert "exclude" in path.read_text(encoding="utf-8")
    assert tsu("audit", flat, "--out", tmp_path / "audit", "--force")[0] == 0


@pytest.mark.robust("surface", case="`evaluate --out` into the run itself, or over an evaluation", right="refused")
def test_an_evaluation_takes_no_other_numbers_place(tsu, run_folder, dishes, tmp_path):
    before = _content(run_folder)
    for words in ([], ["--force"]):
        status, _, err = tsu("evaluate", run_folder, dishes, "--out", run_folder, *words)
        assert (status, "the numbers of the run itself" in err) == (2, True)
    assert _content(run_folder) == before
    assert tsu("evaluate", run_folder, dishes, "--out", tmp_path / "judged")[0] == 0
    status, _, err = tsu("evaluate", run_folder, dishes, "--out", tmp_path / "judged")
    assert (status, "--force" in err) == (2, True)
    assert tsu("evaluate", run_folder, dishes, "--out", tmp_path / "judged", "--force")[0] == 0


@pytest.mark.robust("surface", case="`predict --plot PHOTO`, `explain --out PHOTO`", right="refused: the photo stays")
def test_a_picture_is_never_written_over_the_photo(tsu, run_folder, dishes, tmp_path):
    photo = tmp_path / "photo.jpg"
    shutil.copyfile(next((dishes / "test" / "pizza").iterdir()), photo)
    before = photo.read_bytes()
    for words in (["predict", run_folder, photo, "--plot", photo], ["explain", run_folder, photo, "--out", photo]):
        status, out, err = tsu(*words)
        assert (status, out) == (2, "")
        assert "would be lost" in err
    assert photo.read_bytes() == before


def test_another_demo_takes_nothing_away(dish_run, saved_run, tmp_path):
    from tsugiki.cli.demo import _is_demo

    folder = saved_run
    assert _is_demo(folder, dish_run.samples)
    assert not _is_demo(folder, dish_run.samples.take(range(3)))
    assert not _is_demo(tmp_path / "gone", dish_run.samples)
    (tmp_path / "classifier.json").write_text(json.dumps([1]))
    assert not _is_demo(tmp_path, dish_run.samples)
