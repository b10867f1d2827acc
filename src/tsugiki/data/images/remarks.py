"""What is odd about a photo that can be read all the same: noted while it is decoded, said later with the file's name.

Whoever decodes a photo on behalf of a person listens (:func:`noting`), in one thread; deep inside, :func:`note` adds to it.
A remark is plain text, ``kind:detail``, so that it can be kept and said in whatever language is asked for then.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Literal

from tsugiki.locale.messages import first_few, tr

Kind = Literal["bright", "dark", "blank", "jpeg", "pillow", "png", "frames", "channels"]

_SHOWN = 10  # names per sentence
_LONGEST = 80  # letters of a detail, which may come out of the file

_notes: ContextVar[list[str] | None] = ContextVar("_notes", default=None)


@contextlib.contextmanager
def noting() -> Iterator[list[str]]:
    """Within this block, in this thread, remarks are collected in the list that it gives."""
    notes: list[str] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def note(kind: Kind, detail: object = "") -> None:
    """Add a remark about the photo that is being decoded; nobody may be listening."""
    notes = _notes.get()
    if notes is None:
        return
    plain = "".join(letter if letter.isprintable() else " " for letter in str(detail))
    remark = f"{kind}:{' '.join(plain.split())[:_LONGEST]}"
    if remark not in notes:
        notes.append(remark)


def sentences(remarks: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """One sentence per kind of remark, with the names of the photos.

    Args:
        remarks: By name of the photo.
    """
    photos: dict[str, list[str]] = {}
    for name, own in remarks.items():
        for remark in own:
            kind, _, detail = remark.partition(":")
            photos.setdefault(kind, []).append(f"{name}: {detail}" if detail else name)
    for kind, names in photos.items():
        yield _said(len(names), first_few(names, _SHOWN)).get(kind, kind)


def _said(count: int, photos: str) -> dict[str, str]:
    return {
        "bright": tr(
            "Brightened, as their values use only a part of their range (beside each name: the value that is white now): "
            "{count} ({photos}).",
            count=count,
            photos=photos,
        ),
        "dark": tr(
            "Nearly black (beside each name: the brightest value of 255): {count} ({photos}). Look whether these are photos: "
            "masks look like this, and values stored with more bits than they need.",
            count=count,
            photos=photos,
        ),
        "blank": tr("Of a single colour, so that nothing can be seen: {count} ({photos}).", count=count, photos=photos),
        "jpeg": tr(
            "The JPEG decoder warns of: {count} ({photos}). They count; look whether all of the picture is right.",
            count=count,
            photos=photos,
        ),
        "pillow": tr(
            "Damaged notes beside the picture, such as EXIF: {count} ({photos}). No pixel changes; a photo may lie on its "
            "side.",
            count=count,
            photos=photos,
        ),
        "png": tr(
            "Parts of PNG files beside the picture that are damaged or too large, passed over: {count} ({photos}).",
            count=count,
            photos=photos,
        ),
        "frames": tr(
            "Files of several pictures (beside each name: how many), of which the first counts: {count} ({photos}).",
            count=count,
            photos=photos,
        ),
        "channels": tr(
            "More channels than red, green and blue (beside each name: how many), of which those three count: "
            "{count} ({photos}).",
            count=count,
            photos=photos,
        ),
    }
