"""Everything known about the photos of a run before anything is learned: samples, features, facts.

Letters: ``N`` photos, ``V`` views per photo, ``D`` feature width.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.console import say
from tsugiki.core.errors import DataError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.core.union_find import UnionFind
from tsugiki.data.check import look
from tsugiki.data.images.pixels import PhotoFacts, View
from tsugiki.data.load import settle
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import LeftOut, Samples
from tsugiki.data.sources.listing import list_photos
from tsugiki.evaluation.duplicates import Pair, Prints, find_duplicates
from tsugiki.features.engines.choose import EngineName, Engines
from tsugiki.features.executor import EXACT, FAST, Photos, Way
from tsugiki.features.extract import Extraction, extract, identify, weights_key
from tsugiki.features.store import FeatureStore
from tsugiki.features.vectors import FeatureRows, Floats, Ints
from tsugiki.locale.messages import tr

_MOST_COMPARED = 30_000  # photos that are compared with each other in search of copies


@dataclass(frozen=True)
class Memory:
    """A store, and what its memories are about: weights, preprocessing, precision, photos, splits, groups."""

    store: FeatureStore
    about: str


@dataclass(frozen=True)
class Evidence:
    """Photos that count, with their features.

    Attributes:
        samples: All photos, every split.
        training: Rows of ``samples`` that are learned from.
        held_out: Rows that are looked at once, at the end.
        validation: Rows of ``val`` where there is a ``test`` as well: they give the curves and are never learned from.
        features: Of the training photos, view after view, ``[V * N]``; computed fast.
        held_out_features: ``[N, D]``, computed exactly, as predictions are.
        validation_features: Likewise.
        facts: Of every photo of ``samples``.
        computed: How many photos had to be decoded; the others were known.
        memory: Where what is found by comparing these photos is kept; nowhere by default.
    """

    samples: Samples
    training: list[int]
    held_out: list[int]
    validation: list[int]
    features: FeatureRows
    held_out_features: Floats
    validation_features: Floats
    facts: list[PhotoFacts | None]
    computed: int
    memory: Memory | None = None

    def remembered(self, what: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives (plain JSON values, of photos and features alone), computed once however often one fits."""
        return compute() if self.memory is None else self.memory.store.remembered(what, self.memory.about, compute)

    @property
    def training_frames(self) -> FeatureRows:
        """Features of the training photos themselves, without augmented views."""
        return FeatureRows(self.features.vectors, self.features.rows[: len(self.training)])

    @property
    def every_feature(self) -> Floats:
        """``[N, D]`` of all photos, in the order of ``samples``."""
        features = np.zeros((len(self.samples), self.features.width), np.float32)
        features[self.training] = self.training_frames.take(slice(None))
        features[self.held_out] = self.held_out_features
        features[self.validation] = self.validation_features
        return features

    @functools.cached_property
    def copies(self) -> list[Pair] | None:
        """Photos that are one, across and inside splits, by row of ``samples``; ``None`` where they are too many to compare."""
        if len(self.samples) > _MOST_COMPARED:
            return None
        return [Pair(*values) for values in self.remembered("copies-2", self._compared)]

    def together(self, rows: Sequence[int]) -> Ints:
        """What must not be separated when something is learned from some of the photos and judged on others.

        Photos with the same content, of one group, or that are near copies (where these have been looked for) belong together.
        Other photos than ``rows`` have no say: what is learned from training photos depends on no held-out one.

        Args:
            rows: ``N`` rows of the samples.

        Returns:
            ``[N]`` a number per photo, the same for photos that belong together.
        """
        samples = self.samples.take(rows)
        sets = UnionFind(len(samples))
        sets.union_equal(samples.digests)
        sets.union_equal(samples.groups or ())
        place = {digest: at for at, digest in enumerate(samples.digests)}
        # By content: a copy of a photo stands for it where another one of its copies was compared.
        for pair in self.copies or ():
            ends = [self.samples.digests[row] for row in (pair.first, pair.second)]
            if all(digest in place for digest in ends):
                sets.union(*(place[digest] for digest in ends))
        return np.array(sets.roots(), np.int64)

    def _compared(self) -> list[list[Any]]:
        hashes = np.array([0 if fact is None else fact.look for fact in self.facts], np.int64)
        pairs = find_duplicates(Prints(self.samples.digests, hashes, self.every_feature, self.samples.splits))
        return [list(dataclasses.astuple(pair)) for pair in pairs]


@dataclass(frozen=True)
class Looking:
    """How features are computed.

    Attributes:
        engine: ``auto``, ``openvino`` or ``torch``.
        views: Augmented views per training photo, besides the photo itself.
        store: Where features are kept; by default in the program's cache.
    """

    engine: EngineName = "auto"
    views: int = 0
    store: FeatureStore | None = None


