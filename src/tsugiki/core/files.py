"""Files that are whole or absent: written beside their place and moved into it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tsugiki.core.console import say
from tsugiki.core.errors import RequestError, TsugikiError
from tsugiki.core.regular_files import open_regular, read_json, require_regular
from tsugiki.locale.messages import tr

_UNDER_WAY = ".under-way-"
_OLD = ".old."
_AT_WORK = "at-work.json"
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}")
_NEWBORN = 1.0  # seconds in which what was just made may not be held yet


def sha256_of(path: Path, *, limit: int | None = None) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits.

    Raises:
        OSError: When it cannot be read, is no regular file, or holds more than ``limit`` bytes.
    """
    with open_regular(path, limit=limit) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where the program keeps what can be made again: ``TSUGIKI_CACHE``, else the user's cache folder, if there is a user."""
    if chosen := os.environ.get("TSUGIKI_CACHE"):
        return Path(chosen).expanduser()
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "tsugiki"
    try:
        return Path.home() / ".cache" / "tsugiki"
    except RuntimeError:  # no HOME, and nobody of this number in the list of users
        return Path(tempfile.gettempdir()) / f"tsugiki-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"


def cache_place(name: str) -> Path:
    """A folder in the cache for what has to lie on a disk; a temporary one, which is said, where the cache cannot be written.

    Args:
        name: Of the folder.

    Returns:
        A folder that is there. A temporary one goes when the process ends.
    """
    folder = cache_folder() / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(4096))
    except OSError as error:
        return _temporary_place(name, str(folder), error.strerror or str(error))
    return folder


@functools.cache
def _temporary_place(name: str, folder: str, reason: str) -> Path:
    place = Path(tempfile.mkdtemp(prefix=f"tsugiki-{name}-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    say(
        tr(
            "{folder} cannot be written ({reason}): a temporary folder is used. To keep what is in it, set TSUGIKI_CACHE.",
            folder=folder,
            reason=reason,
        )
    )
    return place


def check_file_place(path: Path) -> Path:
    """Refuse, before anything is computed, a place where no file can be written.

    Raises:
        RequestError: When a folder, a pipe or a device is there.
    """
    try:
        require_regular(path)
    except OSError as error:
        raise RequestError(
            tr("{path} cannot be written.", path=path), got=error.strerror or str(error), cure=tr("name another file")
        ) from error
    return path


def check_folder_place(folder: Path) -> Path:
    """Refuse, before anything is computed, a place where there is no folder and none can be made.

    Raises:
        RequestError: When something else is in the way.
    """
    above = next(place for place in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(place))
    if not above.is_dir():
        raise RequestError(
            tr("{folder} cannot be written: {parent} is in the way.", folder=folder, parent=above),
            cure=tr("name another folder"),
        )
    return folder


def real_path(path: Path) -> Path:
    """Where a file or folder is, links followed; links that lead in a circle are followed as far as they lead."""
    return Path(os.path.realpath(path))


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
    """A temporary path beside ``path`` that becomes ``path`` when the block ends well, and vanishes when it does not.

    What processes that were killed have left of it is cleared away, where the system tells the living from the dead.

    Raises:
        OSError: When a folder, a pipe or a device is in its place, or the system refuses.
    """
    require_regular(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with _held(temporary):
            yield temporary
            temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that nobody else may read
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _sweep_files(_left_beside(path, "."))


def sweep_own_folder(folder: Path) -> None:
    """Clear away what killed processes have left half written in a folder that only this program writes into."""
    with contextlib.suppress(OSError):
        _sweep_files([entry for entry in folder.iterdir() if _TEMPORARY.fullmatch(entry.name)])


def _sweep_files(files: list[Path]) -> None:
    for left in files:
        with contextlib.suppress(OSError):  # another process may sweep at the same time
            if left.is_file() and not left.is_symlink() and time.time() - left.stat().st_mtime > _NEWBORN:
                with _held(left) as dead:
                    if dead:
                        left.unlink()


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
    recover_folder(path)
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
def _held(folder: Path) -> Iterator[bool | None]:
    """Hold a folder, if nobody else does, until the block or the process ends; always ``None`` where folders have no locks."""
    try:
        import fcntl
    except ModuleNotFoundError:  # Windows
        yield None
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        held: bool | None = True
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # somebody else holds it
            held = False
        except OSError:  # the file system has no locks
            held = None
        yield held
    finally:
        os.close(descriptor)


def recover_folder(path: Path) -> None:
    """Put ``path`` back if the process that was replacing it was killed before the new folder stood in its place."""
    if os.path.lexists(path) or not path.absolute().parent.is_dir():
        return
    for left in _left_beside(path.absolute(), _OLD):
        with contextlib.suppress(OSError), _held(left) as dead:
            if dead and [entry.name for entry in left.iterdir()] == [path.absolute().name]:
                (left / path.absolute().name).rename(path)
                left.rmdir()
                return


def _sweep(path: Path) -> None:
    """Clear away folders that were to become ``path``, or were replaced by it, and whose process is dead."""
    for left in _left_beside(path, _UNDER_WAY, _OLD):
        with contextlib.suppress(OSError):  # another process may sweep at the same time
            if time.time() - left.stat().st_mtime > _NEWBORN:
                with _held(left) as dead:
                    if dead:
                        shutil.rmtree(left, ignore_errors=True)


def _left_beside(path: Path, *kinds: str) -> list[Path]:
    """What this program has made beside ``path`` for a while."""
    names = [re.compile(re.escape(f".{path.name}{kind}") + r"[a-z0-9_]{8}") for kind in kinds]
    return [entry for entry in path.parent.iterdir() if any(name.fullmatch(entry.name) for name in names)]


def _swap_in(new: Path, path: Path) -> None:
    if not os.path.lexists(path):
        new.rename(path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}{_OLD}", dir=path.parent))
    old = aside / path.name
    with _held(aside):
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
        kept = path.with_name(f"{path.name}.old-{old.parent.name[-8:]}")
        with contextlib.suppress(OSError):  # under a name that nobody clears away
            old = old.rename(kept)
        raise TsugikiError(
            tr("{folder} could not be replaced. What was there is now in {old}.", folder=path, old=old)
        ) from error


@contextlib.contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Within this block no other process works in ``folder``, where the system has locks.

    Args:
        folder: Made when it is not there. A file in it says who is at work; it goes when the block ends.

    Raises:
        RequestError: When another process is at work there.
    """
    note = folder / _AT_WORK
    with contextlib.ExitStack() as stack:
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # whoever was there before has just taken it away
                if stack.enter_context(_held(folder)) is False:
                    raise RequestError(
                        tr("Another training is at work in {folder}.", folder=folder),
                        got=_who(note),
                        cure=tr("wait until it has ended, or name another folder"),
                    )
                write_json(note, {"process": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")})
                break
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


def _who(note: Path) -> str:
    try:
        return ", ".join(f"{name} {value}" for name, value in read_json(note).items())
    except (OSError, ValueError, AttributeError):
        return ""


def is_at_work(folder: Path) -> bool:
    """Whether another process is at work in ``folder``."""
    try:
        with _held(folder) as free:
            return free is False
    except OSError:
        return False


def _umask() -> int:
    # The umask can only be read by setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
