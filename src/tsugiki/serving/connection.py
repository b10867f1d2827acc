"""HTTP connections with an end: uvicorn itself waits for ever for a request that comes a byte at a time (slow loris).

Until the headers of a request are there a clock runs, whatever comes; from then on who reads the body runs one of his own
(:mod:`tsugiki.serving.api.bodies`). More connections than are allowed are closed at once.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from tsugiki.serving.limits import Limits


class BoundedProtocol(H11Protocol):
    """One connection; ``limits`` stands in the class that :func:`protocol_with` makes."""

    limits: Limits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            transport.write(b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            transport.close()
            return
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        """Take what came; the clock runs on as long as the headers are not whole."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Go on with the next request, part of which may be here."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_clock()
        super().connection_lost(exc)

    def _look(self) -> None:
        waits_for_headers = self.conn.their_state is h11.IDLE
        if waits_for_headers and self.conn.trailing_data[0]:
            self._start_clock()
        elif not waits_for_headers:
            self._stop_clock()

    def _start_clock(self) -> None:
        if self._clock is None:
            self._clock = self.loop.call_later(self.limits.header_seconds, self._expire)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _expire(self) -> None:
        self._clock = None
        if self.transport.is_closing():
            return
        if self.conn.our_state is h11.IDLE:
            self.transport.write(b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()


def protocol_with(limits: Limits) -> type[BoundedProtocol]:
    """The protocol with its deadlines.

    Args:
        limits: How long headers may take, and how many connections there may be.
    """
    return type("LimitedProtocol", (BoundedProtocol,), {"limits": limits})
