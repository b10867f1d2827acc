"""The server itself: a socket, uvicorn, and an end that lets those who are being answered have their answer."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import uvicorn

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr
from tsugiki.serving.api.app import application
from tsugiki.serving.connection import protocol_with
from tsugiki.serving.guard import App
from tsugiki.serving.limits import Limits

_GRACE = 30  # seconds that requests may still take when the server stops


@dataclass(frozen=True)
class Address:
    """Where a server listens, and whom it listens to.

    Attributes:
        host: An address of this machine, or a name of it.
        port: 0 for any free one.
        names: Further names that it may be asked by.
        token: What whoever asks has to show; ``""`` for nothing.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can ask."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def hosts(self) -> set[str]:
        """Names that a request may ask for, in lower case; addresses in numbers need not be named."""
        names = {"localhost", self.host.lower(), *(name.lower() for name in self.names)}
        return names if self.is_loopback else names | {socket.gethostname().lower()}


class Serves(Protocol):
    """What a server is there for: :class:`tsugiki.serving.api.service.Service`, or a studio.

    Attributes:
        limits: What requests may cost.
        stopping: Set when the server stops.
    """

    limits: Limits
    stopping: bool

    def close(self) -> None:
        """Let go of everything, once the last request is answered."""


class Server:
    """A server that listens already and answers once it :meth:`runs <run>`.

    Args:
        service: What answers.
        address: Where.
        make: The application that asks it.

    Raises:
        RequestError: When nobody can listen there.
    """

    def __init__(self, service: Serves, address: Address, make: Callable[..., App] = application) -> None:
        self._service, self.address = service, address
        self._socket = _listening(address)
        self.port: int = self._socket.getsockname()[1]
        limits = service.limits
        config = uvicorn.Config(
            make(service, hosts=address.hosts(), token=address.token),
            http=protocol_with(limits),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",  # what strangers send wrongly is told to them and counted, not written into a log
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE,
            h11_max_incomplete_event_size=32_768,
        )
        self._server = _Quiet(config)
        self._server.stopping = self._note_stop

    @property
    def url(self) -> str:
        """The address of its page, with the token where there is one."""
        host = self.address.host
        with contextlib.suppress(ValueError):
            host = "127.0.0.1" if ipaddress.ip_address(host).is_unspecified else host
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self.port}/" + (f"?token={quote(self.address.token, safe='')}" if self.address.token else "")

    def run(self) -> None:
        """Answer until SIGTERM, SIGINT or :meth:`stop`; who is being answered then has the answer still."""
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # as above
        try:
            asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the socket and of the threads that answer."""
        self._service.close()
        self._socket.close()

    def stop(self) -> None:
        """Stop soon; from any thread."""
        self._server.end()

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        """Within this block the server answers, in a thread of its own."""
        thread = threading.Thread(target=self.run, name="server")
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join()

    def _note_stop(self) -> None:
        self._service.stopping = True


class _Quiet(uvicorn.Server):
    """uvicorn's server, which ends on a signal without raising it once more: being stopped is no failure."""

    stopping: Any = staticmethod(lambda: None)

    def end(self) -> None:
        self.stopping()
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _heard(self, _number: int, _frame: object) -> None:
        if self.should_exit:  # the second one: whoever sends it does not want to wait
            self.force_exit = True
        self.end()


def _listening(address: Address) -> socket.socket:
    try:
        found: Iterable[Any] = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = next(iter(found))
        listening = socket.socket(family, kind, protocol)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(1024)
        except BaseException:
            listening.close()
            raise
    except (OSError, OverflowError) as error:
        raise RequestError(
            tr("Nobody can listen at {host}, port {port}.", host=address.host, port=address.port),
            allowed=tr("an address of this machine, and a port that is free"),
            got=getattr(error, "strerror", None) or str(error),
            cure=tr("--port 0 takes a free one"),
        ) from error
    return listening
