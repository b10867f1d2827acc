"""One self-contained page: templates, sentences in two languages of which the reader chooses, and small pictures.

Sentences are made by ordinary functions that speak the language in use; :func:`in_each_language` calls such a function
twice. What was said before, in the language of whoever made the run, is said again (:func:`said_to_reader`).
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata, resources
from typing import Any

from markupsafe import Markup, escape

from tsugiki.core.display.visible import visible
from tsugiki.locale.messages import in_a_row, language, said_again, speaking, tr


@dataclass(frozen=True)
class Bilingual:
    """One sentence in both languages; Jinja2 writes it as two marked parts, of which the style sheet shows one."""

    en: str
    ja: str

    def __html__(self) -> str:
        if self.en == self.ja:
            return str(escape(visible(self.en)))
        return str(Markup('<span lang="en">{}</span><span lang="ja">{}</span>').format(visible(self.en), visible(self.ja)))

    def __str__(self) -> str:
        return self.__html__()

    def __bool__(self) -> bool:
        return bool(self.en)

    def attribute(self, name: str) -> Markup:
        """As the attribute ``name`` of an element: in the language in use, beside both, of which the script sets one."""
        english, japanese = visible(self.en), visible(self.ja)
        if english == japanese:
            return Markup('{}="{}"').format(name, english)
        now = japanese if language() == "ja" else english
        return Markup('{0}="{1}" data-{0}-en="{2}" data-{0}-ja="{3}"').format(name, now, english, japanese)


def in_each_language(say: Callable[[], Mapping[str, str]]) -> dict[str, Bilingual]:
    """What ``say`` says in English and in Japanese, sentence by sentence."""
    with speaking("en"):
        english = dict(say())
    with speaking("ja"):
        japanese = say()
    return {name: Bilingual(text, japanese[name]) for name, text in english.items()}


def bilingual(say: Callable[[], str]) -> Bilingual:
    """What ``say`` says in English and in Japanese."""
    return in_each_language(lambda: {"it": say()})["it"]


def said_to_reader(sentence: str) -> Bilingual:
    """A sentence that was said already, to whoever made the run, in both languages."""
    return bilingual(lambda: said_again(sentence))


def flow(sentences: Iterable[Bilingual]) -> Bilingual:
    """Sentences one after the other, spaced as each language spaces them; empty ones are left out."""
    parts = [part for part in sentences if part]
    with speaking("en"):
        english = in_a_row(*(part.en for part in parts))
    with speaking("ja"):
        return Bilingual(english, in_a_row(*(part.ja for part in parts)))


def render_page(template: str, title: str, *, styles: Sequence[str] = ("page.css",), **values: Any) -> str:
    """Fill a template of this floor.

    Args:
        template: File name in ``templates/``.
        title: Of the window.
        styles: File names in ``templates/``.
        values: What the template asks for; everything that is no ``Markup`` is escaped.
    """
    script = _resource("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page: str = (
        _environment()
        .get_template(template)
        .render(
            title=title,
            language=language(),
            version=metadata.version("tsugiki"),
            style=Markup("".join(map(_resource, styles))),  # noqa: S704 (our own files)
            script=Markup(script),  # noqa: S704
            script_hash=f"sha256-{digest}",
            controls=in_each_language(_controls),
            made=datetime.now().astimezone().replace(second=0, microsecond=0),
            **values,
        )
    )
    return page


def looks() -> dict[str, str]:
    """What a reader chooses language and colours by."""
    return {
        "language": tr("Language"),
        "theme": tr("Colours"),
        "theme_auto": tr("as the device"),
        "theme_light": tr("light"),
        "theme_dark": tr("dark"),
    }


def _controls() -> dict[str, str]:
    """What every page has to be used with; the script fills in what stays in braces."""
    return {
        **looks(),
        "parts": tr("On this page"),
        "search": tr("Search files and classes"),
        "sort": tr("Order"),
        "by_name": tr("by file name"),
        "by_label": tr("by label"),
        "label": tr("Label"),
        "every_label": tr("every label"),
        "shown": tr("{shown} of {count} shown", shown="{shown}", count="{count}"),
        "show_more": tr("Show {count} more", count="{count}"),
        "enlarged": tr("The photo, enlarged"),
        "previous": tr("Previous photo"),
        "next": tr("Next photo"),
        "close": tr("Close"),
        "printed": tr("Not all of this is printed; the page itself has everything."),
        "no_picture": tr("Photos far down the list have no picture here, so that the page stays small."),
    }


def fill_text(template: str, **values: Any) -> str:
    """Fill a template that is no HTML: texts that anybody could have written go through its filter ``md``."""
    text: str = _environment().get_template(template).render(**values)
    return text


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("tsugiki.reporting.pages", "templates"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",)),
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(flow=flow, md=plain_in_markdown, percent=_percent, interval=_interval)
    return environment


def _shown(value: Any) -> Any:
    """What stands on a page: letters of other people's names that turn the direction of writing, or hide, are written out."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def plain_in_markdown(text: str) -> str:
    """Text that Markdown shows as it is: no tags, no table cells, no emphasis, no links."""
    flat = visible(" ".join(str(text).split()))
    return re.sub(r"([\\`*_|\[\]#~])", r"\\\1", flat).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _interval(ends: Sequence[float]) -> str:
    return f"{ends[0]:.1%} to {ends[1]:.1%}"


@functools.cache
def _resource(name: str) -> str:
    return resources.files("tsugiki.reporting.pages").joinpath("templates", name).read_text(encoding="utf-8")
