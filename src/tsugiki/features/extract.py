"""Each photo is looked at once: what is not in the store yet is decoded, computed and kept.

:func:`extract` is the one way from samples to their features. Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tsugiki.core.console import progress, say
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import TsugikiError
from tsugiki.data.images.pixels import View
from tsugiki.data.images.remarks import sentences
from tsugiki.data.joined_preprocess import rules_of
from tsugiki.data.load import describe_samples
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Samples, settled
from tsugiki.features.engines.engine import CONVERTING_PAYS_FROM, EngineChoice, EngineName
from tsugiki.features.executor import EXACT, FAST, Chunk, ChunkWorker, Executor, PixelReader, Way, in_threads
from tsugiki.features.file_features import engines_of
from tsugiki.features.join import joined
from tsugiki.features.store import FeatureRows, FeatureStore, Floats, Space
from tsugiki.features.table import FeatureTable, Memory
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

_PIXELS = 2
"""Goes up whenever a photo's pixels come out otherwise than before: see data/images and data/preprocess.py.

Features of other pixels are other features, so the number is a part of every space's key."""

_ATTEMPTS = 3  # what another process has cleared away meanwhile is computed once more

_KEEP_EVERY = 2.0  # seconds: what an interruption can cost


@dataclass(frozen=True)
class FeatureSettings:
    """How features are computed.

    Attributes:
        engine: ``auto``, ``openvino`` or ``torch``.
        views: Augmented views per training photo, besides the photo itself.
        store: Where features are kept; by default in the program's cache.
        executor: Who decodes and computes; by default threads of this process.
        exact: Whether photos to learn from are computed as exactly as those that are answered, and therefore once where each
            is both; augmented views never are.
    """

    engine: EngineName = "auto"
    views: int = 0
    store: FeatureStore | None = None
    executor: Executor = in_threads
    exact: bool = False


def extract(
    samples: Samples,
    backbone: Backbone | EngineChoice,
    *,
    preprocess: Preprocess | None = None,
    settings: FeatureSettings | None = None,
) -> FeatureTable:
    """Compute, or find in the store, the features of all photos; photos that cannot be read are left out, and said.

    Photos that are learned from are computed fast (unless ``settings.exact``), all others exactly, as predictions are. Where a
    draw has parted near copies, which only features tell, it is made again with these together: photos that change sides for
    that are computed in both ways, the first time.

    Args:
        samples: Photos; copies of one another are computed once.
        backbone: Its weights must not change meanwhile. Or who says what computes the features of one that is not here.
        preprocess: Instead of the backbone's own.
        settings: How.

    Raises:
        DataError: When a class has no readable training photo, no held-out photo can be read, or a file changed meanwhile.
        TsugikiError: When the store cannot be used, or was cleared meanwhile.
    """
    settings = settings or FeatureSettings()
    if len(parts := backbone.parts) > 1:
        return _extracted_by_parts(samples, parts, rules_of(preprocess or backbone.preprocess), settings)
    extractor = Extractor(backbone, preprocess, settings)
    way = EXACT if settings.exact else FAST
    extractor.store.drop_rows_without_facts(samples.digests)
    computed, drawn = 0, len(samples)
    while True:
        rows = {"train": samples.train_rows, "held_out": samples.held_out_rows, "val": samples.val_rows}
        found = {name: extractor(samples.take(rows[name]), way if name == "train" else EXACT) for name in rows}
        computed += sum(part.computed for part in found.values())
        unreadable = {rows[name][at]: reason for name, part in found.items() for at, reason in part.problems.items()}
        if unreadable:
            for row, reason in sorted(unreadable.items()):
                say(tr("Left out: {name}: {reason}", name=visible(samples.names[row], one_line=True), reason=reason))
            samples = samples.without_unreadable(unreadable)
            continue
        table = _table(extractor, samples, found, computed)
        before, samples = samples, _settled(table)
        table = replace(table, samples=samples)
        if samples.splits == before.splits:
            break
    if samples.draw is not None and len(samples) < drawn:
        say(tr("Photos were held out anew, of those that can be read:") + "\n" + describe_samples(samples))
    table = replace(table, samples=_with_remarks(table))
    if not settings.views:
        return table
    train = extractor.views(samples.take(rows["train"]), settings.views, found["train"].precision)
    vectors = FeatureRows(train[0].space.vectors(), np.concatenate([part.rows for part in train]))
    return replace(table, train=vectors, computed=computed + sum(part.computed for part in train))


def _extracted_by_parts(
    samples: Samples,
    parts: Sequence[Backbone | EngineChoice],
    rules: Sequence[Preprocess],
    settings: FeatureSettings,
) -> FeatureTable:
    """The features of several backbones side by side; each one's are stored as they are when it stands alone."""
    tables: list[FeatureTable] = []
    for part, rule in zip(parts, rules, strict=True):
        # What the first one cannot read, or holds out anew, is no affair of the others any more.
        tables.append(extract(tables[-1].samples if tables else samples, part, preprocess=rule, settings=settings))
    return joined(tables)


