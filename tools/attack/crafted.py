"""Archives that somebody made with care to harm whoever unpacks them; one photo is in most of them."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from tsugiki.data.synthetic.sample import draw_photo

_NAMES = {
    "a name that leads out": "../escaped.jpg",
    "a name that leads out from inside": "a/../../escaped.jpg",
    "an absolute name": "/tmp/escaped.jpg",  # noqa: S108
    "a name with backslashes": "..\\..\\escaped.jpg",
    "a drive of Windows": "C:\\escaped.jpg",
    "a stream of Windows": "a/x.jpg:escaped",
    "a device of Windows": "a/CON.jpg",
    "a zero byte in a name": "a/x\0escaped.jpg",
    "a name of 300 bytes": "a/" + "x" * 300 + ".jpg",
    "a folder under a folder, a thousand times": "a/" * 1000 + "x.jpg",
    "an empty name": "",
    "only dots": "./././.",
}


def _zip(work: Path, members: list[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    path = work / "crafted.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def _tar(work: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    path = work / "crafted.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for info, content in members:
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content))
    return path


def _photo(number: int = 0) -> bytes:
    return draw_photo("pizza", number)


def _named(name: str) -> dict[str, Callable[[Path], Path]]:
    return {
        "zip": lambda work: _zip(work, [("a/1.jpg", _photo()), (name, _photo(1))]),
        "tar": lambda work: _tar(work, [(tarfile.TarInfo("a/1.jpg"), _photo()), (tarfile.TarInfo(name), _photo(1))]),
    }


def _linked(kind: bytes, target: str) -> Callable[[Path], Path]:
    def made(work: Path) -> Path:
        link, through = tarfile.TarInfo("a/link"), tarfile.TarInfo("a/link/escaped.jpg")
        link.type, link.linkname = kind, target
        return _tar(work, [(link, b""), (through, _photo())])

    return made


def _linked_zip(work: Path) -> Path:
    link = zipfile.ZipInfo("a/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    return _zip(work, [(link, b"/etc"), ("a/link/escaped.jpg", _photo())])


def _bomb_by_ratio(work: Path) -> Path:
    path = work / "crafted.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a/1.jpg", "w", force_zip64=True) as member:
        for _ in range(1100):
            member.write(bytes(1 << 20))
    return path


def _bomb_that_lies(work: Path) -> Path:
    """A member that tells of ten bytes and unpacks to two gigabytes."""
    path = work / "crafted.zip"
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = b"".join(packer.compress(bytes(1 << 24)) for _ in range(128)) + packer.flush()
    name = b"a/1.jpg"
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(packed), 10, len(name), 0)
    local = b"PK\3\4" + common + name + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    return path


def _bomb_by_count(work: Path) -> Path:
    path = work / "crafted.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"a/{number}.jpg", b"")
    return path


def _nested(work: Path) -> Path:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../escaped.jpg", _photo())
    return _zip(work, [("a/1.jpg", _photo()), ("a/inner.zip", inner.getvalue())])


def _encrypted(work: Path) -> Path:
    path = _zip(work, [("a/1.jpg", _photo())])
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.find(mark) + at] |= 1
    path.write_bytes(bytes(content))
    return path


def _twice(work: Path) -> Path:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _zip(work, [("a/1.jpg", _photo()), ("a/1.jpg", _photo(1)), ("A/1.JPG", _photo(2)), ("a", b"x")])


def _overlapping(work: Path) -> Path:
    """Two entries of the directory for the same bytes, again and again."""
    path = _zip(work, [("a/1.jpg", _photo()), ("a/2.jpg", _photo(1))])
    content = bytearray(path.read_bytes())
    second = content.rfind(b"PK\1\2")
    content[second + 42 : second + 46] = bytes(4)
    path.write_bytes(bytes(content))
    return path


def _device(kind: bytes) -> Callable[[Path], Path]:
    def made(work: Path) -> Path:
        info = tarfile.TarInfo("a/escaped.jpg")
        info.type, info.devmajor, info.devminor = kind, 1, 5
        return _tar(work, [(tarfile.TarInfo("a/1.jpg"), _photo()), (info, b"")])

    return made


def crafted_archives() -> dict[str, Callable[[Path], Path]]:
    """By what is wrong with it: what writes the archive into a folder, and gives its path."""
    made = {
        "a symbolic link and a file through it": _linked(tarfile.SYMTYPE, "../.."),
        "a hard link to a file outside": _linked(tarfile.LNKTYPE, "/etc/passwd"),
        "a link in a zip": _linked_zip,
        "a bomb by its ratio": _bomb_by_ratio,
        "a bomb that lies about its size": _bomb_that_lies,
        "twenty thousand empty files": _bomb_by_count,
        "an archive in the archive": _nested,
        "a password": _encrypted,
        "one name twice, and as a folder": _twice,
        "two entries for the same bytes": _overlapping,
        "a device": _device(tarfile.CHRTYPE),
        "a pipe": _device(tarfile.FIFOTYPE),
    }
    for what, name in _NAMES.items():
        for kind, packed in _named(name).items():
            made[f"{what}, in a {kind}"] = packed
    return made
