"""The index of photos: what each file holds, known by its content, and whether it can be read.

A file that moved is found again, and a file that was replaced is not mistaken for the old one. On disk
(``<cache>/features/index.sqlite``): files -> content, content -> facts; :mod:`tsugiki.features.store` adds the rows of their
features. Several processes may share an index.

Nothing here is taken on trust: every entry carries a seal over all that it says, and one whose seal is broken is thrown away,
said, and found out again. What cannot be written is known in memory for as long as the index is used.

Letters: ``N`` photos.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tsugiki.core.console import progress, say
from tsugiki.core.devices import usable_cores
from tsugiki.core.errors import TsugikiError, UnreadablePhoto
from tsugiki.core.files import cache_folder, sweep_own_folder
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.images.decode import check_content, content_digest, read_content
from tsugiki.data.images.file_type import is_own_picture
from tsugiki.locale.messages import tr

T = TypeVar("T")

INDEX = "index.sqlite"
_VERSION = 3
"""Of the tables. Older ones had no seals, or no place for remarks."""

_TABLES = (
    """CREATE TABLE IF NOT EXISTS files (
        path BLOB PRIMARY KEY, stamp TEXT NOT NULL, digest BLOB NOT NULL, seal BLOB NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS photos (
        digest BLOB PRIMARY KEY, width INT, height INT, red REAL, green REAL, blue REAL, look INT, remarks TEXT NOT NULL,
        seal BLOB NOT NULL
    ) WITHOUT ROWID""",
)
_OLDER = {"files", "photos", "spaces", "rows"}
_FAULTS = (sqlite3.Error, UnicodeError, OverflowError)
"""What SQLite raises, and what Python makes of what it finds in a damaged file."""

_AT_ONCE = 500  # placeholders in one SQL statement
_ASK_AGAIN = 0.01  # seconds between two attempts at making a store that another process is making
_PATIENCE = 60.0  # seconds that one process waits for another one's transaction
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM}
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
    """Contents and facts of photos, on disk; in memory where the disk cannot be used.

    Args:
        folder: Where; by default in the program's cache folder.

    Raises:
        TsugikiError: When another process keeps it locked, or when it is another program's.
    """

    tables: tuple[str, ...] = _TABLES

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "features"
        self.on_disk = True
        self._is_readable = True
        self._mode = ""
        self._facts: dict[str, PhotoFacts] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sweep_own_folder(self.folder)
            self._prepare(time.monotonic() + _PATIENCE)
        except OSError as error:
            self.keep_in_memory(error)

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
        while self.on_disk:
            try:
                with self._transaction() as connection:
                    connection.execute("PRAGMA journal_mode=WAL")
                    if connection.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
                        self._set_aside()
                        continue
                    connection.execute("BEGIN IMMEDIATE")
                    self._make_tables(connection)
            except _FAULTS as error:
                if _code(error) not in _BUSY:
                    self._fails(error)
                    self._mode = "" if self.on_disk else "immutable=1"  # a folder that is read-only may hold what is needed
                elif time.monotonic() > deadline:
                    raise self.unusable(error) from error
                else:
                    time.sleep(_ASK_AGAIN)
            else:
                return

    def _make_tables(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if present and version != _VERSION:
            if version > _VERSION or not present <= _OLDER:
                raise self.unusable(ValueError(tr("it is another program's, or a newer version's")))
            say(
                tr(
                    "The feature store in {folder} is an older version's, whose entries cannot be checked: it is made anew.",
                    folder=self.folder,
                )
            )
            for name in present:
                connection.execute(f"DROP TABLE {name}")
            # Inside the transaction: nobody else has put anything into the new store yet.
            for path in (*self.folder.glob("*.f32"), *self.folder.glob("*.json")):
                path.unlink(missing_ok=True)
        for statement in self.tables:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # Immediate: a transaction that writes waits for its turn before it reads, and never has to be given up in the middle.
        place = f"{(self.folder.absolute() / INDEX).as_uri()}?{self._mode}"
        connecting = sqlite3.connect(place, timeout=_PATIENCE, isolation_level="IMMEDIATE", uri=True)
        with closing(connecting) as connection, connection:
            connection.execute("PRAGMA synchronous=NORMAL")
            yield connection

    def ask(self, question: Callable[[sqlite3.Connection], T], otherwise: T, *, writes: bool = False) -> T:
        """What the index answers to ``question``, in one transaction.

        Args:
            question: What to do with the connection.
            otherwise: The answer where the index cannot be used, which is said once.
            writes: Whether something is changed.

        Raises:
            TsugikiError: When another process keeps it locked.
        """
        if not (self.on_disk if writes else self._is_readable):
            return otherwise
        try:
            with self._transaction() as connection:
                return question(connection)
        except _FAULTS as error:
            if self.on_disk:
                self._fails(error)
            self._is_readable = self._is_readable and writes
            self.on_disk = False  # what else this command finds out, it finds out by itself
            return otherwise

    def _fails(self, error: Exception) -> None:
        """See to it that work goes on: a damaged index makes room for a new one, one without a place is done without."""
        if _code(error) in _BUSY:
            raise self.unusable(error) from error
        if _code(error) in _FULL:
            self.keep_in_memory(error)
        else:
            self._set_aside()
            self._is_readable = self.on_disk

    def _set_aside(self) -> None:
        """Let a damaged index make room for a new one."""
        say(
            tr(
                "The index of the feature store in {folder} is damaged: it is put aside, and what it knew is computed again.",
                folder=self.folder,
            )
        )
        try:
            (self.folder / INDEX).replace(self.folder / f"{INDEX}.damaged")
            for rest in ("-wal", "-shm"):
                (self.folder / f"{INDEX}{rest}").unlink(missing_ok=True)
        except OSError as error:
            self.keep_in_memory(error)

    def keep_in_memory(self, error: Exception) -> None:
        """From now on nothing is asked of the disk and nothing written to it; said once."""
        if self.on_disk:
            self.on_disk = False
            say(
                tr(
                    "The feature store in {folder} cannot be used ({reason}): this command keeps what it computes in memory. "
                    "To keep it longer: {cure}",
                    folder=self.folder,
                    reason=getattr(error, "strerror", None) or error,
                    cure=_cure(error),
                )
            )

    def unusable(self, error: Exception) -> TsugikiError:
        """What to raise where ``error`` keeps the store from being used."""
        return TsugikiError(
            tr("The feature store in {folder} cannot be used.", folder=self.folder), got=str(error), cure=_cure(error)
        )

    def say_damaged(self, count: int) -> None:
        """Say how many entries were thrown away because they are not what they were."""
        if count:
            say(
                tr(
                    "{count} entries of the feature store in {folder} are damaged: they are thrown away and computed again.",
                    count=count,
                    folder=self.folder,
                )
            )

    def known_digests(self, paths: Sequence[Path]) -> list[str]:
        """Content digests of files that were seen before and have not been touched since; ``""`` for all others.

        Touched means: size, date, time of change or number on the disk differ (:func:`stamp_of`). On POSIX systems the time of
        change cannot be set back, so a file that was replaced under the same name is noticed even where size and date are
        the same. Windows keeps no such time: there a file that is overwritten in place by one of the same size, and then
        given the same date, is taken for the old one.
        """
        digests = [""] * len(paths)
        broken = 0
        for start in range(0, len(paths), _AT_ONCE):
            block = [_place(path) for path in paths[start : start + _AT_ONCE]]
            rows, lost = self.ask(functools.partial(_rows_about, "files", "path", block), _NO_ROWS)
            found = {row[0]: row for row in rows}
            broken += lost
            for offset, path in enumerate(block):
                if path in found and found[path][1] == stamp_of(path):
                    digests[start + offset] = found[path][2].hex()
        self.say_damaged(broken)
        return digests

    def remember_files(self, paths: Iterable[Path], digests: Iterable[str], stamps: Iterable[str]) -> None:
        """Note which content each file has; ``stamps`` were taken before the content was read (:func:`stamp_of`)."""
        rows = [
            _sealed(_place(path), stamp, bytes.fromhex(digest))
            for path, digest, stamp in zip(paths, digests, stamps, strict=True)
            if digest and stamp
        ]
        noted = "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)"
        self.ask(lambda connection: connection.executemany(noted, rows), None, writes=True)

    def facts(self, digests: Sequence[str]) -> list[PhotoFacts | None]:
        """What is remembered of photos, by content."""
        found = dict(self._facts)
        broken = 0
        for block in blocks_of(digests):
            rows, lost = self.ask(functools.partial(_rows_about, "photos", "digest", block), _NO_ROWS)
            broken += lost
            for digest, width, height, red, green, blue, hashed, remarks, _ in rows:
                found[digest.hex()] = PhotoFacts(width, height, (red, green, blue), hashed, tuple(remarks.splitlines()))
        self.say_damaged(broken)
        return [found.get(digest) for digest in digests]

    def remember_facts(self, facts: Mapping[str, PhotoFacts]) -> None:
        """Remember facts of photos, by content."""
        rows = [
            _sealed(
                bytes.fromhex(digest),
                int(fact.width),
                int(fact.height),
                *map(float, fact.colour),
                int(fact.perceptual_hash),
                "\n".join(fact.remarks),  # printable letters only, see data/images/remarks.py
            )
            for digest, fact in facts.items()
        ]
        noted = "INSERT OR REPLACE INTO photos VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self.ask(lambda connection: connection.executemany(noted, rows), None, writes=True)
        if not self.on_disk:
            self._facts |= facts


_Rows = list[tuple[Any, ...]]
_NO_ROWS: tuple[_Rows, int] = ([], 0)


def _rows_about(table: str, key: str, block: list[bytes], connection: sqlite3.Connection) -> tuple[_Rows, int]:
    """The rows of a table whose key is in ``block``; and how many had a broken seal and were thrown away."""
    rows = connection.execute(f"SELECT * FROM {table} WHERE {key} IN ({marks(block)})", block).fetchall()
    whole = [row for row in rows if _is_sealed(row)]
    if len(whole) == len(rows):
        return whole, 0
    broken = [(row[0],) for row in rows if not _is_sealed(row)]
    with contextlib.suppress(sqlite3.OperationalError):  # a store that may only be read keeps what is broken
        connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", broken)
    return whole, len(broken)


def seal_of(*values: object) -> bytes:
    """Eight bytes that depend on every value and its place."""
    return hashlib.sha256(repr(values).encode()).digest()[:8]


def _sealed(*values: Any) -> tuple[Any, ...]:
    """The values of an entry, its seal behind them."""
    return (*values, seal_of(*values))


def _is_sealed(row: tuple[Any, ...]) -> bool:
    """Whether an entry is what was written."""
    return bool(row[-1] == seal_of(*row[:-1]))


def content_of(path: Path) -> Content:
    """What one file holds."""
    try:
        content = read_content(path)
        if is_own_picture(content):
            return Content(reason=tr("a picture that this program drew"))
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
    except (OSError, ValueError):  # the latter: a zero byte in the name
        return ""
    if time.time_ns() - state.st_ctime_ns < 50_000_000:
        return ""
    return f"{state.st_size}/{state.st_mtime_ns}/{state.st_ctime_ns}/{state.st_ino}"


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 for errors that Python itself raises."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _cure(error: Exception) -> str:
    """What to do about a store that cannot be used."""
    code = _code(error)
    if code in _BUSY:
        return tr("wait until the other tsugiki commands have ended, then run the same command again")
    if code == sqlite3.SQLITE_FULL or (isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}):
        return tr("make room on the disk, or set TSUGIKI_CACHE to a folder on another one")
    return tr("set TSUGIKI_CACHE to a folder that can be written to")


def marks(block: Sequence[object]) -> str:
    """Question marks for the values of one SQL statement."""
    return ", ".join("?" * len(block))


def blocks_of(digests: Sequence[str]) -> Iterator[list[bytes]]:
    """Digests as bytes, as many at a time as one SQL statement takes."""
    for start in range(0, len(digests), _AT_ONCE):
        yield [bytes.fromhex(digest) for digest in digests[start : start + _AT_ONCE]]
