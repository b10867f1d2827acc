"""Photos and their features, as one table: what heads learn from and what is found out about photos.

Letters: ``N`` photos, ``V`` views per photo, ``D`` feature width.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsugiki.core.union_find import UnionFind
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.samples import Samples
from tsugiki.evaluation.duplicates import Pair, Prints, duplicate_groups, find_duplicates
from tsugiki.features.store import FeatureRows, FeatureStore, Floats, Ints

_MOST_COMPARED = 30_000  # photos that are compared with each other in search of copies


@dataclass(frozen=True)
class Memory:
    """A store, and what its memories are about: weights, preprocessing, precision, photos, splits, groups."""

    store: FeatureStore
    about: str


@dataclass(frozen=True, repr=False)
class FeatureTable:
    """Photos that count, with their features.

    Attributes:
        samples: All photos, every split; rows are rows of these.
        train: Of the photos that are learned from (``samples.train_rows``), view after view, ``[V * N]``; computed fast.
        val: ``[N, D]`` of ``samples.val_rows``, computed exactly, as predictions are.
        held_out: ``[N, D]`` of ``samples.held_out_rows``, likewise.
        facts: Of every photo of ``samples``.
        computed: How many photos had to be decoded; the others were known.
        memory: Where what is found by comparing these photos is kept; nowhere by default.
        looks: Whether features say how alike photos look. Those of random weights do not: copies are known by hashes alone.
        pairs: Copies, where they have been found by other features than these; see :attr:`duplicates`.
    """

    samples: Samples
    train: FeatureRows
    val: Floats
    held_out: Floats
    facts: list[PhotoFacts | None]
    computed: int
    memory: Memory | None = None
    looks: bool = True
    pairs: tuple[Pair, ...] | None = None

    def __repr__(self) -> str:
        views = f", {self.views} views of each training photo" if self.views > 1 else ""
        return f"<FeatureTable: {self.train.width} features{views}; {self.samples!r}>"

    @property
    def views(self) -> int:
        """``V``: how often each training photo is there, the photo itself counted."""
        return len(self.train) // max(1, len(self.samples.train_rows))

    @property
    def remarks(self) -> dict[str, tuple[str, ...]]:
        """What is odd about photos that count (:mod:`tsugiki.data.images.remarks`), by name; none where nothing is."""
        facts = zip(self.samples.names, self.facts, strict=True)
        return {name: fact.remarks for name, fact in facts if fact is not None and fact.remarks}

    @property
    def train_photos(self) -> FeatureRows:
        """Of the training photos themselves, without augmented views."""
        return FeatureRows(self.train.vectors, self.train.rows[: len(self.samples.train_rows)])

    def train_views(self, rows: Sequence[int]) -> FeatureRows:
        """Of some of the training photos, by row, view after view."""
        place = {row: at for at, row in enumerate(self.samples.train_rows)}
        picked = np.array([place[row] for row in rows])
        return FeatureRows(self.train.vectors, self.train.rows.reshape(self.views, -1)[:, picked].reshape(-1))

    @property
    def every(self) -> Floats:
        """``[N, D]`` of all photos, in the order of the samples."""
        features = np.zeros((len(self.samples), self.train.width), np.float32)
        features[self.samples.train_rows] = self.train_photos.take(slice(None))
        features[self.samples.held_out_rows] = self.held_out
        features[self.samples.val_rows] = self.val
        return features

    def remembered(self, what: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives (plain JSON values, of photos and features alone), computed once however often one fits."""
        return compute() if self.memory is None else self.memory.store.remembered(what, self.memory.about, compute)

    @functools.cached_property
    def duplicates(self) -> list[Pair] | None:
        """Photos that are one, across and inside splits, by row of ``samples``; ``None`` where they are too many to compare."""
        if len(self.samples) > _MOST_COMPARED:
            return None
        if self.pairs is not None:
            return list(self.pairs)
        return [Pair(*values) for values in self.remembered("copies-3", self._compared)]

    def different(self, rows: Iterable[int]) -> int | None:
        """How many different photos there are among ``rows``, near copies counted once; ``None`` where nobody has looked."""
        if self.duplicates is None:
            return None
        groups = duplicate_groups(self.duplicates, len(self.samples))
        return len({int(groups[row]) for row in rows})

    def groups_of(self, rows: Sequence[int]) -> Ints:
        """What must not be separated when something is learned from some of the photos and judged on others.

        Photos with the same content, of one subject, or that are near copies (where these have been looked for) are one group.
        Other photos than ``rows`` have no say: what is learned from training photos depends on no held-out one.

        Args:
            rows: ``N`` rows of the samples.

        Returns:
            ``[N]`` a number per photo, the same for photos of one group.
        """
        samples = self.samples.take(rows)
        sets = UnionFind(len(samples))
        sets.union_equal(samples.digests)
        sets.union_equal(samples.groups or ())
        place = {digest: at for at, digest in enumerate(samples.digests)}
        # By content: a copy of a photo stands for it where another one of its copies was compared.
        for pair in self.duplicates or ():
            ends = [self.samples.digests[row] for row in (pair.first, pair.second)]
            if all(digest in place for digest in ends):
                sets.union(*(place[digest] for digest in ends))
        return np.array(sets.roots(), np.int64)

    def _compared(self) -> list[list[Any]]:
        hashes = np.array([0 if fact is None else fact.perceptual_hash for fact in self.facts], np.int64)
        samples = self.samples
        features = self.every if self.looks else None
        pairs = find_duplicates(Prints(samples.digests, hashes, features, samples.splits, samples.labels))
        return [list(dataclasses.astuple(pair)) for pair in pairs]
