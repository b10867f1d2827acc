"""The page of the studio, and the words on it. Nothing is fetched from elsewhere, no script or style stands inside."""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import Response

from tsugiki.core.errors import TsugikiError
from tsugiki.reporting.pages.page import looks
from tsugiki.serving.page_files import PageFiles
from tsugiki.serving.studio.page.studio_words import room_words, script_words
from tsugiki.serving.studio.studio_session import Studio

_SCRIPTS = (
    "studio",
    "ask",
    "store",
    "grid",
    "labelling",
    "keys",
    "adding",
    "camera",
    "taking",
    "news",
    "progress",
    "learning",
    "cleaning",
    "choosing",
    "trying",
    "leaving",
)
_FILES = PageFiles(__package__, ("studio.css", *(f"{name}.js" for name in _SCRIPTS)))


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
        several = studio.labels.several
        return _FILES.page(
            "studio.html.j2",
            say={**looks(), **room_words(several=several)},
            words=json.dumps(script_words(several=several), ensure_ascii=False),
            change_token=studio.change_token,
            table=str(studio.labels.table),
            run_name=studio.photos.folder.absolute().name,
        )

    async def file(self, request: Request) -> Response:
        """``GET /page/NAME``: one of the page's own files."""
        return await _FILES.file(request)


def error_page(error: TsugikiError, status: int) -> Response:
    """An error for somebody who looks at it in a browser."""
    return _FILES.error("studio_error.html.j2", error, status)
