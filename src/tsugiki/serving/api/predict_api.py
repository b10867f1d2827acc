"""``/v1``: photos in, answers out as ``tsugiki predict --format json`` gives them."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tsugiki.locale.messages import tr
from tsugiki.serving.api.bodies import whole_number
from tsugiki.serving.api.service import Service
from tsugiki.serving.counters import CONTENT_TYPE
from tsugiki.serving.limits import MOST_TOP, Refusal


def json_response(document: Any, status: int = 200) -> Response:
    """A JSON document, every letter kept; numbers as Python writes them, so that none loses a bit."""
    return Response(json.dumps(document, ensure_ascii=False), status, media_type="application/json")


class PredictApi:
    """The addresses below ``/v1``.

    Args:
        service: What answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def predict(self, request: Request) -> Response:
        """``POST /v1/predict``: ``model`` names the model (the first one when left out), ``top`` how many classes are ranked.

        Raises:
            TsugikiError: When the request makes no sense, is too much, or none of its photos can be read.
        """
        model = self._service.models.named(request.query_params.get("model", ""))
        top = whole_number(request.query_params.get("top", "3"), "top", 1, MOST_TOP)
        async with self._service.intake.body(request) as body:
            photos = await self._service.intake.photos(request, body)
            answers = await self._service.answer(model, photos, top=top)
        if all(answer.problem for answer in answers):
            name = answers[0].name
            told = f"{name}: {answers[0].problem}" if name else answers[0].problem
            raise Refusal(422, tr("None of these photos can be read."), got=told)
        classes = model.predictor.classes
        return json_response({"model": model.name, "predictions": [answer.to_dict(classes) for answer in answers]})

    async def models(self, _request: Request) -> Response:
        """``GET /v1/models``: every model with its classes, and what its photos have been like."""
        return json_response({"models": [model.to_dict() for model in self._service.models]})

    async def metrics(self, _request: Request) -> Response:
        """``GET /metrics``."""
        watches = {model.name: model.watch for model in self._service.models}
        text = self._service.counters.text(self._service.lanes, watches)
        return Response(text, headers={"content-type": CONTENT_TYPE})
