"""The program's two voices: results go to standard output, talk goes to standard error.

Of several processes that train together only the main one is heard, until another one fails: that one says why. Library code
talks through :func:`say` and :func:`progress` and never prints: they publish :mod:`tsugiki.core.events`, and the screen
(:mod:`tsugiki.core.display`) listens where nobody else does. Talk can be silenced (:func:`quiet`), results and errors never.

Names of classes and files are other people's: on every way to a terminal, what would steer it is written out.
"""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from tsugiki.core.devices import is_main_process, rank
from tsugiki.core.display.screen import terminal
from tsugiki.core.display.visible import visible
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressEnded, ProgressStarted, heard_by, listeners
from tsugiki.locale.messages import tr

Tick = Callable[[int, str], None]
"""Report ``steps`` more steps done, with a short note shown at the end of the bar."""


def say(text: str) -> None:
    """One line of talk: a :class:`~tsugiki.core.events.Message` for whoever listens, the terminal's standard error else."""
    _publisher()(Message(text))


def say_once(key: object, text: str) -> None:
    """:func:`say`, but within :func:`telling_once` not a second time for an equal ``key``."""
    told = _told.get()
    if told is None or key not in told:
        say(text)
    if told is not None:
        told.add(key)


@contextmanager
def telling_once() -> Iterator[None]:
    """Within this block, one piece of work for the person, :func:`say_once` says each thing once."""
    token = _told.set(_told.get() or set())
    try:
        yield
    finally:
        _told.reset(token)


_told: ContextVar[set[object] | None] = ContextVar("told", default=None)


def complain(text: str, *, patience: float = 2.0) -> None:
    """Why the program stops, to standard error, whichever process it is.

    Args:
        text: What was wrong.
        patience: Seconds that another process than the main one waits before it speaks. What is wrong for all is said by the
            main one, and what started the processes ends the others meanwhile.
    """
    if is_main_process():
        print(visible(text), file=sys.stderr, flush=True)
        return
    time.sleep(patience)
    print(visible(tr("Process {rank}: {text}", rank=rank(), text=text)), file=sys.stderr, flush=True)


def typed(path: Path | str) -> str:
    """A path as a person types it in a command: in quotes where it needs them."""
    return shlex.quote(str(path))


def emit(text: str) -> None:
    """A result for people, to standard output."""
    if is_main_process():
        print(visible(text), flush=True)


def emit_exactly(text: str) -> None:
    """A result that programs read (a path, a table of values), to standard output: letter by letter, but for a terminal."""
    if is_main_process():
        print(visible(text) if sys.stdout.isatty() else text, flush=True)


def quiet(silent: bool = True) -> AbstractContextManager[None]:
    """Within this block nobody is told anything, except who subscribes inside it; errors are raised, results emitted.

    Args:
        silent: ``False`` changes nothing: a part that may talk says nothing inside of one that may not.
    """
    return heard_by() if silent else nullcontext()


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Tick]:
    """Long work, step by step: a bar with the time left on a terminal, events for whoever else listens.

    Args:
        label: What is being done, a few words.
        total: How many steps there are, or ``None`` where nobody knows.

    Yields:
        ``tick(steps, note)``: call it as steps are done, in any thread.
    """
    publish, number = _publisher(), next(_numbers)
    publish(ProgressStarted(number, label, total))
    try:
        yield lambda steps, note: publish(ProgressAdvanced(number, steps, note))
    finally:
        publish(ProgressEnded(number))


def working(label: str) -> AbstractContextManager[object]:
    """Work in one piece that may take longer than a person likes to wait without a word.

    Args:
        label: What is being done, a few words.
    """
    return progress(label, None)


_numbers = itertools.count()


def _publisher() -> Callable[[Event], None]:
    """What tells an event to those who listen now."""
    handlers = listeners(terminal) if is_main_process() else ()

    def publish(event: Event) -> None:
        for handler in handlers:
            handler(event)

    return publish
