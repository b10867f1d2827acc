"""The pages that are written for the site: their blocks of code, run as a reader would run them, one after the other."""

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "site"
ENGLISH = sorted(path.relative_to(PAGES / "en").as_posix() for path in (PAGES / "en").rglob("*.md"))

RUN = ("bash", "python")
"""Blocks that are run. ``text`` is what they answer; ``json`` and ``csv`` are what a file or an answer looks like."""

_FENCED = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PLAIN = re.compile(r"[^|&;<>$`*\\\n]*")
"""A command that no shell changes."""

_SERVERS = ("tsugiki serve", "tsugiki studio")
_PATIENCE = 120  # seconds for a server to say where it listens


def blocks(language: str, page: str) -> list[tuple[str, str]]:
    """Language and text of each block of a page, in order."""
    return _FENCED.findall((PAGES / language / page).read_text(encoding="utf-8"))


def without_remarks(text: str) -> str:
    """A block without its comments, which are in the language of the page."""
    return "\n".join(re.sub(r"(^|\s+)# .*", "", line).rstrip() for line in text.splitlines())


def commands(block: str) -> list[str]:
    """The commands of a bash block: lines, joined where one goes on in the next or has a document behind it."""
    found: list[str] = []
    end = ""
    for line in block.splitlines():
        goes_on = bool(found) and (bool(end) or found[-1].endswith("\\"))
        if goes_on:
            found[-1] += f"\n{line}"
        elif line.strip() and not line.startswith("#"):
            found.append(line)
        if end and line == end:
            end = ""
        elif not end and (begun := re.search(r"<<'(\w+)'", line)):
            end = begun[1]
    return found


@dataclass
class Reader:
    """Somebody who follows a page in a folder of their own.

    Attributes:
        folder: Where they work.
        language: Of the pages that they read, and of the program.
        port: A free one; a page's own numbers are exchanged for it.
        names: What the page's Python has defined so far.
        servers: Processes that listen until the page ends.
    """

    folder: Path
    language: str = "en"
    port: int = 0
    names: dict[str, Any] = field(default_factory=dict)
    servers: list["subprocess.Popen[str]"] = field(default_factory=list)

    def follow(self, page: str) -> int:
        """Run every block of a page, and compare what is printed with what the page shows; gives how many ran."""
        ran, printed = 0, ""
        for kind, text in blocks(self.language, page):
            if kind == "python":
                printed = self._python(text, page)
            elif kind == "bash":
                printed = "".join(map(self._command, commands(self._at_our_port(text))))
            elif kind == "text":
                assert_shown(text, printed, page)
            ran += kind in RUN
        return ran

    def _at_our_port(self, text: str) -> str:
        return re.sub(r"\b8000\b", str(self.port), text) if self.port else text

    def _python(self, text: str, page: str) -> str:
        import matplotlib.pyplot as plt

        with _heard() as printed:
            exec(compile(text, page, "exec"), self.names)  # noqa: S102 (our own pages)
        plt.close("all")
        return printed.getvalue()

    def _command(self, command: str) -> str:
        words = command.partition("  #")[0].strip()
        if words.startswith("pip install"):
            return ""  # nothing is installed by a test; that what is named exists is another test
        if words.startswith(_SERVERS):
            return self._serve(words)
        if words.startswith("tsugiki ") and _PLAIN.fullmatch(words):
            return self._in_this_process(words)
        return self._by_bash(command)

    def _in_this_process(self, words: str) -> str:
        """What the program says; PyTorch is loaded here already."""
        from tsugiki.cli.main import run

        with _heard() as printed, pytest.raises(SystemExit) as done:
            run(shlex.split(words)[1:])
        assert not done.value.code, f"{words}\n{printed.getvalue()}"
        return printed.getvalue()

    def _by_bash(self, command: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, check=False, env=self._environment()
        )
        assert not done.returncode, f"{command}\n{done.stderr}"
        return done.stdout + done.stderr

    def _environment(self) -> dict[str, str]:
        """A shell in which ``tsugiki`` and ``python`` are those of this test."""
        programs = self.folder.parent / "programs"
        programs.mkdir(exist_ok=True)
        for name, module in (("tsugiki", "-m tsugiki "), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {module}"$@"\n')
            program.chmod(0o755)
        return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "LC_ALL": f"{self.language}.UTF-8"}

    def _serve(self, words: str) -> str:
        log = self.folder.parent / f"server-{len(self.servers)}.log"
        with log.open("w") as file:
            command = [sys.executable, "-m", "tsugiki", *shlex.split(words)[1:]]
            self.servers.append(subprocess.Popen(command, stdout=file, stderr=file, text=True, env=self._environment()))
        end = time.monotonic() + _PATIENCE
        while "Ctrl-C" not in (told := log.read_text(encoding="utf-8")):
            assert self.servers[-1].poll() is None, told
            assert time.monotonic() < end, told
            time.sleep(0.1)
        return told

    def leave(self) -> None:
        """Stop every server as a reader does, by Ctrl-C; each has to end by itself."""
        for server in self.servers:
            server.send_signal(signal.SIGINT)
        try:
            assert all(server.wait(timeout=_PATIENCE) in {0, 130} for server in self.servers)
        finally:
            for server in self.servers:
                server.kill()


@contextlib.contextmanager
def _heard() -> Iterator[io.StringIO]:
    """Whatever is said, in the order in which a terminal shows it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        yield printed


def assert_shown(shown: str, printed: str, page: str) -> None:
    """Every line that a page shows was printed, in that order; numbers may differ, and so may the room around them."""
    lines = iter([_told(line) for line in printed.splitlines()])
    for line in filter(lambda one: one.strip() not in {"", "..."}, shown.splitlines()):
        assert _told(line) in lines, f"{page} shows a line that was not printed here:\n{line}\n\nprinted:\n{printed}"


def _told(line: str) -> str:
    return " ".join(re.sub(r"\d[\d,.]*", "0", line.lstrip("\ufeff")).split())
