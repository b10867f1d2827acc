"""What photos and weights are known by: their content."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from tsugiki.backbones.backbone import Backbone
from tsugiki.core.console import progress, quiet
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import read_content
from tsugiki.data.images.pixels import content_digest
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.samples import Look
from tsugiki.features.engines.choose import CONVERTING_PAYS_FROM, Engines
from tsugiki.features.engines.engine import FeatureBatch
from tsugiki.features.executor import EXACT, FAST, Chunk, Photos, Way, Work, decode_sample, decoding_ahead, in_threads
from tsugiki.features.store import FeatureStore, Space, stamp_of
from tsugiki.locale.messages import tr


def identify(paths: Sequence[Path], store: FeatureStore) -> list[Look]:
    """The content of every file, without decoding it; files that were seen before and not touched since are not even read.

    Returns:
        One look per path: a digest, or the reason why the file cannot be opened.
    """
    looks = [Look(digest=digest) for digest in store.known_digests(paths)]
    new = [position for position, look in enumerate(looks) if not look.digest]
    stamps = [stamp_of(paths[position]) for position in new]
    with ContextThreadPool(usable_cores()) as pool:
        for position, look in zip(new, pool.map(_read, (paths[position] for position in new)), strict=True):
            looks[position] = look
    store.remember_files([paths[position] for position in new], [looks[position].digest for position in new], stamps)
    return looks


def _read(path: Path) -> Look:
    try:
        return Look(digest=content_digest(read_content(path)))
    except UnreadablePhoto as fault:
        return Look(reason=fault.what)


def weights_key(backbone: Backbone) -> str:
    """A digest of a backbone's architecture and of every parameter and buffer it holds now."""
    digest = hashlib.sha256()
    digest.update(f"{backbone.spec.architecture} {sorted(backbone.spec.model_args.items())}".encode())
    for name, tensor in sorted(backbone.state_dict().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


_PIXELS = 1
"""Goes up whenever a photo's pixels come out otherwise than before: see data/decode.py, data/preprocess.py, data/pixels.py.

Features of other pixels are other features, so the number is a part of every space's key."""

_KEEP_EVERY = 2.0  # seconds: what an interruption can cost


@dataclass
class Extraction:
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


def extract(
    photos: Photos, engines: Engines, store: FeatureStore, *, way: Way = FAST, key: str, precision: str = ""
) -> Extraction:
    """The features of photos, computed where the store does not have them yet.

    Args:
        photos: ``N`` photos; copies of one another are computed once.
        engines: Of the backbone.
        store: Where features are kept.
        way: Exactly or fast, and which view.
        key: Says which weights: :func:`tsugiki.features.weights_key`.
        precision: The one that is wanted; the result has another one where no engine can compute in it.

    Raises:
        DataError: When a file changed while it was being looked at.
        TsugikiError: When the store cannot be used, or was cleared meanwhile.
    """
    keys = [way.view.row_key(digest) for digest in photos.digests]
    stored = _most_complete(keys, engines, store, way, key=key, precision=precision)
    todo = _first_of_each(stored.rows, keys)
    prepared, problems = decode_sample(photos, engines, way, todo)
    if not prepared:  # everything is stored, but for what cannot be read
        stored.problems = _for_all_copies(problems, photos.digests)
        return stored
    sample = np.stack([pixels.values.numpy() for pixels in prepared.values()])
    # With another precision than theirs, the stored ones would have to be computed again.
    known = int((stored.rows >= 0).sum())
    like = stored.precision if known and len(todo) <= max(known, CONVERTING_PAYS_FROM) else ""
    with decoding_ahead(photos, engines, way, todo, prepared):
        engine = engines.choose(sample, exact=way.exact, count=len(todo), like=precision or like)
    space = _space(store, engines, way, key, engine.precision)
    todo = _first_of_each(space.rows_of(keys), keys)
    work = Work(photos, engines, way, engine, prepared)
    keeper = _Keeper(store, space, photos, keys, problems=dict(problems))
    chunks = in_threads([row for row in todo if row not in problems], work)
    with progress(tr("Looking at photos"), len(todo)) as tick, keeper, closing(chunks):
        for chunk in chunks:
            keeper.take(chunk)
            tick(len(chunk.positions) + len(chunk.problems), "")
    problems = _for_all_copies(keeper.problems, photos.digests)
    found = Extraction(space, engine.precision, space.rows_of(keys), problems, keeper.computed)
    if any(row < 0 and position not in found.problems for position, row in enumerate(found.rows)):
        raise TsugikiError(tr("The feature store was cleared while it was in use."), cure=tr("run the same command again"))
    return found


def _space(store: FeatureStore, engines: Engines, way: Way, key: str, precision: str) -> Space:
    parts = {
        "weights": key,
        "preprocess": engines.preprocess.to_dict(),
        "pixels": f"{'reference' if way.exact else 'fast'}/{_PIXELS}",
        "precision": precision,
    }
    return store.space(parts, engines.backbone.num_features)


def _most_complete(
    keys: Sequence[str], engines: Engines, store: FeatureStore, way: Way, *, key: str, precision: str
) -> Extraction:
    """The stored features that cover most photos, whatever engine they came from."""
    wanted = (precision,) if precision else ("float16", "bfloat16", "float32")
    found = []
    for each in ("float32",) if way.exact else wanted:
        space = _space(store, engines, way, key, each)
        found.append(Extraction(space, each, space.rows_of(keys)))
    return max(found, key=lambda extraction: int((extraction.rows >= 0).sum()))


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

    def __init__(
        self, store: FeatureStore, space: Space, photos: Photos, keys: Sequence[str], *, problems: dict[int, str]
    ) -> None:
        self._store = store
        self._space = space
        self._photos = photos
        self._keys = keys
        self._pending: list[Chunk] = []
        self._kept_at = time.monotonic()
        self.problems = problems
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
            digests = [self._photos.digests[position] for position in positions]
            self._store.remember_facts(dict(zip(digests, facts, strict=True)))
            keys = [self._keys[position] for position in positions]
            self._space.add(keys, np.concatenate([chunk.vectors for chunk in chunks]))
            self.computed += len(positions)
        self._pending = []
        self._kept_at = time.monotonic()


def features_of_files(backbone: Backbone, preprocess: Preprocess, paths: Sequence[Path]) -> tuple[FeatureBatch, dict[int, str]]:
    """Exact features of files, computed now and kept nowhere.

    Returns:
        ``[N, D]`` float32, zeros for files that cannot be read; and their problems, by position.
    """
    photos, engines, way = Photos(paths), Engines(backbone, preprocess), EXACT
    vectors = np.zeros((len(paths), backbone.num_features), np.float32)
    prepared, problems = decode_sample(photos, engines, way, range(len(paths)))
    if prepared:
        sample = np.stack([pixels.values.numpy() for pixels in prepared.values()])
        # A person who asks for an answer did not ask how it is computed.
        with quiet(), decoding_ahead(photos, engines, way, range(len(paths)), prepared):
            engine = engines.choose(sample, exact=True, count=len(paths))
        work = Work(photos, engines, way, engine, prepared)
        chunks = in_threads([row for row in range(len(paths)) if row not in problems], work)
        with progress(tr("Looking at photos"), len(paths)) as tick, closing(chunks):
            for chunk in chunks:
                vectors[chunk.positions] = chunk.vectors
                problems.update(chunk.problems)
                tick(len(chunk.positions) + len(chunk.problems), "")
    return vectors, problems
