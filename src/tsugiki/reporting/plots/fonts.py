"""Letters in pictures: find a font that has them, and be honest where none does.

matplotlib's own font, DejaVu Sans, has no Japanese. Where a font on this machine has what is missing, it is used for just these
characters. Where none has, the character is drawn as □, such names are numbered, titles are in English, and a sentence says
what to install. matplotlib itself would draw boxes too, but nobody could tell two such classes apart.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tsugiki.core.console import say
from tsugiki.locale.messages import language, speaking, tr

BASE = "DejaVu Sans"
"""Comes with matplotlib, so it is always there."""

PREFERRED = (
    "Noto Sans CJK JP", "Noto Sans JP", "Source Han Sans JP", "Source Han Sans", "IPAexGothic", "IPAGothic", "IPAPGothic",
    "BIZ UDGothic", "Hiragino Sans", "Hiragino Maru Gothic Pro", "Yu Gothic", "Meiryo", "MS Gothic", "TakaoPGothic",
    "TakaoGothic", "VL PGothic", "VL Gothic", "M PLUS 1p", "Droid Sans Fallback",
)  # fmt: skip
"""Japanese fonts of Linux, macOS and Windows, best first; any other font is tried after them."""

_LAST_RESORT = "Last Resort"
"""A font that comes with matplotlib and claims every letter: it draws a box that names the script."""

PLACEHOLDER = "□"

_JAPANESE = frozenset("写真の予測と確率・エポック損失")


@contextmanager
def legible(texts: Iterable[str] = ()) -> Iterator[None]:
    """Within this block new texts use fonts that have the letters of ``texts`` and of the language in use.

    Where no font has Japanese letters, sentences are English within the block.
    """
    import matplotlib as mpl

    spoken = language()
    wanted = frozenset("".join(texts)) | (_JAPANESE if spoken == "ja" else frozenset())
    families, undrawable = _families(wanted - _glyphs(_base_file()))
    if undrawable:
        _tell(undrawable)
    with speaking("en" if undrawable & _JAPANESE else spoken), mpl.rc_context({"font.family": [BASE, *families]}):
        yield


def drawn(text: str) -> str:
    r"""``text`` as it can be drawn: □ for letters that no font has, and no ``$`` that would start a formula."""
    _, undrawable = _families(frozenset(text) - _glyphs(_base_file()))
    return "".join(PLACEHOLDER if letter in undrawable else letter for letter in text).replace("$", r"\$")


def drawn_names(names: Iterable[str], width: int = 24) -> dict[str, str]:
    """Names to what is drawn for them: shortened to ``width`` columns, and numbered where letters are missing."""
    labels = {}
    for number, name in enumerate(dict.fromkeys(names), start=1):
        label = drawn(shorten(name, width))
        labels[name] = f"{label} #{number}" if PLACEHOLDER in label and PLACEHOLDER not in name else label
    return labels


def shorten(text: str, width: int) -> str:
    """``text`` cut to ``width`` columns (Japanese letters are two wide), with … where something was cut."""
    if sum(map(_columns, text)) <= width:
        return text
    kept, used = "", 1
    for letter in text:
        used += _columns(letter)
        if used > width:
            break
        kept += letter
    return kept + "…"


def _columns(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


@functools.lru_cache(maxsize=256)
def _families(missing: frozenset[str]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Font families that together have the ``missing`` letters, and the letters that none has."""
    chosen: list[str] = []
    left = missing
    for thorough in (False, True):
        for family, path in _candidates(thorough=thorough) if left else ():
            if left and (found := left & _glyphs(path)):
                chosen.append(family)
                left -= found
    return tuple(chosen), left


@functools.lru_cache(maxsize=2)
def _candidates(*, thorough: bool) -> tuple[tuple[str, str], ...]:
    """Families and one file of each: the preferred ones, or every font of this machine."""
    files: dict[str, str] = {}
    for name, path in _installed(thorough=thorough):
        files.setdefault(name, path)
    order = sorted(files) if thorough else [name for name in PREFERRED if name in files]
    return tuple((name, files[name]) for name in order)


def _installed(*, thorough: bool) -> list[tuple[str, str]]:
    """Family and file of the fonts that matplotlib knows; ``thorough``: also those installed after it made its list."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    if thorough:
        known = {entry.fname for entry in manager.ttflist}
        for path in font_manager.findSystemFonts():
            if path not in known and Path(path).suffix.lower() in {".ttf", ".otf", ".ttc"}:
                _add(path)
    return [(entry.name, entry.fname) for entry in manager.ttflist if not entry.name.startswith(_LAST_RESORT)]


def _add(path: str) -> None:
    from matplotlib import font_manager

    try:
        font_manager.fontManager.addfont(path)
    except (OSError, RuntimeError, ValueError):
        return  # a damaged font, or one that FreeType cannot scale; there are others


@functools.lru_cache(maxsize=1024)
def _glyphs(path: str) -> frozenset[str]:
    """The characters that a font file has."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


@functools.cache
def _base_file() -> str:
    from matplotlib import font_manager

    return font_manager.findfont(BASE)


_told: set[str] = set()


def _tell(letters: frozenset[str]) -> None:
    """Once per script (as in kana, Thai), not once per picture."""
    scripts = {unicodedata.name(letter, "?").split()[0] for letter in letters}
    if scripts <= _told:
        return
    _told.update(scripts)
    say(
        tr(
            "No font on this machine has these letters: {letters}. Pictures show □ instead, and number such names. "
            "Install a font that has them, for Japanese Noto Sans CJK (package fonts-noto-cjk).",
            letters=shorten("".join(sorted(filter(str.isprintable, letters))), 40),
        )
    )
