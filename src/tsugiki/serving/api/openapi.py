"""The addresses of the server as an OpenAPI 3.1 document, for programs and for the page ``/docs``."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from tsugiki.locale.messages import tr
from tsugiki.serving.api.service import Service
from tsugiki.serving.limits import MOST_TOP

Document = dict[str, Any]


def openapi_document(service: Service) -> Document:
    """The document, in the language in use, with the names of the models that are here."""
    names = [model.name for model in service.models]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tsugiki",
            "version": metadata.version("tsugiki"),
            "description": tr("Trained classifiers that answer what is on a photo."),
        },
        "paths": {
            "/v1/predict": {"post": _predict(names)},
            "/v1/models": {"get": _get(tr("Every model with its classes, and what its photos have been like."))},
            "/v2": {"get": _get(tr("The server, as the Open Inference Protocol has it."))},
            "/v2/health/live": {"get": _get(tr("Whether the server runs."))},
            "/v2/health/ready": {"get": _get(tr("Whether it takes requests."))},
            "/v2/models/{name}": {"get": _get(tr("A model's inputs and outputs."), _in_path("name", names))},
            "/v2/models/{name}/ready": {"get": _get(tr("Whether a model takes requests."), _in_path("name", names))},
            "/v2/models/{name}/infer": {"post": _infer(names)},
            "/metrics": {"get": _get(tr("What the server counts, for Prometheus."), kind="text/plain")},
        },
        "components": {
            "schemas": {"Prediction": _PREDICTION, "Error": _ERROR},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}

_NAMED: Document = {"type": "object", "properties": {"name": _TEXT, "probability": _NUMBER}}
_PREDICTION: Document = {
    "type": "object",
    "properties": {
        "path": _TEXT,
        "label": _TEXT,
        "labels": {"type": "array", "items": _TEXT},
        "probability": _NUMBER,
        "known": {"type": "boolean"},
        "distance": {"type": ["number", "null"]},
        "top": {"type": "array", "items": {"type": "object", "properties": {"label": _TEXT, "probability": _NUMBER}}},
        "ancestors": {"type": "array", "items": _NAMED},
        "at_least": {"oneOf": [_NAMED, {"type": "null"}]},
        "probabilities": {"type": "object", "additionalProperties": _NUMBER},
        "problem": _TEXT,
    },
    "required": ["path"],
}
_ERROR: Document = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"what": _TEXT, "allowed": _TEXT, "got": _TEXT, "next": _TEXT},
            "required": ["what"],
        }
    },
    "required": ["error"],
}


def _predict(names: list[str]) -> Document:
    binary = {"schema": {"type": "string", "contentMediaType": "image/*"}}
    entry = {"oneOf": [_TEXT, {"type": "object", "properties": {"name": _TEXT, "data": _TEXT}, "required": ["data"]}]}
    form = {"type": "object", "properties": {"photo": {"type": "array", "items": {"type": "string", "format": "binary"}}}}
    answers = {"model": _TEXT, "predictions": {"type": "array", "items": {"$ref": "#/components/schemas/Prediction"}}}
    return {
        "summary": tr("What is on these photos: the answers of `tsugiki predict`."),
        "parameters": [
            {"name": "model", "in": "query", "schema": {"type": "string", "enum": names}},
            {"name": "top", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": MOST_TOP, "default": 3}},
        ],
        "requestBody": {
            "required": True,
            "content": {
                "image/*": binary,
                "multipart/form-data": {"schema": form},
                "application/json": {"schema": {"type": "object", "properties": {"photos": {"type": "array", "items": entry}}}},
            },
        },
        "responses": _responses({"type": "object", "properties": answers}),
    }


def _infer(names: list[str]) -> Document:
    return {
        "summary": tr("Inference as the Open Inference Protocol has it, tensors in JSON or as bytes."),
        "parameters": [
            _in_path("name", names),
            {"name": "Inference-Header-Content-Length", "in": "header", "schema": {"type": "integer"}},
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}}, "application/octet-stream": {}},
        },
        "responses": _responses({"type": "object"}),
    }


def _in_path(name: str, values: list[str]) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": values}}


def _get(summary: str, *parameters: Document, kind: str = "application/json") -> Document:
    return {
        "summary": summary,
        "parameters": list(parameters),
        "responses": {"200": {"description": "OK", "content": {kind: {}}}},
    }


def _responses(schema: Document) -> Document:
    said = {
        "400": tr("The request makes no sense."),
        "401": tr("The token is missing."),
        "403": tr("Pages of other sites may not ask this server."),
        "404": tr("There is no such model."),
        "408": tr("The request came too slowly."),
        "413": tr("The request is too large."),
        "415": tr("Compressed requests are not taken."),
        "421": tr("This server is not known by this name."),
        "422": tr("None of the photos can be read."),
        "429": tr("Too many photos are waiting."),
        "500": tr("Something went wrong in the server, which says more about it where it runs."),
        "503": tr("The server has too much to do, or stops."),
    }
    errors = {
        status: {"description": text, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
        for status, text in said.items()
    }
    return {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}, **errors}
