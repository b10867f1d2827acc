"""Saving replaces an older run or audit, and nothing else: no file of anybody is lost."""

import copy
import os
from dataclasses import replace

import pytest
import torch

from tests.reporting.runs import small_run
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import speaking
from tsugiki.reporting.audit_page import save_audit
from tsugiki.reporting.run_folder import AUDIT, RUN, RUN_FILES, check_output_folder, save_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_run(tmp_path_factory.mktemp("photos"))


def _content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_files_of_a_run_are_those_that_saving_writes(run, tmp_path):
    folder = save_run(run, tmp_path / "run")
    assert {entry.name for entry in folder.iterdir()} == set(RUN_FILES)
    (folder / ".DS_Store").touch()
    (folder / "predictions.png").touch()
    assert save_run(run, folder) == folder  # the same run once more: nothing is lost
    assert {entry.name for entry in folder.iterdir()} == set(RUN_FILES)


@pytest.mark.robust(
    "surface", case="`save_run` over another run", right="refused without `overwrite=True`, naming what is there"
)
def test_another_run_is_replaced_only_where_that_is_asked_for(run, tmp_path):
    folder = save_run(run, tmp_path / "run")
    other = replace(run, classifier=copy.deepcopy(run.classifier))
    with torch.no_grad():
        other.classifier.head.bias += 1
    before = _content(folder)
    with pytest.raises(RequestError) as refused:
        save_run(other, folder)
    for words in ("holds a run already", *run.classifier.classes, "photos right", "overwrite=True", "run-2"):
        assert words in str(refused.value)
    with speaking("ja"), pytest.raises(RequestError, match="置き換え"):
        save_run(other, folder)
    assert _content(tmp_path) == before
    save_run(other, folder, overwrite=True)
    assert _content(folder)[folder / "weights.safetensors"] != before[folder / "weights.safetensors"]


@pytest.mark.robust(
    "surface", case="the same run saved over decisions in its suspects.csv", right="refused: they would be lost"
)
def test_what_a_person_has_decided_is_not_lost_by_saving_again(run, tmp_path):
    folder = save_run(run, tmp_path / "run")
    path = folder / "suspects.csv"
    path.write_text(path.read_text(encoding="utf-8-sig").replace("keep", "exclude", 1), encoding="utf-8")
    with pytest.raises(RequestError, match=r"decisions of yours in suspects\.csv"):
        save_run(run, folder)
    assert "exclude" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("beside", [[], ["classifier.json"]], ids=["other things", "a run and other things"])
def test_a_run_is_never_saved_over_other_things(run, tmp_path, beside):
    for name in ("thesis.txt", "older/classifier.json", *beside):
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text("years of work")
    before = _content(tmp_path)
    with pytest.raises(RequestError, match=r"(?s)would be replaced.*thesis\.txt.*mine-run"):
        save_run(run, tmp_path / "mine")
    with pytest.raises(RequestError, match=r"(?s)would be replaced.*thesis\.txt.*mine-audit"):
        save_audit(None, tmp_path / "mine")  # refused before it looks at the audit
    assert _content(tmp_path) == before


def test_what_may_be_written(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.json").touch()
    for good in ("new/deep", "empty"):
        assert check_output_folder(tmp_path / good, RUN) == check_output_folder(tmp_path / good, AUDIT) == tmp_path / good
    assert check_output_folder(tmp_path / "audit", AUDIT, overwrite=True)
    with pytest.raises(RequestError):
        check_output_folder(tmp_path / "audit", AUDIT)
    (tmp_path / "file").touch()
    for bad in ("", "file", "file/run", "audit"):
        with pytest.raises(RequestError):
            check_output_folder(tmp_path / bad, overwrite=True)
    monkeypatch.chdir(tmp_path / "empty")
    for bad in ("", "../empty"):
        with pytest.raises(RequestError, match="stands in"):
            check_output_folder(tmp_path / "empty" / bad)
    with speaking("ja"), pytest.raises(RequestError, match="置き換え"):
        check_output_folder(tmp_path / "file", AUDIT)


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # as on a disk that is read-only; the superuser may write anywhere else
    with pytest.raises(RequestError, match=r"cannot be written: nothing may be made in .*\n.*--out"):
        check_output_folder(tmp_path / "new")
