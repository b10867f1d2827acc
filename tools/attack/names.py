"""Names of classes and photos that want to be more than names, through every output: none is shown as what it wants to be."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path

from tools.attack.forked import Ended, run
from tools.attack.outcome import Outcome
from tsugiki.data.synthetic.sample import DISHES, draw_photo

NAMES = (
    "<script>alert(1)<",
    "<img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "'><svg onload=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](http:x)",
    "`x` **x** | x | $x$",
    "{{7*7}} {% x %} {x} %s %(x)s",
    "&lt;b&gt; &amp;",
    "=cmd|' C'!A0",
    "+1+1",
    "-1-1",
    "@SUM(1)",
    "\t=1",
    "a\x1b[31mred\x1b[0m",
    "a\x1b]0;title\x07",
    "a\x1b]8;;http:x\x1b\\link",
    "a\x9b5m",
    "a\u202egpj.exe",
    "a\u2066b\u2069\u200f",
    "a\nEngine: none",
    "a\rb",
    "a\u2028b",
    "a\U000e0041",
    os.fsdecode(b"a\xff\xfe"),
    " leading and trailing ",
    "-rf",
    "--help",
    "~",
    "$(x) ; x & x",
    "%2e%2e",
    "CON",
    "null",
    "x" * 240,
    "写" * 80,
    "a,b;c",
    "[bold]x[/bold]",
)
"""Each is the name of a photo, a dozen of them names of classes; letters that no file name may have are left out."""

_STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\U000e0000-\U000e007f]")
_HANDLERS = {"onerror", "onmouseover", "onload"}
_STARTS_A_FORMULA = re.compile(r"[=+\-@\t\r]")


def attack(place: Path, languages: tuple[str, ...] = ("en", "ja"), *, tell: Callable[[str], object] = str) -> Outcome:
    """Every verb on photos and classes of such names; counted is how often a name came through an output, and how."""
    outcome = Outcome(tell=tell)
    outcome.counts.update(names=len(NAMES), outputs=0, unescaped=0)
    for language in languages:
        folder = place / language
        _photos(folder / "photos")
        for how, fault in _faults(folder, language):
            outcome.counts["outputs"] += 1
            if fault:
                outcome.counts["unescaped"] += 1
                outcome.fault(f"{language}: {how}: {fault}")
    return outcome


def _photos(root: Path) -> None:
    usable = [name for name in NAMES if "/" not in name]
    classes = usable[:: max(1, len(usable) // 12)]
    for at, kind in enumerate(classes):
        for number in range(6):
            name = usable[(at * 6 + number) % len(usable)]
            path = root / ("train" if number < 4 else "test") / kind / f"{name[:200]}{at * 6 + number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw_photo(tuple(DISHES)[at % 3], at * 6 + number))
    (root / "test" / classes[0] / f"broken{NAMES[14]}.jpg").write_bytes(b"<html>")


def _faults(folder: Path, language: str) -> Iterator[tuple[str, str]]:
    """Every output that was looked at, and what is wrong with it."""
    speak = ("--lang", language)
    photo = next(path for path in sorted((folder / "photos" / "test").rglob("*.jpg")) if "script" in str(path))
    fit = ("fit", "photos", "--backbone", "bundled:nae", "--engine", "torch", "--epochs", "5", "--out", f"run{NAMES[14]}")
    commands = {
        "fit": fit,
        "fit again": fit,
        "evaluate": ("evaluate", fit[-1], "photos", "--out", "judged"),
        "audit": ("audit", "photos", "--out", "audit"),
        "predict": ("predict", fit[-1], "photos/test"),
        "predict as CSV": ("predict", fit[-1], "photos/test", "--format", "csv"),
        "predict as JSON": ("predict", fit[-1], "photos/test", "--format", "json"),
        "predict what is gone": ("predict", fit[-1], f"photos/gone{NAMES[15]}.jpg"),
        "explain": ("explain", fit[-1], photo, "--out", "explained.png"),
        "plot": ("plot", fit[-1], "--data", "photos", "--out", "plots"),
        "an unknown class": ("explain", fit[-1], photo, "--class", NAMES[15]),
        "an unknown verb": (f"fit{NAMES[14]}",),
        "an unknown option": ("fit", f"--{NAMES[14]}"),
        "a table that is gone": ("fit", f"{NAMES[16]}.csv"),
    }
    for name, words in commands.items():
        ended = run((*speak, *words), folder)
        yield f"{name}: how it ends", "" if ended.is_told else ended.detail
        yield f"{name}: terminal", _of_terminal(ended, programs_read="as " in name)
        if name == "predict as CSV":
            yield name, _of_table(ended.out)
        if name == "predict as JSON":
            yield name, _of_json(ended.out, folder)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "photos" not in path.relative_to(folder).parts and "cache" not in path.parts:
            yield from _of_file(path, folder)


def _of_terminal(ended: Ended, *, programs_read: bool) -> str:
    told = ended.err if programs_read else ended.err + "\n".join(ended.out.splitlines()[1:])
    found = _STEERS.search(told)
    if found:
        return repr(told[max(0, found.start() - 40) : found.end() + 40])
    return "a line of its own" if any(line.startswith("Engine: none") for line in told.splitlines()) else ""


def _of_json(text: str, folder: Path) -> str:
    try:
        answers = json.loads(text)
    except ValueError:
        return f"no JSON: {text[:80]!r}"
    # A name that is no UTF-8 is left out, and written out.
    gone = [answer["path"] for answer in answers if "udcff" not in answer["path"] and not (folder / answer["path"]).exists()]
    return f"no such path: {gone[:2]!r}" if gone else ""


def _of_table(text: str) -> str:
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


def _of_file(path: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """What a written file shows."""
    name = str(path.relative_to(folder))
    if not name.startswith("run"):  # the run's own name was asked for
        yield f"{name}: its name", "" if not _STEERS.search(name) else repr(name)
    if path.suffix not in {".html", ".md", ".csv", ".json"}:
        return
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    if path.suffix == ".json":
        json.loads(text)
        yield name, ""
    elif path.suffix == ".csv":
        yield name, _of_table(text)
    elif path.suffix == ".html":
        page = _Page()
        page.feed(text)
        steers = _STEERS.search(text)
        yield name, "; ".join(page.found[:3]) or (repr(text[steers.start() - 30 : steers.end() + 30]) if steers else "")
    else:
        yield name, _of_card(text)


def _of_card(text: str) -> str:
    """Markdown: neither HTML nor links nor pictures that names have made."""
    raw = re.search(r"(?<![\\&`])<(script|img|svg)|(?<!\\)\]\((javascript|http:x)", text)
    steers = _STEERS.search(text)
    found = raw or steers
    return repr(text[max(0, found.start() - 40) : found.end() + 40]) if found else ""
