"""The page of the studio, and the words on it. Nothing is fetched from elsewhere, no script or style stands inside."""

from __future__ import annotations

import functools
import json
from importlib import metadata, resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import language, tr
from tsugiki.reporting.pages.page import looks
from tsugiki.serving.limits import Refusal, error_document
from tsugiki.serving.studio.studio_session import Studio
from tsugiki.serving.studio.studio_words import room_words, script_words

_SCRIPTS = (
    "studio",
    "ask",
    "store",
    "grid",
    "labelling",
    "keys",
    "adding",
    "news",
    "learning",
    "cleaning",
    "trying",
    "leaving",
)
_FILES = {
    "page.css": ("tsugiki.reporting.pages", "text/css"),  # the look of every page of this program
    "studio.css": (__package__, "text/css"),
    **{f"{name}.js": (__package__, "text/javascript") for name in _SCRIPTS},
}


class StudioPage:
    """The page, and its files.

    Args:
        studio: That is open.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def start(self, _request: Request) -> Response:
        """``GET /``."""
        studio = self._studio
        words = json.dumps(script_words(several=studio.labels.several), ensure_ascii=False)
        page = _environment().get_template("studio.html.j2")
        return HTMLResponse(
            page.render(
                language=language(),
                version=metadata.version("tsugiki"),
                say={**looks(), **room_words(several=studio.labels.several)},
                words=words,
                change_token=studio.change_token,
                table=str(studio.labels.table),
                run_name=studio.photos.folder.absolute().name,
            )
        )

    async def file(self, request: Request) -> Response:
        """``GET /page/NAME``: one of the page's own files.

        Raises:
            Refusal: For any other name.
        """
        found = _FILES.get(request.path_params["name"])
        if found is None:
            raise Refusal(404, tr("There is nothing at this address."))
        folder, kind = found
        return Response(_read(folder, request.path_params["name"]), media_type=kind)


def error_page(error: TsugikiError, status: int) -> Response:
    """An error for somebody who looks at it in a browser."""
    labels = {"allowed": tr("Allowed"), "got": tr("Got"), "next": tr("Next")}
    told = error_document(error)["error"]
    rows = [(labels[name], text) for name, text in told.items() if name in labels]
    page = _environment().get_template("studio_error.html.j2")
    return HTMLResponse(page.render(language=language(), what=told["what"], rows=rows), status)


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__, "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@functools.cache
def _read(folder: str, name: str) -> str:
    return resources.files(folder).joinpath("templates", name).read_text(encoding="utf-8")
