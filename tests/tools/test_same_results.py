"""Two versions' runs, compared file by file."""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest

from tools import same_results


@pytest.fixture(scope="module")
def saved(dish_run, tmp_path_factory):
    from tsugiki.reporting.run_folder import save_run

    return save_run(dish_run, tmp_path_factory.mktemp("saved") / "sample").parent


def compared(old, new, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["same_results", str(old), str(new), "--material", str(old / "nothing")])
    with pytest.raises(SystemExit) as left:
        same_results.main()
    return left.value.code, capsys.readouterr().out.splitlines()


def test_a_run_is_the_same_as_itself(saved, monkeypatch, capsys):
    status, lines = compared(saved, saved, monkeypatch, capsys)
    assert status == 0
    assert len(lines) == 6
    assert all(line.endswith(": same") for line in lines)


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("predictions.csv", "test/pizza", "test/pizzo", "line 2"),
        ("classifier.json", '"temperature": ', '"temperature": 1', "calibration.temperature"),
        ("classifier.json", '"trained"', '"teached"', "trained.method"),
        ("history.csv", "\n1,", "\n1,9", "epoch 1"),
    ],
)
def test_what_differs_is_named(saved, tmp_path, monkeypatch, capsys, file, old, new, told):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "sample" / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    status, lines = compared(saved, tmp_path, monkeypatch, capsys)
    assert status == 1
    assert next(line for line in lines if not line.endswith(": same")).startswith(f"sample/{file}: differs: ")
    assert told in "\n".join(lines)


def test_a_renamed_key_is_no_difference(saved, tmp_path, monkeypatch, capsys):
    shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "sample" / "classifier.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"trained"', '"notes"'), encoding="utf-8")
    monkeypatch.setattr(same_results, "RENAMED", {"trained": "notes"})
    assert compared(saved, tmp_path, monkeypatch, capsys)[0] == 0
