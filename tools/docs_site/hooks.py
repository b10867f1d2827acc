"""What MkDocs asks while it builds the site: documents that lie elsewhere, what is made from the source, links, languages.

A line `<!-- made: WHAT -->` on a page stands for what is made: `commands`, `decisions`, `names of PAGE` or `list of PAGE`.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # MkDocs loads this file alone

from tools.docs_site import command_reference, documents, python_reference

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.nav import Navigation
    from mkdocs.structure.pages import Page

_MADE = re.compile(r"^<!-- made: (.+) -->$", re.MULTILINE)


def _language(config: MkDocsConfig) -> str:
    return str(config.theme["language"])


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give every page that lies elsewhere a place in the navigation: at the end of the section of its folder."""
    nav = list(config.nav or [])
    named = set(_pages(nav))
    for place in sorted(documents.shown_where_they_lie(_language(config)).values()):
        if place not in named:
            _section(nav, place.rpartition("/")[0]).append(place)
    config.nav = nav
    return config


def _pages(items: list[Any]) -> Iterator[str]:
    for item in items:
        if isinstance(item, str):
            yield item
        else:
            yield from _pages(next(iter(item.values())))


def _section(items: list[Any], folder: str) -> list[Any]:
    """The section that holds the index of a folder.

    Raises:
        LookupError: When there is none.
    """
    inner: list[list[Any]] = [next(iter(item.values())) for item in items if isinstance(item, dict)]
    for section in inner:
        if f"{folder}/index.md" in section:
            return section
    for section in inner:
        with contextlib.suppress(LookupError):
            return _section(section, folder)
    raise LookupError(f"no section has {folder}/index.md")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents that do not lie in the folder of pages, with their pictures."""
    from mkdocs.structure.files import File

    language = _language(config)
    for path, place in documents.shown_where_they_lie(language).items():
        files.append(File.generated(config, place, content=documents.text_of(path, language)))
    for path, place in documents.pictures(language).items():
        files.append(File.generated(config, place, abs_src_path=str(documents.ROOT / path)))
    return files


def on_nav(nav: Navigation, config: MkDocsConfig, **_rest: Any) -> Navigation:
    """Say in the site's language what the navigation names itself; pages have titles of their own."""
    titles, waiting = config.extra.get("titles", {}), list(nav.items)
    while waiting:
        item = waiting.pop()
        if item.title in titles:
            item.title = titles[item.title]
        waiting += item.children or []
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what is made, and let links lead to pages of the site."""
    language, place = _language(config), page.file.src_uri
    elsewhere = {there: path for path, there in documents.shown_where_they_lie(language).items()}
    path = elsewhere.get(place, f"{documents.WRITTEN}/{language}/{place}")
    links = documents.Links({file.src_uri for file in files.documentation_pages()})
    text = links.rewritten(markdown, path, place)
    if language == "ja":
        text = documents.without_breaks(text)
    return _MADE.sub(lambda found: _made(found[1], language), text)


def _made(what: str, language: str) -> str:
    kind, _, page = what.partition(" of ")
    if page:
        return {"names": python_reference.described, "list": python_reference.listed}[kind](page, language)
    return {"commands": command_reference.commands, "decisions": documents.list_of_decisions}[kind](language)


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, **_rest: Any) -> dict[str, Any]:
    """The switch of languages leads to the same page: the Japanese site lies in a folder of the English one."""
    there, name, way = ("en", "English", "../") if _language(config) == "ja" else ("ja", "日本語", "ja/")
    context["other"] = {"lang": there, "name": name, "link": f"{'../' * page.url.count('/')}{way}{page.url}"}
    return context
