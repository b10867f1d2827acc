"""Work in a process that may die: with a limit of time for each piece of work, and of memory for the process.

The process is forked from this one, with all that is imported. It dies of a crash, of its limit of memory or, killed from
here, of its limit of time; the next piece of work gets a new one.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")

_PATIENCE = 20  # times the seconds that a task may have, until one that does nothing counts as a hang

_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Died:
    """What became of a process that gave no answer: ``hang``, or ``crash`` with the number of its signal or exit status."""

    kind: str
    status: int = 0


class Worker(Generic[Task, Answer]):
    """One process that works on one task at a time.

    Args:
        work: What is done; what it raises ends the process, which counts as a crash.
        seconds: That a task may take.
        more_memory: Bytes of address space beyond those of this process that the process may have.
    """

    def __init__(self, work: Callable[[Task], Answer], *, seconds: float, more_memory: int) -> None:
        self._work = work
        self._seconds = seconds
        self._more_memory = more_memory
        self._process: multiprocessing.process.BaseProcess | None = None
        self._ours: Connection[Task, Answer] | None = None

    def begin(self, task: Task) -> None:
        """Hand over a task; :meth:`answer` gives what becomes of it."""
        if self._process is None or self._ours is None:
            self._ours, theirs = _FORK.Pipe()
            self._process = _FORK.Process(target=self._serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        self._ours.send(task)

    def answer(self) -> Answer | Died:
        """What became of the task that was begun."""
        assert self._ours is not None  # noqa: S101
        assert self._process is not None  # noqa: S101
        began, deadline = self._worked(), time.monotonic() + _PATIENCE * self._seconds
        try:
            # Others may have most of the processor: what counts is the time that the task itself has had.
            while time.monotonic() < deadline and self._worked() - began < self._seconds:
                if self._ours.poll(min(0.5, self._seconds)):
                    return self._ours.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            died = Died("crash", self._process.exitcode or 0)
            self.close()
            return died
        self.close()
        return Died("hang")

    def _worked(self) -> float:
        """Seconds of the processor that the process has had."""
        if self._process is None or self._process.pid is None:
            return 0.0
        with contextlib.suppress(OSError, IndexError), open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stream:  # noqa: PTH123
            times = stream.read().rpartition(")")[2].split()[11:13]
            return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def close(self) -> None:
        """End the process."""
        if self._process is not None and self._ours is not None:
            self._process.kill()
            self._process.join()
            self._ours.close()
        self._process = self._ours = None

    def _serve(self, theirs: Connection[Answer, Task]) -> None:
        with _without_talk():
            limit = address_space() + self._more_memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            with contextlib.suppress(EOFError):
                while True:
                    theirs.send(self._work(theirs.recv()))


@contextlib.contextmanager
def _without_talk() -> Iterator[None]:
    """What libraries write past Python goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    yield


def address_space() -> int:
    """Bytes of address space that this process has taken."""
    with open("/proc/self/statm", encoding="ascii") as stream:  # noqa: PTH123
        return int(stream.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
