"""Write docs/errors.md from the source: every error sentence in both languages, with what is allowed, what was got, what to do.

    python -m tools.errors_page [--check]

With --check nothing is written; exit status 1 says that the page no longer tells what the source says.
"""

from __future__ import annotations

import ast
import functools
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.pages import write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "errors.md"
SOURCE = ROOT / "src" / "tsugiki"
_ERRORS = SOURCE / "core" / "errors.py"
_PARTS = {"allowed": "allowed", "got": "got", "cure": "next"}
_COMPUTED = "…"


@dataclass(frozen=True, order=True)
class Sentence:
    """One error of the source.

    Attributes:
        what: Its English sentences: several where the code chooses.
        parts: ``allowed``, ``got`` and ``cure``, as far as they are there, with their English texts.
    """

    what: tuple[str, ...]
    parts: tuple[tuple[str, tuple[str, ...]], ...]


@functools.cache
def family() -> dict[str, tuple[str, int]]:
    """By name of the error: the first line of its description, and its exit status."""
    found: dict[str, tuple[str, int]] = {}
    for node in ast.parse(_ERRORS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            base = found.get(ast.unparse(node.bases[0]), ("", 1))
            own = (line for line in node.body if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_status")
            status = next((ast.literal_eval(line.value) for line in own), base[1])
            found[node.name] = ((ast.get_docstring(node) or "").partition("\n")[0], status)
    return found


@functools.cache
def errors() -> dict[str, set[Sentence]]:
    """Every error that the source makes, by name of its kind."""
    kinds, found = family(), defaultdict(set)
    for path in sorted(SOURCE.rglob("*.py")):
        if path == _ERRORS:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for scope in _scopes(tree):
            known = _assigned(scope)
            for node in _own(scope):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in kinds and node.args:
                    parts = {word.arg: _texts(word.value, known) for word in node.keywords if word.arg in _PARTS}
                    told = tuple((name, parts[name]) for name in _PARTS if parts.get(name))
                    what = _texts(node.args[0], known)
                    if what != (_COMPUTED,):  # another error's sentence, passed on
                        found[node.func.id].add(Sentence(what, told))
    return found


def _scopes(tree: ast.AST) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """What stands in a function itself, or in a module outside of its functions."""
    for node in ast.iter_child_nodes(scope):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from _own(node)


def _assigned(scope: ast.AST) -> dict[str, ast.expr]:
    """What names stand for, where a sentence is put together before it is used."""
    pairs = ((node.targets[0], node.value) for node in _own(scope) if isinstance(node, ast.Assign))
    return {target.id: value for target, value in pairs if isinstance(target, ast.Name)}


def _texts(node: ast.expr, known: dict[str, ast.expr], depth: int = 3) -> tuple[str, ...]:
    """The texts that an expression may give, in English; a sign for what is computed."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return (node.value,) if node.value else ()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
        return _texts(node.args[0], known)
    if isinstance(node, ast.IfExp | ast.BoolOp):
        choices = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
        return tuple(dict.fromkeys(text for choice in choices for text in _texts(choice, known, depth)))
    if isinstance(node, ast.JoinedStr):
        values = [str(part.value) if isinstance(part, ast.Constant) else _COMPUTED for part in node.values]
        return ("".join(values),)
    if isinstance(node, ast.Name) and node.id in known and depth:
        return _texts(known[node.id], known, depth - 1)
    return (_COMPUTED,)


@functools.cache
def japanese() -> dict[str, str]:
    """Every sentence that is translated."""
    found: dict[str, str] = {}
    for table in sorted((SOURCE / "locale" / "ja").glob("*.toml")):
        found.update(tomllib.loads(table.read_text(encoding="utf-8")))
    return found


def page() -> str:
    """The page in Markdown."""
    found, translated = errors(), japanese()
    count = sum(map(len, found.values()))
    about = (
        "Made by `python -m tools.errors_page` from the source; a test of the suite compares both. An error says what was "
        "wrong, and where it can, what is allowed, what was got, and what to do next. `{...}` is filled in; `…` is only known "
        f"when it happens. There are {count}."
    )
    lines = ["# Every error sentence", "", about]
    for kind, (meaning, status) in family().items():
        if found.get(kind):
            lines += ["", f"## {kind}: exit status {status}", "", meaning]
            for sentence in sorted(found[kind]):
                lines += ["", *_shown(sentence, translated)]
    return "\n".join(lines) + "\n"


def _shown(sentence: Sentence, translated: dict[str, str]) -> Iterator[str]:
    yield f"- **{_plain(' / '.join(sentence.what))}**"
    if told := _in_japanese(sentence.what, translated):
        yield f"  **{_plain(told)}**"
    for name, texts in sentence.parts:
        told = _in_japanese(texts, translated)
        yield f"  - {_PARTS[name]}: {_plain(' / '.join(texts))}" + (f" · {_plain(told)}" if told else "")


def _in_japanese(texts: tuple[str, ...], translated: dict[str, str]) -> str:
    return " / ".join(translated[text] for text in texts if text in translated)


def _plain(text: str) -> str:
    """Text that Markdown shows as it is."""
    for sign in "\\*_<>|[]":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


if __name__ == "__main__":
    write_or_check(PAGE, page, about=__doc__)
