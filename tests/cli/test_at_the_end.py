"""How a command ends: what the score is worth, what to type next, and what is kept when a person does not wait."""

import dataclasses
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

from tsugiki.cli.main import no_interruption_lost
from tsugiki.cli.waiting import is_whole, told_what_is_kept
from tsugiki.evaluation.headline import never_answered_sentence
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.reporting.report import write_report
from tsugiki.reporting.verdict import verdict


@pytest.mark.robust(
    "surface", case="the end of `fit`", right="score against guessing, alarms, the report's path, a command that runs"
)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_fit_ends_with_a_verdict_and_a_command_that_runs(tsu, flat, tmp_path, monkeypatch, language):
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(flat / "pizza" / "00.jpg", flat / "steak" / "copy.jpg")
    status, out, err = tsu("--lang", language, "fit", flat, "--backbone", "bundled:nae", "--epochs", "10", "--out", "my runs/a")
    assert (status, out) == (0, "my runs/a\n")
    lines = err.splitlines()
    score = next(at for at, line in enumerate(lines) if "95%" in line)
    said = "\n".join(lines[score + 1 :])
    assert {"en": "always answering", "ja": "いつも"}[language] in said
    assert "my runs/a/report.html" in said
    command = shlex.split(lines[-1].partition(":")[2])
    assert command[:3] == ["tsugiki", "predict", "my runs/a"]
    assert command[3].startswith("flat/")
    status, out, _ = tsu(*command[1:])
    assert status == 0
    assert Path(command[3]).name in out


def test_the_gravest_alarms_come_first_and_there_are_at_most_three(dish_run):
    quiet = verdict(dish_run)
    assert "always answering" in quiet[0]
    calibration = {**dish_run.evaluation["calibration"], "by_chance": 0.1}
    calibration["after"] = {**calibration["after"], "ece": 0.3}
    findings = dataclasses.replace(
        dish_run.findings,
        suspects=tuple(dataclasses.replace(one, confident=True) for one in dish_run.findings.suspects),
    )
    evaluation = {**dish_run.evaluation, "calibration": calibration}
    alarmed = verdict(dataclasses.replace(dish_run, evaluation=evaluation, findings=findings))
    assert alarmed[-1] == "! On average its percentages are 30.0 points off."
    assert sum(line.startswith("! ") for line in alarmed) <= 3
    assert len(alarmed) > len(quiet)


@pytest.mark.robust("scores", case="the score of leaked photos against guessing", right="never said to be clearly better")
def test_leaked_photos_beat_no_guess(dish_run):
    twins = dict.fromkeys(dish_run.predictions.names, "train/x.jpg")
    evaluation = evaluate_rows(dish_run.predictions, split=dish_run.evaluation["split"], leaked=twins)
    told = verdict(dataclasses.replace(dish_run, evaluation=evaluation))
    assert told[0].startswith("Whether it is better than guessing cannot be told")
    assert not any("this score is worth nothing" in line for line in told)  # the headline has said so
    page = write_report(dataclasses.replace(dish_run, evaluation=evaluation), name="x")
    assert "Clearly better" not in page
    assert "19 times out of 20" not in page


@pytest.mark.robust("scores", case="uneven classes, the rare one never answered", right="the cure is named once at the end")
def test_the_cure_of_uneven_classes_is_named_once(dish_run):
    labels = np.repeat([0, 1], [40, 5])
    rows = Predictions(
        ("x.jpg",) * 45, ("test",) * 45, labels, np.tile([0.8, 0.1, 0.1], (45, 1)), dish_run.evaluation["classes"]
    )
    run = dataclasses.replace(dish_run, evaluation=evaluate_rows(rows, split="test"))
    uneven = dataclasses.replace(run.samples, labels=np.where(np.arange(len(run.samples)) % 20, 0, run.samples.labels))
    run = dataclasses.replace(run, table=dataclasses.replace(run.table, samples=uneven))
    assert "--class-weights" in never_answered_sentence(run.evaluation)  # as `fit` says it after the score
    assert not any("--class-weights" in line for line in verdict(run))


@pytest.mark.robust("surface", case="`fit --open`", right="the report in the browser, or a sentence")
@pytest.mark.parametrize("browser", [True, False])
def test_the_report_is_opened_where_that_is_asked_for(tsu, dishes, tmp_path, monkeypatch, browser):
    asked = []
    monkeypatch.setattr("webbrowser.open", lambda address: asked.append(address) or browser)
    words = ["fit", dishes, "--backbone", "bundled:nae", "--epochs", "5", "--out", tmp_path / "run", "--open"]
    _, _, err = tsu(*words)
    assert asked == [(tmp_path / "run" / "report.html").as_uri()]
    assert ("no browser" in err) is not browser


