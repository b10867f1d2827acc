"""Who decodes photos and computes their features: an executor gives chunks of photos to workers.

Workers take small chunks of photos, decode them and hand them to the engine themselves; the engine says how many of them may
come at the same time. With one lane per core (OpenVINO) no core ever waits for another; with one lane in all (PyTorch) one
worker computes while the others decode.

Letters: ``N`` photos, ``B`` photos of a chunk, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.core.devices import torch_threads, usable_cores, use_torch_threads
from tsugiki.core.errors import DataError, TsugikiError, UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool, in_context
from tsugiki.data.images.decode import content_digest, read_content, strict_pillow
from tsugiki.data.images.pixels import FRAME, Pixels, View, read_pixels
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import Engine, FeatureBatch
from tsugiki.features.halving import Halving
from tsugiki.locale.messages import tr

_FIRST = 8  # photos that are decoded first, to choose the engine on
_AHEAD = 256  # photos that may wait decoded while an engine is prepared: some 40 MB


@dataclass(frozen=True)
class Way:
    """One way of computing features of photos.

    Attributes:
        exact: Reported (reference pixels, float32) or learned from (fast pixels, 16-bit arithmetic where that is faster).
        view: Which part of each photo.
    """

    exact: bool = False
    view: View = FRAME


FAST = Way()
EXACT = Way(exact=True)


@dataclass(frozen=True)
class PixelReader:
    """Decodes photos for a network.

    Attributes:
        paths: ``N`` files.
        digests: ``N`` SHA-256 that their content must have; none where nobody needs to know.
        preprocess: Of the network.
        way: How, and which part of each photo.
    """

    paths: Sequence[Path]
    digests: Sequence[str]
    preprocess: Preprocess
    way: Way

    def read(self, position: int) -> Pixels:
        """Decode one photo to uint8 ``[3, H, W]``.

        Raises:
            UnreadablePhoto: With the reason.
            DataError: When the file holds something else than before.
        """
        path = self.paths[position]
        content = read_content(path)
        if self.digests and content_digest(content) != self.digests[position]:
            raise DataError(
                tr("{path} changed while it was being looked at.", path=path), cure=tr("run the same command again")
            )
        return read_pixels(content, self.preprocess, fast=not self.way.exact, view=self.way.view)

    def read_first(self, todo: Sequence[int]) -> tuple[dict[int, Pixels], dict[int, str]]:
        """The first photos that can be read; and the problems of those before them that cannot."""
        decoded: dict[int, Pixels] = {}
        problems: dict[int, str] = {}
        for position in todo:
            try:
                decoded[position] = self.read(position)
            except UnreadablePhoto as fault:
                problems[position] = fault.what
            if len(decoded) == _FIRST:
                break
        return decoded, problems

    @contextmanager
    def reading_ahead(self, todo: Sequence[int], decoded: dict[int, Pixels]) -> Iterator[None]:
        """Within this block a second core decodes photos into ``decoded``: preparing an engine keeps only one core busy."""
        enough = threading.Event()

        def read() -> None:
            use_torch_threads(1)
            for position in todo[:_AHEAD]:
                if enough.is_set():
                    return
                if position not in decoded:
                    with suppress(UnreadablePhoto, DataError):  # its worker will say so
                        decoded[position] = self.read(position)

        threads = torch_threads()
        helper = threading.Thread(target=in_context(read), name="decoding ahead")
        # What decoding changes for the whole process is changed here, once: an engine's own silence about warnings lies inside.
        with strict_pillow():
            helper.start()
            try:
                yield
            finally:
                enough.set()
                helper.join()
                use_torch_threads(threads)


@dataclass(frozen=True)
class Chunk:
    """What a worker made of a few photos: ``B`` positions and facts, vectors ``[B, D]``, and reasons by position."""

    positions: list[int]
    vectors: FeatureBatch
    facts: list[PhotoFacts]
    problems: dict[int, str]


class ChunkWorker:
    """What is done with each chunk: decode it, then compute it when a lane is free.

    Args:
        reader: Of the photos.
        engine: That computes.
        decoded: Photos that have been decoded already; each is taken out when it is used.
        width: ``D``.
    """

    def __init__(self, reader: PixelReader, engine: Engine, decoded: dict[int, Pixels], width: int) -> None:
        self.reader, self._engine, self._decoded, self._width = reader, engine, decoded, width
        self._engine_within_memory = Halving(engine)
        self._lanes = threading.Semaphore(engine.lanes)
        self._all_threads = torch_threads()
        self.batch_size = engine.batch_size
        self.workers = usable_cores() + (engine.lanes == 1)

    @property
    def device(self) -> str:
        """Where the engine computes."""
        return str(getattr(self._engine, "device", "cpu"))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process: photos that are decoded here are decoded there once more; files are named from the root."""
        reader = replace(self.reader, paths=[path.absolute() for path in self.reader.paths])
        return ChunkWorker, (reader, self._engine, {}, self._width)

    def __call__(self, positions: Sequence[int]) -> Chunk:
        """Decode and compute the photos at ``positions``."""
        good: dict[int, Pixels] = {}
        problems: dict[int, str] = {}
        for position in positions:
            try:
                decoded = self._decoded.pop(position, None)
                good[position] = decoded or self.reader.read(position)
            except UnreadablePhoto as fault:
                problems[position] = fault.what
        vectors = self._finite(self._compute(good), good) if good else np.empty((0, self._width), np.float32)
        return Chunk(list(good), vectors, [pixels.facts for pixels in good.values()], problems)

    def _compute(self, photos: dict[int, Pixels]) -> FeatureBatch:
        pixels = np.stack([photo.array for photo in photos.values()])
        with self._lanes:
            if self._engine.lanes > 1:
                return self._engine_within_memory(pixels)
            use_torch_threads(self._all_threads)  # the one that computes may use every core
            try:
                return self._engine_within_memory(pixels)
            finally:
                use_torch_threads(1)

    def _finite(self, vectors: FeatureBatch, photos: dict[int, Pixels]) -> FeatureBatch:
        """The same vectors; raises ``TsugikiError`` where one is no finite number: nothing can be learned from it."""
        bad = [position for position, vector in zip(photos, vectors, strict=True) if not np.isfinite(vector).all()]
        if not bad:
            return vectors
        half = self._engine.precision == "float16"  # which holds no number above 65,504
        raise TsugikiError(
            tr("The features of {path} are no finite numbers.", path=self.reader.paths[bad[0]]),
            got=tr("engine {name}, {precision}", name=self._engine.name, precision=self._engine.precision),
            cure=tr("another engine, or the processor, which holds larger numbers")
            if half
            else tr("other weights, or another backbone"),
        )


Executor = Callable[[Sequence[int], ChunkWorker], Generator[Chunk, None, None]]
"""Positions of photos and what is done with each chunk of them, to chunks as they are done, in any order."""


def in_threads(positions: Sequence[int], worker: ChunkWorker) -> Generator[Chunk, None, None]:
    """The executor for one machine; few chunks are under way at a time, so memory does not grow."""
    threads = torch_threads()
    waiting = parts_of(positions, worker.batch_size)
    pool = ContextThreadPool(worker.workers, initializer=_one_thread_each)
    running: set[Future[Chunk]] = set()
    try:
        while True:
            running |= {pool.submit(worker, chunk) for chunk in islice(waiting, 2 * worker.workers - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        use_torch_threads(threads)


def parts_of(positions: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Positions, so many at a time."""
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _one_thread_each() -> None:
    use_torch_threads(1)
