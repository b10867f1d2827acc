"""The application: which address leads where, and in which form each of them tells an error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import tr
from tsugiki.serving.api.inference_api import InferenceApi
from tsugiki.serving.api.openapi import openapi_document
from tsugiki.serving.api.predict_api import PredictApi, json_response
from tsugiki.serving.api.service import Service
from tsugiki.serving.api.start_page import StartPage, error_page
from tsugiki.serving.guard import App, Guard, Receive, Scope, Send
from tsugiki.serving.limits import Refusal, error_document, error_line, status_of

Handler = Callable[[Request], Awaitable[Response]]


def application(service: Service, *, hosts: Collection[str], token: str = "") -> App:
    """The server as an ASGI application.

    Args:
        service: What answers.
        hosts: Names that the server is known by, in lower case.
        token: What whoever asks has to show; ``""`` for nothing.
    """
    routes = Routes(_routes(service), allowed="/ /docs /v1/predict /v2")
    return Guard(routes, hosts=hosts, token=token, counters=service.counters, answer=tell_error)


def _routes(service: Service) -> list[Route]:
    predict, inference, page = PredictApi(service), InferenceApi(service), StartPage(service)

    async def described(_request: Request) -> Response:
        return json_response(openapi_document(service))

    routes: list[tuple[str, Handler, str]] = [
        ("/v1/predict", predict.predict, "POST"),
        ("/v1/models", predict.models, "GET"),
        ("/metrics", predict.metrics, "GET"),
        ("/openapi.json", described, "GET"),
        ("/", page.start, "GET"),
        ("/docs", page.docs, "GET"),
        ("/page/{name}", page.file, "GET"),
        ("/v2", inference.server, "GET"),
        ("/v2/health/live", inference.live, "GET"),
        ("/v2/health/ready", inference.ready, "GET"),
    ]
    for base in ("/v2/models/{name}", "/v2/models/{name}/versions/{version}"):
        routes += [
            (base, inference.model, "GET"),
            (f"{base}/ready", inference.model_ready, "GET"),
            (f"{base}/infer", inference.infer, "POST"),
        ]
    return [Route(path, handler, methods=[method]) for path, handler, method in routes]


class Routes:
    """Finds the route of an address, and notes it for the counters.

    Args:
        routes: In the order in which they are tried.
        allowed: Addresses to name to somebody who asks for one that is not there.
    """

    def __init__(self, routes: list[Route], *, allowed: str) -> None:
        self._routes, self._allowed = routes, allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse an address or a method that is not there."""
        other: Route | None = None
        for route in self._routes:
            match, found = route.matches(scope)
            if match is Match.FULL:
                scope.update(found)
                scope["tsugiki.route"] = route.path
                response = await route.endpoint(Request(scope, receive, send))
                await response(scope, receive, send)
                return
            other = other or (route if match is Match.PARTIAL else None)
        if other is not None:
            allowed = ", ".join(sorted(other.methods or ()))
            raise Refusal(405, tr("This address is asked in another way."), allowed=allowed, got=scope["method"][:20])
        raise Refusal(404, tr("There is nothing at this address."), allowed=self._allowed, got=repr(scope["path"][:100]))


def tell_error(error: TsugikiError, scope: Scope) -> App:
    """An error in the form of the address: a line for ``/v2``, a page for a browser, and JSON for all others."""
    if scope["path"].startswith("/v2"):
        return _with_headers(json_response({"error": error_line(error)}, status_of(error)), error, scope)
    return error_response(error, scope, error_page)


def error_response(error: TsugikiError, scope: Scope, page: Callable[[TsugikiError, int], Response]) -> Response:
    """An error: a ``page`` for a browser, and JSON for all others."""
    status = status_of(error)
    wants_page = b"text/html" in dict(scope["headers"]).get(b"accept", b"") and scope["method"] == "GET"
    return _with_headers(page(error, status) if wants_page else json_response(error_document(error), status), error, scope)


def _with_headers(response: Response, error: TsugikiError, scope: Scope) -> Response:
    status = response.status_code
    if isinstance(error, Refusal) and error.retry_after:
        response.headers["retry-after"] = str(error.retry_after)
    if status == 401:
        response.headers["www-authenticate"] = "Bearer"
    # What is left of a body that was refused is not read: the connection ends with the answer.
    if status in {408, 413, 415, 421, 503} or (status in {401, 403} and scope["method"] == "POST"):
        response.headers["connection"] = "close"
    return response
