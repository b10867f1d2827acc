"""Documents of the repository that the site shows where they lie, and links between them.

Every page may be read in the repository, too, so links are those of the repository; on the site they lead to the same pages.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
WRITTEN = "docs/site"
"""Where the pages lie that are written for the site, a folder per language."""

_ELSEWHERE = {
    "docs/architecture.md": "explanation/architecture.md",
    "docs/errors.md": "reference/errors.md",
    "docs/from-the-article.md": "tutorials/from-the-article.md",
    "docs/reliability.md": "explanation/reliability.md",
    "docs/robustness.md": "explanation/robustness.md",
    "docs/scale.md": "explanation/scale.md",
    "benchmarks/RESULTS.md": "explanation/results.md",
    "CONTRIBUTING.md": "about/contributing.md",
    "SECURITY.md": "about/security.md",
    "CHANGELOG.md": "about/changelog.md",
    "src/tsugiki/backbones/bundled/nae.md": "about/nae.md",
}
_LEADING_TO = {"README.md": "index.md", "README.ja.md": "index.md", "docs/decisions": "explanation/decisions/index.md"}
_DECISIONS = "docs/decisions"
_JA = ".ja.md"
"""How the name of a document ends that says in Japanese what another one says in English."""
_IN_JAPANESE = {
    "docs/architecture.md": "アーキテクチャ",
    "docs/errors.md": "エラーの文",
    "docs/reliability.md": "信頼性: 何に耐えるか",
    "docs/robustness.md": "人が実際に持ち込むもの",
    "benchmarks/RESULTS.md": "ベンチマーク結果",
    "CONTRIBUTING.md": "開発への参加",
    "SECURITY.md": "セキュリティ",
    "CHANGELOG.md": "変更履歴",
    "src/tsugiki/backbones/bundled/nae.md": "同梱のバックボーン nae",
}
"""What English documents are called in the navigation of the Japanese site."""
_FOR_DEVELOPERS = "search:\n  boost: 0.5\n"
"""Who searches for a word looks for the pages that were written for the site first."""
_ENGLISH_BELOW = '!!! info ""\n\n    この文書は英語です。\n'

_FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)
_OTHER_LANGUAGE = re.compile(r"^\[(?:日本語|English)\]\([^)]*\)\n\n", re.MULTILINE)
"""What leads to the other language in the repository: on the site that is the switch on every page."""
_WIDE = "\u3000-\u30ff\u3400-\u9fff\uff00-\uffef"
_BREAK = re.compile(rf"(?<=[{_WIDE}])\n *(?=[{_WIDE}])|(?<=[、。」])\n *(?!\d+\. |\* )(?=[\w`\[*「])")
"""The end of a line between two Japanese letters, or behind a Japanese stop."""
_LINK = re.compile(r"(?P<open>!?\[(?P<text>(?:[^\[\]]|\[[^\]]*\])*)\])\((?P<target>[^()\s#]*)(?P<anchor>#[^()\s]*)?\)")


def shown_where_they_lie(language: str) -> dict[str, str]:
    """Paths in the repository, and places on the site."""
    places = dict(_ELSEWHERE)
    for path in decisions():
        places[f"{_DECISIONS}/{path.name}"] = f"explanation/decisions/{path.name}"
    for path in sorted((ROOT / "docs").glob("*.md")):  # whatever was written since
        if not path.name.endswith(_JA):
            places.setdefault(f"docs/{path.name}", f"explanation/{path.name}")
    return {_in(language, path): place for path, place in places.items()}


def _in(language: str, path: str) -> str:
    """A document in the language, where there is such a one."""
    japanese = path.removesuffix(".md") + _JA
    return japanese if language == "ja" and (ROOT / japanese).exists() else path


def pictures(language: str) -> dict[str, str]:
    """The pictures of these documents, likewise."""
    found = {}
    for path in shown_where_they_lie(language):
        for link in _LINK.finditer((ROOT / path).read_text(encoding="utf-8")):
            inside = os.path.normpath(PurePosixPath(path).parent / link["target"])
            if link["open"].startswith("!") and (ROOT / inside).is_file():
                found[inside] = f"pictures/{PurePosixPath(inside).name}"
    return found


def decisions() -> list[Path]:
    """The files of all decisions, in order."""
    return sorted((ROOT / _DECISIONS).glob("[0-9]*.md"))


def list_of_decisions(_language: str) -> str:
    """A list of links, as it stands on the page about them; decisions are written in English."""
    lines = []
    for path in decisions():
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        lines.append(f"- **{int(path.name[:4])}** [{re.sub('^[0-9]+[.]? ', '', title)}]({path.name})")
    return "\n".join(lines)


def text_of(path: str, language: str) -> str:
    """A document as the site's Markdown has it."""
    text = _FENCE.split((ROOT / path).read_text(encoding="utf-8"))
    text[::2] = map(_as_the_site_reads_it, text[::2])
    title, _, rest = _OTHER_LANGUAGE.sub("", "".join(text)).partition("\n")
    head = "" if path.endswith(_JA) or _in("ja", path) != path else _FOR_DEVELOPERS
    if language == "ja" and not path.endswith(_JA):
        if path != "docs/errors.md":
            rest = f"\n{_ENGLISH_BELOW}{rest}"
        if path in _IN_JAPANESE:
            head += f"title: '{_IN_JAPANESE[path]}'\n"
    return (f"---\n{head}---\n\n" if head else "") + f"{title}\n{rest}"


