"""One file from an address of any kind: the web by the standard library, storage of others by ``fsspec``.

``fsspec`` comes with PyTorch; what it needs for one kind of storage (``s3fs``, ``gcsfs``) is installed by whoever uses that.
Only kinds that give a file and nothing else are asked: no address may name other addresses, run anything or unpack an archive.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from tsugiki.core.files import atomic_path
from tsugiki.data.sources.addresses.hub_telemetry import without_telemetry
from tsugiki.data.sources.tables.table_paths import parts_of
from tsugiki.locale.messages import tr

_WEB = ("http", "https")
_BLOCK = 1 << 18  # bytes

_LIBRARIES = {
    "memory": "",
    "ftp": "",
    "hf": "huggingface_hub",
    **dict.fromkeys(("s3", "s3a"), "s3fs"),
    **dict.fromkeys(("gs", "gcs"), "gcsfs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "adlfs"),
    **dict.fromkeys(("sftp", "ssh"), "paramiko"),
    "hdfs": "pyarrow",
    "oci": "ocifs",
    "oss": "ossfs",
    "smb": "smbprotocol",
    "tos": "tosfs",
    "webdav": "webdav4",
}
"""By kind of address, the package that ``fsspec`` needs for it."""

KINDS = tuple(f"{kind}://" for kind in (*_WEB, *_LIBRARIES))
"""How addresses begin whose file can be fetched."""


class NotFetched(Exception):
    """A file did not come; the text says why, in a few words.

    Args:
        reason: Why.
        silent: Whether nobody answered: then whoever else lives there will hardly answer, either.
        cure: What to type, where that would help.
    """

    def __init__(self, reason: str, *, silent: bool = False, cure: str = "") -> None:
        super().__init__(reason)
        self.silent = silent
        self.cure = cure


def place_of_host(address: str) -> str:
    """Who is asked for the file of an address: kind, host or bucket."""
    parts = parts_of(address)
    return f"{parts.scheme.lower()}://{parts.netloc}"


def fetch_file(address: str, target: Path, *, limit: int) -> None:
    """The file of an address, whole or not at all.

    Args:
        address: Begins with one of :data:`KINDS`.
        target: Where it is written.
        limit: The most bytes that it may have.

    Raises:
        NotFetched: When it does not come.
        TsugikiError: When it cannot be written.
    """
    kind = parts_of(address).scheme.lower()
    if kind not in _WEB and (kind not in _LIBRARIES or "::" in address):  # which chains addresses; in one of the web it is IPv6
        raise NotFetched(tr("addresses of this kind are not fetched"))
    from tsugiki.core.http import not_written  # an HTTP client, which data sets of files need not wait for

    source = _from_the_web(address) if kind in _WEB else _by_fsspec(address, kind)
    with without_telemetry() if kind == "hf" else nullcontext(), source as (stream, size):
        if size is not None and size > limit:
            raise _too_large(limit)
        try:
            with atomic_path(target) as temporary, temporary.open("wb") as file:
                got = _copy(stream, file, limit)
                if size is not None and got != size:
                    raise NotFetched(tr("the connection ended after {got} of {total} bytes", got=got, total=size))
        except OSError as fault:  # what the line does wrong is none any more in there
            raise not_written(target, fault) from fault


def _copy(stream: Any, file: Any, limit: int) -> int:
    got = 0
    while block := _next_block(stream):
        got += len(block)
        if got > limit:
            raise _too_large(limit)
        file.write(block)
    return got


def _next_block(stream: Any) -> bytes:
    try:
        block: bytes = stream.read(_BLOCK)
    except Exception as fault:  # each kind of storage has its own errors
        raise NotFetched(_said(fault)) from fault
    return block


def _too_large(limit: int) -> NotFetched:
    return NotFetched(tr("too large: more than {limit} MB", limit=limit // 1_000_000))


def _said(fault: Exception) -> str:
    return (str(fault) or type(fault).__name__)[:200]


@contextmanager
def _from_the_web(address: str) -> Iterator[tuple[Any, int | None]]:
    import http.client
    import urllib.error
    import urllib.request

    from tsugiki.core.http import TIMEOUT_SECONDS

    try:
        request = urllib.request.Request(_plain(address), headers={"User-Agent": "tsugiki"})  # noqa: S310 (http and https only)
        response = urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)  # noqa: S310
    except urllib.error.HTTPError as answer:
        answer.close()
        raise NotFetched(f"HTTP {answer.code} {answer.reason}") from answer
    except (OSError, http.client.HTTPException, ValueError) as fault:
        raise NotFetched(str(getattr(fault, "reason", "")) or _said(fault), silent=True) from fault
    with response:
        announced = response.headers.get("Content-Length")
        yield response, int(announced) if announced and announced.isdecimal() else None


def _plain(address: str) -> str:
    """An address as it is asked for: people copy them with letters and spaces that no address has."""
    parts = urlsplit(address)
    host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    path, query = (quote(part, safe="%/:?[]@!$&'()*+,;=~-._") for part in (parts.path, parts.query))
    return urlunsplit((parts.scheme, host, path, query, ""))


@contextmanager
def _by_fsspec(address: str, kind: str) -> Iterator[tuple[Any, int | None]]:
    log = logging.getLogger(_LIBRARIES[kind] or "fsspec")
    if not log.handlers:  # else Python itself prints what a library logs, tracebacks included, where a program sets up no log
        log.addHandler(logging.NullHandler())
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
        size = system.info(path).get("size")
        stream = system.open(path, "rb")
    except ImportError as fault:
        command = f"pip install {_LIBRARIES[kind]}" if _LIBRARIES[kind] else ""
        raise NotFetched(
            tr("{kind} needs a library more: {command}", kind=f"{kind}://", command=command), cure=command
        ) from fault
    except (FileNotFoundError, IsADirectoryError) as fault:
        raise NotFetched(tr("no such file")) from fault
    except PermissionError as fault:
        raise NotFetched(_said(fault)) from fault
    except Exception as fault:  # each kind of storage has its own errors: no credentials, no network
        raise NotFetched(_said(fault), silent=True) from fault
    with closing(stream):
        yield stream, size if isinstance(size, int) else None
