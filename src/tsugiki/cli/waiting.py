"""What a person is told who waits, and who does not wait any longer."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path

from tsugiki.core.console import say, working
from tsugiki.locale.messages import tr

_written: ContextVar[Path | None] = ContextVar("written", default=None)


def starting() -> AbstractContextManager[object]:
    """Say that the program starts, while it imports what takes seconds; nothing where all of it is there already."""
    return nullcontext() if "torch" in sys.modules else working(tr("Starting (loading PyTorch)"))


@contextmanager
def told_what_is_kept(verb: str) -> Iterator[None]:
    """Say to a person who interrupts a verb what is lost and what is kept."""
    token = _written.set(None)
    try:
        yield
    except KeyboardInterrupt:
        path = _written.get()
        say(_kept(verb) if path is None else tr("Interrupted: {path} is whole.", path=path))
        raise
    finally:
        _written.reset(token)


def is_whole(path: Path) -> None:
    """Note that what the verb is there for has been written."""
    _written.set(path)


def _kept(verb: str) -> str:
    if verb in {"fit", "demo", "audit", "evaluate", "lr"}:
        return tr(
            "Interrupted: nothing was written, and what was there is as it was. What was found out about the photos so far is "
            "kept: the same command goes on from there."
        )
    if verb == "get":
        return tr("Interrupted: what has come so far is kept, and the same command goes on from there.")
    if verb == "plot":
        return tr("Interrupted: pictures that were named above are whole, the others are not there.")
    return tr("Interrupted: nothing was written.")