def _as_the_site_reads_it(text: str) -> str:
    """Lists as Python-Markdown knows them: below a blank line, and four columns further in; sentence below sentence."""
    text = re.sub(r"^  (?=\S)", "    ", text, flags=re.MULTILINE)
    text = re.sub(r"\*\*\n(?=    \*\*)", "**  \n", text)
    return re.sub(r"^((?!- |\s|\|)[^\n]+\n)(?=- )", r"\1\n", text, flags=re.MULTILINE)


def without_breaks(text: str) -> str:
    """Japanese paragraphs on one line each: browsers show a space where a line ends."""
    parts = _FENCE.split(text)
    parts[::2] = [_BREAK.sub("", part) for part in parts[::2]]
    return "".join(parts)


class Links:
    """Where links lead, on the site of either language.

    Args:
        pages: Places of all pages that are written for the site.
    """

    def __init__(self, pages: set[str]) -> None:
        # A link to a document in the other language is one to the same page here; the switch on every page leads over.
        self._places = _LEADING_TO | shown_where_they_lie("en") | shown_where_they_lie("ja")
        self._places |= {f"{WRITTEN}/{each}/{place}": place for place in pages for each in ("en", "ja")}
        self._places |= pictures("en") | pictures("ja")

    def rewritten(self, text: str, path: str, place: str) -> str:
        """A page's text with links as the site needs them.

        Args:
            text: In Markdown.
            path: Of the page, in the repository.
            place: Of the page, on the site.
        """
        parts = _FENCE.split(text)
        parts[::2] = [_LINK.sub(lambda found: self._link(found, path, place), part) for part in parts[::2]]
        return "".join(parts)

    def _link(self, found: re.Match[str], path: str, place: str) -> str:
        target, anchor = found["target"], found["anchor"] or ""
        if not target or re.match(r"[a-z]+:", target):
            return found[0]
        inside = os.path.normpath(PurePosixPath(path).parent / target)
        if inside in self._places:
            there = os.path.relpath(self._places[inside], PurePosixPath(place).parent)
            return f"{found['open']}({there}{anchor})"
        if path.startswith(WRITTEN) and inside.startswith(WRITTEN):
            return found[0]  # pictures, and what is made for the reference
        if not (ROOT / inside).exists():
            return found[0]  # the build says what is missing
        text = found["text"]
        return text if target.rstrip("/") in text or inside in text else f"{text} (`{inside}`)"
