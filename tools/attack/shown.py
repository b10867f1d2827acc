"""What is wrong with something that the program has written, where names of other people are in it: nothing, it is hoped."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

STEERS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_HANDLERS = {"onerror", "onmouseover", "onload"}
_METRIC = re.compile(r'# (HELP|TYPE) \w+ .*|\w+(\{(\w+="([^"\\\n]|\\[\\"n])*",?)*\})? \S+')
_STARTS_A_FORMULA = re.compile(r"[=+\-@\t\r]")


def of_terminal(text: str) -> str:
    """Nothing steers a terminal, and no name has a line of its own that looks like one of the program's."""
    found = STEERS.search(text)
    if found:
        return repr(text[max(0, found.start() - 40) : found.end() + 40])
    return "a line of its own" if any(line.startswith("Engine: none") for line in text.splitlines()) else ""


def of_json(text: str) -> str:
    """One document and nothing else."""
    try:
        json.loads(text)
    except ValueError:
        return f"no JSON: {text[:80]!r}"
    return ""


def of_answers(text: str, folder: Path) -> str:
    """Answers in a JSON document, or one in each line, whose paths are those of the photos, letter by letter."""
    try:
        answers = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    except ValueError:
        return f"no JSON: {text[:80]!r}"
    # A name that is no UTF-8 is left out, and written out.
    gone = [answer["path"] for answer in answers if "udcff" not in answer["path"] and not (folder / answer["path"]).exists()]
    return f"no such path: {gone[:2]!r}" if gone or not answers else ""


def of_metrics(text: str) -> str:
    """Lines of the form that Prometheus reads, and no others."""
    return next((repr(line) for line in text.split("\n") if line and not _METRIC.fullmatch(line)), "")


def of_table(text: str) -> str:
    """No cell that a spreadsheet would execute."""
    for row in csv.reader(io.StringIO(text, newline="")):
        for cell in row:
            if _STARTS_A_FORMULA.match(cell) and not _is_number(cell):
                return repr(cell)
    return ""


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class _Page(HTMLParser):
    """Looks for elements and attributes that names have made."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            if name in _HANDLERS or (
                name in {"src", "href"} and (value or "").strip().startswith(("javascript:", "http:x", "x"))
            ):
                self.found.append(f"<{tag} {name}={value!r}>")

    def handle_data(self, data: str) -> None:
        if self._inside == "script" and "alert(1)" in data and "<script>" not in data:
            self.found.append(f"script: {data[:60]!r}")

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        self._inside = ""


def of_file(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """What a written file shows."""
    name = str(path.relative_to(folder))
    if not name.startswith(("run", "kept")):  # these were asked for
        yield f"{name}: its name", "" if not STEERS.search(name) else repr(name)
    if path.suffix not in {".html", ".md", ".csv", ".json", ".txt"}:
        return
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if path.suffix == ".json":
        yield name, of_json(text)
    elif path.name == "metrics.txt":
        yield name, of_metrics(text)
    elif path.suffix == ".csv":
        yield name, of_table(text)
    elif path.suffix == ".html":
        page = _Page()
        page.feed(text)
        steers = STEERS.search(text)
        yield name, "; ".join(page.found[:3]) or (repr(text[steers.start() - 30 : steers.end() + 30]) if steers else "")
    else:
        yield name, of_card(text)


def of_card(text: str) -> str:
    """Markdown: neither HTML nor links nor pictures that names have made."""
    raw = re.search(r"(?<![\\&`])<(script|img|svg)|(?<!\\)\]\((javascript|http:x)", text)
    steers = STEERS.search(text)
    found = raw or steers
    return repr(text[max(0, found.start() - 40) : found.end() + 40]) if found else ""
