"""Laws of the house, read from the source itself: floors, names, docstrings, public surface, messages in two languages."""

import ast
import re
import string
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import tsugiki
from tsugiki.core import errors

SOURCE = Path(tsugiki.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
FLOOR = {name: level for level, name in enumerate(tsugiki.FLOORS)}

_WORDS_OF_OUR_OWN = re.compile(
    "(^|_)(recall|looking|settling|evidence|gather|together|sniff|both|front_door|linking|reach|knob|job|course|groundwork|material"
    "|tally|quickening|quickened|gating|clipping|rewiring|rewired)(_|$)"
)
"""The field has other words for these: no name is one of them or has one between underscores or capitals."""
_THE_METRIC = {("evaluation/metrics.py", "recall"), ("evaluation/metrics.py", "recall_interval")}
"""Beside precision, recall is the field's own word."""
_NO_MODULES = frozenset({"perceptual", "trivial", "target", "drawn", "decisions"})
"""Modules and folders are not called so."""

_VERBS_NAMED_AS_THE_WORK = frozenset({"audit", "evaluate", "explain", "export", "fit", "predict"})
"""A verb of the command line may have the name of the module that does its work; what each does is one thing."""


def _module(path: Path) -> str:
    return ".".join(("tsugiki", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {_module(path): path for path in FILES}


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of the package itself: lazy ones, and those that only type checkers see, too."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.split(".")[0] == "tsugiki")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides which floor it goes to"
            if node.module and node.module.split(".")[0] == "tsugiki":
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield node.lineno, whole if whole in MODULES else node.module


def _relative(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def _hold(faults: Iterable[tuple[Path | str, str]]) -> None:
    """Fail for every fault: where it is, and what."""
    told = [f"{path if isinstance(path, str) else _relative(path)}: {what}" for path, what in faults]
    assert not told, "\n".join(sorted(told))


def test_every_folder_is_a_floor():
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(tsugiki.FLOORS)


def test_floors_import_downward_only():
    faults = []
    for path in FILES:
        parts = path.relative_to(SOURCE).parts
        here = FLOOR.get(parts[0], len(FLOOR))  # the root package and `python -m tsugiki` are the roof
        for _, module in _imports(path):
            inside = module.split(".")[1:]
            # What the root package gives away comes from every floor; only who uses the house from outside may ask it.
            there = FLOOR[inside[0]] if inside else FLOOR["cli"]
            if there > here:
                faults.append((path, module))
    _hold(faults)


def test_a_folder_has_no_face():
    """Each thing is imported from the module that it lives in."""
    faces = {name for name, path in MODULES.items() if path.name == "__init__.py"} - {"tsugiki"}
    assert not [f"{path}: {module}" for path in FILES for _, module in _imports(path) if module in faces]
    assert not [name for name in faces if len(TREES[MODULES[name]].body) != 1]


def test_modules_import_each_other_without_cycles():
    arrows = {name: {module for _, module in _imports(path)} for name, path in MODULES.items()}
    reached: dict[str, set[str]] = {}
    for name in MODULES:
        reached[name], waiting = set(), [name]
        while waiting:
            new = arrows[waiting.pop()] - reached[name]
            reached[name] |= new
            waiting += new
    cycles = {
        frozenset(other for other in reached[name] if name in reached[other]) for name in MODULES if name in reached[name]
    }
    assert not cycles


def _is_word_of_our_own(name: str) -> bool:
    return bool(_WORDS_OF_OUR_OWN.search(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()))


def _names(tree: ast.Module) -> Iterator[str]:
    """Classes, functions, parameters and attributes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        if isinstance(node, ast.ClassDef):
            fields = (inner.target for inner in node.body if isinstance(inner, ast.AnnAssign))
            yield from (field.id for field in fields if isinstance(field, ast.Name))


def test_names_are_words_of_the_field():
    faults = {(path, name) for path in FILES for name in _names(TREES[path]) if _is_word_of_our_own(name)}
    faults |= {
        (path, f"{name} (module)")
        for path in FILES
        for name in path.relative_to(SOURCE).with_suffix("").parts
        if name in _NO_MODULES or _is_word_of_our_own(name)
    }
    _hold({fault for fault in faults if (_relative(fault[0]), fault[1]) not in _THE_METRIC})


def test_a_folder_has_about_a_dozen_files():
    files = Counter(path.parent for path in FILES if path.name != "__init__.py")
    most = {"cli": 99, "training": 12}
    _hold(((folder, "too many files") for folder, count in files.items() if count > most.get(_relative(folder), 14)))


def test_no_two_modules_have_one_name():
    names = Counter(path.stem for path in FILES if path.name != "__init__.py")
    names.subtract(_VERBS_NAMED_AS_THE_WORK)
    _hold((path, path.stem) for path in FILES if names[path.stem] > 1)


def _public_functions() -> Iterator[tuple[Path, str, ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """File, name, function and docstring of public functions and of public methods of public classes."""

    def walk(body: list[ast.stmt], above: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield from walk(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                yield above + node.name, node

    for path in FILES:
        yield from ((path, name, node, ast.get_docstring(node) or "") for name, node in walk(TREES[path].body, ""))


def _own(function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, not in functions inside of it."""
    for node in ast.iter_child_nodes(function):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node
            yield from _own(node)


def test_who_raises_says_so():
    family = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, errors.TsugikiError)
    }

    def raises(function: ast.AST) -> bool:
        calls = (node.exc for node in _own(function) if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call))
        return any(isinstance(call.func, ast.Name) and call.func.id in family for call in calls)

    _hold(((path, name) for path, name, node, text in _public_functions() if raises(node) and "Raises:" not in text))


_ARRAY = re.compile(r"\b(ndarray|NDArray|Tensor)$")
_BESIDE_ARRAYS = {"dict", "Mapping", "MutableMapping", "Callable", "Iterator", "Iterable", "type"}


def test_who_takes_or_gives_arrays_names_their_shapes():
    aliases = {
        ast.unparse(node.targets[0])
        for tree in TREES.values()
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Subscript | ast.Attribute)
        and _ARRAY.search(ast.unparse(node.value).partition("[")[0])
    }

    def is_array(annotation: ast.AST | None) -> bool:
        if annotation is None or (isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) in _BESIDE_ARRAYS):
            return False
        if isinstance(annotation, ast.Name | ast.Attribute):
            name = ast.unparse(annotation)
            return name in aliases or bool(_ARRAY.search(name))
        return any(map(is_array, ast.iter_child_nodes(annotation)))

    def arrays(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        parameters = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        return any(map(is_array, (node.returns, *(parameter.annotation for parameter in parameters))))

    shape = re.compile(r"``\[[^`]*\]``")
    _hold(((path, name) for path, name, node, text in _public_functions() if arrays(node) and not shape.search(text)))


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
        for node in ast.walk(TREES[path]):
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


def test_a_sentence_is_translated_once_in_the_table_of_the_lowest_floor_that_says_it():
    places = [(text, table) for table, sentences in _translations().items() for text in sentences]
    lowest: dict[str, str] = {}
    for floor, _, text in _sentences():
        lowest[text] = min(lowest.get(text, floor), floor, key=FLOOR.__getitem__)
    faults = [f"{text!r} stands in {table}.toml, not in {lowest[text]}.toml" for text, table in places if table != lowest[text]]
    assert not faults, "\n".join(faults)
    assert len(places) == len(lowest)


def test_importing_the_package_is_light():
    import subprocess
    import sys

    code = (
        "import sys, tsugiki, tsugiki.cli.main; heavy = {'torch', 'torchvision', 'timm', 'matplotlib', 'sklearn', 'openvino', "
        "'pandas', 'scipy', 'PIL', 'numpy', 'rich'} & set(sys.modules); sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_answering_from_features_needs_no_torch(saved_classifier, dish_run, tmp_path):
    """A run folder is described, its photos are listed and its features answered by a process that has no PyTorch."""
    import json
    import subprocess
    import sys

    import numpy as np

    folder = saved_classifier
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
