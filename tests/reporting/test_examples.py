"""The examples: scripts that run offline, and notebooks that were built from just these scripts."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


@pytest.fixture
def builder():
    pytest.importorskip("nbclient")
    spec = importlib.util.spec_from_file_location("build_notebooks", ROOT / "tools" / "build_notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_notebook_is_the_script_executed(script, builder):
    text = script.with_suffix(".ipynb").read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    expected = builder.cells_of(script.read_text(encoding="utf-8"))
    assert [("".join(cell["source"]), cell["cell_type"]) for cell in cells] == [
        (cell.source, cell.cell_type) for cell in expected
    ], "run tools/build_notebooks.py"
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert not [output for output in outputs if output["output_type"] == "error"]
    assert any({"image/png", "image/jpeg"} & set(output.get("data", {})) for output in outputs)
    assert len(text.encode()) < builder.LARGEST


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_text_is_in_both_languages(script, builder):
    for cell in builder.cells_of(script.read_text(encoding="utf-8")):
        if cell.cell_type == "markdown":
            assert any("\u3040" <= letter <= "\u30ff" or "\u4e00" <= letter <= "\u9fff" for letter in cell.source), cell.source
            assert any("a" <= letter <= "z" for letter in cell.source), cell.source


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_script_runs_offline(script, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Epoch: 3" in done.stdout
    assert list((tmp_path / "pictures").glob("*.png"))
