"""Faults of device code, planted into the program one at a time: a move to the device forgotten, a detour over the processor.

The places come out of the program's own source, so that code written later is tried, too.
"""

from __future__ import annotations
import __future__

import ast
import copy
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import tsugiki

_PROGRAM = Path(tsugiki.__file__).parent
_PLACES = ("device", "place")  # what the program calls them
_FACTORIES = {"tensor", "zeros", "ones", "full", "empty", "arange", "rand", "randn"}


@dataclass(frozen=True)
class Fault:
    """One place where something can be forgotten.

    Attributes:
        file: Inside the program.
        function: Its name there.
        number: Which of its places.
        told: What is planted.
    """

    file: str
    function: str
    number: int
    told: str

    def __str__(self) -> str:
        return f"{self.file}:{self.function}: {self.told}"


class _Forgetting(ast.NodeTransformer):
    """Leaves the ``number``-th move out: ``x.to(device)`` becomes ``x``, ``zeros(3, device=device)`` becomes ``zeros(3)``."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.found: list[str] = []

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        move = _moves(node)
        if move:
            self.found.append(f"without {move}")
            if len(self.found) - 1 == self.number:
                return _without(node)
        return node


def _moves(node: ast.Call) -> str:
    called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if called == "to" and node.args and any(word in ast.unparse(node.args[0]) for word in _PLACES):
        return f".to({ast.unparse(node.args[0])})"
    named = [ast.unparse(word) for word in node.keywords if word.arg == "device" and called in _FACTORIES]
    return f"{called}({named[0]})" if named else ""


def _without(node: ast.Call) -> ast.AST:
    node.keywords = [word for word in node.keywords if word.arg not in {"device", "non_blocking"}]
    if isinstance(node.func, ast.Attribute) and node.func.attr == "to":
        node.args = node.args[1:]
        return node if node.args or node.keywords else node.func.value
    return node


def forgotten(file: str) -> list[Fault]:
    """Every move to the device in one file of the program, to be left out."""
    found = []
    for name, function in _functions(ast.parse((_PROGRAM / file).read_text(encoding="utf-8"))):
        looked = _Forgetting(-1)
        looked.visit(copy.deepcopy(function))
        found += [Fault(file, name, number, told) for number, told in enumerate(looked.found)]
    return found


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node


@contextmanager
def planted(fault: Fault) -> Iterator[None]:
    """Within this block the program has the fault."""
    function = _function(fault.file, fault.function)
    changed = _Forgetting(fault.number).visit(copy.deepcopy(function))
    with _in_place(fault.file, fault.function, changed):
        yield


@contextmanager
def rewritten(file: str, function: str, old: str, new: str) -> Iterator[None]:
    """Within this block ``old``, which is in the function once, is ``new``."""
    text = ast.unparse(_function(file, function))
    assert text.count(old) == 1, f"{old!r} is not once in:\n{text}"
    (changed,) = ast.parse(text.replace(old, new)).body
    with _in_place(file, function, changed):
        yield


def _function(file: str, name: str) -> ast.FunctionDef:
    return dict(_functions(ast.parse((_PROGRAM / file).read_text(encoding="utf-8"))))[name]


@contextmanager
def _in_place(file: str, name: str, function: ast.AST) -> Iterator[None]:
    module = importlib.import_module("tsugiki." + file.removesuffix(".py").replace("/", "."))
    owner_name, _, own = name.rpartition(".")
    owner = getattr(module, owner_name) if owner_name else module
    tree = ast.parse(f"class {owner_name}: pass" if owner_name else "")
    holder: Any = tree.body[0] if owner_name else tree
    holder.body = [function]
    ast.fix_missing_locations(tree)
    code = compile(tree, str(_PROGRAM / file), "exec", flags=__future__.annotations.compiler_flag)
    made: dict[str, Any] = {}
    exec(code, vars(module), made)  # noqa: S102 (the program's own source, but for one place)
    found = vars(made[owner_name])[own] if owner_name else made[own]
    _belongs_to(owner, found)
    before = getattr(owner, own)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, own, found)
        for other in [*sys.modules.values()]:  # whoever has imported it by its name
            held = getattr(other, "__dict__", {})  # libraries put other things there than modules
            if not owner_name and held.get(own) is before:
                patch.setattr(other, own, found)
        yield


def _belongs_to(owner: Any, function: Any) -> None:
    """``super()`` looks for the class in a cell of the method: there it must find the real one."""
    code = getattr(function, "__code__", None)
    if code is not None and "__class__" in code.co_freevars:
        function.__closure__[code.co_freevars.index("__class__")].cell_contents = owner
