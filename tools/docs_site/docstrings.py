"""Docstrings in Google's style, as Markdown."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

Link = Callable[[str], str]
"""Where a name of the program is described: an address, or nothing."""

_SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Example")
_HEAD = re.compile(rf"^({'|'.join(_SECTIONS)}):$", re.MULTILINE)
_ITEM = re.compile(r"(?:\A|\n)(?! )([\w*]+): ")
_INLINE = re.compile(r":(?:class|func|meth|data|mod|attr|exc):`~?([^`]+)`|``(.+?)``|([*_<>\\])", re.DOTALL)


@dataclass(frozen=True)
class Docstring:
    """A docstring in its parts.

    Attributes:
        about: What stands before the first section.
        items: By section: names and what is said of them, for ``Args``, ``Attributes`` and ``Raises``.
        texts: By section: the text of the others.
    """

    about: str
    items: dict[str, dict[str, str]]
    texts: dict[str, str]


def parsed(text: str) -> Docstring:
    """Read a docstring."""
    about, *rest = _HEAD.split(inspect.cleandoc(text))
    items: dict[str, dict[str, str]] = {}
    texts: dict[str, str] = {}
    for name, part in zip(rest[::2], rest[1::2], strict=True):
        body = inspect.cleandoc(part.strip("\n"))
        if name in {"Args", "Attributes", "Raises"}:
            _, *pairs = _ITEM.split(body)
            items[name] = dict(zip(pairs[::2], map(inspect.cleandoc, pairs[1::2]), strict=True))
        else:
            texts[name] = body
    return Docstring(about.strip(), items, texts)


def as_markdown(text: str, link: Link) -> str:
    """Text of a docstring: its code, the names it points to, and blocks after two colons.

    Args:
        text: With the marks of reStructuredText that the source uses.
        link: Says where names are described.
    """
    blocks = text.split("::\n\n")
    shown = [_inline(blocks[0], link)]
    for block in blocks[1:]:
        code = "\n".join(line for line in block.split("\n") if line.startswith("    ") or not line)
        shown.append(f":\n\n{code.rstrip()}\n\n{_inline(block[len(code) :].strip(), link)}")
    return "".join(shown).strip()


def _inline(text: str, link: Link) -> str:
    def told(found: re.Match[str]) -> str:
        role, code, sign = found.groups()
        if sign:
            return f"\\{sign}"
        name = " ".join((role or code).split())
        shown = name.removeprefix("tsugiki.") if role and name.count(".") == 1 else name.rpartition(".")[2] if role else name
        return linked(shown, link(name))

    return _INLINE.sub(told, text)


def linked(name: str, address: str) -> str:
    """A name as code, with a link where there is an address."""
    return f"[`{name}`]({address})" if address else f"`{name}`"
