"""The studio as an application: who may ask, which address leads where, and that a change shows the page's own token."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import speaking, tr
from tsugiki.serving.api.app import Routes, error_response
from tsugiki.serving.guard import App, Guard, Scope
from tsugiki.serving.limits import Refusal
from tsugiki.serving.studio.page.studio_page import StudioPage, error_page
from tsugiki.serving.studio.studio_api import StudioApi
from tsugiki.serving.studio.studio_session import Studio

Handler = Callable[[Request], Awaitable[Response]]

CHANGE_HEADER = "x-tsugiki-change"
"""Every change carries it, with the token of the page: no form and no page of another site can send it."""


def studio_application(studio: Studio, *, hosts: Collection[str], token: str) -> App:
    """The studio as an ASGI application.

    Args:
        studio: That is open.
        hosts: Names that the server is known by, in lower case.
        token: What whoever opens the page has to show.
    """

    def tell(error: TsugikiError, scope: Scope) -> App:
        # Also what was refused before anybody knew that it is the studio that speaks.
        with speaking(studio.language):
            return error_response(error, scope, error_page)

    return Guard(Routes(_routes(studio), allowed="/ /report"), hosts=hosts, token=token, counters=studio.counters, answer=tell)


def _routes(studio: Studio) -> list[Route]:
    api, page = StudioApi(studio), StudioPage(studio)
    asked: dict[str, Handler] = {
        "/": page.start,
        "/report": api.report,
        "/page/{name}": page.file,
        "/api/state": api.state,
        "/api/news": api.news,
        "/api/proposals": api.proposals,
        "/api/cleaning": api.cleaning,
        "/api/photo/{number}/{size}": api.picture,
    }
    changes: dict[str, Handler] = {
        "/api/decide": api.decide,
        "/api/classes": api.classes,
        "/api/undo": api.undo,
        "/api/redo": api.redo,
        "/api/photos": api.add,
        "/api/learn": api.learn,
        "/api/try": api.try_photo,
        "/api/networks": api.choose,
        "/api/leave": api.leave,
    }
    routes = [Route(path, _spoken(studio, handler), methods=["GET"]) for path, handler in asked.items()]
    return [*routes, *(Route(path, _changing(studio, handler), methods=["POST"]) for path, handler in changes.items())]


def _spoken(studio: Studio, handler: Handler) -> Handler:
    """In the language that the studio speaks: the program's, until somebody chooses the other one on the page."""

    async def answer(request: Request) -> Response:
        if asked := request.query_params.get("lang"):
            studio.speak(asked)
        with speaking(studio.language):
            return await handler(request)

    return answer


def _changing(studio: Studio, handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(CHANGE_HEADER, "").encode(), studio.change_token.encode()):
            raise Refusal(
                403, tr("Only the page of the studio may change something."), cure=tr("load the page anew, and try again")
            )
        return await handler(request)

    return _spoken(studio, answer)
