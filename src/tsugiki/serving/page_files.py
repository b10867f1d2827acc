"""What the pages of every server are made of: templates, the files that lie beside them, and errors for browsers."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from importlib import metadata, resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tsugiki.core.display.visible import visible
from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import language, tr
from tsugiki.serving.limits import Refusal, error_document

_KINDS = {"css": "text/css", "js": "text/javascript"}


class PageFiles:
    """Templates of one package, and the files that its pages ask for.

    Args:
        package: Whose ``templates/`` they lie in.
        names: Of the files, besides the look of every page of this program.
    """

    def __init__(self, package: str, names: Iterable[str]) -> None:
        self._package = package
        self._package_of: Mapping[str, str] = {"page.css": "tsugiki.reporting.pages", **dict.fromkeys(names, package)}

    async def file(self, request: Request) -> Response:
        """``GET /page/NAME``: one of the files.

        Raises:
            Refusal: For any other name.
        """
        name = request.path_params["name"]
        if name not in self._package_of:
            raise Refusal(404, tr("There is nothing at this address."))
        return Response(_read(self._package_of[name], name), media_type=_KINDS[name.rpartition(".")[2]])

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page, from a template and what it asks for."""
        page = _environment(self._package).get_template(template)
        return HTMLResponse(page.render(language=language(), version=metadata.version("tsugiki"), **values), status)

    def error(self, template: str, error: TsugikiError, status: int, **values: Any) -> Response:
        """An error for somebody who looks at it in a browser."""
        labels = {"allowed": tr("Allowed"), "got": tr("Got"), "next": tr("Next")}
        told = error_document(error)["error"]
        rows = [(labels[name], text) for name, text in told.items() if name in labels]
        return self.page(template, status, what=told["what"], rows=rows, **values)


@functools.cache
def _environment(package: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(package, "templates")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )


def _shown(value: Any) -> Any:
    """Names of classes, files and addresses as they can be shown; what is HTML already stays."""
    return visible(value) if type(value) is str else value


@functools.cache
def _read(package: str, name: str) -> str:
    return resources.files(package).joinpath("templates", name).read_text(encoding="utf-8")