@pytest.mark.robust("surface", case="the engine in the talk of `fit`", right="one line")
@pytest.mark.parametrize("drawn", [False, True])
def test_the_engine_stands_in_one_line(tsu, dishes, flat, tmp_path, drawn):
    _, _, err = tsu("fit", flat if drawn else dishes, "--backbone", "bundled:nae", "--epochs", "5", "--out", tmp_path / "run")
    lines = [line for line in err.splitlines() if line.startswith("Engine")]
    assert len(lines) == 1
    assert "float32" in lines[0]


def test_an_audit_names_its_own_photos_in_what_comes_next(tsu, flat, monkeypatch):
    monkeypatch.chdir(flat.parent)
    _, _, err = tsu("audit", "flat")
    assert err.splitlines()[-1].startswith("next: tsugiki audit flat --out audits/flat")
    _, _, err = tsu("audit", "flat", "--out", "a b")
    assert "tsugiki fit flat --exclude 'a b/suspects.csv' --relabel 'a b/suspects.csv'" in err


@pytest.mark.long
@pytest.mark.robust("surface", case="Ctrl-C during `fit`", right="what is kept is said; status 130, no traceback")
@pytest.mark.parametrize("moment", ["Engine", pytest.param("Left", marks=pytest.mark.slow)])
def test_who_interrupts_is_told_what_is_kept(dishes, tmp_path, moment):
    photos = shutil.copytree(dishes, tmp_path / "photos")
    (photos / "train" / "pizza" / "bad.jpg").write_bytes(b"<html>")
    (tmp_path / "runs").mkdir()
    command = [sys.executable, "-m", "tsugiki", "fit", photos, "--backbone", "bundled:nae", "--epochs", "20000"]
    process = subprocess.Popen(
        [*map(str, command), "--out", str(tmp_path / "runs" / "new")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert process.stderr is not None
    while not process.stderr.readline().startswith(moment):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert "Interrupted: nothing was written" in err
    assert "Traceback" not in err
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.robust(
    "surface",
    case="Ctrl-C while Python tidies up after an object, where nothing can be raised",
    right="the work ends all the same",
)
def test_an_interruption_is_not_lost_where_nothing_can_be_raised():
    class Thing:
        pass

    def interrupted(_):
        raise KeyboardInterrupt

    things = [Thing()]
    watched = weakref.ref(things[0], interrupted)

    def work():
        with no_interruption_lost():
            things.clear()
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert watched() is None


def test_an_interruption_after_the_end_says_that_the_run_is_whole(tmp_path, capsys):
    for verb, words in (
        ("fit", "nothing was written"),
        ("get", "what has come so far"),
        ("plot", "pictures"),
        ("x", "nothing"),
    ):
        with pytest.raises(KeyboardInterrupt), told_what_is_kept(verb):
            raise KeyboardInterrupt
        assert words in capsys.readouterr().err

    def interrupted_late():
        is_whole(tmp_path)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), told_what_is_kept("fit"):
        interrupted_late()
    assert capsys.readouterr().err == f"Interrupted: {tmp_path} is whole.\n"


@pytest.mark.robust(
    "surface", case="`predict --format csv` with an unreadable file", right="a row with its reason, and exit status 1"
)
def test_no_photo_is_dropped_from_a_table(saved_run, tsu, dishes, tmp_path):
    import csv
    import io
    import json

    run = saved_run
    folder = tmp_path / "new"
    shutil.copytree(dishes / "test" / "pizza", folder)
    (folder / "00 broken.jpg").write_bytes(b"<html>")
    (folder / "zz.png").touch()
    status, out, err = tsu("predict", run, folder, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 1
    assert len(rows) == 8
    problems = {Path(row["path"]).name: row["problem"] for row in rows if row["problem"]}
    assert set(problems) == {"00 broken.jpg", "zz.png"}
    assert all((row["predicted"] == "") == bool(row["problem"]) for row in rows)
    assert "2 of 8" in err
    assert "00 broken.jpg" in err
    status, out, _ = tsu("predict", run, folder, "--format", "json")
    assert (status, len(json.loads(out))) == (1, 8)
    assert tsu("predict", run, dishes / "test", "--format", "csv")[0] == 0


@pytest.mark.long
@pytest.mark.robust(
    "surface",
    case="`predict --plot` of more photos than a picture holds",
    right="how many it shows is said; `x.jpg` is a JPEG file",
)
def test_a_picture_of_some_photos_says_so(saved_run, tsu, dishes, tmp_path):
    from PIL import Image

    run = saved_run
    _, _, err = tsu("predict", run, dishes, "--plot", tmp_path / "answers.jpg")
    assert "It shows the first 36 of 54 photos." in err
    with Image.open(tmp_path / "answers.jpg") as picture:
        assert picture.format == "JPEG"
    _, _, err = tsu("predict", run, dishes / "test", "--plot", tmp_path / "few.png")
    assert "It shows" not in err
    status, out, err = tsu("predict", run, dishes, "--plot", tmp_path / "answers.gif")
    assert (status, out) == (2, "")
    assert ".png, .jpg" in err
