"""The index of photos: what each file holds, known by its content, and whether it can be read.

A file that moved is found again, and a file that was replaced is not mistaken for the old one. On disk
(``<cache>/features/index.sqlite``): files -> content, content -> facts; :mod:`tsugiki.features.store` adds the rows of their
features. Several processes may share an index.

Letters: ``N`` photos.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tsugiki.core.console import progress
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.core.files import cache_folder
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import check_content, content_digest, read_content
from tsugiki.locale.messages import tr

_TABLES = """
CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, stamp TEXT NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS photos (digest BLOB PRIMARY KEY, width INT, height INT, red REAL, green REAL, blue REAL, look INT)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS remarks (digest BLOB NOT NULL, remark TEXT NOT NULL, PRIMARY KEY (digest, remark)) WITHOUT ROWID;
"""
_AT_ONCE = 500  # placeholders in one SQL statement
_ASK_AGAIN = 0.01  # seconds between two attempts at making a store that another process is making
_PATIENCE = 60.0  # seconds that one process waits for another one's transaction
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}  # the last: its tables are not ours
_IN_FLIGHT = 512  # files handed out together: bounds what waits in memory, whatever the number of photos


@dataclass(frozen=True)
class Content:
    """What one file holds: the SHA-256 of its content, or the reason why it is no photo that can be read."""

    digest: str = ""
    reason: str = ""


@dataclass(frozen=True)
class PhotoFacts:
    """What is remembered of a photo besides its features.

    Attributes:
        width: In pixels, upright.
        height: Likewise.
        colour: Mean red, green and blue, 0 to 255.
        perceptual_hash: 64 bits as a signed integer: photos that look alike differ in few bits.
        remarks: What was odd about it (:mod:`tsugiki.data.images.remarks`).
    """

    width: int
    height: int
    colour: tuple[float, float, float]
    perceptual_hash: int
    remarks: tuple[str, ...] = ()


class PhotoIndex:
    """Contents and facts of photos, on disk.

    Args:
        folder: Where; by default in the program's cache folder.

    Raises:
        TsugikiError: When it cannot be used.
    """

    tables = _TABLES

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.unusable(error) from error
        self._prepare(time.monotonic() + _PATIENCE)

    def contents(self, paths: Sequence[Path]) -> list[Content]:
        """What every file holds; files that were seen before and not touched since are not even read.

        A file is decoded only where its bytes do not prove that it is whole
        (:func:`tsugiki.data.images.decode.check_content`): photos are decoded once, when their features are computed.

        Returns:
            ``N`` contents, in the order of ``paths``.
        """
        found = [Content(digest) for digest in self.known_digests(paths)]
        new = [position for position, content in enumerate(found) if not content.digest]
        stamps = [stamp_of(paths[position]) for position in new]
        with ContextThreadPool(usable_cores()) as pool, progress(tr("Reading photos"), len(new)) as tick:
            for start in range(0, len(new), _IN_FLIGHT):
                part = new[start : start + _IN_FLIGHT]
                for position, content in zip(part, pool.map(content_of, (paths[at] for at in part)), strict=True):
                    found[position] = content
                    tick(1, "")
        self.remember_files([paths[position] for position in new], [found[position].digest for position in new], stamps)
        return found

    def _prepare(self, deadline: float) -> None:
        """Make the tables, and choose a journal that lets one process write while others read; both stay in the file.

        The journal is changed under a lock that SQLite does not wait for, so two who make one store at once have to ask again.
        """
        while True:
            try:
                with self._transaction() as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                    connection.executescript(self.tables)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _BUSY or time.monotonic() > deadline:
                    raise self.unusable(error) from error
                time.sleep(_ASK_AGAIN)
            else:
                return

    @contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept when the block ends well and dropped when it does not."""
        try:
            with self._transaction() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise self.unusable(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # Immediate: a transaction that writes waits for its turn before it reads, and never has to be given up in the middle.
        connecting = sqlite3.connect(self.folder / "index.sqlite", timeout=_PATIENCE, isolation_level="IMMEDIATE")
        with closing(connecting) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection

    def unusable(self, error: Exception) -> TsugikiError:
        """What to raise where ``error`` keeps the store from being used."""
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
        with self.connection() as connection:
            for start in range(0, len(paths), _AT_ONCE):
                block = [_place(path) for path in paths[start : start + _AT_ONCE]]
                found = {
                    path: (stamp, digest.hex())
                    for path, stamp, digest in connection.execute(
                        f"SELECT path, stamp, digest FROM files WHERE path IN ({marks(block)})", block
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
        with self.connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)

    def facts(self, digests: Sequence[str]) -> list[PhotoFacts | None]:
        """What is remembered of photos, by content."""
        found: dict[str, PhotoFacts] = {}
        with self.connection() as connection:
            for block in blocks_of(digests):
                remarks: dict[bytes, list[str]] = {}
                for digest, remark in connection.execute(
                    f"SELECT digest, remark FROM remarks WHERE digest IN ({marks(block)})", block
                ):
                    remarks.setdefault(digest, []).append(remark)
                for digest, width, height, red, green, blue, hashed in connection.execute(
                    f"SELECT * FROM photos WHERE digest IN ({marks(block)})", block
                ):
                    own = tuple(remarks.get(digest, ()))
                    found[digest.hex()] = PhotoFacts(width, height, (red, green, blue), hashed, own)
        return [found.get(digest) for digest in digests]

    def remember_facts(self, facts: Mapping[str, PhotoFacts]) -> None:
        """Remember facts of photos, by content."""
        rows = [
            (bytes.fromhex(digest), fact.width, fact.height, *fact.colour, fact.perceptual_hash)
            for digest, fact in facts.items()
        ]
        remarks = [(bytes.fromhex(digest), remark) for digest, fact in facts.items() for remark in fact.remarks]
        with self.connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("DELETE FROM remarks WHERE digest = ?", [row[:1] for row in rows])
            connection.executemany("INSERT INTO remarks VALUES (?, ?)", remarks)


def content_of(path: Path) -> Content:
    """What one file holds."""
    try:
        content = read_content(path)
        check_content(content)
    except UnreadablePhoto as fault:
        return Content(reason=fault.what)
    return Content(content_digest(content))


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


def marks(block: Sequence[object]) -> str:
    """Question marks for the values of one SQL statement."""
    return ", ".join("?" * len(block))


def blocks_of(digests: Sequence[str]) -> Iterator[list[bytes]]:
    """Digests as bytes, as many at a time as one SQL statement takes."""
    for start in range(0, len(digests), _AT_ONCE):
        yield [bytes.fromhex(digest) for digest in digests[start : start + _AT_ONCE]]
