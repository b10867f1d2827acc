"""Threads of one request: they speak its language to its listeners, and share what can only be set for the whole process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_context(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, to be called in any thread, with the language and the listeners of the one that asks now."""
    context = copy_context()

    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)  # a copy: one context cannot run in two threads at once

    return run


class ContextThreadPool(ThreadPoolExecutor):
    """A pool whose threads do each task with the language and the listeners of the one that submitted it."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As :meth:`concurrent.futures.Executor.submit`; ``map`` comes through here, too."""
        return super().submit(in_context(fn), *args, **kwargs)


class SharedSetting:
    """A setting of the whole process that threads share: the first one in makes it, the last one out undoes it.

    Args:
        change: Makes the setting when entered, undoes it when left.
    """

    def __init__(self, change: Callable[[], contextlib.AbstractContextManager[object]]) -> None:
        self._change = change
        # Reentrant: collecting garbage inside the lock may end an abandoned block of the same thread.
        self._lock = threading.RLock()
        self._inside = 0
        self._undo = contextlib.ExitStack()

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Within this block the setting is made, whatever other threads do."""
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                try:
                    self._undo.enter_context(self._change())
                except BaseException:
                    self._inside -= 1
                    raise
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._undo.close()
