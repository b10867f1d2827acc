"""The feature store: every photo's vector, computed once and kept.

On disk (``<cache>/features``)::

    index.sqlite          files -> content, content -> facts, (space, content) -> row
    <space>.f32           the vectors of one space, float32, row after row
    <what>-<about>.json   what was found by comparing photos with each other

A *space* is one way of computing features: (weights, preprocessing, engine precision). Photos are known by their content.
Several processes may share a store: each takes rows of its own before it writes them, and a row counts only once the index
names it, which is after its vector is on disk. What was interrupted leaves unused rows behind and nothing else.

Letters: ``N`` photos, ``M`` rows of a file, ``B`` photos of a part, ``D`` feature width.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.files import cache_folder, write_atomically
from tsugiki.data.photo_index import PhotoIndex, blocks_of, marks

_TABLES = """
CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, width INT NOT NULL, next_row INT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (space INT NOT NULL, digest BLOB NOT NULL, row INT NOT NULL, PRIMARY KEY (space, digest))
    WITHOUT ROWID;
"""

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

STREAMED_BLOCK = 4096
"""Rows that are read together when streaming."""

_IN_MEMORY = 1 << 29  # bytes of vectors that may be held at once; more are streamed


class FeatureStore(PhotoIndex):
    """Vectors of photos, on disk, beside the index of the photos themselves."""

    tables = PhotoIndex.tables + _TABLES

    def space(self, key: Mapping[str, Any], width: int) -> Space:
        """The space that ``key`` names, made when it is new.

        Args:
            key: Plain values that together decide what a photo's vector is.
            width: ``D``.
        """
        text = json.dumps(key, sort_keys=True)
        with self.connection() as connection:
            connection.execute("INSERT OR IGNORE INTO spaces (key, width, next_row) VALUES (?, ?, 0)", (text, width))
            (number,) = connection.execute("SELECT id FROM spaces WHERE key = ?", (text,)).fetchone()
        return Space(self, number, width)

    def remembered(self, what: str, about: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, computed once and kept.

        Args:
            what: A name for it, with a number that changes when it is computed in another way: ``copies-1``.
            about: Everything that it depends on, as text.
            compute: Gives plain JSON values.
        """
        path = self.folder / f"{what}-{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there yet, or not whole
            found = compute()
        write_atomically(path, json.dumps(found))
        return found

    def size(self) -> tuple[int, int, int]:
        """Bytes on disk, photos known, vectors kept."""
        size = sum(entry.stat().st_size for entry in self.folder.iterdir() if entry.is_file())
        with self.connection() as connection:
            (photos,) = connection.execute("SELECT COUNT(*) FROM photos").fetchone()
            (vectors,) = connection.execute("SELECT COUNT(*) FROM rows").fetchone()
        return size, photos, vectors

    @staticmethod
    def clear(folder: Path | None = None) -> int:
        """Throw everything away, damaged stores too; returns the bytes freed."""
        folder = folder or cache_folder() / "features"
        size = sum(entry.stat().st_size for entry in folder.glob("*") if entry.is_file())
        shutil.rmtree(folder, ignore_errors=True)
        return size


class Space:
    """The vectors of one space.

    Attributes:
        width: ``D``.
    """

    def __init__(self, store: FeatureStore, number: int, width: int) -> None:
        self._store = store
        self._number = number
        self._path = store.folder / f"{number}.f32"
        self.width = width

    def rows_of(self, digests: Sequence[str]) -> npt.NDArray[np.int64]:
        """Row of each photo's vector, ``[N]`` int64; -1 where there is none yet."""
        found: dict[str, int] = {}
        limit = self._whole_rows()
        with self._store.connection() as connection:
            for block in blocks_of(digests):
                for digest, row in connection.execute(
                    f"SELECT digest, row FROM rows WHERE space = ? AND digest IN ({marks(block)})", (self._number, *block)
                ):
                    if row < limit:  # else the vectors' file was cut short by someone else
                        found[digest.hex()] = row
        return np.array([found.get(digest, -1) for digest in digests], dtype=np.int64)

    def add(self, digests: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Keep vectors ``[N, D]`` of photos; safe against interruption and other processes."""
        first = self._reserve(len(vectors))
        try:
            self._write(first, np.ascontiguousarray(vectors, np.float32).tobytes())
        except OSError as error:
            raise self._store.unusable(error) from error
        rows = [(self._number, bytes.fromhex(digest), first + offset) for offset, digest in enumerate(digests)]
        with self._store.connection() as connection:
            # OR REPLACE: a row whose vector was lost (see rows_of) must give way to the new one.
            connection.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", rows)

    def _write(self, first: int, content: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.lseek(descriptor, first * 4 * self.width, os.SEEK_SET)
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _reserve(self, count: int) -> int:
        """The first of ``count`` rows that nobody else will write."""
        with self._store.connection() as connection:
            (end,) = connection.execute(
                "UPDATE spaces SET next_row = next_row + ? WHERE id = ? RETURNING next_row", (count, self._number)
            ).fetchone()
            written = self._whole_rows()
            if written < end - count:
                # Rows that the index names but the file has lost would come back as zeros once it grows again.
                connection.execute("DELETE FROM rows WHERE space = ? AND row >= ?", (self._number, written))
        return int(end) - count

    def _whole_rows(self) -> int:
        try:
            return self._path.stat().st_size // (4 * self.width)
        except FileNotFoundError:
            return 0

    def vectors(self) -> VectorFile:
        """Every row of the space, left on disk."""
        return VectorFile(self._path, (self._whole_rows(), self.width))


@dataclass(frozen=True)
class VectorFile:
    """Vectors on disk that are indexed like an array ``[M, D]``.

    They are read, not mapped into memory: each touched page of a map brings its neighbours along, and a walk over a million
    rows would seem to hold them all.

    Attributes:
        path: The file, float32, row after row.
        shape: ``(M, D)``.
    """

    path: Path
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """A copy of some rows, ``[N, D]``, in the order asked for; neighbouring rows are read together."""
        order = np.argsort(rows, kind="stable")
        ordered = np.asarray(rows)[order]
        found = np.empty((len(rows), self.shape[1]), np.float32)
        starts = np.flatnonzero(np.diff(ordered, prepend=-2) != 1).tolist()
        if not starts:
            return found
        with self.path.open("rb", buffering=0) as stream:
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                stream.seek(int(ordered[start]) * self.shape[1] * found.itemsize)
                part = found[start:end]
                if stream.readinto(part.data.cast("B")) != part.nbytes:
                    raise IndexError(f"{self.path} has no rows {ordered[start]} to {ordered[end - 1]}")
        if (order == np.arange(len(rows))).all():
            return found
        unordered = np.empty_like(found)
        unordered[order] = found
        return unordered


@dataclass(frozen=True)
class FeatureRows:
    """Feature vectors of ``N`` photos, wherever they are.

    Attributes:
        vectors: ``[M, D]`` float32, in memory or on disk.
        rows: ``[N]`` int64, each photo's row.
    """

    vectors: Floats | VectorFile
    rows: Ints

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """``D``."""
        return int(self.vectors.shape[1])

    def take(self, picked: Ints | slice) -> Floats:
        """Vectors ``[B, D]`` of some of the photos."""
        return np.asarray(self.vectors[self.rows[picked]], np.float32)

    @property
    def fits_memory(self) -> bool:
        """Whether all vectors may be held at once."""
        return len(self) * self.width * 4 <= _IN_MEMORY

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """All vectors, a bounded part at a time."""
        for start in range(0, len(self), STREAMED_BLOCK):
            part = slice(start, start + STREAMED_BLOCK)
            yield part, self.take(part)
