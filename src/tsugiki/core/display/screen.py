"""Where a person watches: talk line by line, and long work as something that moves.

On a terminal work is a bar, in a notebook a bar in the cell. Elsewhere (a pipe, a log file) nobody watches, and a line now and
then says how far it is. One screen per process, whatever the context: :data:`terminal`.
"""

from __future__ import annotations

import contextlib
import html
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from tsugiki.core.display.visible import visible
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressStarted
from tsugiki.core.threads import in_context
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE = 2.0  # seconds that work may last before a line says that it does; then twice as long, and so on
_RAREST = 60.0  # seconds between two such lines at most
_SHORT = 0.4  # seconds of work that a notebook says nothing of
_REDRAW = 0.1  # seconds between two pictures of a bar in a notebook


class _Shown(Protocol):
    """One work on the screen."""

    def advance(self, steps: int, note: str) -> None:
        """Some more steps are done."""

    def end(self) -> None:
        """It is over."""


class Screen:
    """Who listens to events where nobody else does.

    Args:
        patience: Seconds that work may last before a line says so, where nobody watches.
    """

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._bars = _Bars()
        self._works: dict[int, _Shown] = {}

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, Message):
            self._bars.say(visible(event.text))
        elif isinstance(event, ProgressStarted):
            self._works[event.number] = self._begun(visible(event.label, one_line=True), event.total)
        elif isinstance(event, ProgressAdvanced):
            if work := self._works.get(event.number):
                work.advance(event.steps, visible(event.note, one_line=True))
        elif work := self._works.pop(event.number, None):
            work.end()

    def _begun(self, label: str, total: int | None) -> _Shown:
        if running_notebook() is not None:
            return _InCell(label, total)
        if sys.stderr is not None and sys.stderr.isatty():
            return self._bars.add(label, total)
        return _Lines(label, total, self._patience)


def running_notebook() -> Any:
    """The running notebook's shell, or ``None``: a terminal, a script, or IPython in a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell if hasattr(shell, "kernel") else None


class _Bars:
    """All work that goes on, one bar below the other."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._display: Progress | None = None

    def add(self, label: str, total: int | None) -> _Shown:
        with self._lock:
            if self._display is None:
                self._display = _bars()
                self._display.start()
            return _Bar(self, self._display, self._display.add_task(label, total=total, note=""))

    def say(self, text: str) -> None:
        """A line of talk above the bars, as long as it is: whoever copies a path wants no line break in it."""
        with self._lock:
            if self._display is None:
                print(text, file=sys.stderr, flush=True)
            else:
                self._display.console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)

    def remove(self, display: Progress, task: TaskID) -> None:
        with self._lock:
            display.remove_task(task)
            if not display.tasks:
                display.stop()
                self._display = None


class _Bar:
    def __init__(self, bars: _Bars, display: Progress, task: TaskID) -> None:
        self._bars, self._display, self._task = bars, display, task

    def advance(self, steps: int, note: str) -> None:
        self._display.update(self._task, advance=steps, note=note)

    def end(self) -> None:
        self._display.refresh()
        self._bars.remove(self._display, self._task)


def _bars() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Known(ProgressColumn):
        """A column for work whose length is known, and another for work whose length nobody knows."""

        def __init__(self, known: ProgressColumn, unknown: ProgressColumn | None = None) -> None:
            super().__init__()
            self._columns = known, unknown

        def render(self, task: Task) -> Any:
            column = self._columns[task.total is None]
            return Text("") if column is None else column(task)

    columns = (
        TextColumn("{task.description}", markup=False),
        Known(BarColumn(30), SpinnerColumn("line")),
        Known(MofNCompleteColumn()),
        Known(TimeRemainingColumn(), TimeElapsedColumn()),
        TextColumn("{task.fields[note]}", markup=False),
    )
    # What is printed to a file meanwhile must not come out on the screen instead.
    watched = sys.stdout is not None and sys.stdout.isatty()
    return Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=watched)


class _Lines:
    """A line after a while, and then more and more rarely."""

    def __init__(self, label: str, total: int | None, patience: float) -> None:
        self._label, self._total, self._done = label, total, 0
        self._tell = in_context(self._told)
        self._is_over = False
        self._lock = threading.Lock()
        self._wait(patience)

    def _wait(self, seconds: float) -> None:
        with self._lock:  # work may end while its line is written
            if self._is_over:
                return
            self._timer = threading.Timer(seconds, self._tell, (seconds,))
            self._timer.daemon = True
            self._timer.start()

    def _told(self, waited: float) -> None:
        with contextlib.suppress(OSError, ValueError):  # whoever read this has left
            print(self._sentence(), file=sys.stderr, flush=True)
            self._wait(min(2 * waited, _RAREST))

    def _sentence(self) -> str:
        if self._total is None:
            return tr("{work} ...", work=self._label)
        return tr("{work}: {done} of {total}", work=self._label, done=self._done, total=self._total)

    def advance(self, steps: int, note: str) -> None:
        del note
        self._done += steps

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            self._timer.cancel()


class _InCell:
    """A bar in the cell of a notebook that says at last how long it took; short work is not shown."""

    def __init__(self, label: str, total: int | None) -> None:
        self._label, self._total, self._done, self._note = label, total, 0, ""
        self._begun = self._drawn = time.monotonic()
        self._handle: Any = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_SHORT, in_context(self._draw))
        self._timer.daemon = True
        self._timer.start()

    def advance(self, steps: int, note: str) -> None:
        self._done, self._note = self._done + steps, note
        if self._handle is not None and time.monotonic() - self._drawn > _REDRAW:
            self._draw()

    def end(self) -> None:
        self._timer.cancel()
        if self._handle is not None:
            self._draw(over=True)

    def _draw(self, *, over: bool = False) -> None:
        from IPython.display import display

        with self._lock:
            self._drawn = time.monotonic()
            shown = self._picture(over=over)
            if self._handle is None:
                self._handle = display(shown, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(shown, raw=True)

    def _picture(self, *, over: bool) -> dict[str, str]:
        seconds = time.monotonic() - self._begun
        count = "" if self._total is None else f"{self._done}/{self._total} "
        left = 0.0 if over or not self._total or not self._done else seconds * (self._total - self._done) / self._done
        times = f"[{_clock(seconds)}" + (f"<{_clock(left)}]" if left else "]")
        text = f"{self._label}: {count}{times} {self._note}".rstrip()
        done = f' value="{self._done}" max="{self._total}"' if self._total else ""
        bar = "" if over else f"<progress{done} style='width:16em;vertical-align:middle'></progress> "
        return {"text/plain": text, "text/html": f"<div style='font-family:monospace'>{bar}{html.escape(text)}</div>"}


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


terminal = Screen()
"""Who listens where nobody has subscribed. A process has one screen, so this is one object, whatever the context."""
