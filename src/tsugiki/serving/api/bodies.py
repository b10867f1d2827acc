"""What a request brings: its bytes, within limits and in time, and the photos in them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from tsugiki.core.errors import RequestError
from tsugiki.core.regular_files import parse_json
from tsugiki.locale.messages import tr
from tsugiki.serving.counters import Counters
from tsugiki.serving.lanes import Photo
from tsugiki.serving.limits import MEGA, Limits, Refusal

T = TypeVar("T")

_LARGE = 1 << 18  # bytes
_MOST_NAME = 1000  # letters of a photo's name that are told again


@dataclass
class Intake:
    """Takes bodies in, all requests together within one bound.

    Args:
        limits: What is allowed.
        counters: Where the bytes that are held are counted.
    """

    limits: Limits
    counters: Counters

    def __post_init__(self) -> None:
        self._one_large = asyncio.Semaphore(1)

    async def read(self, function: Callable[..., T], body: bytes, *more: Any) -> T:
        """``function(body, ...)``; large bodies are read beside other requests, and one at a time."""
        if len(body) < _LARGE:
            return function(body, *more)
        async with self._one_large:
            return await asyncio.to_thread(function, body, *more)

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytes]:
        """The whole body of a request, counted as long as the block runs.

        Raises:
            Refusal: When it is too large or too slow, when too much is held already, or when it is compressed.
        """
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refusal(
                415,
                tr("Compressed requests are not taken."),
                allowed=tr("the bytes as they are; photos are compressed already"),
            )
        self._check_announced(request)
        held = 0

        def hold(count: int) -> None:
            nonlocal held
            self._check(held + count, count)
            held += count
            self.counters.bytes_inside += count

        try:
            parts = []
            try:
                async with asyncio.timeout(self.limits.seconds):
                    async for part in request.stream():
                        hold(len(part))
                        parts.append(part)
            except TimeoutError:
                raise Refusal(
                    408,
                    tr("The request did not come in time."),
                    allowed=tr("{seconds} seconds", seconds=f"{self.limits.seconds:g}"),
                    got=tr("{size} bytes by then", size=held),
                ) from None
            except ClientDisconnect:
                raise Refusal(400, tr("The connection ended before the request did.")) from None
            content = b"".join(parts)
            parts.clear()
            yield content
        finally:
            self.counters.bytes_inside -= held

    def _check_announced(self, request: Request) -> None:
        announced = request.headers.get("content-length", "")
        if announced.isdecimal():
            self._check(int(announced), int(announced))

    def _check(self, size: int, more: int) -> None:
        if size > self.limits.body_bytes:
            raise Refusal(
                413,
                tr("The request is too large."),
                allowed=tr("{size} MB", size=f"{self.limits.body_bytes / MEGA:g}"),
                cure=tr("send fewer or smaller photos, or start the server with a larger --max-mb"),
            )
        if self.counters.bytes_inside + more > self.limits.bytes_in_flight:
            raise Refusal(
                503,
                tr("The server holds as many requests as its memory is meant for."),
                cure=tr("try again in a moment"),
                retry_after=1,
            )

    def check_count(self, count: int) -> None:
        """Refuse too many photos.

        Raises:
            Refusal: When there are more than a request may have.
        """
        if count > self.limits.photos:
            raise Refusal(
                413,
                tr("There are too many photos in one request."),
                allowed=str(self.limits.photos),
                got=str(count),
                cure=tr("send them in several requests"),
            )

    async def photos(self, request: Request, body: bytes) -> list[Photo]:
        """The photos of a request to ``/v1/predict``, by its content type.

        Raises:
            RequestError: When there is none, or the body is not what its content type says.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            found = await self._from_form(request, body)
        elif kind == "application/json":
            found = await self.read(self._from_json, body)
        else:
            found = [Photo(body, request.query_params.get("name", "")[:_MOST_NAME])] if body else []
        if not found:
            raise Refusal(
                400,
                tr("There is no photo in this request."),
                allowed=tr(
                    "the bytes of a photo, a form (multipart/form-data) with files, or JSON: {example}",
                    example='{"photos": [{"name": "a.jpg", "data": "BASE64"}]}',
                ),
                got=kind or tr("no content type"),
            )
        self.check_count(len(found))
        return found

    async def _from_form(self, request: Request, body: bytes) -> list[Photo]:
        async def stream() -> AsyncGenerator[bytes, None]:
            yield body

        parser = MultiPartParser(request.headers, stream(), max_files=self.limits.photos, max_fields=32)
        parser.spool_max_size = self.limits.body_bytes + 1  # never on the disk
        try:
            form = await parser.parse()
        except MultiPartException as fault:
            if "Too many files" in fault.message:
                self.check_count(self.limits.photos + 1)
            raise RequestError(tr("This form cannot be read."), got=fault.message) from fault
        try:
            uploads = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            return [Photo(await upload.read(), (upload.filename or "")[:_MOST_NAME]) for upload in uploads]
        finally:
            await form.close()

    def _from_json(self, body: bytes) -> list[Photo]:
        document = json_object(body)
        entries = document.get("photos", document.get("photo"))
        entries = [entries] if isinstance(entries, str | dict) else entries
        if not isinstance(entries, list):
            return []
        self.check_count(len(entries))
        return [_photo_of(entry) for entry in entries]


def _photo_of(entry: Any) -> Photo:
    data, name = (entry.get("data"), entry.get("name", "")) if isinstance(entry, dict) else (entry, "")
    if not isinstance(data, str) or not isinstance(name, str):
        raise RequestError(
            tr("A photo in JSON is text in base64."),
            allowed='"BASE64", {"name": "a.jpg", "data": "BASE64"}',
            got=type(data).__name__,
        )
    return Photo(from_base64(data), name[:_MOST_NAME])


def from_base64(text: str) -> bytes:
    """Bytes from base64; the start of a ``data:`` address may stand before it.

    Raises:
        RequestError: When it is none.
    """
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as fault:
        raise RequestError(tr("This is no base64."), got=repr(text[:40])) from fault


def json_object(body: bytes) -> dict[str, Any]:
    """The object in a JSON document.

    Raises:
        RequestError: When it is none.
    """
    try:
        document = parse_json(body.decode("utf-8"))
    except ValueError as fault:
        raise RequestError(tr("This is no JSON."), got=str(fault)[:200]) from fault
    if not isinstance(document, dict):
        raise RequestError(tr("This JSON is no object."), got=type(document).__name__)
    return document


def whole_number(text: str, name: str, low: int, high: int) -> int:
    """A number out of an address.

    Raises:
        RequestError: When it is none, or out of range.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and low <= int(text) <= high):
        raise RequestError(
            tr("{name} is no number that can be used.", name=name), allowed=f"{low} ... {high}", got=repr(text[:40])
        )
    return int(text)
