"""What every source gives, candidate photos as they were found, and what names mean.

Which files are photos, which are never meant, and in what order things come.

Letters: ``N`` photos.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tsugiki.locale.messages import first_few, tr

_KINDS = {
    "AVIF": (".avif",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "HEIC": (".heic", ".heif", ".hif"),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "JPEG 2000": (".jp2", ".j2k", ".jpf", ".jpx"),
    "JPEG XL": (".jxl",),
    "PNG": (".png",),
    "PNM": (".pnm", ".pbm", ".pgm", ".ppm"),
    "QOI": (".qoi",),
    "TIFF": (".tif", ".tiff"),
    "WebP": (".webp",),
}

_KIND_OF = {suffix: kind for kind, suffixes in _KINDS.items() for suffix in suffixes}

PHOTO_SUFFIXES = frozenset(_KIND_OF)
"""Files with these endings are candidates. HEIC and JPEG XL need an extra; without it they are named, not overlooked."""

_NEVER_MEANT = frozenset(
    {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information", "@eadir", "lost+found", "__pycache__"}
    | {"node_modules"}
)

_DIGITS = re.compile(r"(\d+)")


def natural(name: str) -> tuple[list[str | float], str]:
    """A sorting key: numbers inside names by value, letters whatever their case; equal ones by the exact name."""
    pieces: list[str | float] = list(_DIGITS.split(name.casefold()))
    # More digits than Python makes a number of are more than any number.
    pieces[1::2] = (int(piece) if len(piece) <= 4000 else math.inf for piece in _DIGITS.findall(name.casefold()))
    return pieces, name


def is_never_meant(name: str) -> bool:
    """Whether a file or folder of this name was left there by a system or a tool, not by the person."""
    return name.startswith(".") or name.casefold() in _NEVER_MEANT


def suffix_of(name: str) -> str:
    """The ending of a file name in small letters, with its dot; empty where there is none."""
    _, dot, ending = name.rpartition("/")[2].rpartition(".")
    return f".{ending.lower()}" if dot else ""


def kind_of(name: str) -> str:
    """The picture format that a file name promises; its ending, where that promises none."""
    suffix = suffix_of(name)
    return _KIND_OF.get(suffix, suffix)


def one_spelling(name: str) -> str:
    """The same letters in one encoding (NFC): macOS and others store ``é`` differently, and labels go by name."""
    return unicodedata.normalize("NFC", name)


def look_alikes(labels: Iterable[str]) -> list[str]:
    """A sentence about class names that a person cannot tell apart, in quotes; none where there are none."""
    forms: dict[str, list[str]] = {}
    for name in dict.fromkeys(labels):
        forms.setdefault(_seen_form(name), []).append(name)
    alike = [" = ".join(map(repr, names)) for names in forms.values() if len(names) > 1]
    if not alike:
        return []
    return [
        tr(
            "Careful: class names that look the same and are different classes: {names}. Rename one of each, if they are one.",
            names=first_few(alike),
        )
    ]


def _seen_form(name: str) -> str:
    """What a person sees of a name: one width and case, no spaces around or twice, nothing invisible."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    visible = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Cf", "Cc"} or letter.isspace())
    return unicodedata.normalize("NFKC", " ".join(visible.split()))


def is_writable_text(name: str) -> bool:
    """Whether a file name can be written as UTF-8; names in another encoding arrive with stand-ins that cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(name: str) -> str:
    """A file name as it can be printed, whatever bytes are in it."""
    return name.encode("utf-8", "backslashreplace").decode()


@dataclass(frozen=True)
class LeftOut:
    """A file that does not count, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """Candidate photos.

    Attributes:
        root: The folder that ``names`` are relative to.
        names: ``N`` POSIX paths relative to ``root``, in order.
        labels: ``N`` class names.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or ``""`` where nobody said: such photos are split by
            :meth:`tsugiki.data.samples.Samples.from_listing`.
        groups: ``N`` names of subjects that must not be in two splits (``""``: a subject of its own), or ``None``.
        left_out: Files that were found but cannot be candidates.
        decisions: Sentences for the person: what was decided and why.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> list[Path]:
        """``N`` paths that can be opened."""
        return [self.root / name for name in self.names]
