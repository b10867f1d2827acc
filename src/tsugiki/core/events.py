"""What the library tells whoever listens: messages and progress, as events with plain fields.

Library code speaks through :func:`tsugiki.core.console.say` and :func:`tsugiki.core.console.progress`. Both publish events. A
server, a notebook, a log file or a test subscribes; where nobody does, the terminal listens. Who listens belongs to the
context of the request (``contextvars``), so two requests in two threads or asyncio tasks never hear or silence each other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One line of talk.

    Attributes:
        text: What is said, in the language of the request.
    """

    text: str


@dataclass(frozen=True)
class ProgressStarted:
    """Long work begins.

    Attributes:
        number: Which work, counted through the whole process.
        label: What is being done, a few words.
        total: How many steps there are, or ``None`` where nobody knows.
    """

    number: int
    label: str
    total: int | None


@dataclass(frozen=True)
class ProgressAdvanced:
    """Some steps of long work are done.

    Attributes:
        number: Which work.
        steps: How many more steps are done.
        note: A few words on how it goes.
    """

    number: int
    steps: int
    note: str


@dataclass(frozen=True)
class ProgressEnded:
    """Long work is over, done or not.

    Attributes:
        number: Which work.
    """

    number: int


Event = Message | ProgressStarted | ProgressAdvanced | ProgressEnded
Handler = Callable[[Event], None]

_listening: ContextVar[tuple[Handler, ...] | None] = ContextVar("listening", default=None)


def listeners(otherwise: Handler) -> tuple[Handler, ...]:
    """Who listens in this context; ``otherwise`` where nobody has subscribed, nobody at all where it is quiet."""
    handlers = _listening.get()
    return (otherwise,) if handlers is None else handlers


def subscribe(handler: Handler) -> contextlib.AbstractContextManager[None]:
    """Within this block ``handler`` gets every event of this context, in place of the terminal.

    Subscribers around this one go on listening. What a handler raises ends the work that speaks: so a server can end what
    nobody waits for any more.

    Args:
        handler: Called in the thread that speaks, with one event.
    """
    return heard_by(*(_listening.get() or ()), handler)


@contextlib.contextmanager
def heard_by(*handlers: Handler) -> Iterator[None]:
    """Within this block the events of this context go to ``handlers`` and to nobody else; without any, to nobody."""
    token = _listening.set(handlers)
    try:
        yield
    finally:
        _listening.reset(token)
