"""Each photo is looked at once: what is not in the store yet is decoded, computed and kept.

:func:`extract` is the one way from samples to their features. Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.console import progress, quiet, say
from tsugiki.core.errors import TsugikiError
from tsugiki.data.images.pixels import View
from tsugiki.data.images.remarks import sentences
from tsugiki.data.load import describe_samples
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples
from tsugiki.features.engines.choose import CONVERTING_PAYS_FROM, EngineName, Engines
from tsugiki.features.engines.engine import FeatureBatch
from tsugiki.features.executor import EXACT, FAST, Chunk, ChunkWorker, Executor, PixelReader, Way, in_threads
from tsugiki.features.store import FeatureRows, FeatureStore, Floats, Space
from tsugiki.features.table import FeatureTable, Memory
from tsugiki.locale.messages import tr

_PIXELS = 2
"""Goes up whenever a photo's pixels come out otherwise than before: see data/images and data/preprocess.py.

Features of other pixels are other features, so the number is a part of every space's key."""

_KEEP_EVERY = 2.0  # seconds: what an interruption can cost


@dataclass(frozen=True)
class FeatureSettings:
    """How features are computed.

    Attributes:
        engine: ``auto``, ``openvino`` or ``torch``.
        views: Augmented views per training photo, besides the photo itself.
        store: Where features are kept; by default in the program's cache.
        executor: Who decodes and computes; by default threads of this process.
    """

    engine: EngineName = "auto"
    views: int = 0
    store: FeatureStore | None = None
    executor: Executor = in_threads


def extract(
    samples: Samples, backbone: Backbone, *, preprocess: Preprocess | None = None, settings: FeatureSettings | None = None
) -> FeatureTable:
    """Compute, or find in the store, the features of all photos; photos that cannot be read are left out, and said.

    Photos that are learned from are computed fast, all others exactly, as predictions are.

    Args:
        samples: Photos; copies of one another are computed once.
        backbone: Its weights must not change meanwhile.
        preprocess: Instead of the backbone's own.
        settings: How.

    Raises:
        DataError: When a class has no readable training photo, no held-out photo can be read, or a file changed meanwhile.
        TsugikiError: When the store cannot be used, or was cleared meanwhile.
    """
    settings = settings or FeatureSettings()
    extractor = Extractor(backbone, preprocess, settings)
    computed, drawn = 0, samples.splits
    while True:
        rows = {"train": samples.train_rows, "held_out": samples.held_out_rows, "val": samples.val_rows}
        found = {name: extractor(samples.take(rows[name]), FAST if name == "train" else EXACT) for name in rows}
        computed += sum(part.computed for part in found.values())
        unreadable = {rows[name][at]: reason for name, part in found.items() for at, reason in part.problems.items()}
        if not unreadable:
            break
        for row, reason in sorted(unreadable.items()):
            say(tr("Left out: {name}: {reason}", name=samples.names[row], reason=reason))
        samples = samples.without_unreadable(unreadable)
    if len(samples) < len(drawn) and samples.draw is not None:
        say(tr("Photos were held out anew, of those that can be read:") + "\n" + describe_samples(samples))
    train = extractor.views(samples.take(rows["train"]), settings.views, found["train"].precision) or [found["train"]]
    table = FeatureTable(
        samples,
        train=FeatureRows(train[0].space.vectors(), np.concatenate([part.rows for part in train])),
        val=found["val"].vectors(),
        held_out=found["held_out"].vectors(),
        facts=extractor.store.facts(samples.digests),
        computed=computed + (sum(part.computed for part in train) if settings.views else 0),
        memory=Memory(extractor.store, extractor.about(samples, found["train"].precision)),
    )
    return replace(table, samples=_with_remarks(table))


def _with_remarks(table: FeatureTable) -> Samples:
    """The samples with what was noted while the photos were decoded, now or earlier; it is said once."""
    warnings = table.samples.warnings
    new = [sentence for sentence in sentences(table.remarks) if sentence not in warnings]
    for sentence in new:
        say(f"- {sentence}")
    return replace(table.samples, warnings=(*warnings, *new))


