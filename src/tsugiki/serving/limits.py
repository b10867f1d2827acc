"""How much the server takes on, and how it says no: with a status of HTTP, in the grammar that every error has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tsugiki.core.display.visible import visible
from tsugiki.core.errors import RequestError, TsugikiError, UnknownName, UnreadablePhoto
from tsugiki.locale.messages import said_again

MEGA = 1_000_000

MOST_TOP = 1000
"""The most classes that are ranked for a photo."""


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may cost.

    Attributes:
        body_bytes: The most bytes of one request.
        photo_pixels: The most pixels of one photo; it is refused before one of them is decoded.
        photos: The most photos of one request.
        queue: The most photos that wait or are computed, of all requests.
        bytes_in_flight: The most bytes that all requests hold in memory.
        seconds: How long a request may take to come in, and how long its answer may take.
        header_seconds: How long its headers may take.
        connections: The most connections at a time.
    """

    body_bytes: int = 32 * MEGA
    photo_pixels: int = 50 * MEGA
    photos: int = 64
    queue: int = 256
    bytes_in_flight: int = 256 * MEGA
    seconds: float = 30.0
    header_seconds: float = 10.0
    connections: int = 512


class Refusal(RequestError):
    """A request that is answered with a status of its own.

    Args:
        status: Of HTTP.
        what: As for every error, and so are ``allowed``, ``got`` and ``cure``.
        retry_after: Seconds after which it may be tried again; 0 where that would not help.
    """

    def __init__(
        self, status: int, what: str, *, allowed: str = "", got: str = "", cure: str = "", retry_after: int = 0
    ) -> None:
        super().__init__(what, allowed=allowed, got=got, cure=cure)
        self.status = status
        self.retry_after = retry_after


def status_of(error: TsugikiError) -> int:
    """The status of HTTP that an error is answered with."""
    if isinstance(error, Refusal):
        return error.status
    if isinstance(error, UnknownName):
        return 404
    if isinstance(error, UnreadablePhoto):
        return 422
    return 400 if isinstance(error, RequestError) else 500


def error_document(error: TsugikiError) -> dict[str, Any]:
    """An error as JSON, in the language in use: ``what``; ``allowed``, ``got`` and ``next`` where there is something to say."""
    parts = {"what": error.what, "allowed": error.allowed, "got": error.got, "next": error.cure}
    return {"error": {name: visible(said_again(text), one_line=True) for name, text in parts.items() if text}}


def error_line(error: TsugikiError) -> str:
    """An error in one line, as the Open Inference Protocol has it."""
    return " ".join(str(error).split())
