"""What `src/tsugiki/__init__.pyi` gives away, read from the source without importing it: signatures and docstrings."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "tsugiki"
_WIDEST = 88
"""Signatures that are longer have one parameter per line."""
_NAME = re.compile(r"(?<![\w.'])[A-Z]\w+(?![\w.'])")
_SHORT = re.compile(r"[\w.\[\], |'-]{1,60}")
"""Types that are written out: no calls, and not too long."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature.

    Attributes:
        name: With its stars.
        kind: Its type, as the source has it; empty where it has none.
        default: Likewise.
    """

    name: str
    kind: str = ""
    default: str = ""

    def __str__(self) -> str:
        kind = f": {self.kind}" if self.kind else ""
        return self.name + kind + ((" = " if kind else "=") + self.default if self.default else "")


@dataclass(frozen=True)
class Definition:
    """A class, function, method or property.

    Attributes:
        name: As it is written in Python, without the class that it belongs to.
        kind: ``class``, ``function``, ``method``, ``classmethod``, ``staticmethod`` or ``property``.
        module: Where it lives.
        docstring: As the source has it.
        parameters: Without ``self``; of a class, those of its constructor.
        returns: The type of what it gives.
        bases: Of a class, those that are not the package's own.
        members: Of a class: public methods and properties, the package's own base classes included.
    """

    name: str
    kind: str
    module: str
    docstring: str
    parameters: tuple[Parameter, ...] = ()
    returns: str = ""
    bases: tuple[str, ...] = ()
    members: tuple[Definition, ...] = ()

    def signature(self, above: str = "") -> str:
        """How it is called, as Python."""
        head = f"{above}{self.name}"
        end = f" -> {self.returns}" if self.returns and self.kind != "class" else ""
        if self.kind == "property":
            return f"{head}: {self.returns}" if self.returns else head
        line = f"{head}({', '.join(map(str, self.parameters))}){end}"
        if len(line) <= _WIDEST:
            return line
        return "\n".join([f"{head}(", *(f"    {each}," for each in self.parameters), f"){end}"])


@functools.cache
def public_names() -> tuple[tuple[str, str], ...]:
    """Every public name with the module that it lives in, as the stub has them."""
    tree = ast.parse((SOURCE / "__init__.pyi").read_text(encoding="utf-8"))
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.level == 1)
    return tuple((alias.name, node.module or "") for node in imports for alias in node.names)


@functools.cache
def definition(name: str, module: str) -> Definition:
    """What a name stands for.

    Raises:
        LookupError: When the module does not define it.
    """
    for node in _tree(module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _class(node, module)
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _function(node, module, "function")
    raise LookupError(f"{module} does not define {name}")


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(SOURCE.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))


def _function(node: ast.FunctionDef, module: str, kind: str) -> Definition:
    parameters = _parameters(node.args, module, skip=kind in {"method", "classmethod", "property"})
    returns = "" if node.returns is None else _type(node.returns, module)
    return Definition(node.name, kind, module, ast.get_docstring(node) or "", parameters, returns)


def _parameters(arguments: ast.arguments, module: str, *, skip: bool) -> tuple[Parameter, ...]:
    """In order, with the signs for what is only given by position or by name.

    Args:
        arguments: Of a function.
        module: Where it lives.
        skip: Whether the first one is ``self`` or ``cls``.
    """
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    found = [_parameter(each, module, default) for each, default in zip(plain, defaults, strict=True)]
    if arguments.posonlyargs:
        found.insert(len(arguments.posonlyargs), Parameter("/"))
    if arguments.vararg:
        found.append(_parameter(arguments.vararg, module, stars="*"))
    elif arguments.kwonlyargs:
        found.append(Parameter("*"))
    named = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    found += [_parameter(each, module, default) for each, default in named]
    if arguments.kwarg:
        found.append(_parameter(arguments.kwarg, module, stars="**"))
    return tuple(found[1:] if skip else found)


def _parameter(argument: ast.arg, module: str, default: ast.expr | None = None, stars: str = "") -> Parameter:
    kind = "" if argument.annotation is None else _type(argument.annotation, module)
    return Parameter(stars + argument.arg, kind, _default(default, module))


def _type(annotation: ast.expr, module: str) -> str:
    """A type, with short names of the package's own for other types written out."""

    def written_out(found: re.Match[str]) -> str:
        meant = _constant(found[0], "", module) or ""
        return meant if _SHORT.fullmatch(meant) else found[0]

    return _NAME.sub(written_out, ast.unparse(annotation))


