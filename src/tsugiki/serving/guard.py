"""Who may ask, and what every answer carries: the outermost layer, before anything of a request is looked at.

- The *Host* has to be one that this server is known by. A page of a stranger whose name was made to lead to this machine (DNS
  rebinding) asks with the stranger's name. An address in numbers cannot be rebound, and always passes.
- A request from another site's page, told by *Origin* or *Sec-Fetch-Site*, is refused, so that no page can ask on behalf of the
  person who looks at it.
- With a token, whoever asks has to show it: as ``Authorization: Bearer``, or, for the page, as the cookie that opening its
  address with ``?token=`` leaves. Only health is told without.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from tsugiki.core.console import say
from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import language, speaking, tr
from tsugiki.serving.counters import Counters
from tsugiki.serving.limits import Refusal, status_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Answer = Callable[[TsugikiError, Scope], App]
"""What tells an error in the form of the address that was asked."""

COOKIE = "tsugiki-token"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_MOST_DISCARDED = 256_000_000  # bytes
_DISCARDING = 5.0  # seconds in all
_SILENCE = 0.5  # seconds without a byte, after which a client waits for its answer
_OPEN = frozenset({"/v2/health/live", "/v2/health/ready"})


class Guard:
    """ASGI middleware.

    Args:
        app: What answers those who may ask.
        hosts: Names that this server is known by, in lower case.
        token: What has to be shown; ``""`` for nothing.
        counters: Where requests are counted.
        answer: How an error is told.
    """

    def __init__(self, app: App, *, hosts: Collection[str], token: str, counters: Counters, answer: Answer) -> None:
        self._app, self._hosts, self._token = app, frozenset(hosts), token
        self._counters, self._answer = counters, answer
        self._cookie = hashlib.sha256(b"tsugiki cookie " + token.encode()).hexdigest()
        # A browser sends the cookies of one name to every port of a machine: two servers must not take each other's away.
        self._cookie_name = f"{COOKIE}-{hashlib.sha256(b'tsugiki name ' + token.encode()).hexdigest()[:8]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def sent(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                said = [*message.get("headers", ())]
                names = {name for name, _ in said}
                message["headers"] = [*said, *(each for each in _HEADERS if each[0] not in names)]
            await send(message)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scope["tsugiki.headers"] = headers
        self._counters.inside += 1
        try:
            with speaking(wanted_language(headers.get(b"accept-language", ""), scope["query_string"])):
                await self._let_in(scope, receive, sent, headers)
        finally:
            self._counters.inside -= 1
            self._counters.answered(scope.get("tsugiki.route", "other"), status, time.perf_counter() - begun)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send, headers: dict[bytes, str]) -> None:
        body = _Body(receive, wanted=b"expect" not in headers)
        try:
            app = self._welcomed(scope, headers) or self._app
            await app(scope, body.receive, send)
        except TsugikiError as error:
            fault = error.with_traceback(None)  # which holds the frames that hold the request, and these the error
        except Exception as error:  # noqa: BLE001 (a fault of the program's own: told here, and not to a stranger)
            reason = " ".join(f"{type(error).__name__} {error}".split())[:300]
            say(tr("A request failed that should not: {reason}", reason=reason))
            fault = Refusal(500, tr("Something went wrong in the server, which says more about it where it runs."))
        else:
            return
        if status_of(fault) != 408:  # whoever was too slow is not waited for again
            await body.discard()
        await self._answer(fault, scope)(scope, receive, send)

    def _welcomed(self, scope: Scope, headers: dict[bytes, str]) -> App | None:
        """Refuse who may not ask; whoever comes with the token in the address is sent to the page with a cookie."""
        host = headers.get(b"host", "")
        if not self._is_known(host):
            raise Refusal(
                421,
                tr("This server is not known by this name."),
                allowed=", ".join(sorted(self._hosts)),
                got=repr(host[:100]),
                cure=tr("ask by another name, or start the server with --name {host}", host=_name_of(host)[:100] or "NAME"),
            )
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site", "")
        foreign = origin is not None and urlsplit(origin).netloc.lower() != host.lower()
        if foreign or (site in {"cross-site", "same-site"} and scope["method"] != "GET"):
            raise Refusal(403, tr("Pages of other sites may not ask this server."), got=repr((origin or site)[:100]))
        if not self._token or scope["path"] in _OPEN:
            return None
        if scope["method"] == "GET" and (shown := parse_qs(scope["query_string"].decode("latin-1")).get("token")):
            if _same(shown[0], self._token):
                return self._with_cookie
        elif self._shows_token(headers):
            return None
        raise Refusal(
            401,
            tr("This server answers only to those who show its token."),
            allowed="Authorization: Bearer TOKEN",
            cure=tr("open the address that the server printed, with its token"),
        )

    def _is_known(self, host: str) -> bool:
        name = _name_of(host)
        if name in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _shows_token(self, headers: dict[bytes, str]) -> bool:
        scheme, _, shown = headers.get(b"authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(shown.strip(), self._token):
            return True
        try:
            cookie = SimpleCookie(headers.get(b"cookie", "")).get(self._cookie_name)
        except CookieError:
            return False
        return cookie is not None and _same(cookie.value, self._cookie)

    async def _with_cookie(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """To the same page without the token in its address: it stays in no history and is sent to nobody."""
        cookie = f"{self._cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"
        place = "/" + quote(scope["path"].lstrip("/\\"))  # "//name" would be another server
        headers = [(b"location", place.encode()), (b"set-cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": [*headers, (b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


class _Body:
    """What a request brings, of which the rest can be thrown away.

    A connection that is closed while its client still sends ends that client before it has read why.
    """

    def __init__(self, receive: Receive, *, wanted: bool) -> None:
        self._receive = receive
        self._more = wanted

    async def receive(self) -> MutableMapping[str, Any]:
        """The next part."""
        message = await self._receive()
        self._more = self._more and bool(message.get("more_body"))
        return message

    async def discard(self) -> None:
        """Take the rest, within reason, and keep nothing of it."""
        left, until = _MOST_DISCARDED, time.monotonic() + _DISCARDING
        with contextlib.suppress(TimeoutError):
            while self._more and left > 0 and time.monotonic() < until:
                async with asyncio.timeout(_SILENCE):
                    left -= len((await self.receive()).get("body", b""))


def _same(shown: str, secret: str) -> bool:
    return hmac.compare_digest(shown.encode("utf-8", "surrogateescape"), secret.encode())


def _name_of(host: str) -> str:
    """The name in a *Host* header, without its port and the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def wanted_language(accepted: str, query: bytes = b"") -> str:
    """``en`` or ``ja``: what the address asks for, else the first of the two that *Accept-Language* likes best, else ours."""
    asked = parse_qs(query.decode("latin-1")).get("lang", [""])[0] if b"lang=" in query else ""
    if asked in {"en", "ja"}:
        return asked
    best, liked = language(), 0.0
    for part in accepted[:200].split(","):
        name, _, weight = part.partition(";q=")
        try:
            value = float(weight) if weight else 1.0
        except ValueError:
            continue
        short = name.strip().lower()[:2]
        if short in {"en", "ja"} and value > liked:
            best, liked = short, value
    return best
