"""Who computes: photos of all requests go through one bounded queue to as many threads as there are cores.

Each lane decodes a photo, computes its features and answers for it, as ``tsugiki predict`` does: the answers are the same, bit
for bit, whoever else asks. Where an engine computes several photos at once (PyTorch), a lane takes photos of several requests
together, and waits a moment for more.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from tsugiki.classifier.answer import Floats, Prediction
from tsugiki.classifier.predict import unreadable
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.core.threads import in_context
from tsugiki.data.images.decode import check_pixels, open_photo
from tsugiki.data.images.pixels import read_pixels
from tsugiki.locale.messages import tr
from tsugiki.serving.limits import Limits, Refusal

if TYPE_CHECKING:
    import numpy.typing as npt

    from tsugiki.classifier.predict import Predictor

_MOMENT = 0.003
"""Seconds that a lane waits for more photos where several are computed at once."""

_MANY = 64  # photos: an engine is asked for as if so many were to come


@dataclass(frozen=True)
class Photo:
    """What a request asks about.

    Attributes:
        content: A file's content, or pixels uint8 ``[h, w, 3]``.
        name: What it was called by whoever sent it.
    """

    content: bytes | npt.NDArray[np.uint8]
    name: str = ""


@dataclass(eq=False)
class _Question:
    """A request's photos on their way through the lanes; changed under the queue's lock only."""

    asked: Asked
    photos: Sequence[Photo]
    tell: Callable[[list[Prediction] | BaseException], None]
    decode: Callable[[Photo], npt.NDArray[np.uint8]]
    top: int
    found: dict[int, Prediction] = field(default_factory=dict)
    abandoned: bool = False

    def answers(self) -> list[Prediction]:
        """In the order of the photos."""
        return [self.found[at] for at in range(len(self.photos))]


class Asked:
    """A predictor as the lanes use it.

    Args:
        predictor: An engine, or a classifier of PyTorch.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        network: Any = getattr(predictor, "network", None)
        if hasattr(network, "choose"):
            engine = network.choose(count=_MANY)
            self.batch_size, self._compute, lanes = engine.batch_size, engine, engine.lanes
        else:
            self.batch_size, self._compute, lanes = 16, predictor.features_of_pixels, 1
        self._free = threading.Semaphore(lanes)

    def features(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Features ``[B, D]`` of pixels ``[B, 3, H, W]``, in any thread."""
        with self._free:
            return np.asarray(self._compute(pixels), np.float32)


class Lanes:
    """Threads that answer.

    Args:
        limits: How many photos may wait, and how large they may be.
        threads: How many; by default one per core.
    """

    def __init__(self, limits: Limits, *, threads: int = 0) -> None:
        self._limits = limits
        self._waiting: deque[tuple[_Question, int]] = deque()
        self._some = threading.Condition()
        self._closed = False
        self.photos_inside = 0
        """Photos that wait or are computed."""
        self._threads = [
            threading.Thread(target=self._work, name=f"lane {number}", daemon=True)
            for number in range(threads or usable_cores())
        ]
        for thread in self._threads:
            thread.start()

    async def ask(self, asked: Asked, photos: Sequence[Photo], *, top: int = 3) -> list[Prediction]:
        """Answers for the photos of one request, in order; one that cannot be read is answered with its problem.

        Args:
            asked: Whom.
            photos: Not more than the queue holds.
            top: How many classes ``Prediction.top`` names.

        Raises:
            Refusal: When too many photos are waiting already, or the answer takes too long.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Prediction]] = loop.create_future()

        def settle(outcome: list[Prediction] | BaseException) -> None:
            if future.done():
                return
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        def tell(outcome: list[Prediction] | BaseException) -> None:
            with contextlib.suppress(RuntimeError):  # the server has stopped meanwhile
                loop.call_soon_threadsafe(settle, outcome)

        question = _Question(asked, photos, tell, in_context(self._decoder(asked)), top)
        self._enqueue(question)
        try:
            return await asyncio.wait_for(future, self._limits.seconds)
        except TimeoutError:
            raise Refusal(
                503,
                tr("The answer was not ready in time."),
                allowed=tr("{seconds} seconds", seconds=f"{self._limits.seconds:g}"),
                cure=tr("send fewer photos at once, or try again later"),
                retry_after=5,
            ) from None
        finally:
            question.abandoned = True  # photos that still wait are not computed for nobody

    def close(self) -> None:
        """Let the threads end once they have done what they are at."""
        with self._some:
            self._closed = True
            self._some.notify_all()
        for thread in self._threads:
            thread.join(timeout=self._limits.seconds)

    def _enqueue(self, question: _Question) -> None:
        count = len(question.photos)
        with self._some:
            if self.photos_inside + count > self._limits.queue:
                raise Refusal(
                    429,
                    tr("Too many photos are waiting already."),
                    allowed=tr("{count} photos at a time, of all requests together", count=self._limits.queue),
                    got=tr("{waiting} waiting, and {count} more", waiting=self.photos_inside, count=count),
                    cure=tr("try again in a moment"),
                    retry_after=1,
                )
            self.photos_inside += count
            self._waiting.extend((question, at) for at in range(count))
            self._some.notify(count)

    def _decoder(self, asked: Asked) -> Callable[[Photo], npt.NDArray[np.uint8]]:
        preprocess, most = asked.predictor.preprocess, self._limits.photo_pixels

        def decode(photo: Photo) -> npt.NDArray[np.uint8]:
            if not isinstance(photo.content, bytes):
                return preprocess.array(open_photo(photo.content))
            check_pixels(photo.content, most)
            return read_pixels(photo.content, preprocess, fast=False).array

        return decode

    def _work(self) -> None:
        while part := self._next_part():
            pixels: dict[int, npt.NDArray[np.uint8]] = {}
            for number, (question, at) in enumerate(part):
                if question.abandoned:
                    self._leave()
                    continue
                try:
                    pixels[number] = question.decode(question.photos[at])
                except UnreadablePhoto as fault:
                    self._settle(question, at, unreadable(question.photos[at].name, fault.what))
                except Exception as fault:  # noqa: BLE001 (whatever it is, the lane goes on, and the request hears of it)
                    self._fail(question, fault)
            self._compute(part, pixels)

    def _next_part(self) -> list[tuple[_Question, int]]:
        """The next photos, all of one classifier; none when the lanes are closed."""
        with self._some:
            self._some.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return []
            part = [self._waiting.popleft()]
            asked = part[0][0].asked
            until = time.monotonic() + _MOMENT
            while len(part) < asked.batch_size:
                if self._waiting and self._waiting[0][0].asked is asked:
                    part.append(self._waiting.popleft())
                elif self._waiting or self._closed or not self._some.wait(max(0.0, until - time.monotonic())):
                    break
            return part

    def _compute(self, part: list[tuple[_Question, int]], pixels: dict[int, npt.NDArray[np.uint8]]) -> None:
        if not pixels:
            return
        try:
            vectors = part[0][0].asked.features(np.stack([*pixels.values()]))
        except Exception as fault:  # noqa: BLE001 (as above)
            for number in pixels:
                self._fail(part[number][0], fault)
            return
        for number, vector in zip(pixels, vectors, strict=True):
            self._answer(*part[number], vector)

    def _answer(self, question: _Question, at: int, vector: Floats) -> None:
        """Answer for one photo, by itself: an answer does not depend on the others of its request."""
        if not np.isfinite(vector).all():
            self._fail(question, TsugikiError(tr("The features of a photo are no finite numbers.")))
            return
        try:
            head = question.asked.predictor.answer_head
            (answer,) = head.answer(vector[None], [question.photos[at].name], top=question.top)
        except Exception as fault:  # noqa: BLE001 (as above)
            self._fail(question, fault)
        else:
            self._settle(question, at, answer)

    def _settle(self, question: _Question, at: int, answer: Prediction) -> None:
        """Note the answer for one photo; the last one is told with all others."""
        with self._some:
            self.photos_inside -= 1
            question.found[at] = answer
            done = len(question.found) == len(question.photos)
        if done and not question.abandoned:
            question.tell(question.answers())

    def _leave(self) -> None:
        with self._some:
            self.photos_inside -= 1

    def _fail(self, question: _Question, fault: Exception) -> None:
        """Give a whole request up for one of its photos."""
        self._leave()
        question.abandoned = True
        question.tell(fault)
