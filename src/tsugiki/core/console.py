"""The program's two voices: results go to standard output, talk goes to standard error.

Of several processes that train together only the main one is heard, until another one fails: that one says why. Library code
talks through :func:`say` and :func:`progress` and never prints. Talk can be silenced (:func:`quiet`), results and errors never.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tsugiki.core.devices import is_main_process, rank
from tsugiki.locale.messages import tr

_silent = False

Tick = Callable[[int, str], None]
"""Report ``steps`` more steps done, with a short note shown at the end of the bar."""


def say(text: str) -> None:
    """One line of talk, to standard error."""
    if not _silent and is_main_process():
        print(text, file=sys.stderr, flush=True)


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


@contextmanager
def quiet(silent: bool = True) -> Iterator[None]:
    """Within this block nothing is said (errors are still raised, results still emitted)."""
    global _silent
    before, _silent = _silent, silent or _silent
    try:
        yield
    finally:
        _silent = before


def _no_tick(steps: int, note: str) -> None:
    """Where nobody watches."""
    del steps, note


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Tick]:
    """A progress bar with the time left, on a terminal; silent elsewhere.

    Args:
        label: What is being done, a few words.
        total: How many steps there are, or ``None`` where nobody knows.

    Yields:
        ``tick(steps, note)``: call it as steps are done.
    """
    if _silent or not is_main_process() or not sys.stderr.isatty():
        yield _no_tick
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda steps, note: bar.update(task, advance=steps, note=note)
