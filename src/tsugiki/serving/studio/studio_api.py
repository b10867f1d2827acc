"""The addresses below ``/api``: what the studio's page asks and changes. A photo has a number; no path is ever asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from tsugiki.core.errors import RequestError, UnreadablePhoto
from tsugiki.core.regular_files import DOCUMENT_BYTES, read_regular
from tsugiki.data.images.decode import read_content
from tsugiki.locale.messages import tr
from tsugiki.reporting.run_folder import REPORT
from tsugiki.serving.api.bodies import json_object, whole_number
from tsugiki.serving.api.predict_api import json_response
from tsugiki.serving.limits import Refusal
from tsugiki.serving.previews import LARGE, THUMB
from tsugiki.serving.studio.label_store import Step
from tsugiki.serving.studio.studio_session import Studio

_PATIENCE = 25.0  # seconds that a page waits for news before it asks again
_MOST_ROWS = 1_000_000
_LONGEST = 86_400  # seconds that networks may be compared


class StudioApi:
    """What the page asks.

    Args:
        studio: That is open.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    async def state(self, _request: Request) -> Response:
        """``GET /api/state``: everything, to begin with."""
        return json_response(await asyncio.to_thread(self._studio.state))

    async def news(self, request: Request) -> Response:
        """``GET /api/news?seen=N``: what is going on, as soon as it is news."""
        studio = self._studio
        seen = whole_number(request.query_params.get("seen", "0"), "seen", 0, 10**9 - 1)
        if not studio.stopping:
            await studio.news.after(seen, _PATIENCE)
        return json_response({"news": studio.news.number, "revision": studio.labels.revision, **studio.going_on()})

    async def picture(self, request: Request) -> Response:
        """``GET /api/photo/N/thumb`` or ``.../large``.

        Raises:
            Refusal: When there is no such photo, or it lies outside of the opened folders.
        """
        number = whole_number(request.path_params["number"], "photo", 0, 10**9 - 1)
        side = {"thumb": THUMB, "large": LARGE}.get(request.path_params["size"])
        path = await asyncio.to_thread(self._studio.photos.path_of, number)
        if path is None or side is None:
            raise Refusal(404, tr("There is no such photo."))
        picture = await self._studio.previews.get(path, side)
        return Response(picture, media_type="image/jpeg", headers={"cache-control": "private, max-age=3600"})

    async def decide(self, request: Request) -> Response:
        """``POST /api/decide``: ``rows``, and their ``label``, ``mark``, or both; or a class to ``toggle`` of several labels.

        Raises:
            RequestError: When that is no decision.
        """
        asked = await self._asked(request)
        rows, (label, mark, toggle) = asked.get("rows"), map(asked.get, ("label", "mark", "toggle"))
        if not isinstance(rows, list) or len(rows) > _MOST_ROWS or any(type(row) is not int for row in rows):
            rows = None
        if rows is None or any(not isinstance(text, str | None) for text in (label, mark, toggle)):
            raise RequestError(
                tr("This is no decision."), allowed='{"rows": [0], "label": "CLASS", "mark": ""}', got=str(asked)[:100]
            )
        if toggle is not None:
            return await self._saved(self._studio.labels.toggle([*rows], toggle))
        return await self._saved(self._studio.labels.decide([*rows], label=label, mark=mark))

    async def classes(self, request: Request) -> Response:
        """``POST /api/classes``: ``add`` a class, ``rename`` it ``to`` another name, or ``remove`` it.

        Raises:
            RequestError: When that is no change.
        """
        asked, labels = await self._asked(request), self._studio.labels
        if not asked or not all(isinstance(value, str) for value in asked.values()):
            raise RequestError(tr("This is no change of classes."), allowed="add, rename + to, remove", got=str(asked)[:100])
        if "add" in asked:
            step = labels.add_class(asked["add"])
        elif "rename" in asked:
            step = labels.rename_class(asked["rename"], asked.get("to", ""))
        else:
            step = labels.remove_class(asked.get("remove", ""))
        return await self._saved(step)

    async def undo(self, _request: Request) -> Response:
        """``POST /api/undo``."""
        return await self._saved(self._studio.labels.undo())

    async def redo(self, _request: Request) -> Response:
        """``POST /api/redo``."""
        return await self._saved(self._studio.labels.redo())

    async def add(self, request: Request) -> Response:
        """``POST /api/photos``: the bytes of one photo, which is kept beside the decisions; ``batch`` names what it came with.

        Raises:
            Refusal: When it is no photo.
        """
        studio = self._studio
        async with studio.intake.body(request) as body:
            try:
                number, new = await asyncio.to_thread(studio.photos.add, body, most_pixels=studio.limits.photo_pixels)
            except UnreadablePhoto as fault:
                raise Refusal(422, tr("This photo cannot be read."), got=fault.what) from fault
        if new:
            studio.labels.grow(request.query_params.get("batch", "")[:100])
            studio.changed()
        told = {"row": number, "name": studio.photos.names[number], "new": new, "revision": studio.labels.revision}
        return json_response(told | studio.classes())

    async def learn(self, request: Request) -> Response:
        """``POST /api/learn``: learn from now on, after every label; or pause (``wanted`` false)."""
        asked = await self._asked(request)
        self._studio.learner.want(wanted=asked.get("wanted") is not False)
        return json_response(self._studio.going_on())

    async def proposals(self, _request: Request) -> Response:
        """``GET /api/proposals``: what is said about photos that have no class."""
        return json_response(await asyncio.to_thread(self._studio.learner.proposed))

    async def cleaning(self, _request: Request) -> Response:
        """``GET /api/cleaning``: what looks wrong, and is not decided yet."""
        return json_response(await asyncio.to_thread(self._studio.doubtful))

    async def try_photo(self, request: Request) -> Response:
        """``POST /api/try``: an answer for the bytes of a photo, or for photo ``row``; ``reasons=1`` says why, too.

        Raises:
            Refusal: When nothing is learned yet, or it is no photo.
        """
        studio, reasons = self._studio, request.query_params.get("reasons") == "1"
        async with studio.intake.body(request) as body:
            try:
                content = await asyncio.to_thread(self._content, request.query_params.get("row", ""), body)
                answer = await asyncio.to_thread(studio.try_photo, content, with_reasons=reasons)
            except UnreadablePhoto as fault:
                raise Refusal(422, tr("This photo cannot be read."), got=fault.what) from fault
        return json_response(answer)

    def _content(self, row: str, body: bytes) -> bytes:
        if not row:
            return body
        path = self._studio.photos.path_of(whole_number(row, "row", 0, 10**9 - 1))
        if path is None:
            raise Refusal(404, tr("There is no such photo."))
        return read_content(path)

    async def choose(self, request: Request) -> Response:
        """``POST /api/networks``: compare networks in so many ``seconds`` (none: no limit), ``stop`` that, or ``use`` one.

        Raises:
            RequestError: When that is none of these.
        """
        asked, choice = await self._asked(request), self._studio.choice
        seconds = asked.get("seconds")
        if isinstance(name := asked.get("use"), str):
            choice.take(name)
        elif asked.get("stop") is True:
            choice.stop()
        elif "seconds" in asked and (seconds is None or (type(seconds) is int and 1 <= seconds <= _LONGEST)):
            choice.start(seconds)
        else:
            raise RequestError(
                tr("This is no choice of a network."),
                allowed='{"seconds": 120}, {"stop": true}, {"use": "NAME"}',
                got=str(asked)[:100],
            )
        return json_response(self._studio.going_on())

    async def leave(self, request: Request) -> Response:
        """``POST /api/leave``: write a run called ``name``, its report and an export; ``fine_tune``, too; or ``stop`` that.

        Raises:
            RequestError: When that is no name.
        """
        asked, writer = await self._asked(request), self._studio.writer
        if asked.get("stop") is True:
            writer.stop()
        elif isinstance(name := asked.get("name"), str):
            await asyncio.to_thread(writer.start, name, fine_tune=asked.get("fine_tune") is True)
        else:
            raise RequestError(tr("This is no name for a run."), got=str(name)[:80])
        return json_response(self._studio.going_on())

    async def report(self, _request: Request) -> Response:
        """``GET /report``: of the run that was written last; a page that can ask nobody, nor the studio.

        Raises:
            Refusal: When there is none.
        """
        written = self._studio.writer.written
        if written is None:
            raise Refusal(404, tr("There is no report yet."))
        page = await asyncio.to_thread(read_regular, written.run / REPORT, limit=DOCUMENT_BYTES)
        # Its own policy, which stands in it, holds as well.
        policy = "sandbox allow-scripts; frame-ancestors 'none'; form-action 'none'; base-uri 'none'"
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})

    async def _asked(self, request: Request) -> dict[str, Any]:
        async with self._studio.intake.body(request) as body:
            return await self._studio.intake.read(json_object, body)

    async def _saved(self, step: Step | None) -> Response:
        """Confirm a change once it is on the disk."""
        studio = self._studio
        if step is not None:
            studio.changed()
            await asyncio.to_thread(studio.labels.save)
        after = [] if step is None else _after(studio, step)
        places = studio.labels.placed(label for _, (label, _) in after)
        changed = [[row, place, mark] for (row, (_, mark)), place in zip(after, places, strict=True)]
        everything = step is not None and step.classes_before != step.classes_after and bool(step.rows)
        told = {"revision": studio.labels.revision, "changed": changed, "everything": everything, **studio.classes()}
        return json_response(told)


def _after(studio: Studio, step: Step) -> list[tuple[int, tuple[str, str]]]:
    return [(row, studio.labels.decided[row]) for row in step.rows]
