"""Names of classes and photos that want to be more than names, through every output: none is shown as what it wants to be."""

from __future__ import annotations

import asyncio
import csv
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.attack.forked import Before, Ended, run
from tools.attack.outcome import Outcome
from tools.attack.shown import of_answers, of_file, of_json, of_table, of_terminal
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
    "$\\frac{$ \\alpha_{",
    "a\u200bb\u2060\ufeff",
    "n" + "\u0301" * 60,
)
"""Each is the name of a photo, a dozen of them names of classes; letters that no file name may have are left out."""


LABELS = (
    "</script><script>alert(1)</script>",
    "../../escaped",
    "a\x00b",
    "]]><b onload=alert(1)>",
    "C:\\x",
    NAMES[14],
    "=1+1",
    "a\nb",
)
"""Of tables, which may hold every letter: no file is named after them."""

RUN = f"run{NAMES[14]}"
SETS = "run of sets"

Form = Literal["text", "terminal", "CSV", "JSON", "answers", "paths"]


@dataclass(frozen=True)
class Command:
    """A command line, and what its standard output is: paths and tables for programs, or what a person reads.

    Attributes:
        words: The command line.
        form: ``terminal``: the output goes to one, and is for people altogether.
        before: Called in the process, before anything else.
    """

    words: tuple[object, ...]
    form: Form = "text"
    before: Before = lambda: None


def attack(place: Path, languages: tuple[str, ...] = ("en", "ja"), *, tell: Callable[[str], object] = str) -> Outcome:
    """Every verb on photos and classes of such names; counted is how often a name came through an output, and how."""
    outcome = Outcome(tell=tell)
    outcome.counts.update(names=len(NAMES) + len(LABELS), verbs=0, outputs=0, unescaped=0)
    for language in languages:
        folder = place / language
        _photos(folder / "photos")
        _tables(folder)
        commands = _commands(folder)
        outcome.counts["verbs"] = len({str(command.words[0]) for command in commands.values()} & _verbs())
        for how, fault in _faults(folder, language, commands):
            outcome.counts["outputs"] += 1
            if fault:
                outcome.counts["unescaped"] += 1
                outcome.fault(f"{language}: {how}: {fault}")
    return outcome


def _verbs() -> set[str]:
    from tsugiki.cli.main import VERBS

    return {*VERBS, "data"}


