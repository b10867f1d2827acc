"""The reference of the command line: every command with its options, as its own help has them, in one language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from tools.docs_site.docstrings import linked
from tsugiki.cli.main import command_line
from tsugiki.cli.usage import Help, help_of
from tsugiki.locale.messages import use_language


def commands(language: str) -> str:
    """Every command, in Markdown.

    Args:
        language: ``en`` or ``ja``.
    """
    use_language(language)
    try:
        found = dict(_helps())
    finally:
        use_language(None)
    return "\n".join(line for name, told in found.items() for line in ("", *_described(name, told)))


def _helps() -> Iterator[tuple[str, Help]]:
    """Every command's help, the program's own first."""
    program = typer.main.get_command(command_line([]))
    top = program.make_context("tsugiki", [], resilient_parsing=True)
    yield "", help_of(top)
    yield from _below(program, top, "")


def _below(group: Any, context: Any, path: str) -> Iterator[tuple[str, Help]]:
    for name, command in group.commands.items():
        inner = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"{path}{name}", help_of(inner)
        if hasattr(command, "commands"):
            yield from _below(command, inner, f"{path}{name} ")


def _described(name: str, told: Help) -> Iterator[str]:
    anchor = name.replace(" ", "-") or "tsugiki"
    yield from (
        f"## `tsugiki{name and ' '}{name}` {{ #{anchor} data-toc-label='{name or 'tsugiki'}' }}",
        "",
        _plain(told.about),
    )
    yield from ("", f"`{told.usage}`")
    for title, rows in told.sections:
        yield from ("", f"**{title}**", "", '<div class="options" markdown>', "")
        for term, text in rows:
            address = f"#{name and name + '-'}{term}" if re.fullmatch(r"[a-z]+", term) else ""
            yield from (linked(term, address), f":   {_plain(text)}", "")
        yield "</div>"
    if told.epilog:
        yield from ("", _plain(told.epilog))


def _plain(text: str) -> str:
    """Text of a help page: what stands between backticks is code, nothing else means anything."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<>\\\[\]|])", r"\\\1", part) for part in parts)
