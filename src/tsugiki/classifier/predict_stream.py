"""Answers one after another, for as many photos as come: decoded and computed side by side, told in order, in bounded memory.

Letters: ``B`` photos of a chunk, ``D`` feature width.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from tsugiki.classifier.answer import Prediction
from tsugiki.classifier.predict import Predictor, unreadable
from tsugiki.core.console import quiet, say
from tsugiki.core.devices import torch_threads, use_torch_threads
from tsugiki.core.threads import ContextThreadPool, in_context
from tsugiki.data.images.pixels import Pixels
from tsugiki.data.images.remarks import sentences
from tsugiki.data.images.video import Frame
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.sources.listing import LeftOut
from tsugiki.features.executor import EXACT, Chunk, ChunkWorker, PixelReader
from tsugiki.features.file_features import engines_of

Photo = Path | Frame | LeftOut
"""What may come: a file, a frame of a video, or what was meant as a photo and is none."""

_TOGETHER = 32  # photos that are answered in one go, where so many are ready
_NO_FACTS = PhotoFacts(0, 0, (0.0, 0.0, 0.0), 0)


def name_of(photo: Photo) -> str:
    """What a photo is called in its answer."""
    return str(photo) if isinstance(photo, Path) else photo.name


def predict_stream(
    predictor: Predictor, groups: Iterable[Sequence[Photo]], *, top: int = 3, count: int = _TOGETHER
) -> Generator[Prediction, None, None]:
    """Answers in the order of the photos, each as soon as it is there and all before it are.

    Args:
        predictor: A classifier or its engine.
        groups: Photos, as they come: those of a group are there at the same time. They are taken as fast as they are answered,
            by a thread of their own; a source that waits for somebody does not hold answers back.
        top: How many classes are named.
        count: About how many there are, for choosing an engine.

    Yields:
        A prediction per photo; of what cannot be read, one that has a ``problem``.
    """
    stream = _Stream(predictor, count, top)
    threads = torch_threads()
    feeder = threading.Thread(target=in_context(stream.feed), args=(groups,), name="photos to answer", daemon=True)
    feeder.start()
    try:
        yield from stream.answers()
    finally:
        stream.stop()
        use_torch_threads(threads)


@dataclass(frozen=True)
class _StreamReader(PixelReader):
    """Decodes what is under way, by its number in the stream."""

    def read(self, position: int) -> Pixels:
        photo: Any = self.paths[position]
        if isinstance(photo, Frame):
            return Pixels(self.preprocess.array(Image.fromarray(photo.pixels)), _NO_FACTS)
        return super().read(position)


class _Stream:
    """Photos on their way: one thread takes them, as many as there are cores decode and compute, the caller's tells answers."""

    def __init__(self, predictor: Predictor, count: int, top: int) -> None:
        self._head, self._top, self._count = predictor.answer_head, top, count
        self._network, self._preprocess = predictor.network, predictor.preprocess
        self._under_way: dict[int, Photo] = {}
        self._remarks: dict[str, tuple[str, ...]] = {}
        self._stopped = threading.Event()
        self._ready: queue.Queue[_Task | BaseException | None] = queue.Queue(maxsize=1)
        self._seen: deque[_Task | BaseException | None] = deque()
        self._pool: ContextThreadPool | None = None

    def feed(self, groups: Iterable[Sequence[Photo]]) -> None:
        """Take photos and give them to workers, until there are no more or nobody wants them."""
        try:
            self._feed(groups)
            self._put(None)
        except BaseException as error:  # noqa: BLE001 (whatever it is, the caller's thread raises it)
            self._put(error)

    def _feed(self, groups: Iterable[Sequence[Photo]]) -> None:
        reader = _StreamReader(cast("Sequence[Path]", self._under_way), (), self._preprocess, EXACT)
        worker, number = None, 0
        for group in groups:
            waiting = deque(group)
            while waiting:
                size = worker.batch_size if worker else 1
                photos = [waiting.popleft() for _ in range(min(size, len(waiting)))]
                numbers = range(number, number + len(photos))
                number += len(photos)
                self._under_way.update(zip(numbers, photos, strict=True))
                files = [at for at in numbers if not isinstance(self._under_way[at], LeftOut)]
                problems: dict[int, str] = {}
                if worker is None:
                    decoded, problems = reader.read_first(files)
                    worker = self._worker(reader, decoded) if decoded else None
                if not self._put(_Task(numbers, self._submitted(worker, files), problems)):
                    return

    def _worker(self, reader: PixelReader, decoded: dict[int, Pixels]) -> ChunkWorker:
        """What computes, chosen on the first photos that could be read."""
        engines = engines_of(self._network, self._preprocess)
        with quiet():  # a person who asks for an answer did not ask how it is computed
            engine = engines.choose(np.stack([pixels.array for pixels in decoded.values()]), exact=True, count=self._count)
        worker = ChunkWorker(reader, engine, decoded, engines.num_features)
        self._ready.maxsize = 4 * worker.workers
        self._pool = ContextThreadPool(worker.workers, initializer=_one_thread)
        return worker

    def _submitted(self, worker: ChunkWorker | None, files: Sequence[int]) -> Future[Chunk] | None:
        with suppress(RuntimeError):  # shut down: nobody wants them any more
            return self._pool.submit(worker, files) if worker and files and self._pool else None
        return None

    def _put(self, what: _Task | BaseException | None) -> bool:
        while not self._stopped.is_set():
            with suppress(queue.Full):
                self._ready.put(what, timeout=0.2)
                return True
        return False

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped.set()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def answers(self) -> Iterator[Prediction]:
        """The answers, in order."""
        while True:
            tasks = self._next()
            if not tasks:
                break
            yield from self._answered(tasks)
        for sentence in sentences(self._remarks):
            say(sentence)

    def _next(self) -> list[_Task]:
        """The next task, waited for, and those behind it that are done as well; none where there are no more."""
        tasks: list[_Task] = []
        while len(tasks) < _TOGETHER and (not tasks or (self._seen and self._is_done(self._seen[0]))):
            found = self._seen.popleft() if self._seen else self._ready.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                self._seen.append(None)
                break
            tasks.append(found)
            with suppress(queue.Empty):
                while len(self._seen) < _TOGETHER:
                    self._seen.append(self._ready.get_nowait())
        return tasks

    @staticmethod
    def _is_done(found: _Task | BaseException | None) -> bool:
        return isinstance(found, _Task) and (found.chunk is None or found.chunk.done())

    def _answered(self, tasks: Sequence[_Task]) -> list[Prediction]:
        vectors: dict[int, Any] = {}
        problems: dict[int, str] = {}
        for task in tasks:
            problems |= task.problems
            if task.chunk is not None:
                chunk = task.chunk.result()
                vectors.update(zip(chunk.positions, chunk.vectors, strict=True))
                problems |= chunk.problems
                odd = {
                    name_of(self._under_way[at]): fact.remarks for at, fact in zip(chunk.positions, chunk.facts, strict=True)
                }
                self._remarks |= {name: remarks for name, remarks in odd.items() if remarks}
        photos = {number: self._under_way.pop(number) for task in tasks for number in task.numbers}
        names = {number: name_of(photo) for number, photo in photos.items()}
        problems |= {number: photo.reason for number, photo in photos.items() if isinstance(photo, LeftOut)}
        found = (
            self._head.answer(np.stack([*vectors.values()]), [names[at] for at in vectors], top=self._top) if vectors else []
        )
        answers = dict(zip(vectors, found, strict=True))
        return [answers[at] if at in answers else unreadable(names[at], problems[at]) for at in sorted(photos)]


@dataclass(frozen=True)
class _Task:
    """Photos by number, what a worker makes of them, and the reasons of those that were found unreadable before."""

    numbers: Sequence[int]
    chunk: Future[Chunk] | None
    problems: dict[int, str]


def _one_thread() -> None:
    use_torch_threads(1)
