"""Archives of photos, unpacked safely: nothing is written outside, no links, no devices, never more than expected.

Content is unpacked once into the cache, under the digest of the archive, whole or not at all.
"""

from __future__ import annotations

import errno
import lzma
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

from tsugiki.core.console import progress
from tsugiki.core.errors import DataError, UnsafeArchive
from tsugiki.core.files import atomic_folder, cache_folder, cache_place, sha256_of
from tsugiki.core.regular_files import open_regular
from tsugiki.data.sources.archives.zip_names import names_in
from tsugiki.data.sources.listing import is_never_meant, is_writable_text, shown
from tsugiki.locale.messages import tr

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, OSError, NotImplementedError, ValueError, OverflowError, RecursionError),
)
"""What Python raises about a damaged archive."""


@dataclass(frozen=True)
class Limits:
    """How much an archive may hold before it is refused.

    Attributes:
        files: Most files.
        size: Most bytes, unpacked.
        growth: Most bytes unpacked per byte of the archive; photos hardly shrink when packed, bombs do.
        always: Bytes that are allowed whatever the growth is.
    """

    files: int = 5_000_000
    size: int = 1 << 40
    growth: int = 200
    always: int = 1 << 30

    def bytes_for(self, packed: int) -> int:
        """The bytes that an archive of ``packed`` bytes may unpack to."""
        return min(self.size, max(self.always, packed * self.growth))


_BLOCK = 1 << 20  # bytes
_FORM = "2"  # changes when the same archive is unpacked to other files


class _Member(NamedTuple):
    """A file of an archive; a folder has no content."""

    name: str
    size: int
    content: IO[bytes] | None


def is_archive(path: Path) -> bool:
    """Whether a file is called like an archive that can be unpacked."""
    return path.name.lower().endswith(ARCHIVE_SUFFIXES)


def without_suffix(name: str) -> str:
    """The name of an archive without its ending."""
    endings = (suffix for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix))
    return name[: -len(next(endings, "")) or None]


