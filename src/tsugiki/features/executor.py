"""Workers that decode and compute.

Workers take small chunks of photos, decode them and hand them to the engine themselves; the engine says how many of them may
come at the same time. With one lane per core (OpenVINO) no core ever waits for another; with one lane in all (PyTorch) one
worker computes while the others decode.

Letters: ``N`` photos, ``B`` photos of a chunk, ``D`` feature width.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import DataError, UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool, in_context
from tsugiki.data.images.decode import read_content, strict_pillow
from tsugiki.data.images.pixels import FRAME, PhotoFacts, Pixels, View, content_digest, read_pixels
from tsugiki.features.engines.choose import Engines
from tsugiki.features.engines.engine import Engine, FeatureBatch
from tsugiki.locale.messages import tr

_SAMPLE = 8  # photos that are decoded first, to choose the engine on
_AHEAD = 256  # photos that may wait decoded while an engine is prepared: some 40 MB


@dataclass(frozen=True)
class Photos:
    """Files to be looked at, and what they are known to hold.

    Attributes:
        paths: ``N`` files.
        digests: ``N`` SHA-256 of their content, or none where nobody needs to know.
    """

    paths: Sequence[Path]
    digests: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True)
class Way:
    """One way of computing features from photos.

    Attributes:
        exact: Reported (reference pixels, float32) or learned from (fast pixels, 16-bit arithmetic where that is faster).
        view: Which part of each photo.
    """

    exact: bool = False
    view: View = FRAME


FAST = Way()
EXACT = Way(exact=True)


@dataclass(frozen=True)
class Chunk:
    """What a worker made of a few photos."""

    positions: list[int]
    vectors: FeatureBatch
    facts: list[PhotoFacts]
    problems: dict[int, str]


def decode_sample(photos: Photos, engines: Engines, way: Way, todo: Sequence[int]) -> tuple[dict[int, Pixels], dict[int, str]]:
    """The first photos that can be read, decoded; and the problems of those before them that cannot."""
    decoded: dict[int, Pixels] = {}
    problems: dict[int, str] = {}
    for position in todo:
        try:
            decoded[position] = _decode(photos, position, engines, way)
        except UnreadablePhoto as fault:
            problems[position] = fault.what
        if len(decoded) == _SAMPLE:
            break
    return decoded, problems


@contextmanager
def decoding_ahead(
    photos: Photos, engines: Engines, way: Way, todo: Sequence[int], prepared: dict[int, Pixels]
) -> Iterator[None]:
    """Within this block a second core decodes photos into ``prepared``: preparing an engine keeps only one core busy."""
    enough = threading.Event()

    def decode() -> None:
        torch.set_num_threads(1)
        for position in todo[:_AHEAD]:
            if enough.is_set():
                return
            if position not in prepared:
                with suppress(UnreadablePhoto, DataError):  # its worker will say so
                    prepared[position] = _decode(photos, position, engines, way)

    threads = torch.get_num_threads()
    helper = threading.Thread(target=in_context(decode), name="decoding ahead")
    # What decoding changes for the whole process is changed here, once: the engine's own silence about warnings lies inside.
    with strict_pillow():
        helper.start()
        try:
            yield
        finally:
            enough.set()
            helper.join()
            torch.set_num_threads(threads)


def _decode(photos: Photos, position: int, engines: Engines, way: Way) -> Pixels:
    path = photos.paths[position]
    content = read_content(path)
    if photos.digests and content_digest(content) != photos.digests[position]:
        raise DataError(tr("{path} changed while it was being looked at.", path=path), cure=tr("run the same command again"))
    return read_pixels(content, engines.preprocess, fast=not way.exact, view=way.view)


class Work:
    """What each worker does with a chunk: decode it, then compute it when a lane is free."""

    def __init__(self, photos: Photos, engines: Engines, way: Way, engine: Engine, prepared: dict[int, Pixels]) -> None:
        self._photos = photos
        self._engines = engines
        self._way = way
        self._engine = engine
        self._prepared = prepared
        self._lanes = threading.Semaphore(engine.lanes)
        self._all_threads = torch.get_num_threads()
        self.batch_size = engine.batch_size
        self.workers = usable_cores() + (engine.lanes == 1)

    def __call__(self, positions: Sequence[int]) -> Chunk:
        """Decode and compute the photos at ``positions``."""
        good: dict[int, Pixels] = {}
        problems: dict[int, str] = {}
        for position in positions:
            try:
                decoded = self._prepared.pop(position, None)
                good[position] = decoded or _decode(self._photos, position, self._engines, self._way)
            except UnreadablePhoto as fault:
                problems[position] = fault.what
        vectors = self._compute(good) if good else np.empty((0, self._engines.backbone.num_features), np.float32)
        return Chunk(list(good), vectors, [pixels.facts for pixels in good.values()], problems)

    def _compute(self, photos: dict[int, Pixels]) -> FeatureBatch:
        pixels = np.stack([photo.values.numpy() for photo in photos.values()])
        with self._lanes:
            if self._engine.lanes > 1:
                return self._engine(pixels)
            torch.set_num_threads(self._all_threads)  # the one that computes may use every core
            try:
                return self._engine(pixels)
            finally:
                torch.set_num_threads(1)


def in_threads(positions: Sequence[int], work: Work) -> Generator[Chunk, None, None]:
    """Chunks of the photos at ``positions``, as they are done; few are under way at a time, so memory does not grow."""
    threads = torch.get_num_threads()
    waiting = _chunks(positions, work.batch_size)
    pool = ContextThreadPool(work.workers, initializer=_one_thread_each)
    running: set[Future[Chunk]] = set()
    try:
        while True:
            running |= {pool.submit(work, chunk) for chunk in islice(waiting, 2 * work.workers - len(running))}
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)


def _chunks(positions: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(positions), size):
        yield positions[start : start + size]


def _one_thread_each() -> None:
    torch.set_num_threads(1)
