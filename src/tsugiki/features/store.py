"""The feature store: every photo's vector, computed once and kept.

On disk (``<cache>/features``)::

    index.sqlite          files -> content, content -> facts, (space, content) -> row
    <space>.f32           the vectors of one space, float32, row after row
    <what>-<about>.json   what was found by comparing photos with each other

A *space* is one way of computing features: (weights, preprocessing, engine precision). Photos are known by their content.
Several processes may share a store: each takes rows of its own before it writes them, and a row counts only once the index
names it, which is after its vector is on disk. What was interrupted leaves unused rows behind and nothing else.

Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.files import cache_folder, write_atomically
from tsugiki.data.photo_index import PhotoIndex, blocks_of, marks
from tsugiki.features.vectors import VectorFile

_TABLES = """
CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, width INT NOT NULL, next_row INT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (space INT NOT NULL, digest BLOB NOT NULL, row INT NOT NULL, PRIMARY KEY (space, digest))
    WITHOUT ROWID;
"""


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
