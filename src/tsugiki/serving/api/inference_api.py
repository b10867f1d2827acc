"""``/v2``: the Open Inference Protocol, as clients of KServe and of Triton speak it.

A model takes one of two inputs: ``photo``, BYTES ``[B]``, the contents of photo files (base64 in JSON); or ``image``, UINT8
``[B, h, w, 3]``, RGB pixels of any size. Either way the photos go through the model's own preprocessing here. It gives
``label``, ``probability``, ``known``, ``distance`` (-1 where it is not known) and ``probabilities``.

Letters: ``B`` photos, ``K`` classes, ``h`` x ``w`` a photo.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from tsugiki.classifier.answer import Prediction
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.locale.messages import tr
from tsugiki.serving.api.predict_api import json_response
from tsugiki.serving.api.service import Service
from tsugiki.serving.api.tensors import NamedTensor, read_inputs, split_body, write_outputs
from tsugiki.serving.lanes import Photo
from tsugiki.serving.limits import Refusal
from tsugiki.serving.models import Model

VERSION = "1"
_LENGTH = "Inference-Header-Content-Length"
_OUTPUTS = {"label": "BYTES", "probability": "FP32", "known": "BOOL", "distance": "FP32"}


class InferenceApi:
    """The addresses below ``/v2``.

    Args:
        service: What answers.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    async def live(self, _request: Request) -> Response:
        """``GET /v2/health/live``."""
        return json_response({"live": True})

    async def ready(self, _request: Request) -> Response:
        """``GET /v2/health/ready``: 503 while the server stops."""
        ready = not self._service.stopping
        return json_response({"ready": ready}, 200 if ready else 503)

    async def server(self, _request: Request) -> Response:
        """``GET /v2``."""
        return json_response({"name": "tsugiki", "version": metadata.version("tsugiki"), "extensions": ["binary_tensor_data"]})

    async def model(self, request: Request) -> Response:
        """``GET /v2/models/NAME``."""
        model = self._named(request)
        classes = len(model.predictor.classes)
        outputs = [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in _OUTPUTS.items()]
        return json_response(
            {
                "name": model.name,
                "versions": [VERSION],
                "platform": "tsugiki",
                "inputs": [
                    {"name": "photo", "datatype": "BYTES", "shape": [-1], "parameters": {"optional": True}},
                    {"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3], "parameters": {"optional": True}},
                ],
                "outputs": [*outputs, {"name": "probabilities", "datatype": "FP32", "shape": [-1, classes]}],
                "parameters": {"classes": json.dumps(model.predictor.classes, ensure_ascii=False)},
            }
        )

    async def model_ready(self, request: Request) -> Response:
        """``GET /v2/models/NAME/ready``."""
        return json_response({"name": self._named(request).name, "ready": True})

    async def infer(self, request: Request) -> Response:
        """``POST /v2/models/NAME/infer``.

        Raises:
            TsugikiError: When the request is not what the protocol says, is too much, or one of its photos cannot be read.
        """
        model = self._named(request)
        async with self._service.intake.body(request) as body:
            document, photos = await self._service.intake.read(self._asked, body, request.headers.get(_LENGTH))
            wanted = _wanted(document)
            answers = await self._service.answer(model, photos)
        unread = [f"{at}: {answer.problem}" for at, answer in enumerate(answers) if answer.problem]
        if unread:
            raise Refusal(400, tr("Photos cannot be read: {photos}", photos="; ".join(unread)[:500]))
        told, behind = write_outputs(_tensors(answers, model), wanted)
        response: dict[str, Any] = {"model_name": model.name, "model_version": VERSION, "outputs": told}
        if isinstance(document.get("id"), str):
            response["id"] = document["id"][:200]
        if not any(wanted.values()):
            return json_response(response)
        head = json.dumps(response, ensure_ascii=False).encode()
        return Response(head + behind, media_type="application/octet-stream", headers={_LENGTH: str(len(head))})

    def _named(self, request: Request) -> Model:
        version = request.path_params.get("version", VERSION)
        if version != VERSION:
            raise UnknownName(
                tr("There is no version {name} of a model here.", name=repr(version)), name=version, known=[VERSION]
            )
        return self._service.models.named(request.path_params["name"])

    def _asked(self, body: bytes, header_length: str | None) -> tuple[dict[str, Any], list[Photo]]:
        document, binary = split_body(body, header_length)
        tensors = read_inputs(document, binary)
        if len(tensors) != 1 or tensors[0].name not in {"photo", "image"}:
            raise RequestError(
                tr("A model takes one input."),
                allowed=tr("photo: BYTES [B], photo files; or image: UINT8 [B, h, w, 3], RGB pixels"),
                got=", ".join(tensor.name for tensor in tensors),
            )
        photos = _photos(tensors[0], self._service.limits.photo_pixels)
        self._service.intake.check_count(len(photos))
        return document, photos


def _photos(tensor: NamedTensor, most_pixels: int) -> list[Photo]:
    if tensor.name == "photo" and tensor.datatype == "BYTES" and len(tensor.shape) in {1, 2} and tensor.values:
        return [Photo(content) for content in tensor.values]
    shape = tensor.shape
    if tensor.name == "image" and tensor.datatype == "UINT8" and len(shape) == 4 and shape[3] == 3 and 0 not in shape:
        if shape[1] * shape[2] > most_pixels:
            raise Refusal(413, tr("too large: more than {limit} million pixels", limit=most_pixels // 1_000_000))
        return [Photo(pixels) for pixels in tensor.values]
    raise RequestError(
        tr("Input {name} has another datatype or shape.", name=tensor.name),
        allowed=tr("photo: BYTES [B], photo files; or image: UINT8 [B, h, w, 3], RGB pixels"),
        got=f"{tensor.datatype} {list(shape)}",
    )


def _wanted(document: Mapping[str, Any]) -> dict[str, bool]:
    """Which outputs, and which of them as bytes."""
    given, parameters = document.get("outputs"), document.get("parameters")
    every = bool(parameters.get("binary_data_output")) if isinstance(parameters, dict) else False
    if not given:
        return dict.fromkeys((*_OUTPUTS, "probabilities"), every)
    if not isinstance(given, list) or not all(isinstance(one, dict) and isinstance(one.get("name"), str) for one in given):
        raise RequestError(tr("An output that is asked for has a name."), got=str(given)[:100])
    wanted = {}
    for one in given:
        own = one.get("parameters")
        own = own if isinstance(own, dict) else {}
        if own.get("classification"):
            raise RequestError(tr("Outputs as classes are not given: ask for label and probability."), got=one["name"][:100])
        wanted[one["name"]] = bool(own.get("binary_data", every))
    return wanted


def _tensors(answers: Sequence[Prediction], model: Model) -> list[NamedTensor]:
    """Answers as tensors, from the same plain values that every other door gives."""
    told = [answer.to_dict(model.predictor.classes) for answer in answers]
    count = len(told)
    values: dict[str, Any] = {
        "label": [str(one["label"]).encode() for one in told],
        "probability": np.array([one["probability"] for one in told], np.float32),
        "known": np.array([one["known"] for one in told], np.bool_),
        "distance": np.array([-1 if one["distance"] is None else one["distance"] for one in told], np.float32),
    }
    every = np.array([[*one["probabilities"].values()] for one in told], np.float32)
    tensors = [NamedTensor(name, datatype, (count,), values[name]) for name, datatype in _OUTPUTS.items()]
    return [*tensors, NamedTensor("probabilities", "FP32", (count, len(model.predictor.classes)), every)]
