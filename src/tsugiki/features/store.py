"""The feature store: every photo's vector, computed once and kept.

On disk (``<cache>/features``)::

    index.sqlite          files -> content, content -> facts, (space, content) -> row
    <space>.f32           the vectors of one space, float32, row after row
    <what>-<about>.json   what was found by comparing photos with each other

A *space* is one way of computing features: (weights, preprocessing, engine precision). Photos are known by their content.
Several processes may share a store: each takes rows of its own before it writes them, and a row counts only once the index
names it, which is after its vector is on disk. What was interrupted leaves unused rows behind and nothing else.

The index has a seal for every vector, over the space's key, the photo, the row and the vector itself. A vector is used only if
its seal is whole; one that was damaged, or that belongs to another photo, space or store, is thrown away, said, and computed
again. Where the disk cannot be written to, vectors are kept in memory, in rows of their own.

Letters: ``N`` photos, ``M`` rows of a file, ``B`` photos of a part, ``D`` feature width.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from tsugiki.core.files import cache_folder, write_atomically
from tsugiki.core.regular_files import parse_json, read_text
from tsugiki.data.photo_index import PhotoIndex, blocks_of, marks, seal_of
from tsugiki.locale.messages import tr

_TABLES = (
    """CREATE TABLE IF NOT EXISTS spaces (
        id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, width INT NOT NULL, next_row INT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS rows (
        space INT NOT NULL, digest BLOB NOT NULL, row INT NOT NULL, seal BLOB NOT NULL, PRIMARY KEY (space, digest)
    ) WITHOUT ROWID""",
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

STREAMED_BLOCK = 4096
"""Rows that are read together when streaming."""

_IN_MEMORY = 1 << 29  # bytes of vectors that may be held at once; more are streamed

_FIRST_IN_MEMORY = 1 << 40
"""The number of the first row that is in memory and not in the file."""


class FeatureStore(PhotoIndex):
    """Vectors of photos, on disk, beside the index of the photos themselves."""

    tables = PhotoIndex.tables + _TABLES

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__(folder)
        self._in_memory: dict[str, RowsInMemory] = {}

    def space(self, key: Mapping[str, Any], width: int) -> Space:
        """The space that ``key`` names, made when it is new.

        Args:
            key: Plain values that together decide what a photo's vector is.
            width: ``D``.
        """
        text = json.dumps(key, sort_keys=True)

        def number(connection: sqlite3.Connection) -> int:
            found = connection.execute("SELECT id FROM spaces WHERE key = ?", (text,)).fetchone()
            return found[0] if found and isinstance(found[0], int) else 0

        def new(connection: sqlite3.Connection) -> int:
            connection.execute("INSERT OR IGNORE INTO spaces (key, width, next_row) VALUES (?, ?, 0)", (text, width))
            return number(connection)

        rows = self._in_memory.setdefault(text, RowsInMemory())
        return Space(self, self.ask(number, 0) or self.ask(new, 0, writes=True), text, width, rows)

    def drop_rows_without_facts(self, digests: Sequence[str]) -> None:
        """Let photos be looked at again whose vectors are kept and whose facts are lost."""
        lost = [digest for digest, facts in zip(digests, self.facts(digests), strict=True) if facts is None]
        for block in blocks_of(lost):
            self.ask(functools.partial(_drop, block), None, writes=True)

    def remembered(self, what: str, about: str, compute: Callable[[], Any]) -> Any:
        """What ``compute`` gives, computed once and kept.

        Args:
            what: A name for it, with a number that changes when it is computed in another way: ``copies-1``.
            about: Everything that it depends on, as text.
            compute: Gives plain JSON values.
        """
        path = self.folder / f"{what}-{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"
        try:
            seal, found = parse_json(read_text(path))
            if seal == seal_of(what, about, found).hex():
                return found
            self.say_damaged(1)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except (OSError, ValueError, TypeError):
            self.say_damaged(1)
        found = compute()
        if self.on_disk:
            try:
                write_atomically(path, json.dumps([seal_of(what, about, found).hex(), found]))
            except OSError as error:
                self.keep_in_memory(error)
        return found

    def size(self) -> tuple[int, int, int]:
        """Bytes on disk, photos known, vectors kept."""
        if not self.folder.is_dir():
            return 0, 0, 0
        size = sum(entry.stat().st_size for entry in self.folder.iterdir() if entry.is_file())
        counts = [self.ask(functools.partial(_count, table), 0) for table in ("photos", "rows")]
        return size, counts[0], counts[1]

    @staticmethod
    def clear(folder: Path | None = None) -> int:
        """Throw everything away, damaged stores too; returns the bytes freed."""
        folder = folder or cache_folder() / "features"
        size = sum(entry.stat().st_size for entry in folder.glob("*") if entry.is_file())
        shutil.rmtree(folder, ignore_errors=True)
        return size


def _count(table: str, connection: sqlite3.Connection) -> int:
    return int(connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


def _drop(digests: Sequence[bytes], connection: sqlite3.Connection) -> None:
    connection.execute(f"DELETE FROM rows WHERE digest IN ({marks(digests)})", digests)


@dataclass
class RowsInMemory:
    """Vectors of one space that could not be written.

    Attributes:
        row_of: By content.
        vectors: ``[D]`` each.
    """

    row_of: dict[str, int] = field(default_factory=dict)
    vectors: list[Floats] = field(default_factory=list)

    def add(self, digests: Sequence[str], vectors: Floats) -> None:
        """Keep vectors ``[N, D]``."""
        for digest, vector in zip(digests, vectors, strict=True):
            self.row_of[digest] = _FIRST_IN_MEMORY + len(self.vectors)
            self.vectors.append(vector)


class Space:
    """The vectors of one space.

    Attributes:
        width: ``D``.
    """

    def __init__(self, store: FeatureStore, number: int, key: str, width: int, in_memory: RowsInMemory) -> None:
        self._store = store
        self._number = number
        self._key = key
        self._path = store.folder / f"{number}.f32"
        self._in_memory = in_memory
        self.width = width

    def rows_of(self, digests: Sequence[str]) -> npt.NDArray[np.int64]:
        """Row of each photo's vector, ``[N]`` int64; -1 where there is none yet. A vector that is damaged counts as none."""
        entries: list[_Entry] = []
        for block in blocks_of(digests):
            entries += self._store.ask(functools.partial(self._named, block), [])
        whole = self._whole(entries)
        broken = [entry for entry, is_whole in zip(entries, whole, strict=True) if not is_whole]
        if broken:
            self._store.say_damaged(len(broken))
            self._store.ask(functools.partial(self._throw_away, broken), None, writes=True)
        found = {digest.hex(): row for (digest, row, _), is_whole in zip(entries, whole, strict=True) if is_whole}
        found |= self._in_memory.row_of
        return np.array([found.get(digest, -1) for digest in digests], dtype=np.int64)

    def _named(self, block: list[bytes], connection: sqlite3.Connection) -> list[_Entry]:
        found = f"SELECT digest, row, seal FROM rows WHERE space = ? AND digest IN ({marks(block)})"
        return connection.execute(found, (self._number, *block)).fetchall()

    def _throw_away(self, entries: list[_Entry], connection: sqlite3.Connection) -> None:
        # With its seal: another process may have put a new one there meanwhile.
        dropped = "DELETE FROM rows WHERE space = ? AND digest = ? AND seal = ?"
        connection.executemany(dropped, [(self._number, digest, seal) for digest, _, seal in entries])

    def _whole(self, entries: list[_Entry]) -> list[bool]:
        """Which entries of the index are about the vector that stands in their row."""
        limit = self._whole_rows()
        whole = [False] * len(entries)
        there = [
            at
            for at, (digest, row, _) in enumerate(entries)
            if isinstance(digest, bytes) and isinstance(row, int) and 0 <= row < limit
        ]
        there.sort(key=lambda at: entries[at][1])
        for start in range(0, len(there), STREAMED_BLOCK):
            part = there[start : start + STREAMED_BLOCK]
            try:
                vectors = self.vectors()[np.array([entries[at][1] for at in part], np.int64)]
            except (OSError, IndexError):  # cut short just now, or a disk that cannot read this part
                continue
            for at, vector in zip(part, vectors, strict=True):
                digest, row, seal = entries[at]
                whole[at] = seal == self._seal(digest, row, vector)
        return whole

    def _seal(self, digest: bytes, row: int, vector: Floats) -> bytes:
        bound = hashlib.sha256(f"{self._key} {self.width} {row} ".encode())
        bound.update(digest)
        bound.update(vector.data)
        return bound.digest()[:8]

    def add(self, digests: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        """Keep vectors ``[N, D]`` of photos; safe against interruption and other processes."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        try:
            first = self._store.ask(functools.partial(self._reserve, len(vectors)), -1, writes=True)
            if first >= 0:
                self._write(first, vectors.tobytes())
                rows = []
                for row, (digest, vector) in enumerate(zip(map(bytes.fromhex, digests), vectors, strict=True), start=first):
                    rows.append((self._number, digest, row, self._seal(digest, row, vector)))
                # OR REPLACE: a row whose vector was lost (see rows_of) must give way to the new one.
                kept = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)"
                self._store.ask(lambda connection: connection.executemany(kept, rows), None, writes=True)
        except OSError as error:
            self._store.keep_in_memory(error)
        if not self._store.on_disk:
            self._in_memory.add(digests, vectors)

    def _write(self, first: int, content: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.lseek(descriptor, first * 4 * self.width, os.SEEK_SET)
            with os.fdopen(descriptor, "wb", closefd=False) as stream:
                stream.write(content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _reserve(self, count: int, connection: sqlite3.Connection) -> int:
        """The first of ``count`` rows that nobody else will write; -1 where the index has lost this space."""
        reserved = "UPDATE spaces SET next_row = next_row + ? WHERE id = ? AND key = ? RETURNING next_row"
        found = connection.execute(reserved, (count, self._number, self._key)).fetchone()
        if found is None or not isinstance(found[0], int) or not count <= found[0] < _FIRST_IN_MEMORY:
            raise sqlite3.DatabaseError(tr("the index has lost a table of features"))
        return int(found[0]) - count

    def _whole_rows(self) -> int:
        try:
            return self._path.stat().st_size // (4 * self.width)
        except OSError:
            return 0

    def vectors(self) -> VectorFile:
        """Every row of the space, left where it is."""
        return VectorFile(self._path, (self._whole_rows(), self.width), self._in_memory.vectors)


_Entry = tuple[bytes, int, bytes]
"""What the index says of a vector: content of the photo, row, seal."""


@dataclass(frozen=True)
class VectorFile:
    """Vectors on disk that are indexed like an array ``[M, D]``.

    They are read, not mapped into memory: each touched page of a map brings its neighbours along, and a walk over a million
    rows would seem to hold them all.

    Attributes:
        path: The file, float32, row after row.
        shape: ``(M, D)``.
        in_memory: Rows that are not in the file; their numbers begin far above it.
    """

    path: Path
    shape: tuple[int, int]
    in_memory: Sequence[Floats] = ()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """A copy of some rows, ``[N, D]``, in the order asked for; neighbouring rows are read together."""
        rows = np.asarray(rows)
        held = rows >= _FIRST_IN_MEMORY
        if not held.any():
            return self._read(rows)
        found = np.empty((len(rows), self.shape[1]), np.float32)
        found[~held] = self._read(rows[~held])
        found[held] = [self.in_memory[row - _FIRST_IN_MEMORY] for row in rows[held].tolist()]
        return found

    def _read(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        order = np.argsort(rows, kind="stable")
        ordered = rows[order]
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


class Vectors(Protocol):
    """What is indexed like an array ``[M, D]`` float32, wherever the numbers are."""

    @property
    def shape(self) -> tuple[int, int]:
        """``(M, D)``."""

    def __getitem__(self, rows: Ints) -> Floats:
        """``[B, D]`` of rows ``[B]``."""


@dataclass(frozen=True)
class FeatureRows:
    """Feature vectors of ``N`` photos, wherever they are.

    Attributes:
        vectors: ``[M, D]`` float32, in memory or on disk.
        rows: ``[N]`` int64, each photo's row.
    """

    vectors: Floats | Vectors
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
