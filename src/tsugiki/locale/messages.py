"""What the program says, in English and Japanese.

The English sentence stands in the code, where it is read together with what it explains; :func:`tr` answers with its
Japanese translation when that language is in use. Translations live in ``locale/ja/<floor>.toml``, keyed by the English
sentence. A law in ``tests/test_laws.py`` reads every ``tr(...)`` call and fails when a sentence has no translation, when a
translation has other placeholders, or when nothing uses it any more.
"""

from __future__ import annotations

import contextlib
import functools
import locale
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib import resources
from numbers import Number

LANGUAGES = ("en", "ja")

_process_default: str | None = None
_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


class Sentence(str):
    """A sentence as it was said, which :func:`said_again` can say in another language: for whom it was not said.

    Attributes:
        template: The English sentence.
        values: What is filled into its placeholders, other sentences among them.
    """

    __slots__ = ("template", "values")
    template: str
    values: dict[str, object]


def tr(text: str, /, **values: object) -> str:
    """Say ``text`` in the language in use, with ``values`` filled into its ``{placeholders}``.

    Args:
        text: The English sentence, a literal.
        values: One per placeholder.

    Returns:
        A :class:`Sentence`.
    """
    return _said(text, values)


def said_again(text: str) -> str:
    """``text`` in the language that is in use now, whichever it was said in; what :func:`tr` has not said stays as it is."""
    if not isinstance(text, Sentence):
        return text
    return _said(text.template, {name: _again(value) for name, value in text.values.items()})


def _again(value: object) -> object:
    return said_again(value) if isinstance(value, Sentence) else value


def _said(text: str, values: Mapping[str, object]) -> str:
    template = _japanese().get(text, text) if language() == "ja" else text
    sentence = Sentence(template.format(**values) if values else template)
    sentence.template = text
    # Plain values only: a sentence goes wherever text goes, into other processes too.
    sentence.values = {name: value if isinstance(value, str | Number) else str(value) for name, value in values.items()}
    return sentence


def listed(items: Iterable[object]) -> str:
    """Several things in a row, with the comma of the language in use between them."""
    return _joined(tr(", "), items)


def first_few(items: Sequence[str], most: int = 5) -> str:
    """The first of several things in a row, and how many more there are."""
    first = _joined(", ", items[:most])
    return first if len(items) <= most else tr("{names} and {count} more", names=first, count=len(items) - most)


def in_a_row(*sentences: str) -> str:
    """Sentences one after the other, with a space between them where the language in use has one; empty ones are left out."""
    return _joined(tr(" "), filter(None, sentences))


def _joined(comma: str, items: Iterable[object]) -> str:
    values = {f"item{number}": item for number, item in enumerate(items)}
    return _said("{comma}".join(f"{{{name}}}" for name in values), {"comma": comma, **values})


def language() -> str:
    """The language in use: the request's (:func:`speaking`), else the process's (:func:`use_language`), else the locale's."""
    return _spoken.get() or _process_default or _from_locale()


def use_language(name: str | None) -> None:
    """Speak ``name`` (``en`` or ``ja``) in this process; ``None`` follows the locale again.

    For the command line, once at the start, and for tests. It is a default of the process and no context variable, because
    threads that others start (a server's own) begin with an empty context and should speak what the command line was asked to.
    A request that speaks another language goes into :func:`speaking`.

    Raises:
        ValueError: For a language the program does not speak.
    """
    global _process_default
    _process_default = name and _known(name)


@contextlib.contextmanager
def speaking(name: str) -> Iterator[None]:
    """Within this block, and in no other thread or task, the program speaks ``name``: for one request, or one part of a page.

    Raises:
        ValueError: For a language the program does not speak.
    """
    token = _spoken.set(_known(name))
    try:
        yield
    finally:
        _spoken.reset(token)


def _known(name: str) -> str:
    if name not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {name!r}")
    return name


@functools.cache
def _from_locale() -> str:
    # POSIX order of precedence; on Windows none is set and the system's own locale answers.
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if os.environ.get(variable):
            return "ja" if os.environ[variable].lower().startswith("ja") else "en"
    name = locale.getlocale()[0] or ""
    return "ja" if name.lower().startswith(("ja", "japanese")) else "en"


@functools.cache
def _japanese() -> dict[str, str]:
    tables = resources.files("tsugiki.locale").joinpath("ja")
    sentences: dict[str, str] = {}
    for table in sorted(tables.iterdir(), key=lambda entry: entry.name):
        if table.name.endswith(".toml"):
            sentences.update(tomllib.loads(table.read_text(encoding="utf-8")))
    return sentences