def find_samples(
    source: str | Path, *, seed: int = DEFAULT_SEED, held_out: float = 0.2, store: FeatureStore | None = None
) -> Samples:
    """The photos of a source, by content; none is decoded yet: that happens once, when its features are computed.

    See :func:`tsugiki.load` for what a source may be and what is decided.
    """
    listing = list_photos(source)
    try:
        return settle(listing, identify(listing.paths, store or FeatureStore()), seed=seed, held_out=held_out)
    except DataError:  # perhaps because of files that are no photos, which only decoding tells
        return settle(listing, look(listing.paths), seed=seed, held_out=held_out)


def gather(backbone: Backbone, preprocess: Preprocess, samples: Samples, looking: Looking) -> Evidence:
    """Compute, or find in the store, the features of all photos; photos that cannot be read are left out.

    Raises:
        DataError: When a class has no readable training photo, or no held-out photo can be read.
    """
    store = looking.store or FeatureStore()
    eyes = _Eyes(Engines(backbone, preprocess, name=looking.engine), store, weights_key(backbone))
    computed = 0
    while True:
        parts = _parts(samples)
        frames = {name: eyes.look(samples, rows, FAST if name == "training" else EXACT) for name, rows in parts.items()}
        computed += sum(part.computed for part in frames.values())
        problems = {parts[name][at]: reason for name, part in frames.items() for at, reason in part.problems.items()}
        if not problems:
            break
        samples = leave_out(samples, problems)
    views = eyes.views(samples, parts["training"], looking.views, frames["training"].precision) if looking.views else []
    training = views or [frames["training"]]
    return Evidence(
        samples,
        **parts,
        features=FeatureRows(training[0].space.vectors(), np.concatenate([part.rows for part in training])),
        held_out_features=_vectors(frames["held_out"]),
        validation_features=_vectors(frames["validation"]),
        facts=store.facts(samples.digests),
        computed=computed + sum(part.computed for part in views),
        memory=Memory(store, eyes.about(samples, frames["training"].precision)),
    )


class _Eyes:
    """What does not change from one split to the next."""

    def __init__(self, engines: Engines, store: FeatureStore, key: str) -> None:
        self._engines = engines
        self._store = store
        self._key = key

    def about(self, samples: Samples, precision: str) -> str:
        """What comparing the photos by their features depends on."""
        photos = (samples.digests, samples.splits, samples.groups)
        return repr((self._key, self._engines.preprocess, precision, photos))

    def look(self, samples: Samples, rows: Sequence[int], way: Way, precision: str = "") -> Extraction:
        photos = Photos([samples.root / samples.names[row] for row in rows], [samples.digests[row] for row in rows])
        return extract(photos, self._engines, self._store, way=way, key=self._key, precision=precision)

    def views(self, samples: Samples, rows: Sequence[int], count: int, precision: str) -> list[Extraction]:
        """The photos themselves and their augmented views, all in one precision and therefore in one space."""
        ways = [Way(view=View(number)) for number in range(count + 1)]
        while True:
            found = [self.look(samples, rows, way, precision) for way in ways]
            others = {part.precision for part in found} - {precision}
            if not others:
                return found
            precision = others.pop()  # that of the engine, which stays: the second time it is everybody's


def _parts(samples: Samples) -> dict[str, list[int]]:
    held_out = samples.held_out
    return {
        "training": samples.rows_of("train"),
        "held_out": samples.rows_of(held_out),
        "validation": samples.rows_of("val") if held_out == "test" else [],
    }


def _vectors(part: Extraction) -> Floats:
    return np.asarray(part.space.vectors()[part.rows], np.float32)


def leave_out(samples: Samples, problems: dict[int, str]) -> Samples:
    """The samples without some rows, which are named with their reasons.

    Raises:
        DataError: When a class is left without training photos, or nothing is held out any more.
    """
    kept = samples.take(row for row in range(len(samples)) if row not in problems)
    lost = tuple(LeftOut(samples.names[row], reason) for row, reason in sorted(problems.items()))
    learned = {int(label) for label in kept.of("train").labels}
    empty = [name for label, name in enumerate(samples.classes) if label not in learned]
    reasons = "; ".join(f"{entry.name}: {entry.reason}" for entry in lost[:3])
    if empty:
        raise DataError(
            tr("No training photo of these classes can be read: {names}.", names=", ".join(empty)),
            got=reasons,
            cure=tr("put readable photos there, or take the folder away"),
        )
    if not kept.rows_of(samples.held_out):
        raise DataError(tr("No held-out photo can be read."), got=reasons, cure=tr("put readable photos there"))
    for entry in lost:
        say(tr("Left out: {name}: {reason}", name=entry.name, reason=entry.reason))
    return replace(kept, left_out=(*samples.left_out, *lost))
