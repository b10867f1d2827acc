"""The pages of the server: one to drop a photo on, one that says which addresses there are, and errors for browsers.

Nothing on them is fetched from elsewhere, and no script or style stands inside: the policy of every answer forbids it.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from tsugiki.core.errors import TsugikiError
from tsugiki.locale.messages import first_few, tr
from tsugiki.reporting.pages.page import looks
from tsugiki.serving.api.openapi import openapi_document
from tsugiki.serving.api.service import Service
from tsugiki.serving.limits import MEGA
from tsugiki.serving.page_files import PageFiles

_FILES = PageFiles("tsugiki.serving.api", ("serve.css", "start.js"))


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
        return _FILES.page("start.html.j2", models=models, say=_start_words(), kept=kept, limit=limit)

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
        return _FILES.page("docs.html.j2", addresses=addresses, errors=errors, name=name, say=_docs_words())

    async def file(self, request: Request) -> Response:
        """``GET /page/NAME``: one of the pages' own files."""
        return await _FILES.file(request)


def error_page(error: TsugikiError, status: int) -> Response:
    """An error for somebody who looks at it in a browser."""
    return _FILES.error("error.html.j2", error, status, say=_common_words())


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
