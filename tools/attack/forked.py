"""The program in a forked process, which may be disturbed and die: imported once, here, where no library has begun to work."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import timm  # noqa: F401  (this and what follows: so that each fork has it)
import torchvision  # noqa: F401

import tsugiki.backbones.load_backbone
import tsugiki.classifier.engine_predictor
import tsugiki.fine_tuning.fine_tune
import tsugiki.reporting.report
import tsugiki.training.fit  # noqa: F401
from tsugiki.cli import main
from tsugiki.features.engines.openvino_import import openvino_module

openvino_module("openvino")

_UNFORESEEN = ("Traceback", "Something went wrong that should not", "起きてはならない問題")

Before = Callable[[], object]


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes:
        status: Exit status; negative: the signal that killed it.
        out: What it wrote to standard output.
        err: To standard error.
    """

    status: int
    out: str
    err: str

    @property
    def detail(self) -> str:
        """What of its talk says most about what went wrong."""
        places = [self.err.find(words) for words in _UNFORESEEN if words in self.err]
        return f"status {self.status}: {self.err[min(places, default=len(self.err) - 400) :][-1200:]}"

    @property
    def is_told(self) -> bool:
        """Whether it ended by itself and without a traceback or an error that nobody has foreseen."""
        return self.status >= 0 and not any(
            words in self.err for words in ("Traceback", "Something went wrong that should not")
        )


class Running:
    """A process that runs the program.

    Args:
        words: Its command line.
        folder: Where it runs and keeps its cache.
        before: Called in the new process, before anything else.
    """

    def __init__(self, words: Sequence[object], folder: Path, before: Before = lambda: None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = [folder.parent / f".{folder.name}-{name}-{time.monotonic_ns()}" for name in ("out", "err")]
        self.process = os.fork()
        if self.process == 0:
            self._run([str(word) for word in words], folder, before)

    def _run(self, words: list[str], folder: Path, before: Before) -> None:
        status = 70
        try:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            for path, descriptor in zip(self._files, (1, 2), strict=True):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8") for number in (1, 2))
            os.chdir(folder)
            tempfile.tempdir = str(folder.parent)  # where a run is kept that its own disk has no room for
            os.environ |= {"TSUGIKI_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
            before()
            main.run(words)
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 0 if left.code is None else 1
        except KeyboardInterrupt:  # before or after the program itself
            status = 130
        except BaseException as error:  # noqa: BLE001  nothing may come back into the parent's code
            with contextlib.suppress(BaseException):
                sys.stderr.write(f"Traceback: {type(error).__name__}: {error}")
        finally:
            with contextlib.suppress(BaseException):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal; a process that has ended already is left alone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, number)

    def ended(self, seconds: float = 120.0) -> Ended:
        """Wait for its end; one that takes too long is killed, which its status tells."""
        deadline = time.monotonic() + seconds
        while not (found := os.waitpid(self.process, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.002)
        out, err = (path.read_text(encoding="utf-8", errors="replace") if path.exists() else "" for path in self._files)
        for path in self._files:
            path.unlink(missing_ok=True)
        return Ended(os.waitstatus_to_exitcode(found[1]), out, err)


def run(words: Sequence[object], folder: Path, before: Before = lambda: None) -> Ended:
    """Run the program to its end."""
    return Running(words, folder, before).ended()