def weights_key(backbone: Backbone) -> str:
    """A digest of a backbone's architecture and of every parameter and buffer it holds now."""
    digest = hashlib.sha256()
    digest.update(f"{backbone.spec.architecture} {sorted(backbone.spec.model_args.items())}".encode())
    for name, tensor in sorted(backbone.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass
class Extracted:
    """Where the features of ``N`` photos are.

    Attributes:
        space: Where the vectors are kept.
        precision: That they were computed in.
        rows: ``[N]`` int64, the row of each photo's vector; -1 for photos that cannot be read.
        problems: Reasons, by position, of the photos that cannot be read.
        computed: How many photos were decoded and computed now; the others were in the store.
    """

    space: Space
    precision: str
    rows: npt.NDArray[np.int64]
    problems: dict[int, str] = field(default_factory=dict)
    computed: int = 0

    def vectors(self) -> Floats:
        """``[N, D]``."""
        return np.asarray(self.space.vectors()[self.rows], np.float32)


class Extractor:
    """What does not change from one part of the photos to the next: network, engines, store, executor.

    Called with photos, it computes those features that are not in the store yet.

    Args:
        backbone: Its weights must not change meanwhile.
        preprocess: Instead of the backbone's own.
        settings: Engine, store and executor.
    """

    def __init__(
        self, backbone: Backbone, preprocess: Preprocess | None = None, settings: FeatureSettings | None = None
    ) -> None:
        settings = settings or FeatureSettings()
        self.store = settings.store or FeatureStore()
        self._engines = Engines(backbone, preprocess or backbone.preprocess, name=settings.engine)
        self._executor = settings.executor
        self._key = weights_key(backbone)

    def about(self, samples: Samples, precision: str) -> str:
        """What comparing the photos by their features depends on."""
        return repr((self._key, self._engines.preprocess, precision, (samples.digests, samples.splits, samples.groups)))

    def views(self, samples: Samples, count: int, precision: str) -> list[Extracted]:
        """The photos themselves and ``count`` augmented views, all in one precision and therefore in one space."""
        ways = [Way(view=View(number)) for number in range(count + 1 if count else 0)]
        while True:
            found = [self(samples, way, precision) for way in ways]
            others = {part.precision for part in found} - {precision}
            if not others:
                return found
            precision = others.pop()  # that of the engine, which stays: the second time it is everybody's

    def __call__(self, samples: Samples, way: Way, precision: str = "") -> Extracted:
        """The features of photos.

        Args:
            samples: ``N`` photos; copies of one another are computed once.
            way: Exactly or fast, and which view.
            precision: The one that is wanted; the result has another one where no engine can compute in it.

        Raises:
            DataError: When a file changed while it was being looked at.
            TsugikiError: When the store cannot be used, or was cleared meanwhile.
        """
        keys = [way.view.row_key(digest) for digest in samples.digests]
        stored = self._most_complete(keys, way, precision)
        todo = _first_of_each(stored.rows, keys)
        reader = PixelReader(samples.paths, samples.digests, self._engines.preprocess, way)
        decoded, problems = reader.read_first(todo)
        if not decoded:  # everything is stored, but for what cannot be read
            stored.problems = _for_all_copies(problems, samples.digests)
            return stored
        first = np.stack([pixels.values.numpy() for pixels in decoded.values()])
        # With another precision than theirs, the stored ones would have to be computed again.
        known = int((stored.rows >= 0).sum())
        like = stored.precision if known and len(todo) <= max(known, CONVERTING_PAYS_FROM) else ""
        with reader.reading_ahead(todo, decoded):
            engine = self._engines.choose(first, exact=way.exact, count=len(todo), like=precision or like)
        space = self._space(way, engine.precision)
        todo = [row for row in _first_of_each(space.rows_of(keys), keys) if row not in problems]
        keeper = _Keeper(self.store, space, samples.digests, keys)
        chunks = self._executor(todo, ChunkWorker(reader, engine, decoded, self._engines.backbone.num_features))
        with progress(tr("Looking at photos"), len(todo)) as tick, keeper, closing(chunks):
            for chunk in chunks:
                keeper.take(chunk)
                tick(len(chunk.positions) + len(chunk.problems), "")
        problems = _for_all_copies(problems | keeper.problems, samples.digests)
        found = Extracted(space, engine.precision, space.rows_of(keys), problems, keeper.computed)
        if any(row < 0 and position not in problems for position, row in enumerate(found.rows)):
            raise TsugikiError(tr("The feature store was cleared while it was in use."), cure=tr("run the same command again"))
        return found

    def _space(self, way: Way, precision: str) -> Space:
        parts = {
            "weights": self._key,
            "preprocess": self._engines.preprocess.to_dict(),
            "pixels": f"{'reference' if way.exact else 'fast'}/{_PIXELS}",
            "precision": precision,
        }
        return self.store.space(parts, self._engines.backbone.num_features)

    def _most_complete(self, keys: Sequence[str], way: Way, precision: str) -> Extracted:
        """The stored features that cover most photos, whatever engine they came from."""
        wanted = (precision,) if precision else ("float16", "bfloat16", "float32")
        found = []
        for each in ("float32",) if way.exact else wanted:
            space = self._space(way, each)
            found.append(Extracted(space, each, space.rows_of(keys)))
        return max(found, key=lambda one: int((one.rows >= 0).sum()))


def _first_of_each(rows: Iterable[int], digests: Sequence[str]) -> list[int]:
    """Positions of photos without a row, one per content."""
    seen: set[str] = set()
    todo = []
    for position, (row, digest) in enumerate(zip(rows, digests, strict=True)):
        if row < 0 and digest not in seen:
            seen.add(digest)
            todo.append(position)
    return todo


def _for_all_copies(problems: dict[int, str], digests: Sequence[str]) -> dict[int, str]:
    reasons = {digests[position]: reason for position, reason in problems.items()}
    return {position: reasons[digest] for position, digest in enumerate(digests) if digest in reasons}


class _Keeper:
    """Puts finished chunks into the store every few seconds, and at the end however it comes."""

    def __init__(self, store: FeatureStore, space: Space, digests: Sequence[str], keys: Sequence[str]) -> None:
        self._store, self._space, self._digests, self._keys = store, space, digests, keys
        self._pending: list[Chunk] = []
        self._kept_at = time.monotonic()
        self.problems: dict[int, str] = {}
        self.computed = 0

    def __enter__(self) -> _Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        self._keep()

    def take(self, chunk: Chunk) -> None:
        self.problems.update(chunk.problems)
        self._pending.append(chunk)
        if time.monotonic() - self._kept_at > _KEEP_EVERY:
            self._keep()

    def _keep(self) -> None:
        chunks = [chunk for chunk in self._pending if chunk.positions]
        if chunks:
            positions = [position for chunk in chunks for position in chunk.positions]
            facts = [fact for chunk in chunks for fact in chunk.facts]
            digests = [self._digests[position] for position in positions]
            self._store.remember_facts(dict(zip(digests, facts, strict=True)))
            self._space.add([self._keys[at] for at in positions], np.concatenate([chunk.vectors for chunk in chunks]))
            self.computed += len(positions)
        self._pending = []
        self._kept_at = time.monotonic()


def features_of_files(backbone: Backbone, preprocess: Preprocess, paths: Sequence[Path]) -> tuple[FeatureBatch, dict[int, str]]:
    """Exact features of files, computed now and kept nowhere.

    Returns:
        ``[N, D]`` float32, zeros for files that cannot be read; and their problems, by position.
    """
    reader, engines = PixelReader(paths, (), preprocess, EXACT), Engines(backbone, preprocess)
    vectors = np.zeros((len(paths), backbone.num_features), np.float32)
    remarks: dict[str, tuple[str, ...]] = {}
    decoded, problems = reader.read_first(range(len(paths)))
    if decoded:
        first = np.stack([pixels.values.numpy() for pixels in decoded.values()])
        # A person who asks for an answer did not ask how it is computed.
        with quiet(), reader.reading_ahead(range(len(paths)), decoded):
            engine = engines.choose(first, exact=True, count=len(paths))
        worker = ChunkWorker(reader, engine, decoded, backbone.num_features)
        chunks = in_threads([row for row in range(len(paths)) if row not in problems], worker)
        with progress(tr("Looking at photos"), len(paths)) as tick, closing(chunks):
            for chunk in chunks:
                vectors[chunk.positions] = chunk.vectors
                problems.update(chunk.problems)
                remarks |= {str(paths[at]): fact.remarks for at, fact in zip(chunk.positions, chunk.facts, strict=True)}
                tick(len(chunk.positions) + len(chunk.problems), "")
    for sentence in sentences(remarks):
        say(sentence)
    return vectors, problems