def _photos(root: Path) -> None:
    classes = NAMES[:: max(1, len(NAMES) // 12)]
    for at, kind in enumerate(classes):
        for number in range(4):
            name = NAMES[(at * 4 + number) % len(NAMES)]
            path = root / ("train" if number < 3 else "test") / kind / f"{name[:200]}{at * 4 + number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(draw_photo(tuple(DISHES)[at % 3], at * 4 + number))
    (root / "test" / classes[0] / f"broken{NAMES[14]}.jpg").write_bytes(b"<html>")
    for number, name in enumerate(NAMES[1::8]):
        path = root.parent / "new" / f"{name[:200]}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(draw_photo(tuple(DISHES)[number % 3], 70 + number))


def _tables(folder: Path) -> None:
    """Photos of one label and of several, whose labels hold letters that no file name may have."""
    photos = [path for path in sorted((folder / "photos" / "train").rglob("*.jpg")) if os.fsdecode(b"\xff") not in str(path)]
    one, several = [("path", "label", "group")], [("path", "label", "split")]
    for at, path in enumerate(photos):
        name = os.path.relpath(path, folder)
        first, second = LABELS[at % len(LABELS)], LABELS[(at + at // len(LABELS)) % len(LABELS)]
        one.append((name, first, f"{second}{at}"))
        several.append((name, "|".join(dict.fromkeys((first, second))), "test" if at % 4 == 3 else "train"))
    for table, rows in (("one.csv", one), ("several.csv", several)):
        with (folder / table).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(rows)


def _commands(folder: Path) -> dict[str, Command]:
    """Every verb, with every form of its answer; those that need another one's files come after it."""
    photo = next(path for path in sorted((folder / "photos" / "test").rglob("*.jpg")) if "script" in str(path))
    learn = ("--backbone", "bundled:nae", "--engine", "torch", "--epochs", "5", "--out")
    fit = ("fit", "photos", *learn, RUN)
    small = ("--steps", "10", "--unfreeze", "1", "--batch-size", "4")
    gone = f"gone{NAMES[15]}"
    return {
        "fit": Command(fit, "paths"),
        "fit again": Command(fit, "paths"),
        "fit a table": Command(("fit", "one.csv", *learn, "run of a table", "--json"), "JSON"),
        "fit sets": Command(("fit", "several.csv", *learn, SETS), "paths"),
        "evaluate": Command(("evaluate", RUN, "photos", "--out", "judged")),
        "evaluate as JSON": Command(("evaluate", RUN, "photos", "--json"), "JSON"),
        "evaluate sets": Command(("evaluate", SETS, "several.csv"), "terminal", _on_a_terminal),
        "audit": Command(("audit", "photos", "--out", "audit")),
        "audit as JSON": Command(("audit", "one.csv", "--json"), "JSON"),
        "audit sets": Command(("audit", "several.csv", "--out", "audit of sets"), "terminal", _on_a_terminal),
        "predict": Command(("predict", RUN, "photos/test"), "terminal", _on_a_terminal),
        "predict sets": Command(("predict", SETS, "new"), "terminal", _on_a_terminal),
        "predict, as programs read it": Command(("predict", RUN, "photos/test", "--plot", "answers.png"), "paths"),
        "predict as CSV": Command(("predict", RUN, "photos/test", "--format", "csv"), "CSV"),
        "predict as JSON": Command(("predict", RUN, "photos/test", "--format", "json"), "answers"),
        "predict as JSON lines": Command(("predict", SETS, "new", "--format", "jsonl"), "answers"),
        "predict into a file": Command(("predict", RUN, "new", "--out", "answers.csv")),
        "predict what is gone": Command(("predict", RUN, f"photos/{gone}.jpg")),
        "explain": Command(("explain", RUN, photo, "--out", "explained.png", "--data", "photos"), "paths"),
        "explain as JSON": Command(("explain", SETS, photo, "--out", "why.png", "--json"), "JSON"),
        "an unknown class": Command(("explain", RUN, photo, "--class", NAMES[15])),
        "plot": Command(("plot", RUN, "--data", "photos", "--batch", "--out", "plots"), "paths"),
        "plot sets": Command(("plot", SETS, "--data", "several.csv", "--out", "plots of sets"), "paths"),
        "next": Command(("next", RUN, "new", "--count", "4", "--out", "next.csv"), "terminal", _on_a_terminal),
        "next as JSON": Command(("next", SETS, "new", "--count", "2", "--out", "next of sets.csv", "--json"), "JSON"),
        "export": Command(("export", RUN, "--format", "openvino", "--out", "exported"), "paths"),
        "summary": Command(("summary", RUN), "terminal", _on_a_terminal),
        "summary as JSON": Command(("summary", RUN, "--json"), "JSON"),
        "rank": Command(("rank", "photos", "--backbone", "bundled:nae", "--plot", "front.png"), "terminal", _on_a_terminal),
        "rank as JSON": Command(("rank", "one.csv", "--backbone", gone, "--backbone", "bundled:nae", "--json"), "JSON"),
        "lr": Command(("lr", RUN, "photos", *small, "--plot", "rates.png"), "terminal", _on_a_terminal),
        "backbones": Command(("backbones", gone)),
        "cache": Command(("cache",), "terminal", _on_a_terminal),
        "data": Command(("data", "get", gone)),
        "demo": Command(("demo", "--out", RUN)),
        "serve": Command(("serve", RUN, SETS, "--port", "0", "--keep", f"kept{NAMES[14]}"), "terminal", _asked_once),
        "studio": Command(("studio", "photos", "--no-browser", "--port", "0"), "terminal", _closed_at_once),
        "an unknown verb": Command((f"fit{NAMES[14]}",)),
        "an unknown option": Command(("fit", f"--{NAMES[14]}")),
        "a table that is gone": Command(("fit", f"{NAMES[16]}.csv")),
    }


def _faults(folder: Path, language: str, commands: dict[str, Command]) -> Iterator[tuple[str, str]]:
    """Every output that was looked at, and what is wrong with it."""
    for name, command in commands.items():
        ended = run(("--lang", language, *command.words), folder, command.before)
        yield f"{name}: how it ends", "" if ended.is_told else ended.detail
        yield f"{name}: terminal", of_terminal(_told_to_people(ended, command.form))
        if command.form in _OF_FORM:
            yield name, _OF_FORM[command.form](ended.out, folder)
    yield from _of_export(folder)
    yield f"escaped: {folder.parent}", ", ".join(str(path) for path in folder.parent.parent.glob("*escaped*"))
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).parts[0] not in _GIVEN:
            yield from of_file(path, folder)


_GIVEN = {"photos", "new", "one.csv", "several.csv", "cache"}

_OF_FORM: dict[str, Callable[[str, Path], str]] = {
    "CSV": lambda text, _: of_table(text),
    "JSON": lambda text, _: of_json(text),
    "answers": of_answers,
}


def _told_to_people(ended: Ended, form: Form) -> str:
    return ended.err + ended.out if form in {"text", "terminal"} else ended.err


def _of_export(folder: Path) -> Iterator[tuple[str, str]]:
    """What the program that lies beside an exported model says."""
    photo = str(min((folder / "new").iterdir()))
    for form in ((), ("--json",)):
        words = [sys.executable, "-W", "ignore", "predict.py", *form, photo, "gone\x1b[31m.jpg"]
        done = subprocess.run(words, cwd=folder / "exported", capture_output=True, text=True, encoding="utf-8", check=False)
        name = f"an export's program {' '.join(form)}"
        yield f"{name}: how it ends", done.stderr[-300:] if "Traceback" in done.stderr or done.returncode != 1 else ""
        yield name, of_json(done.stdout) if form else of_terminal(done.stderr)


def _on_a_terminal() -> None:
    """In this process standard output is one, as far as anybody asks; without colours, which are escapes, too."""
    os.environ |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    sys.stdout.isatty = lambda: True  # type: ignore[method-assign]


def _asked_once() -> None:
    """In this process ``serve`` is asked everything once, and its answers are kept as files; nothing listens."""
    _on_a_terminal()
    from tsugiki.serving.server import Server

    def run_once(server: Any) -> None:
        Path("served").mkdir()
        for name, answer in asyncio.run(_ask_everything(server._server.config.app)).items():  # noqa: SLF001
            Path("served", name).write_bytes(answer)
        server.close()

    Server.run = run_once  # type: ignore[assignment,method-assign]


def _closed_at_once() -> None:
    """In this process ``studio`` opens its photos, says so, and closes; its tests ask what it answers."""
    _on_a_terminal()
    from tsugiki.serving.server import Server

    Server.run = Server.close  # type: ignore[method-assign]


_HOSTILE_PATH = "/<script>alert(1)<\x1b[31m"


async def _ask_everything(application: Any) -> dict[str, bytes]:
    photo = draw_photo("pizza", 3)
    form = b"".join(
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="' + name + b'"\r\n\r\n' + content + b"\r\n"
        for name, content in ((NAMES[1].encode(), photo), (NAMES[14].encode(), b"<html>"))
    )
    asked: dict[str, tuple[str, str, str, bytes]] = {
        "page.html": ("GET", "/", "text/html", b""),
        "docs.html": ("GET", "/docs", "text/html", b""),
        "error.html": ("GET", _HOSTILE_PATH, "text/html", b""),
        "error.json": ("GET", _HOSTILE_PATH, "", b""),
        "openapi.json": ("GET", "/openapi.json", "", b""),
        "models.json": ("GET", "/v1/models", "", b""),
        "answer.json": ("POST", "/v1/predict", "image/jpeg", photo),
        "no photo.json": ("POST", "/v1/predict", "image/jpeg", b"<script>alert(1)<"),
        "form.json": ("POST", "/v1/predict", "multipart/form-data; boundary=x", form + b"--x--\r\n"),
        "no such model.json": ("POST", f"/v1/predict?model={_HOSTILE_PATH[1:9]}", "image/jpeg", photo),
        "server.json": ("GET", "/v2", "", b""),
        "model.json": ("GET", f"/v2/models{_HOSTILE_PATH}", "", b""),
        "infer.json": ("POST", f"/v2/models/{SETS}/infer", "application/json", b'{"inputs": [{"name": "<script>"}]}'),
        "metrics.txt": ("GET", "/metrics", "", b""),
    }
    return {name: await _answer_of(application, *request) for name, request in asked.items()}


async def _answer_of(application: Any, method: str, address: str, kind: str, body: bytes) -> bytes:
    path, _, query = address.partition("?")
    sort = b"content-type" if method == "POST" else b"accept"
    headers = [(b"host", b"localhost"), (sort, kind.encode())]
    scope: dict[str, Any] = {"type": "http", "http_version": "1.1", "scheme": "http", "root_path": "", "headers": headers}
    scope |= {"method": method, "path": path, "query_string": query.encode()}
    told: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        told.append(message.get("body", b""))
        told.extend(value for _, value in message.get("headers", ()) if b"\x1b" in value or b"\n" in value)

    await application(scope, receive, send)
    return b"".join(told)
