"""What every source gives, candidate photos as they were found, and what names mean.

Which files are photos, which are never meant, and in what order things come.

Letters: ``N`` photos.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import LabelSet, Task
from tsugiki.locale.messages import first_few, listed, tr

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

_WITHOUT_LABELS = frozenset(
    {"unlabeled", "unlabelled", "unsorted", "uncategorized", "unclassified", "unassigned", "nolabel", "nolabels", "notlabeled"}
    | {"notlabelled", "unannotated", "todo", "recyclebin", "backup", "bak"}
    | {
        "未分類",
        "未整理",
        "未分类",
        "未ラベル",
        "ラベルなし",
        "ラベル無し",
        "未判定",
        "ゴミ箱",
        "ごみ箱",
        "バックアップ",
        "使わない",
    }
    | {"新しいフォルダー", "新しいフォルダ", "newfolder", "名称未設定フォルダ", "untitledfolder"}
)
_LEFT_BEHIND = re.compile(r" - (?:copy|コピー)(?: ?\(\d+\))?$|(?:のコピー|のバックアップ)(?: ?\d+)?$")

_ONE_DASH = dict.fromkeys(map(ord, "‐‑‒–—―−ー─"), "-")
_BETWEEN = re.compile(r"[\s_-]+")
_JOINED = re.compile(r"(?<=\w)[\s_-]+(?=\w)")
_NUMBER = re.compile(r"[-+]?\d{1,15}(?:\.\d{1,15})?")


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


def doubtful_names(labels: Iterable[str]) -> Iterator[str]:
    """Sentences about class names that a person cannot tell apart, in quotes, or that say that there is no class."""
    names = list(dict.fromkeys(labels))
    forms: dict[str, list[str]] = {}
    for name in names:
        forms.setdefault(seen_form(name), []).append(name)
    alike = [" = ".join(map(repr, found)) for found in forms.values() if len(found) > 1]
    if alike:
        yield tr(
            "Careful: class names that look the same, or nearly, and are different classes: {names}. "
            "Rename one of each, if they are one.",
            names=first_few(alike),
        )
    if without := [name for name in names if says_no_label(name)]:
        yield tr("These count as classes, although their names say that they are none: {names}.", names=listed(without))


def look_the_same(one: str, other: str) -> bool:
    """Whether a person could take one class name for another one."""
    return seen_form(one) == seen_form(other)


def says_no_label(name: str) -> bool:
    """Whether a name is what people and tools call photos that have no label yet, or that nobody wants any more."""
    plain = unicodedata.normalize("NFKC", name).strip().casefold()
    return _BETWEEN.sub("", plain) in _WITHOUT_LABELS or bool(_LEFT_BEHIND.search(plain))


def seen_form(name: str) -> str:
    """What a person sees of a name: one width and case, one dash, no spaces around or twice, nothing invisible."""
    plain = unicodedata.normalize("NFKC", name).casefold().translate(_ONE_DASH)
    visible = "".join(letter for letter in plain if unicodedata.category(letter) not in {"Cf", "Cc"} or letter.isspace())
    plain = unicodedata.normalize("NFKC", " ".join(visible.split()))
    if _NUMBER.fullmatch(plain):  # 1, 01 and 1.0
        return repr(float(plain))
    return _JOINED.sub(" ", plain)


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
        labels: ``N`` class names; where a photo may have several, these as text.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or ``""`` where nobody said: such photos are split by
            :meth:`tsugiki.data.samples.Samples.from_listing`.
        groups: ``N`` names of subjects that must not be in two splits (``""``: a subject of its own), or ``None``.
        left_out: Files that were found but cannot be candidates.
        decisions: Sentences for the person: what was decided and why.
        label_sets: ``N``, where a photo may have several labels; ``None`` where it has one.
        because: Sentences for the person: why photos may have several labels; part of ``decisions`` in the end, of several
            tables once.
        classes: Classes that a source names, whether or not a photo shows them.
        separator: What a person said stands between the names of several labels; ``None`` where nobody did.
    """

    root: Path
    names: tuple[str, ...]
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[str, ...] = ()
    label_sets: tuple[LabelSet, ...] | None = None
    because: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    separator: str | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: Sequence[int]) -> Listing:
        """Some of the photos, by row; what else is said stays."""

        def some(column: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(column[row] for row in rows)

        return replace(
            self,
            names=some(self.names),
            labels=some(self.labels),
            splits=some(self.splits),
            groups=None if self.groups is None else some(self.groups),
            label_sets=None if self.label_sets is None else some(self.label_sets),
        )

    @property
    def task(self) -> Task:
        """``multi`` where a photo may show any number of the classes, ``single`` where it is of one."""
        return "single" if self.label_sets is None else "multi"

    @property
    def paths(self) -> list[Path]:
        """``N`` paths that can be opened."""
        return [self.root / name for name in self.names]


def with_writable_names(listing: Listing) -> Listing:
    """Without photos whose path is not valid UTF-8: no table, page or card could name them.

    Raises:
        RequestError: When the name of a class is not.
    """
    strange = dict.fromkeys(name for name in (*listing.labels, *listing.classes) if not is_writable_text(name))
    if strange:
        raise RequestError(
            tr("Names of classes are not valid UTF-8."),
            got=first_few([shown(name) for name in strange]),
            cure=tr("rename them"),
        )
    rows = [row for row, name in enumerate(listing.names) if is_writable_text(name)]
    if len(rows) == len(listing):
        return listing
    reason = tr("its name is not valid UTF-8: rename it")
    gone = [LeftOut(shown(name), reason) for name in listing.names if not is_writable_text(name)]
    return replace(listing.take(rows), left_out=(*listing.left_out, *gone))
