"""Answers one after another, for as many photos as come: computed side by side, told in order, in bounded memory."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from tsugiki.classifier.answer import Prediction
from tsugiki.classifier.predict import Predictor, unreadable
from tsugiki.core.console import quiet, say
from tsugiki.core.devices import torch_threads, use_torch_threads
from tsugiki.core.threads import ContextThreadPool, in_context
from tsugiki.data.images.decode import open_photo, read_content
from tsugiki.data.images.pixels import Pixels
from tsugiki.data.images.remarks import noting, sentences
from tsugiki.data.images.video import Frame
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.sources.listing import LeftOut
from tsugiki.features.executor import EXACT, ChunkWorker, PixelReader
from tsugiki.features.file_features import engines_of

Photo = Path | Frame | LeftOut
"""What may come: a file, a frame of a video, or what was meant as a photo and is none."""

_SOME = 32  # photos that are taken to come where nobody knows
_NO_FACTS = PhotoFacts(0, 0, (0.0, 0.0, 0.0), 0)


def name_of(photo: Photo) -> str:
    """What a photo is called in its answer."""
    return str(photo) if isinstance(photo, Path) else photo.name


def predict_stream(
    predictor: Predictor, groups: Iterable[Sequence[Photo]], *, top: int = 3, count: int = _SOME
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
        """The reference pixels, as for every answer; facts about photos, which nobody asks for here, are not computed."""
        photo: Any = self.paths[position]
        if isinstance(photo, Frame):
            return Pixels(self.preprocess.array(Image.fromarray(photo.pixels)), _NO_FACTS)
        with noting() as remarks:
            array = self.preprocess.array(open_photo(read_content(photo)))
        return Pixels(array, replace(_NO_FACTS, remarks=tuple(remarks)))


class _Stream:
    """Photos on their way: one thread takes them, as many as there are cores decode and compute, the caller's tells answers."""

    def __init__(self, predictor: Predictor, count: int, top: int) -> None:
        self._head, self._top, self._count = predictor.answer_head, top, count
        self._network, self._preprocess = predictor.network, predictor.preprocess
        self._under_way: dict[int, Photo] = {}
        self._remarks: dict[str, tuple[str, ...]] = {}
        self._stopped = threading.Event()
        self._ready: queue.Queue[_Task | BaseException | None] = queue.Queue(maxsize=1)
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

    def _submitted(self, worker: ChunkWorker | None, files: Sequence[int]) -> Future[dict[int, Prediction]] | None:
        with suppress(RuntimeError):  # shut down: nobody wants them any more
            return self._pool.submit(self._work, worker, files) if worker and files and self._pool else None
        return None

    def _work(self, worker: ChunkWorker, files: Sequence[int]) -> dict[int, Prediction]:
        """Answers by number. A chunk is answered by itself, so that an answer does not depend on how fast others were."""
        chunk = worker(files)
        names = [name_of(self._under_way[at]) for at in chunk.positions]
        odd = {name: fact.remarks for name, fact in zip(names, chunk.facts, strict=True) if fact.remarks}
        if odd:
            self._remarks.update(odd)
        found = self._head.answer(chunk.vectors, names, top=self._top) if names else []
        problems = {at: unreadable(name_of(self._under_way[at]), problem) for at, problem in chunk.problems.items()}
        return {**dict(zip(chunk.positions, found, strict=True)), **problems}

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
        while (task := self._ready.get()) is not None:
            if isinstance(task, BaseException):
                raise task
            found = {} if task.answers is None else task.answers.result()
            for number in task.numbers:
                photo = self._under_way.pop(number)
                reason = photo.reason if isinstance(photo, LeftOut) else task.problems.get(number, "")
                yield found[number] if number in found else unreadable(name_of(photo), reason)
        for sentence in sentences(self._remarks):
            say(sentence)


@dataclass(frozen=True)
class _Task:
    """Photos by number, their answers, and the reasons of those that were found unreadable before."""

    numbers: Sequence[int]
    answers: Future[dict[int, Prediction]] | None
    problems: dict[int, str]


def _one_thread() -> None:
    use_torch_threads(1)
