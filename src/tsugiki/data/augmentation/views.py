"""The photos of training as a network meets them: random views, in batches, made ahead by threads.

Letters: ``B`` photos, ``H`` and ``W`` height and width in pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from tsugiki.core.devices import usable_cores
from tsugiki.data.augmentation.augment import Augmentation, mix_of, view_of
from tsugiki.data.images.decoded_photos import Photos
from tsugiki.data.preprocess import Preprocess

T = TypeVar("T")

# What a random number is for; the same seed must not mean the same numbers twice.
_ORDER, _VIEW, _MIX = range(3)


def epoch_order(seed: int, epoch: int, count: int) -> list[int]:
    """The order in which an epoch meets its ``count`` photos."""
    order: list[int] = np.random.default_rng([seed, _ORDER, epoch]).permutation(count).tolist()
    return order


def steps_of(order: Sequence[int], batch_size: int) -> list[list[int]]:
    """``order`` cut into batches of at most ``batch_size`` whose sizes differ by one at most: no leftover at the end."""
    steps = -(-len(order) // batch_size)
    return [part.tolist() for part in np.array_split(np.asarray(order, dtype=np.int64), steps)]


@dataclass(frozen=True)
class Views:
    """Random views of photos; each is a pure function of seed, round and row.

    Attributes:
        photos: Decoded photos, by row.
        preprocess: The network's own.
        augmentation: What may happen to a photo.
        seed: Of everything random here.
    """

    photos: Photos
    preprocess: Preprocess
    augmentation: Augmentation
    seed: int

    def pixels(self, rows: Sequence[int], turn: int) -> torch.Tensor:
        """uint8 ``[B, 3, H, W]``: the views of ``rows`` in round ``turn`` (an epoch, or one of a few stored views)."""
        return torch.stack([self._view(row, turn) for row in rows])

    def _view(self, row: int, turn: int) -> torch.Tensor:
        random = np.random.default_rng([self.seed, _VIEW, turn, row])
        return view_of(self.photos.read(row), self.preprocess, self.augmentation, random)

    def batch(self, step_rows: Sequence[int], part: slice, *, turn: int, step: int, device: torch.device) -> Batch:
        """The ``part`` of one step's photos, ready for the network.

        Photos are blended with the photo before them in the whole step, so that a step means the same however it is divided
        among processes and memory.
        """
        mix = mix_of(self.augmentation, self.preprocess.size, np.random.default_rng([self.seed, _MIX, turn, step]))
        rows = list(step_rows[part])
        inputs = self._normalised(rows, turn, device)
        if mix is None:
            return Batch(inputs, rows, rows, 1.0)
        others = [step_rows[place - 1] for place in range(*part.indices(len(step_rows)))]
        return Batch(mix.blend(inputs, self._normalised(others, turn, device)), rows, others, mix.share)

    def _normalised(self, rows: Sequence[int], turn: int, device: torch.device) -> torch.Tensor:
        return self.preprocess.normalise(self.pixels(rows, turn).to(device, non_blocking=True))


@dataclass(frozen=True)
class Batch:
    """Inputs of the network and the rows they come from.

    Attributes:
        inputs: ``[B, ...]`` float32.
        rows: ``B`` rows whose labels count ``share``.
        others: ``B`` rows whose labels count the rest.
        share: In [0, 1].
    """

    inputs: torch.Tensor
    rows: list[int]
    others: list[int]
    share: float

    def __len__(self) -> int:
        return len(self.rows)

    def parts(self, size: int) -> Iterator[Batch]:
        """The batch in parts of at most ``size`` photos."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield Batch(self.inputs[part], self.rows[part], self.others[part], self.share)


def ahead(jobs: Iterable[Callable[[], T]], pool: ThreadPoolExecutor, depth: int) -> Iterator[T]:
    """The results of ``jobs`` in their order, while the next ``depth`` are already being worked on."""
    futures: deque[Future[T]] = deque()
    try:
        for job in jobs:
            futures.append(pool.submit(job))
            if len(futures) > depth:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()


def view_threads() -> int:
    """How many threads make views: no more than the cores, and eight are enough for any device."""
    return max(1, min(8, usable_cores()))