def guessed_names(path: Path) -> str:
    """What has to be said about the names in an archive, where it does not say how they are encoded; else ``""``."""
    try:
        with zipfile.ZipFile(path) as archive:
            return names_in(archive.infolist()).sentence()
    except (OSError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return ""


def unpack(path: Path, *, limits: Limits | None = None) -> Path:
    """The folder with the content of a zip or tar archive; it is unpacked only the first time.

    Args:
        path: The archive; ``.gz``, ``.bz2`` and ``.xz`` around a tar are recognised by their content.
        limits: How much it may hold.

    Raises:
        UnsafeArchive: When a member would be written outside the folder, is a link or a device, or there is too much.
        DataError: When the archive is damaged, locked with a password, or no archive.
    """
    _check_archive(path)
    folder = unpacked_place(f"{sha256_of(path)[:32]}-{_FORM}")
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            extract_archive(path, temporary, limits=limits)
    return folder


def unpacked_place(name: str) -> Path:
    """The folder of this name, or where one can be made: in the cache, or a temporary one where that cannot be written."""
    folder = cache_folder() / "archives" / name
    return folder if folder.is_dir() else cache_place("archives") / name


def _check_archive(path: Path) -> None:
    """Refuse what is no archive at all before all of it is read."""
    try:
        with open_regular(path, limit=Limits.size) as stream:
            if zipfile.is_zipfile(stream):
                return
            with _opened_tar(stream) as archive:
                if archive.next() is not None:
                    return
    except _DAMAGE as fault:
        raise _not_unpacked(path, fault) from fault
    raise _not_unpacked(path, DataError(tr("there is nothing in it")))


def _not_unpacked(path: Path, fault: Exception) -> DataError:
    # What the system says, without the path of the temporary folder.
    reason = getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
    if isinstance(fault, RecursionError):
        reason = tr("too deep")
    return DataError(tr("The archive {path} cannot be unpacked.", path=path), got=str(reason)[:300])


def extract_archive(path: Path, folder: Path, *, limits: Limits | None = None) -> None:
    """Unpack into ``folder``, which is there and empty: a temporary one, since it is left half full when something is wrong.

    Raises:
        UnsafeArchive: As :func:`unpack`.
        DataError: As :func:`unpack`.
    """
    budget = _Budget(limits or Limits(), path, folder)
    try:
        with progress(tr("Unpacking"), total=None) as tick:
            for member in _members(path):
                parts = _safe_parts(member.name)
                if parts and not any(is_never_meant(part) for part in parts):
                    budget.take(member.size)
                    _place(folder, parts, member)
                    tick(1, parts[-1])
    except _DAMAGE as fault:
        raise _not_unpacked(path, fault) from fault


_LONGEST_PART = 255
_LONGEST_NAME = 3000
_MOST_FOLDERS = 100  # Python deletes no tree that is a thousand deep
"""What file systems take, with room for the folder that it is unpacked into."""


class _Budget:
    """What is left of the limits."""

    def __init__(self, limits: Limits, path: Path, folder: Path) -> None:
        self.path = path
        self.files = limits.files
        self.bytes = limits.bytes_for(path.stat().st_size)
        self.free = shutil.disk_usage(folder).free

    def take(self, size: int) -> None:
        self.files -= 1
        self.bytes -= size
        self.free -= size
        if self.files < 0 or self.bytes < 0:
            raise UnsafeArchive(
                tr("The archive {path} holds too much.", path=self.path),
                cure=tr("unpack it yourself, if you trust it, and name the folder"),
            )
        if self.free < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _safe_parts(name: str) -> list[str]:
    """The parts of a member's name below the folder.

    Raises:
        UnsafeArchive: When the name leads elsewhere.
    """
    # A backslash separates on Windows; on other systems it is refused only together with what would make it dangerous.
    parts = name.replace("\\", "/").split("/")
    if not name.strip("/\\"):
        return []
    if name.startswith(("/", "\\")) or ".." in parts or re.match(r"[A-Za-z]:", name) or "\x00" in name:
        raise UnsafeArchive(tr("The archive holds {name}, which would be written outside its folder.", name=repr(shown(name))))
    if len(name) > _LONGEST_NAME or any(len(part.encode("utf-8", "replace")) > _LONGEST_PART for part in parts):
        raise DataError(
            tr("The archive holds {name}..., whose name is too long for a file.", name=repr(shown(name[:60]))),
            allowed=tr("{part} bytes between slashes, {name} letters in all", part=_LONGEST_PART, name=_LONGEST_NAME),
        )
    if len(parts) > _MOST_FOLDERS:
        raise DataError(
            tr(
                "The archive holds {name}..., in more than {count} folders inside one another.",
                name=repr(shown(name[:60])),
                count=_MOST_FOLDERS,
            ),
            cure=tr("pack it again, or unpack it yourself and name the folder"),
        )
    if not is_writable_text(name):
        raise DataError(
            tr("The archive holds {name}, whose name is not valid UTF-8.", name=repr(shown(name))),
            cure=tr("pack it again, or unpack it yourself and name the folder"),
        )
    return [part for part in parts if part not in {"", "."}]


def _place(folder: Path, parts: list[str], member: _Member) -> None:
    """Write a member where it belongs; an empty file that others are below was a folder, and a copy need not come twice."""
    target = folder.joinpath(*parts)
    try:
        for above in list(target.relative_to(folder).parents)[-2::-1]:
            _make_folder(folder / above)
        if member.content is None or (target.is_dir() and not member.size):
            _make_folder(target)
        else:
            _write(target, member)
    except (NotADirectoryError, IsADirectoryError):
        raise DataError(
            tr("The archive holds {name}, and a file in place of a folder of it.", name=repr(shown(member.name))),
            cure=tr("pack it again, or unpack it yourself and name the folder"),
        ) from None
    except FileExistsError:
        raise DataError(
            tr("The archive holds {name} twice, with different content.", name=repr(shown(member.name))),
            cure=tr("pack it again, or unpack it yourself and name the folder"),
        ) from None
    except OSError as fault:
        if fault.errno in {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}:
            raise DataError(
                tr("The archive holds {name}, a name that this system cannot write.", name=repr(shown(member.name[:200]))),
                cure=tr("pack it again with shorter names, or unpack it yourself and name the folder"),
            ) from None
        raise


def _make_folder(folder: Path) -> None:
    if folder.is_file():
        if folder.stat().st_size:
            raise NotADirectoryError
        folder.unlink()
    folder.mkdir(exist_ok=True)


def _write(target: Path, member: _Member) -> None:
    if member.content is None:
        return
    if target.is_file():
        if not _is_copy(target, member.content):
            raise FileExistsError
        return
    left = member.size  # what was counted against the limits; nobody gets more
    with target.open("xb") as stream:  # never over another member, and never through a link
        while block := member.content.read(_BLOCK):
            left -= len(block)
            if left < 0:
                raise UnsafeArchive(tr("The archive holds {name}, which is larger than announced.", name=repr(member.name)))
            stream.write(block)


def _is_copy(target: Path, content: IO[bytes]) -> bool:
    with target.open("rb") as there:
        while block := content.read(_BLOCK):
            if there.read(len(block)) != block:
                return False
        return not there.read(1)


def _members(path: Path) -> Iterator[_Member]:
    with path.open("rb") as stream:
        begins_like_zip = stream.read(2) == b"PK"
    # A tar whose last file is a zip ends like one, and a zip that unpacks itself begins like a program.
    if begins_like_zip or (not tarfile.is_tarfile(path) and zipfile.is_zipfile(path)):
        return _zip_members(path)
    return _tar_members(path)


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        for info, name in zip(infos, names_in(infos).names, strict=True):
            kind = info.external_attr >> 16 & 0o170000
            if kind not in {0, 0o100000, 0o040000}:
                raise _link(name)
            if info.flag_bits & 1:
                raise DataError(tr("The archive {path} is locked with a password.", path=path))
            if name.endswith(("/", "\\")):
                yield _Member(name, 0, None)
                continue
            with archive.open(info) as content:
                yield _Member(name, info.file_size, content)


_PACKED = {b"\x1f\x8b": "r:gz", b"BZh": "r:bz2", b"\xfd7zXZ\0": "r:xz", b"\x5d\0\0": "r:xz"}
"""How a packed tar begins."""


class _Header(tarfile.TarInfo):
    """A head of a member. A long name comes as a member of its own, which is read into memory: as large as it says it is."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type in _NAMES_AND_NOTES and self.size > 1 << 20:
            raise tarfile.ReadError(tr("a name of {size} bytes", size=self.size))
        found: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        return found


_NAMES_AND_NOTES = {
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
}


def _opened_tar(stream: IO[bytes]) -> tarfile.TarFile:
    """A tar archive, by its first bytes: trying each kind of packing in turn reads a file of zeros to its end."""
    stream.seek(0)
    head = stream.read(8)
    stream.seek(0)
    modes = [mode for mark, mode in _PACKED.items() if head.startswith(mark)]
    return tarfile.open(fileobj=stream, mode=modes[0] if modes else "r:", tarinfo=_Header)  # type: ignore[call-overload,no-any-return]


def _tar_members(path: Path) -> Iterator[_Member]:
    with open_regular(path) as stream, _opened_tar(stream) as archive:
        for info in archive:
            if info.isdir():
                yield _Member(info.name, 0, None)
                continue
            content = archive.extractfile(info) if info.isreg() else None
            if content is None:
                raise _link(info.name)
            with content:
                yield _Member(info.name, info.size, content)


def _link(name: str) -> UnsafeArchive:
    return UnsafeArchive(
        tr("The archive holds {name}, which is a link or a device.", name=repr(shown(name))),
        cure=tr("pack it again with the files themselves"),
    )
