"""Saving replaces an older run or audit, and nothing else: no file of anybody is lost."""

import os

import pytest

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
    assert save_run(run, folder) == folder  # an older run may be replaced
    assert {entry.name for entry in folder.iterdir()} == set(RUN_FILES)


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
    assert check_output_folder(tmp_path / "audit", AUDIT)
    (tmp_path / "file").touch()
    for bad in ("", "file", "file/run", "audit"):
        with pytest.raises(RequestError):
            check_output_folder(tmp_path / bad)
    monkeypatch.chdir(tmp_path / "empty")
    for bad in ("", "../empty"):
        with pytest.raises(RequestError, match="stands in"):
            check_output_folder(tmp_path / "empty" / bad)
    with speaking("ja"), pytest.raises(RequestError, match="置き換え"):
        check_output_folder(tmp_path / "file", AUDIT)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a folder that may not be written")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(RequestError, match="cannot be written"):
        check_output_folder(tmp_path / "new")
    tmp_path.chmod(0o700)
