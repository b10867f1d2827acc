"""A run folder holds everything about a run, whole or not at all."""

import csv
import errno
import io
import json
import os

import pytest

from tests.reporting.runs import small_run
from tsugiki.core.errors import TsugikiError
from tsugiki.evaluation.predictions import Predictions, evaluate_rows
from tsugiki.reporting import run_folder
from tsugiki.reporting.run_folder import save_run
from tsugiki.training.corrections import apply_decisions, choose


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    run = small_run(tmp_path_factory.mktemp("photos"))
    return run, save_run(run, tmp_path_factory.mktemp("runs") / "small")


def test_everything_is_there(saved):
    _, folder = saved
    assert {entry.name for entry in folder.iterdir()} == {
        "classifier.json", "weights.safetensors", "history.csv", "evaluation.json", "predictions.csv", "suspects.csv",
        "photos.csv", "report.html", "README.md", "engine",
    }  # fmt: skip


def test_the_numbers_are_recomputed_from_the_rows(saved):
    _, folder = saved
    stored = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    again = evaluate_rows(Predictions.from_csv(folder / "predictions.csv"), split="val", temperature=1.3)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "log_loss"):
        assert stored[name] == again[name]
    assert stored["findings"]["leaks"] == 1


def test_the_suspects_come_back_as_decisions(saved):
    run, folder = saved
    path = folder / "suspects.csv"
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    assert {row["path"] for row in rows[:2]} == {run.samples.names[7], run.samples.names[8]}
    edited = folder.parent / "edited.csv"
    edited.write_text(path.read_text(encoding="utf-8-sig").replace("keep", "relabel", 1), encoding="utf-8")
    changed = apply_decisions(run.samples, choose(relabel=edited))
    row = run.samples.names.index(rows[0]["path"])
    assert changed.classes[changed.labels[row]] == rows[0]["suggested"]


@pytest.mark.long
@pytest.mark.robust(
    "hostile",
    case="the disk of --out is full when a training has ended",
    right="the run is saved elsewhere, and it is said where and how to move it",
)
def test_a_finished_run_is_not_lost_to_a_full_disk(saved, tmp_path, monkeypatch):
    run, _ = saved
    target = tmp_path / "full" / "run"
    target.parent.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write = run_folder.write_json

    def full(path, document):
        if path.is_relative_to(target.parent):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, document)

    monkeypatch.setattr(run_folder, "write_json", full)
    with pytest.raises(TsugikiError, match="No space left on device") as caught:
        save_run(run, target)
    (other,) = (tmp_path / "here").iterdir()
    assert str(other) in caught.value.what
    assert caught.value.cure.endswith(f"mv {other} {target}")
    # Its network was proven when it was written first; then its features are compared, and those of this run are made up.
    assert {entry.name for entry in other.iterdir()} | {"engine"} == set(run_folder.RUN_FILES)
    assert list(target.parent.iterdir()) == []

    monkeypatch.setattr(
        run_folder, "write_json", lambda *_: (_ for _ in ()).throw(OSError(errno.EFBIG, os.strerror(errno.EFBIG)))
    )
    with pytest.raises(TsugikiError, match="nor anywhere else"):
        save_run(run, target)


def test_an_interrupted_save_leaves_the_old_run(saved, monkeypatch):
    run, folder = saved
    before = (folder / "report.html").read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("tsugiki.reporting.run_folder.write_card", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_run(run, folder)
    assert (folder / "report.html").read_bytes() == before
    assert [entry.name for entry in folder.parent.iterdir() if entry.name.startswith(".")] == []


@pytest.mark.robust("networks", case="a report that cannot be made", right="said; the run itself is saved")
def test_extras_never_lose_a_finished_run(saved, monkeypatch, tmp_path, capsys):
    run, _ = saved
    monkeypatch.setattr("tsugiki.reporting.run_folder.write_report", lambda *_, **__: 1 / 0)
    folder = save_run(run, tmp_path / "run")
    assert {"classifier.json", "weights.safetensors", "evaluation.json", "README.md"} <= {
        entry.name for entry in folder.iterdir()
    }
    assert not (folder / "report.html").exists()
    assert "report.html could not be made" in capsys.readouterr().err