def _class(node: ast.ClassDef, module: str) -> Definition:
    bases = dict(_own_bases(node, module))
    methods = {each.name: each for each in node.body if isinstance(each, ast.FunctionDef)}
    made = methods.get("__init__")
    parameters = _fields(node, module) if made is None else _parameters(made.args, module, skip=True)
    members = [_function(each, module, _kind(each)) for each in methods.values() if not each.name.startswith("_")]
    for base in bases.values():
        members += [each for each in base.members if each.name not in methods]
    others = tuple(name for name in map(ast.unparse, node.bases) if name not in bases)
    text = ast.get_docstring(node) or ""
    return Definition(node.name, "class", module, text, parameters, bases=others, members=tuple(members))


def _own_bases(node: ast.ClassDef, module: str) -> Iterator[tuple[str, Definition]]:
    """Base classes that stand in the same module."""
    for base in map(ast.unparse, node.bases):
        if any(isinstance(each, ast.ClassDef) and each.name == base for each in _tree(module).body):
            yield base, definition(base, module)


def _kind(node: ast.FunctionDef) -> str:
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    if marks & {"property", "cached_property"}:
        return "property"
    return next((kind for kind in ("classmethod", "staticmethod") if kind in marks), "method")


def _fields(node: ast.ClassDef, module: str) -> tuple[Parameter, ...]:
    """The constructor of a dataclass."""
    mark = next((mark for mark in node.decorator_list if "dataclass" in ast.unparse(mark)), None)
    if mark is None:
        return ()
    by_name = isinstance(mark, ast.Call) and "kw_only" in {word.arg for word in mark.keywords}
    fields = [each for each in node.body if isinstance(each, ast.AnnAssign) and not _is_not_given(each)]
    given = [
        Parameter(ast.unparse(each.target), _type(each.annotation, module), _default(each.value, module)) for each in fields
    ]
    return (*([Parameter("*")] if by_name else []), *given)


def _is_not_given(field: ast.AnnAssign) -> bool:
    words = field.value.keywords if isinstance(field.value, ast.Call) else []
    return any(word.arg == "init" and ast.unparse(word.value) == "False" for word in words)


def _default(value: ast.expr | None, module: str) -> str:
    """A default as a reader understands it: what a field is made of, and the value behind a name."""
    if value is None:
        return ""
    if isinstance(value, ast.Call) and ast.unparse(value.func) in {"field", "dataclasses.field"}:
        words = {word.arg: ast.unparse(word.value) for word in value.keywords}
        return words.get("default") or (f"{words['default_factory']}()" if "default_factory" in words else "")
    first, _, rest = ast.unparse(value).partition(".")
    known = _constant(first, rest, module) if first.isidentifier() and (rest.isidentifier() or not rest) else None
    return ast.unparse(value) if known is None else known


def _constant(name: str, field: str, module: str) -> str | None:
    """The value of a constant, or of a field of a class, that a module defines or takes from another one of the package."""
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and not field and ast.unparse(node.targets[0]) == name:
            return _default(node.value, module)
        if isinstance(node, ast.ClassDef) and field and node.name == name:
            fields = (each for each in node.body if isinstance(each, ast.AnnAssign))
            return next((_default(each.value, module) for each in fields if ast.unparse(each.target) == field), None)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tsugiki."):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _constant(alias.name, field, (node.module or "").removeprefix("tsugiki."))
    return None
