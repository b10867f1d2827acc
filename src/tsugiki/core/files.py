"""Files that are whole or absent: written beside their place and moved into it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tsugiki.core.errors import TsugikiError
from tsugiki.core.regular_files import open_regular
from tsugiki.locale.messages import tr

_UNDER_WAY = ".under-way-"
_NEWBORN = 1.0  # seconds in which a folder that was just made may not be held yet


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits.

    Raises:
        OSError: When it cannot be read, or is no regular file.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where the program keeps what can be made again: ``TSUGIKI_CACHE``, else the user's cache folder."""
    if chosen := os.environ.get("TSUGIKI_CACHE"):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tsugiki"


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write ``content`` so that a reader sees the old file or the new one, never a part of one."""
    data = content.encode() if isinstance(content, str) else content
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def write_json(path: Path, document: object) -> None:
    """Write a JSON document atomically, readable by people, every letter kept."""
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=2) + "\n")


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that becomes ``path`` when the block ends well, and vanishes when it does not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that nobody else may read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside ``path`` that becomes ``path`` when the block ends well; an older ``path`` is replaced.

    The old folder is moved away before the new one is moved in and put back if that fails, so ``path`` is never half of each.
    What cannot be put back, because somebody has made ``path`` meanwhile, is kept and named. What processes that were killed
    have left beside ``path`` is cleared away, where the system tells the living from the dead.

    Raises:
        TsugikiError: When the old folder could be neither replaced nor put back.
    """
    path = path.absolute()  # "." has no name
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}{_UNDER_WAY}", dir=path.parent))
    try:
        with _held(temporary):
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            _swap_in(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sweep(path)


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder, if nobody else does, until the block or the process ends; always ``False`` where folders have no locks."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        held = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # somebody else holds it, or the file system has no locks
            held = False
        yield held
    finally:
        os.close(descriptor)


def _sweep(path: Path) -> None:
    """Clear away folders that were to become ``path`` and whose process is dead."""
    name = re.compile(re.escape(f".{path.name}{_UNDER_WAY}") + r"[a-z0-9_]{8}")
    for left in [entry for entry in path.parent.iterdir() if name.fullmatch(entry.name)]:
        with contextlib.suppress(OSError):  # another process may sweep at the same time
            if time.time() - left.stat().st_mtime > _NEWBORN:
                with _held(left) as dead:
                    if dead:
                        shutil.rmtree(left, ignore_errors=True)


def _swap_in(new: Path, path: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
    old = aside / path.name
    try:
        path.rename(old)
        new.rename(path)
    except BaseException:  # an interruption too
        if new.exists() and os.path.lexists(old):
            _put_back(old, path)
        raise
    finally:
        # Whatever is still needed has been put back, or is kept: only an old folder that was replaced may go.
        if not new.exists() or not os.path.lexists(old):
            shutil.rmtree(aside, ignore_errors=True)


def _put_back(old: Path, path: Path) -> None:
    try:
        old.rename(path)
    except OSError as error:
        raise TsugikiError(
            tr("{folder} could not be replaced. What was there is now in {old}.", folder=path, old=old)
        ) from error


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
