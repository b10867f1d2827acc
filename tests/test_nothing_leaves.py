"""Promise 5, watched: no verb asks for an address, starts a process or writes into the home folder beside its own cache."""

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import tsugiki
from tools.attack.connections import VERBS_WATCHED, attack, watched

SOURCE = Path(tsugiki.__file__).parent
DOOR = SOURCE / "features" / "engines" / "openvino_import.py"


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are watched where they can fork")
@pytest.mark.robust(
    "hostile",
    case="a library that reports its use to its maker",
    right="not one verb reaches for the network, forks, or writes into the home folder",
)
def test_no_verb_sends_anything_anywhere(tmp_path, dishes):
    few = tmp_path / "photos"
    for path in sorted(dishes.rglob("*.jpg")):
        if path.stem in {"00", "01", "02", "03", "04", "12", "13"}:
            target = few / path.relative_to(dishes)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    outcome = attack(tmp_path, few)
    assert not outcome.faults, "\n".join(outcome.faults)
    assert outcome.counts["verbs"] == len(VERBS_WATCHED) > 15


def test_every_verb_is_watched():
    """But the one that fetches what a person names."""
    from tsugiki.cli.main import VERBS as EVERY

    assert sorted(set(EVERY) - {"data"}) == VERBS_WATCHED


def test_onnx_runtime_is_silenced_before_it_is_imported():
    """From 1.29 on it reports its use to its maker, by sockets of its own that Python's watch does not see."""
    importing = re.compile(r"^\s*(import onnxruntime|from onnxruntime)", re.MULTILINE)
    places = [*SOURCE.rglob("*.py"), *SOURCE.rglob("*.txt"), *(SOURCE.parents[1] / "examples").rglob("*.py")]
    found = {path: text for path in places if importing.search(text := path.read_text(encoding="utf-8"))}
    assert found
    for path, text in found.items():
        silenced = text.find('os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")')
        assert 0 <= silenced < importing.search(text).start(), path


def test_the_watch_itself_sees_what_openvino_does_unasked(tmp_path):
    """Else the test above would prove nothing."""
    if not any(metadata.packages_distributions().get("openvino_telemetry", ())):  # it may be shut off in this very process
        pytest.skip("openvino_telemetry is not installed")
    told, home = watched(tmp_path, "import openvino, time; time.sleep(0.2)")
    assert any("os.fork" in line for line in told)
    assert (home / "intel").exists()


def _imported(tree: ast.Module) -> set[str]:
    """Every module that is imported, by name or by a text that is one."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in {"import_module", "__import__"}:
            found |= {str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant)}
    return found


@pytest.mark.long
def test_openvino_comes_in_through_one_door():
    other = [path for path in SOURCE.rglob("*.py") if path != DOOR]
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in other}
    assert not [path for path, tree in trees.items() if any(name.split(".")[0] == "openvino" for name in _imported(tree))]


@pytest.mark.robust(
    "hostile", case="import of a library that reports its import", right="the part that would report cannot be imported"
)
def test_behind_the_door_the_part_that_reports_is_not_there():
    pytest.importorskip("openvino")
    code = (
        "import sys; from tsugiki.features.engines.openvino_import import openvino_module as door;"
        "door('openvino'); door('openvino.tools.ovc'); print(sys.modules['openvino_telemetry'])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    assert answer.stdout == "None\n"
