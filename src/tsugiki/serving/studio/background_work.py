"""What takes a while in the studio: in a thread of its own, told as it goes on, and stopped when a person says so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from tsugiki.core.errors import TsugikiError
from tsugiki.core.events import Event, Message, ProgressAdvanced, ProgressStarted, subscribe
from tsugiki.core.threads import in_context
from tsugiki.locale.messages import said_again

_SAID = 60  # lines that are kept of what was said on the way


class GivenUp(KeyboardInterrupt):
    """A person stops the work, as Ctrl-C does in a terminal."""


class Patience:
    """How long something takes, and how much longer.

    Args:
        total: Steps in all, or ``None`` where nobody knows.
    """

    def __init__(self, total: int | None) -> None:
        self.total, self.done, self._begun = total, 0, time.monotonic()

    def seconds_left(self) -> float | None:
        """By the pace so far; ``None`` where that says nothing yet."""
        if not self.total or not self.done or self.done >= self.total:
            return None
        return (time.monotonic() - self._begun) / self.done * (self.total - self.done)


class BackgroundWork:
    """One thing at a time.

    Args:
        ring: Called when there is something new to tell, from the thread.

    Attributes:
        was_stopped: Whether the last work ended because somebody said so.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._stopping = self.was_stopped = False
        self._label = ""
        self._said: list[str] = []
        self._patience: Patience | None = None
        self._problem: TsugikiError | None = None

    @property
    def is_busy(self) -> bool:
        """Whether it is being worked."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self, work: Callable[[], None], failed: str) -> bool:
        """Do ``work``; ``failed`` is what is said where it ends in a way that nobody has foreseen. False where it is busy."""
        with self._lock:
            if self.is_busy:
                return False
            self._problem, self._said, self._stopping, self.was_stopped = None, [], False, False
            self._thread = threading.Thread(target=in_context(self._do), args=(work, failed), name="studio work", daemon=True)
            self._thread.start()
        self._ring()
        return True

    def stop(self) -> None:
        """End it at the next word about its progress."""
        self._stopping = self.is_busy
        self._ring()

    def join(self, seconds: float) -> None:
        """Wait until it has ended."""
        if self._thread is not None:
            self._thread.join(timeout=seconds)

    def told(self) -> dict[str, Any]:
        """How it goes, plain values, in the language in use."""
        patience, problem = self._patience, self._problem
        return {
            "busy": self.is_busy,
            "stopping": self._stopping and self.is_busy,
            "stopped": self.was_stopped,
            "label": said_again(self._label),
            "done": 0 if patience is None else patience.done,
            "total": None if patience is None else patience.total,
            "seconds_left": None if patience is None else patience.seconds_left(),
            "said": [said_again(line) for line in self._said],
            "problem": "" if problem is None else " ".join(map(said_again, filter(None, (problem.what, problem.got)))),
        }

    def _do(self, work: Callable[[], None], failed: str) -> None:
        try:
            with subscribe(self._hear):
                work()
        except GivenUp:
            self.was_stopped = True
        except TsugikiError as error:
            self._problem = error
        except Exception as fault:  # noqa: BLE001 (the studio stays open, and says what happened)
            self._problem = TsugikiError(failed, got=f"{type(fault).__name__} {fault}"[:300])
        finally:
            self._label, self._patience, self._thread = "", None, None
            self._ring()

    def _hear(self, event: Event) -> None:
        if self._stopping:
            raise GivenUp
        if isinstance(event, Message):
            self._said = [*self._said, event.text][-_SAID:]
        elif isinstance(event, ProgressStarted):
            self._label, self._patience = event.label, Patience(event.total)
        elif isinstance(event, ProgressAdvanced) and self._patience is not None:
            self._patience.done += event.steps
        self._ring()
