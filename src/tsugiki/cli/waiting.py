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
_continued: ContextVar[Path | None] = ContextVar("continued", default=None)


def starting() -> AbstractContextManager[object]:
    """Say that the program starts, while it imports what takes seconds; nothing where all of it is there already."""
    return nullcontext() if "torch" in sys.modules else working(tr("Starting (loading PyTorch)"))


@contextmanager
def told_what_is_kept(verb: str) -> Iterator[None]:
    """Say to a person who interrupts a verb what is lost and what is kept."""
    written, continued = _written.set(None), _continued.set(None)
    try:
        yield
    except KeyboardInterrupt:
        say(_kept(verb))
        raise
    finally:
        _written.reset(written)
        _continued.reset(continued)


def goes_on_with(path: Path) -> None:
    """Note that what the verb has written so far is kept in ``path``, and that the same command goes on from there."""
    _continued.set(path)


def is_whole(path: Path) -> None:
    """Note that what the verb is there for has been written."""
    _written.set(path)


def _kept(verb: str) -> str:
    if (path := _written.get()) is not None:
        return tr("Interrupted: {path} is whole.", path=path)
    if (path := _continued.get()) is not None:
        return tr("Interrupted: the answers so far are kept, and the same command goes on with {path}.", path=path)
    if verb in {"fit", "demo", "audit", "evaluate", "lr"}:
        return tr(
            "Interrupted: nothing was written, and what was there is as it was. What was found out about the photos so far is "
            "kept: the same command goes on from there."
        )
    return _kept_by().get(verb, tr("Interrupted: nothing was written."))


def _kept_by() -> dict[str, str]:
    """What verbs keep that write nothing else."""
    return {
        "rank": tr("Interrupted: features and judgements so far are kept, and the same command goes on from there."),
        "get": tr("Interrupted: what has come so far is kept, and the same command goes on from there."),
        "plot": tr("Interrupted: pictures that were named above are whole, the others are not there."),
    }
