"""The reference of Python: every public name, from its docstring."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from tools.docs_site.docstrings import Docstring, Link, as_markdown, linked, parsed
from tools.docs_site.public_names import Definition, definition, public_names

_PLACES = {
    "data": "photos",
    "backbones": "networks",
    "classifier": "answers",
    "publishing": "answers",
    "inspection.evaluate": "answers",
    "inspection": "inspection",
    "reporting": "pictures",
    "reporting.run_folder": "training",
    "core": "training",
    "features": "training",
    "heads": "training",
    "fine_tuning": "training",
    "training": "training",
    "training.estimator": "estimators",
}
"""On which page the names of a module stand; of several that fit, the longest counts."""

_WORDS = {
    "Args": ("Arguments", "引数"),
    "Attributes": ("Attributes", "属性"),
    "Returns": ("Returns", "戻り値"),
    "Yields": ("Yields", "順に渡すもの"),
    "Raises": ("Raises", "例外"),
    "Example": ("Example", "例"),
    "property": ("property", "プロパティ"),
    "Name": ("Name", "名前"),
    "What": ("What it is", "内容"),
}
"""What is said around the docstrings, which are English, on the pages of both languages."""


def described(page: str, language: str) -> str:
    """Every name of a page, in Markdown.

    Args:
        page: One of those in ``reference/python/``.
        language: ``en`` or ``ja``.
    """
    lines: list[str] = []
    for each in names_of(page):
        lines += ["", *_described(each, language, functools.partial(_address, frm=page))]
    return "\n".join(lines)


def listed(page: str, language: str) -> str:
    """A table of the names of a page with what they are, for the page that leads to it."""
    lines = [f"| {_word('Name', language)} | {_word('What', language)} |", "|---|---|"]
    for each in names_of(page):
        first = parsed(each.docstring).about.partition("\n\n")[0].replace("\n", " ")
        lines.append(f"| [`{each.name}`]({page}.md#{each.name}) | {as_markdown(first, functools.partial(_address, frm=''))} |")
    return "\n".join(lines)


@functools.cache
def names_of(page: str) -> tuple[Definition, ...]:
    """What a page describes, by name.

    Raises:
        LookupError: When there is no such page.
    """
    found = [definition(name, module) for name, module in public_names() if _page_of(module) == page]
    if not found:
        raise LookupError(f"no public name has its place on {page}")
    return tuple(sorted(found, key=lambda one: one.name.lower()))


def _page_of(module: str) -> str:
    return _PLACES[max((place for place in _PLACES if f"{module}.".startswith(f"{place}.")), key=len)]


def _word(name: str, language: str) -> str:
    return _WORDS[name][language == "ja"]


@functools.cache
def _homes() -> dict[str, str]:
    """By name, also of methods as ``Class.method``: the page that describes it."""
    homes = {}
    for name, module in public_names():
        page = _page_of(module)
        homes[name] = page
        homes |= {f"{name}.{member.name}": page for member in definition(name, module).members}
    return homes


def _address(name: str, frm: str) -> str:
    """Where a name is described, as seen from a page; nothing where it is not public."""
    name = name.removeprefix("tsugiki.")
    page = _homes().get(name, "")
    return "" if not page else f"#{name}" if page == frm else f"{page}.md#{name}"


def _described(one: Definition, language: str, link: Link) -> Iterator[str]:
    yield from (f"## `{one.name}` {{ #{one.name} data-toc-label='{one.name}' }}", "")
    yield from _body(one, one.name, language, link)
    for member in one.members:
        whole = f"{one.name}.{member.name}"
        told = f" <small>{_word('property', language)}</small>" if member.kind == "property" else ""
        yield from ("", f"### `{whole}`{told} {{ #{whole} data-toc-label='{member.name}' }}", "")
        yield from _body(member, whole, language, link)


def _body(one: Definition, whole: str, language: str, link: Link) -> Iterator[str]:
    if one.kind != "property" or one.returns:
        above = whole.removesuffix(one.name) or "tsugiki."
        yield from ("```python", one.signature(above), "```", "")
    told = parsed(one.docstring)
    yield as_markdown(told.about, link)
    types = {each.name.lstrip("*"): each for each in one.parameters}
    for section in ("Args", "Attributes", "Returns", "Yields", "Example", "Raises"):
        if section in told.items or section in told.texts:
            yield from ("", f"**{_word(section, language)}**", "")
            if section in told.texts:
                yield from _text(told, section, one, link)
            else:
                yield from _items(told.items[section], {} if section == "Raises" else types, link)


def _text(told: Docstring, section: str, one: Definition, link: Link) -> Iterator[str]:
    kind = linked(one.returns, link(one.returns)) + " — " if section == "Returns" and one.returns else ""
    yield kind + as_markdown(told.texts[section], link)


def _items(items: Mapping[str, str], types: Mapping[str, object], link: Link) -> Iterator[str]:
    """Names with their types and defaults, and what is said of each: a list of definitions."""
    for name, text in items.items():
        shown = str(types.get(name.lstrip("*"), name)) if types else name
        first, *rest = as_markdown(text, link).split("\n")
        yield from (f"`{shown}`", f":   {first}", *(f"    {line}" for line in rest), "")
