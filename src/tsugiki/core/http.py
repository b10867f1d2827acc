"""One file over HTTP, whole or resumed: what came before the line broke is kept and never fetched twice.

Beside the target lie, until it is used, ``NAME.part`` (what came so far) and ``NAME.part.json`` (which address and which
version of the file it is a part of). Only a part of the very same version is continued. Photos and weights both come this way.
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tsugiki.core.console import progress
from tsugiki.core.errors import TsugikiError, UnsafeArchive
from tsugiki.core.files import cache_place, write_json
from tsugiki.core.regular_files import read_json
from tsugiki.locale.messages import tr

BLOCK = 1 << 18
TIMEOUT_SECONDS = 8.0
ATTEMPTS = 4

Failure = Callable[[str], TsugikiError]
"""Makes the error that says, in the caller's words, why an address could not be fetched."""


class _Broken(Exception):
    """The line broke in the middle: what came is kept, going on is worth a try."""


@dataclass(frozen=True)
class _Part:
    """What came so far of ``url``."""

    url: str
    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def version(self) -> str:
        """The version that the server gave the file when the part was begun, or ``""`` where it cannot be continued."""
        try:
            note = read_json(self.note)
            return str(note["version"]) if note["url"] == self.url and self.size() > 1 else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def begin(self, version: str) -> None:
        self.path.unlink(missing_ok=True)
        write_json(self.note, {"url": self.url, "version": version})

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


@dataclass(frozen=True)
class Line:
    """Where from, and what the person is told.

    Attributes:
        url: ``http`` or ``https``.
        failure: See :data:`Failure`.
        label: What the progress bar calls the file.
        timeout: Seconds without a byte after which the line counts as broken.
    """

    url: str
    failure: Failure
    label: str
    timeout: float = TIMEOUT_SECONDS


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Of several processes that want ``target`` one goes through this block at a time."""
    from filelock import FileLock

    place = cache_place("locks") / f"{sha256(str(target.absolute()).encode()).hexdigest()[:32]}.lock"
    with _writing(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def fetched(line: Line, target: Path) -> Iterator[Path]:
    """The whole file, under a name of its own beside ``target``, for the block to check and to move or unpack.

    Afterwards it is taken away, and so it is when the block refuses its content. When the block fails for another reason, such
    as a full disk, the file is kept, and the next call fetches nothing again. Only one process may do this (:func:`alone`).

    Args:
        line: The address, and the caller's words.
        target: The file or folder that will come of it.

    Raises:
        TsugikiError: What ``line.failure`` makes, when the server cannot be reached, says no, or the line keeps breaking; or
            that the disk cannot be written to.
    """
    part = _Part(line.url, target.with_name(target.name + ".part"))
    _complete(part, line)
    try:
        yield part.path
    except TsugikiError as fault:
        if _is_about_the_content(fault):
            part.discard()
        raise
    part.discard()


def _is_about_the_content(fault: TsugikiError) -> bool:
    # An archive that is too much for this disk may be unpacked by hand; the system's own errors have a number.
    return not isinstance(fault, UnsafeArchive) and getattr(fault.__cause__, "errno", None) is None


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise not_written(path, fault) from fault


def not_written(path: Path, fault: OSError) -> TsugikiError:
    """The one sentence for a file that came and could not be put on the disk."""
    return TsugikiError(
        tr("{path} cannot be written.", path=path),
        got=str(fault),
        cure=tr(
            "make room on the disk, or see to the right to write there, then run the same command again (what came is kept)"
        ),
    )


def _complete(part: _Part, line: Line) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        before = part.size()
        try:
            _fetch_rest(part, line)
        except _Broken as broken:
            if attempt == ATTEMPTS or part.size() <= before:
                raise line.failure(str(broken)) from broken
        else:
            return


def _fetch_rest(part: _Part, line: Line) -> None:
    version = part.version()
    headers = {"User-Agent": "tsugiki"}
    if version:
        # From the last byte that is here, not the first that is not: so a part that is whole already has an answer, too.
        headers |= {"Range": f"bytes={part.size() - 1}-", "If-Range": version}
    request = urllib.request.Request(part.url, headers=headers)  # noqa: S310 (the caller allows http and https only)
    try:
        response = urllib.request.urlopen(request, timeout=line.timeout)  # noqa: S310
    except urllib.error.HTTPError as answer:
        answer.close()
        if answer.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and version:
            part.discard()
            _fetch_rest(part, line)
            return
        raise line.failure(f"HTTP {answer.code} {answer.reason}") from answer
    except (urllib.error.URLError, ssl.SSLError) as fault:
        raise line.failure(str(getattr(fault, "reason", fault))) from fault
    except (OSError, http.client.HTTPException) as fault:
        raise _Broken(str(fault) or type(fault).__name__) from fault
    with response, _writing(part.path):  # what the line does wrong is no OSError any more in there
        _receive(response, part, line.label)


def _receive(response: Any, part: _Part, label: str) -> None:
    """Append what comes, from the start where the server does not continue."""
    start = part.size() - 1
    if not _continues(response, start):
        # A weak ETag does not promise the same bytes, so nothing may be continued by it.
        tag = response.headers.get("ETag", "")
        part.begin(tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", ""))
        start = 0
    announced = response.headers.get("Content-Length")
    total = start + int(announced) if announced else None
    with part.path.open("r+b" if start else "wb") as stream, progress(label, total=_kibibytes(total)) as tick:
        stream.seek(start)
        tick(start // 1024, "KiB")
        while block := _next_block(response):
            stream.write(block)
            tick(len(block) // 1024, "KiB")
        got = stream.tell()
    if total is not None and got != total:
        raise _Broken(tr("the connection ended after {got} of {total} bytes", got=got, total=total))


def _next_block(response: Any) -> bytes:
    try:
        block: bytes = response.read1(BLOCK)  # what is there: a line that breaks then takes nothing along
    except (OSError, http.client.HTTPException) as fault:
        raise _Broken(str(fault) or type(fault).__name__) from fault
    return block


def _continues(response: Any, start: int) -> bool:
    told = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return bool(start > 0 and response.status == http.HTTPStatus.PARTIAL_CONTENT and told == str(start))


def _kibibytes(size: int | None) -> int | None:
    return None if size is None else size // 1024
