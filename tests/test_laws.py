"""Laws of the house, read from the source itself: floors, public surface, messages in two languages, words nobody may use."""

import ast
import string
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import tsugiki

SOURCE = Path(tsugiki.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
FLOOR = {name: level for level, name in enumerate(tsugiki.FLOORS)}


def _imports(path: Path, *, for_types: bool = True) -> Iterator[tuple[int, str]]:
    """Line and module of every import of the package itself, lazy ones too; those that only type checkers see on request."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only and not for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "tsugiki")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which floor it goes to"
            if node.module and node.module.split(".")[0] == "tsugiki":
                yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def test_every_folder_is_a_floor():
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(tsugiki.FLOORS)


@pytest.mark.parametrize("path", [p for p in FILES if p.parent != SOURCE], ids=_relative)
def test_floors_import_downward_only(path):
    here = FLOOR[path.relative_to(SOURCE).parts[0]]
    for line, module in _imports(path):
        parts = module.split(".")
        there = FLOOR.get(parts[1], -1) if len(parts) > 1 else -1
        assert there <= here, f"{path}:{line} imports {module}, which is upstairs"


def test_modules_import_each_other_without_cycles():
    modules = {".".join(("tsugiki", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in FILES}
    arrows = {
        name: {_nearest(target, modules) for _, target in _imports(path, for_types=False)} - {name, None}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail[trail.index(name) :], name))
        if name not in done:
            for target in sorted(arrows[name]):
                walk(target, (*trail, name))
            done.add(name)

    for name in modules:
        if not name.endswith("__init__"):  # a floor's front door names what is behind it
            walk(name, ())


def _nearest(target: str, modules: dict[str, Path]) -> str | None:
    while target and target not in modules:
        target = target.rpartition(".")[0]
    return target or None


def test_public_surface_is_sorted_and_documented():
    assert list(tsugiki.__all__) == sorted(tsugiki.__all__)
    assert set(tsugiki.__all__) - {"__version__"} == set(dir(tsugiki))
    for name in tsugiki.__all__:
        value = getattr(tsugiki, name)
        assert name == "__version__" or (value.__doc__ or "").strip(), f"{name} has no docstring"


def _sentences() -> Iterator[tuple[str, str, str]]:
    """Floor, place and text of every sentence given to ``tr``."""
    for path in FILES:
        floor = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
                place = f"{_relative(path)}:{node.lineno}"
                first = node.args[0] if node.args else None
                assert isinstance(first, ast.Constant), f"{place}: tr() takes one literal sentence"
                assert isinstance(first.value, str), place
                yield floor, place, first.value


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def _translations() -> dict[str, dict[str, str]]:
    folder = SOURCE / "locale" / "ja"
    return {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))}


def test_every_sentence_is_translated_with_its_placeholders():
    tables = _translations()
    known = {text: ja for table in tables.values() for text, ja in table.items()}
    faults = [f"{place}: {text!r} has no Japanese" for _, place, text in _sentences() if text not in known]
    faults += [f"{text!r}: placeholders differ" for text, ja in known.items() if _placeholders(text) != _placeholders(ja)]
    used = {text for _, _, text in _sentences()}
    faults += [f"{text!r} is translated and never said" for text in known if text not in used]
    assert not faults, "\n".join(faults)


def test_a_sentence_is_translated_once():
    seen: dict[str, str] = {}
    for floor, table in _translations().items():
        for text in table:
            assert text not in seen, f"{text!r} stands in {seen[text]}.toml and {floor}.toml"
            seen[text] = floor


def test_importing_the_package_is_light():
    import subprocess
    import sys

    code = (
        "import sys, tsugiki, tsugiki.cli.main; heavy = {'torch', 'torchvision', 'timm', 'matplotlib', 'sklearn', 'openvino', "
        "'pandas', 'scipy', 'PIL', 'numpy', 'rich'} & set(sys.modules); sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_answering_from_features_needs_no_torch(dish_run, tmp_path):
    """A run folder is described, its photos are listed and its features answered by a process that has no PyTorch."""
    import json
    import subprocess
    import sys

    import numpy as np

    folder = dish_run.classifier.save(tmp_path / "run")
    np.save(tmp_path / "features.npy", dish_run.table.held_out)
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "import json, pathlib, numpy, tsugiki\n"
        "from tsugiki.classifier.artefact import read_answer_head\n"
        "from tsugiki.features.store import FeatureStore\n"
        "from tsugiki.features.table import FeatureTable\n"
        "run, photos, features = sys.argv[1:]\n"
        "head = read_answer_head(pathlib.Path(run))\n"
        "samples = tsugiki.load(photos)\n"
        "answers = head.answer(numpy.load(features), [''] * len(samples.held_out_rows))\n"
        "print(json.dumps([[one.label, one.known, one.distance, *one.probabilities] for one in answers]))"
    )
    command = [sys.executable, "-c", code, str(folder), str(dish_run.samples.root), str(tmp_path / "features.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = dish_run.classifier.answer_head.answer(dish_run.table.held_out, [""] * 18)
    assert json.loads(done.stdout) == [[one.label, one.known, one.distance, *one.probabilities] for one in expected]
