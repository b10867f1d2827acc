"""The pages of the server: one to drop a photo on, one that says which addresses there are, and errors for browsers.

Nothing on them is fetched from elsewhere, and no script or style stands inside: the policy of every answer forbids it.
"""

from __future__ import annotations

import functools
from importlib import metadata, resources
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tsugiki.core.display.visible import visible
from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import first_few, language, tr
from tsugiki.reporting.pages.page import looks
from tsugiki.serving.api.openapi import openapi_document
from tsugiki.serving.api.service import Service
from tsugiki.serving.limits import MEGA, Refusal, error_document

_FILES = {
    "page.css": ("tsugiki.reporting.pages", "text/css"),  # the look of every page of this program
    "serve.css": (__package__, "text/css"),
    "start.js": (__package__, "text/javascript"),
}


class StartPage:
    """The pages for people.

    Args:
        service: What answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def start(self, _request: Request) -> Response:
        """``GET /``: drop a photo, and see the answer."""
        limits = self._service.limits
        models = [
            {"name": model.name, "classes": first_few(model.predictor.classes, 12), "said": model.watch.sentences()}
            for model in self._service.models
        ]
        kept = "" if self._service.kept is None else tr("Photos that are sent here are kept, to learn from.")
        limit = tr("At most {count} photos and {size} MB at once.", count=limits.photos, size=f"{limits.body_bytes / MEGA:g}")
        return _page("start.html.j2", 200, models=models, say=_start_words(), kept=kept, limit=limit)

    async def docs(self, _request: Request) -> Response:
        """``GET /docs``: the addresses, from the same document that programs read."""
        document = openapi_document(self._service)
        addresses = [
            {"method": method.upper(), "path": path, "summary": about["summary"]}
            for path, methods in document["paths"].items()
            for method, about in methods.items()
        ]
        statuses = document["paths"]["/v1/predict"]["post"]["responses"]
        errors = [{"status": status, "text": about["description"]} for status, about in statuses.items() if status != "200"]
        name = next(iter(self._service.models)).name
        return _page("docs.html.j2", 200, addresses=addresses, errors=errors, name=name, say=_docs_words())

    async def file(self, request: Request) -> Response:
        """``GET /page/NAME``: one of the pages' own files.

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
    return _page("error.html.j2", status, what=told["what"], rows=rows, say=_common_words())


def _page(template: str, status: int, **values: Any) -> Response:
    text = _environment().get_template(template).render(language=language(), version=metadata.version("tsugiki"), **values)
    return HTMLResponse(text, status)


def _common_words() -> dict[str, str]:
    return {
        **looks(),
        "try": tr("Try a photo"),
        "addresses": tr("Addresses"),
        "metrics": tr("Metrics"),
    }


def _start_words() -> dict[str, str]:
    return {
        **_common_words(),
        "title": tr("What is on the photo?"),
        "lead": tr("The photos go to this server and nowhere else."),
        "model": tr("Model"),
        "classes": tr("Classes: {names}", names="{names}"),
        "drop": tr("Drop photos here, paste one, or choose files"),
        "answers": tr("Answers"),
        "none_yet": tr("Nothing has been asked yet."),
        "working": tr("Looking at it"),
        "comma": tr(", "),
        "none_of_them": tr("none of the classes"),
        "not_sure": tr("not sure ({label}?)", label="{label}"),
        "why_not_sure": tr("Less like the training photos than 95% of them, however high the probability."),
        "unreachable": tr("The server did not answer. Does it still run?"),
        "state": tr("What comes in"),
        "no_script": tr("This page needs JavaScript to show answers. Programs ask at {address}.", address="/v1/predict"),
    }


def _docs_words() -> dict[str, str]:
    return {
        **_common_words(),
        "title": tr("How programs ask"),
        "lead": tr("Every address of this server. The same for programs: {address}", address=""),
        "method": tr("Method"),
        "address": tr("Address"),
        "what": tr("What it is for"),
        "errors": tr("What goes wrong"),
        "status": tr("Status"),
        "meaning": tr("Meaning"),
        "errors_how": tr("An error is JSON, in the grammar that every error of this program has: what, allowed, got, next."),
        "example": tr("For example"),
    }


@functools.cache
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(__package__, "templates")
    return Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )


def _shown(value: Any) -> Any:
    """Names of classes, files and addresses as they can be shown; what is HTML already stays."""
    return visible(value) if type(value) is str else value


@functools.cache
def _read(folder: str, name: str) -> str:
    return resources.files(folder).joinpath("templates", name).read_text(encoding="utf-8")
