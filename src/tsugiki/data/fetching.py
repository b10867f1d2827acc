"""One file over HTTP, whole or resumed: what came before the line broke is kept and never fetched twice.

Beside the target lie, until it is whole, ``NAME.part`` (what came so far) and ``NAME.part.json`` (which address and which
version of the file it is a part of). Only a part of the very same version is continued.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsugiki import __version__
from tsugiki.core.console import progress
from tsugiki.core.errors import DataError
from tsugiki.core.files import write_json
from tsugiki.core.messages import tr

BLOCK = 1 << 18
TIMEOUT_SECONDS = 8.0
ATTEMPTS = 4


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
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return str(note["version"]) if note["url"] == self.url and self.size() else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def begin(self, version: str) -> None:
        self.path.unlink(missing_ok=True)
        write_json(self.note, {"url": self.url, "version": version})

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def fetch(url: str, target: Path, *, timeout: float = TIMEOUT_SECONDS) -> None:
    """Bring ``url`` to ``target``.

    Args:
        url: ``http`` or ``https``.
        target: The file to write; it appears when it is whole.
        timeout: Seconds without a byte after which the line counts as broken.

    Raises:
        DataError: When the server cannot be reached, says no, or the line keeps breaking.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(url, target.with_name(target.name + ".part"))
    for attempt in range(1, ATTEMPTS + 1):
        before = part.size()
        try:
            _fetch_rest(part, timeout)
            break
        except _Broken as broken:
            if attempt == ATTEMPTS or part.size() <= before:
                raise _unreachable(url, str(broken)) from broken
    part.path.replace(target)
    part.discard()


def _fetch_rest(part: _Part, timeout: float) -> None:
    version = part.version()
    headers = {"User-Agent": f"tsugiki/{__version__}"}
    if version:
        headers |= {"Range": f"bytes={part.size()}-", "If-Range": version}
    request = urllib.request.Request(part.url, headers=headers)  # noqa: S310 (the caller allows http and https only)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            _receive(response, part)
    except urllib.error.HTTPError as answer:
        answer.close()
        if answer.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and version:
            part.discard()
            _fetch_rest(part, timeout)
        else:
            raise _unreachable(part.url, f"HTTP {answer.code} {answer.reason}") from answer
    except (urllib.error.URLError, ssl.SSLError) as fault:
        raise _unreachable(part.url, str(getattr(fault, "reason", fault))) from fault
    except (OSError, http.client.HTTPException) as fault:
        raise _Broken(str(fault) or type(fault).__name__) from fault


def _receive(response: Any, part: _Part) -> None:
    """Append what comes, from the start where the server does not continue."""
    if not _continues(response, part.size()):
        # A weak ETag does not promise the same bytes, so nothing may be continued by it.
        tag = response.headers.get("ETag", "")
        part.begin(tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", ""))
    announced = response.headers.get("Content-Length")
    have = part.size()
    total = have + int(announced) if announced else None
    with part.path.open("ab") as stream, progress(tr("Fetching"), total=_kibibytes(total)) as tick:
        tick(have // 1024, "KiB")
        while block := response.read(BLOCK):
            stream.write(block)
            tick(len(block) // 1024, "KiB")
    if total is not None and part.size() != total:
        raise _Broken(tr("the connection ended after {got} of {total} bytes", got=part.size(), total=total))


def _continues(response: Any, have: int) -> bool:
    start = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return bool(response.status == http.HTTPStatus.PARTIAL_CONTENT and start == str(have))


def _kibibytes(size: int | None) -> int | None:
    return None if size is None else size // 1024


def _unreachable(url: str, reason: str) -> DataError:
    return DataError(
        tr("{url} could not be fetched.", url=url),
        got=reason,
        cure=tr(
            "try again later (what came so far is kept), or fetch the file elsewhere and type: "
            "tsugiki data get path/to/{name}; without a network, sample:foodvision works at once",
            name=url.partition("?")[0].rstrip("/").rpartition("/")[2],
        ),
    )
