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
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources

LANGUAGES = ("en", "ja")

_chosen: str | None = None


def tr(text: str, /, **values: object) -> str:
    """Say ``text`` in the language in use, with ``values`` filled into its ``{placeholders}``.

    Args:
        text: The English sentence, a literal.
        values: One per placeholder.
    """
    template = _japanese().get(text, text) if language() == "ja" else text
    return template.format(**values) if values else template


def listed(items: Iterable[object]) -> str:
    """Several things in a row, with the comma of the language in use between them."""
    return tr(", ").join(map(str, items))


def first_few(items: Sequence[str], most: int = 5) -> str:
    """The first of several things in a row, and how many more there are."""
    first = ", ".join(items[:most])
    return first if len(items) <= most else tr("{names} and {count} more", names=first, count=len(items) - most)


def in_a_row(*sentences: str) -> str:
    """Sentences one after the other, with a space between them where the language in use has one; empty ones are left out."""
    return ("" if language() == "ja" else " ").join(filter(None, sentences))


def language() -> str:
    """The language in use: the one chosen by :func:`use_language`, else the locale's, else English."""
    return _chosen or _from_locale()


def use_language(name: str | None) -> None:
    """Speak ``name`` (``en`` or ``ja``) from now on; ``None`` follows the locale again.

    Raises:
        ValueError: For a language the program does not speak.
    """
    global _chosen
    if name is not None and name not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, got {name!r}")
    _chosen = name


@contextlib.contextmanager
def speaking(name: str) -> Iterator[None]:
    """Within this block the program speaks ``name``, for a page in both languages; afterwards what it spoke before."""
    before = _chosen
    use_language(name)
    try:
        yield
    finally:
        use_language(before)


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
