"""Sentences in English and Japanese at once: a page carries both, and its reader chooses.

Sentences are made by ordinary functions that speak the language in use; :func:`in_both` calls such a function twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup, escape

from tsugiki.core.messages import in_a_row, speaking


@dataclass(frozen=True)
class Both:
    """One sentence in both languages; Jinja2 writes it as two marked parts, of which the style sheet shows one."""

    en: str
    ja: str

    def __html__(self) -> str:
        if self.en == self.ja:
            return str(escape(self.en))
        return str(Markup('<span lang="en">{}</span><span lang="ja">{}</span>').format(self.en, self.ja))

    def __str__(self) -> str:
        return self.__html__()

    def __bool__(self) -> bool:
        return bool(self.en)


def in_both(say: Callable[[], Mapping[str, str]]) -> dict[str, Both]:
    """What ``say`` says in English and in Japanese, sentence by sentence."""
    with speaking("en"):
        english = dict(say())
    with speaking("ja"):
        japanese = say()
    return {name: Both(text, japanese[name]) for name, text in english.items()}


def flow(sentences: Iterable[Both]) -> Both:
    """Sentences one after the other, spaced as each language spaces them; empty ones are left out."""
    parts = [part for part in sentences if part]
    with speaking("en"):
        english = in_a_row(*(part.en for part in parts))
    with speaking("ja"):
        return Both(english, in_a_row(*(part.ja for part in parts)))
