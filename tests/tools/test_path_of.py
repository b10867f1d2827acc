"""The count of the files that a command goes through."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import pytest

from tools.path_of import files_run, table


@pytest.mark.long
def test_a_fit_goes_through_training_and_names_each_file_once(dishes, tmp_path):
    calls = files_run(["fit", str(dishes), "--backbone", "bundled:nae", "--out", str(tmp_path / "run")])
    assert (tmp_path / "run" / "classifier.json").is_file()
    assert next(iter(calls)) == "cli/main.py"
    assert {"training/fit.py", "features/extract.py", "heads/linear.py", "reporting/run_folder.py"} <= set(calls)
    assert all(name.endswith(".py") for name in calls)
    lines = table(calls).splitlines()
    assert sum(line.endswith(" fit.py") for line in lines) == 2  # the verb and the training, each once
    assert len(lines) == len(calls) + len({name.rpartition("/")[0] for name in calls}) + 1
