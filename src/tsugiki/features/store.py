"""The feature store: every photo's vector, computed once and kept.

On disk (``<cache>/features``)::

    index.sqlite          files -> content, content -> facts, (space, content) -> row
    <space>.f32           the vectors of one space, float32, row after row
    <what>-<about>.json   what was found by comparing photos with each other

A *space* is one way of computing features: (weights, preprocessing, engine precision). Photos are known by their content,
so a file that moved is found again and a file that was replaced is not mistaken for the old one. Several processes may share a
store: each takes rows of its own before it writes them, and a row counts only once the index names it, which is after its
vector is on disk. What was interrupted leaves unused rows behind and nothing else.

Letters: ``N`` photos, ``D`` feature width.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import TsugikiError
from tsugiki.core.files import cache_folder, write_atomically
from tsugiki.data.images.pixels import PhotoFacts
from tsugiki.features.vectors import VectorFile
from tsugiki.locale.messages import tr

_TABLES = """
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp TEXT NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS photos (digest BLOB PRIMARY KEY, width INT, height INT, red REAL, green REAL, blue REAL, look INT)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spaces (id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, width INT NOT NULL, next_row INT NOT NULL);
CREATE TABLE IF NOT EXISTS rows (space INT NOT NULL, digest BLOB NOT NULL, row INT NOT NULL, PRIMARY KEY (space, digest))
    WITHOUT ROWID;
"""
_AT_ONCE = 500  # placeholders in one SQL statement
_ASK_AGAIN = 0.01  # seconds between two attempts at making a store that another process is making
_PATIENCE = 60.0  # seconds that one process waits for another one's transaction
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: its tables are not ours


class FeatureStore:
    """Vectors and facts of photos, on disk.

    Args:
        folder: Where; by default in the program's cache folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from error
        self._prepare(time.monotonic() + _PATIENCE)

    def _prepare(self, deadline: float) -> None:
        """Make the tables, and choose a journal that lets one process write while others read; both stay in the file.

        The journal is changed under a lock that SQLite does not wait for, so two who make one store at once have to ask again.
        """
        while True:
            try:
                with self._transaction() as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.executescript(_TABLES)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise self._unusable(error) from error
                time.sleep(_ASK_AGAIN)
            else:
                return

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept when the block ends well and dropped when it does not."""
        try:
            with self._transaction() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # Immediate: a transaction that writes waits for its turn before it reads, and never has to be given up in the middle.
        connecting = sqlite3.connect(self.folder / "index.sqlite", timeout=_PATIENCE, isolation_level="IMMEDIATE")
        with closing(connecting) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection

    def _unusable(self, error: Exception) -> TsugikiError:
        return TsugikiError(
            tr("The feature store in {folder} cannot be used.", folder=self.folder), got=str(error), cure=_cure(error)
        )

    def known_digests(self, paths: Sequence[Path]) -> list[str]:
        """Content digests of files that were seen before and have not been touched since; ``""`` for all others.

        Touched means: size, date, time of change or number on the disk differ (:func:`stamp_of`). On POSIX systems the time of
        change cannot be set back, so a file that was replaced under the same name is noticed even where size and date are
        the same. Windows keeps no such time: there a file that is overwritten in place by one of the same size, and then
        given the same date, is taken for the old one.
        """
        digests = [""] * len(paths)
        with self._connection() as connection:
            for start in range(0, len(paths), _AT_ONCE):
                block = [_place(path) for path in paths[start : start + _AT_ONCE]]
                found = {
                    path: (stamp, digest.hex())
                    for path, stamp, digest in connection.execute(
                        f"SELECT path, stamp, digest FROM files WHERE path IN ({_marks(block)})", block
                    )
                }
                for offset, path in enumerate(block):
                    stamp, digest = found.get(path, ("", ""))
                    if stamp and stamp == stamp_of(path):
                        digests[start + offset] = digest
        return digests

    def remember_files(self, paths: Iterable[Path], digests: Iterable[str], stamps: Iterable[str]) -> None:
        """Note which content each file has; ``stamps`` were taken before the content was read (:func:`stamp_of`)."""
        rows = [
            (_place(path), stamp, bytes.fromhex(digest))
            for path, digest, stamp in zip(paths, digests, stamps, strict=True)
            if digest and stamp
        ]
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)

    def facts(self, digests: Sequence[str]) -> list[PhotoFacts | None]:
        """What is remembered of photos, by content."""
        found: dict[str, PhotoFacts] = {}
        with self._connection() as connection:
            for block in _blocks(digests):
                for digest, width, height, red, green, blue, look in connection.execute(
                    f"SELECT * FROM photos WHERE digest IN ({_marks(block)})", block
                ):
                    found[digest.hex()] = PhotoFacts(width, height, (red, green, blue), look)
        return [found.get(digest) for digest in digests]

    def remember_facts(self, facts: Mapping[str, PhotoFacts]) -> None:
        """Remember facts of photos, by content."""
        rows = [(bytes.fromhex(digest), fact.width, fact.height, *fact.colour, fact.look) for digest, fact in facts.items()]
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def space(self, key: Mapping[str, Any], width: int) -> Space:
        """The space that ``key`` names, made when it is new.

        Args:
            key: Plain values that together decide what a photo's vector is.
            width: ``D``.
        """
        text = json.dumps(key, sort_keys=True)
        with self._connection() as connection:
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
        with self._connection() as connection:
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
        with self._store._connection() as connection:  # noqa: SLF001 (a space is a part of its store)
            for block in _blocks(digests):
                for digest, row in connection.execute(
                    f"SELECT digest, row FROM rows WHERE space = ? AND digest IN ({_marks(block)})", (self._number, *block)
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
            raise self._store._unusable(error) from error  # noqa: SLF001
        rows = [(self._number, bytes.fromhex(digest), first + offset) for offset, digest in enumerate(digests)]
        with self._store._connection() as connection:  # noqa: SLF001
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
        with self._store._connection() as connection:  # noqa: SLF001
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


def _place(path: Path) -> bytes:
    # As the system knows it: names need not be valid text. Links stay links.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100


def stamp_of(path: Path | bytes) -> str:
    """What changes when a file is written, replaced or renamed over; ``""`` when it was touched just now.

    A file touched within the clock's own grain could change again without a trace, so it is not trusted yet.
    """
    try:
        state = os.stat(path)  # noqa: PTH116 (a million paths)
    except OSError:
        return ""
    if time.time_ns() - state.st_ctime_ns < 50_000_000:
        return ""
    return f"{state.st_size}/{state.st_mtime_ns}/{state.st_ctime_ns}/{state.st_ino}"


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; 0 for errors that Python itself raises."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _cure(error: Exception) -> str:
    """What to do about a store that cannot be used; only a damaged one is cleared, since hours of computing lie in it."""
    code = _code(error) if isinstance(error, sqlite3.DatabaseError) else 0
    if code in _BUSY:
        return tr("wait until the other tsugiki commands have ended, then run the same command again")
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return tr("make room on the disk, or set TSUGIKI_CACHE to a folder on another one; what was computed is kept")
    if code in _DAMAGED:
        return "tsugiki cache --clear"
    return tr("set TSUGIKI_CACHE to a folder that can be written to")


def _marks(block: Sequence[object]) -> str:
    return ", ".join("?" * len(block))


def _blocks(digests: Sequence[str]) -> Iterator[list[bytes]]:
    for start in range(0, len(digests), _AT_ONCE):
        yield [bytes.fromhex(digest) for digest in digests[start : start + _AT_ONCE]]