def _table(extractor: Extractor, samples: Samples, found: Mapping[str, Extracted], computed: int) -> FeatureTable:
    """The photos themselves, without augmented views."""
    train = found["train"]
    return FeatureTable(
        samples,
        train=FeatureRows(train.space.vectors(), train.rows),
        val=found["val"].vectors(),
        held_out=found["held_out"].vectors(),
        facts=extractor.store.facts(samples.digests),
        computed=computed,
        memory=Memory(extractor.store, extractor.about(samples, train.precision)),
        looks=extractor.looks,
    )


def _settled(table: FeatureTable) -> Samples:
    """The samples, held out anew where the draw had parted near copies: they are known by their features only."""
    samples = table.samples
    if samples.draw is None or samples.draw.settled or table.duplicates is None:
        return samples
    together = settled(samples, [(pair.first, pair.second) for pair in table.duplicates])
    for sentence in together.decisions:
        if sentence not in samples.decisions:
            say(f"- {sentence}")
    return together


def _with_remarks(table: FeatureTable) -> Samples:
    """The samples with what was noted while the photos were decoded, now or earlier; it is said once."""
    warnings = table.samples.warnings
    new = [sentence for sentence in sentences(table.remarks) if sentence not in warnings]
    for sentence in new:
        say(f"- {sentence}")
    return replace(table.samples, warnings=(*warnings, *new))


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
        backbone: Its weights must not change meanwhile. Or who says what computes the features of one that is not here.
        preprocess: Instead of the backbone's own.
        settings: Engine, store and executor.
    """

    def __init__(
        self,
        backbone: Backbone | EngineChoice,
        preprocess: Preprocess | None = None,
        settings: FeatureSettings | None = None,
    ) -> None:
        settings = settings or FeatureSettings()
        self.store = settings.store or FeatureStore()
        self._engines = engines_of(backbone, preprocess, settings.engine)
        self._executor = settings.executor
        self._key = self._engines.key
        spec = getattr(backbone, "spec", None)  # an engine has none: it was made from a trained classifier
        self.looks = spec is None or spec.weights != "none"

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

    def missing(self, samples: Samples, way: Way) -> int:
        """How many different photos would have to be looked at for their features: the others' are in the store."""
        return len(self.lacking(samples, way))

    def lacking(self, samples: Samples, way: Way) -> list[int]:
        """Positions of the photos that would have to be looked at, one of each content."""
        keys = [way.view.row_key(digest) for digest in samples.digests]
        return _first_of_each(self._most_complete(keys, way, "").rows, keys)

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
        for _ in range(_ATTEMPTS):
            found = self._extracted(samples, way, precision)
            if all(row >= 0 or position in found.problems for position, row in enumerate(found.rows)):
                return found
        raise TsugikiError(tr("The feature store was cleared while it was in use."), cure=tr("run the same command again"))

    def _extracted(self, samples: Samples, way: Way, precision: str) -> Extracted:
        keys = [way.view.row_key(digest) for digest in samples.digests]
        stored = self._most_complete(keys, way, precision)
        todo = _first_of_each(stored.rows, keys)
        reader = PixelReader(samples.paths, samples.digests, self._engines.preprocess, way)
        decoded, problems = reader.read_first(todo)
        if not decoded:  # everything is stored, but for what cannot be read
            stored.problems = _for_all_copies(problems, samples.digests)
            return stored
        first = np.stack([pixels.array for pixels in decoded.values()])
        # With another precision than theirs, the stored ones would have to be computed again.
        known = int((stored.rows >= 0).sum())
        like = stored.precision if known and len(todo) <= max(known, CONVERTING_PAYS_FROM) else ""
        with reader.reading_ahead(todo, decoded):
            engine = self._engines.choose(first, exact=way.exact, count=len(todo), like=precision or like)
        space = self._space(way, engine.precision)
        todo = [row for row in _first_of_each(space.rows_of(keys), keys) if row not in problems]
        keeper = _Keeper(self.store, space, samples.digests, keys)
        chunks = self._executor(todo, ChunkWorker(reader, engine, decoded, self._engines.num_features))
        with progress(tr("Looking at photos"), len(todo)) as tick, keeper, closing(chunks):
            for chunk in chunks:
                keeper.take(chunk)
                tick(len(chunk.positions) + len(chunk.problems), "")
        problems = _for_all_copies(problems | keeper.problems, samples.digests)
        return Extracted(space, engine.precision, space.rows_of(keys), problems, keeper.computed)

    def _space(self, way: Way, precision: str) -> Space:
        parts = {
            "weights": self._key,
            "preprocess": self._engines.preprocess.to_dict(),
            "pixels": f"{'reference' if way.exact else 'fast'}/{_PIXELS}",
            "precision": precision,
        }
        return self.store.space(parts, self._engines.num_features)

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
