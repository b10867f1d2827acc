"""The program's two voices: results go to standard output, talk goes to standard error.

Of several processes that train together only the main one is heard, until another one fails: that one says why. Library code
talks through :func:`say` and :func:`progress` and never prints: they publish :mod:`tsugiki.core.events`, and the terminal here
is who listens where nobody else does. Talk can be silenced (:func:`quiet`), results and errors never.
"""

from __future__ import annotations

import itertools
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from tsugiki.core.devices import is_main_process, rank
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressEnded, ProgressStarted, heard_by, listeners
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Tick = Callable[[int, str], None]
"""Report ``steps`` more steps done, with a short note shown at the end of the bar."""


def say(text: str) -> None:
    """One line of talk: a :class:`~tsugiki.core.events.Message` for whoever listens, the terminal's standard error else."""
    _publisher()(Message(text))


def complain(text: str, *, patience: float = 2.0) -> None:
    """Why the program stops, to standard error, whichever process it is.

    Args:
        text: What was wrong.
        patience: Seconds that another process than the main one waits before it speaks. What is wrong for all is said by the
            main one, and what started the processes ends the others meanwhile.
    """
    if is_main_process():
        print(text, file=sys.stderr, flush=True)
        return
    time.sleep(patience)
    print(tr("Process {rank}: {text}", rank=rank(), text=text), file=sys.stderr, flush=True)


def typed(path: Path | str) -> str:
    """A path as a person types it in a command: in quotes where it needs them."""
    return shlex.quote(str(path))


def emit(text: str) -> None:
    """A result, to standard output."""
    if is_main_process():
        print(text, flush=True)


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


_numbers = itertools.count()


def _publisher() -> Callable[[Event], None]:
    """What tells an event to those who listen now."""
    handlers = listeners(terminal) if is_main_process() else ()

    def publish(event: Event) -> None:
        for handler in handlers:
            handler(event)

    return publish


class _Terminal:
    """Messages line by line on standard error, and a bar for each work while it lasts, where a person watches."""

    def __init__(self) -> None:
        self._bars: dict[int, tuple[Progress, TaskID]] = {}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Message):
            print(event.text, file=sys.stderr, flush=True)
        elif isinstance(event, ProgressStarted):
            if sys.stderr.isatty():
                bar = _bar()
                self._bars[event.number] = bar, bar.add_task(event.label, total=event.total, note="")
                bar.start()
        elif event.number in self._bars:
            bar, task = self._bars[event.number]
            if isinstance(event, ProgressAdvanced):
                bar.update(task, advance=event.steps, note=event.note)
            else:
                del self._bars[event.number]
                bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


terminal = _Terminal()
"""Who listens where nobody has subscribed. A process has one screen, so this is one object, whatever the context."""
