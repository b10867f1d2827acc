"""Labels that are there in a form that is not read: what to do about them, where photos have no others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import suffix_of
from tsugiki.data.sources.manifest import list_manifest
from tsugiki.data.sources.walk import Walk
from tsugiki.locale.messages import tr

SPREADSHEETS = frozenset({".xlsx", ".xlsm", ".xls", ".ods", ".numbers"})
OTHER_ARCHIVES = frozenset({".rar", ".7z", ".lzh", ".alz", ".egg", ".cab", ".iso", ".gz", ".zst", ".001", ".z01"})
"""Endings of archives that are not unpacked here."""

_OF_THINGS = 0.5
"""The share of photos with a file of their own beside them when these files say where things are in the photos."""

_FEW = 10  # documents that are tried


def with_unread_labels(root: Path, walk: Walk, fault: RequestError) -> RequestError:
    """The error about folders without classes, with what to do about labels that are there and are not read."""
    cures = list(dict.fromkeys(_cures(root, walk)))
    if not cures or any(cure in fault.cure for cure in cures):
        return fault
    return RequestError(
        fault.what, allowed=fault.allowed, got=fault.got, cure=tr("{one}; or {other}", one=cures[0], other=fault.cure)
    )


def _cures(root: Path, walk: Walk) -> Iterator[str]:
    names = walk.others()
    for name in names:
        if suffix_of(name) in OTHER_ARCHIVES and not walk.has_photos(""):
            yield tr("unpack {archive}, which is not read here", archive=name)
        if suffix_of(name) in SPREADSHEETS:
            yield tr("save {table} as CSV UTF-8, with the columns path and label", table=name)
    if _beside_every_photo(walk, names):
        yield tr(
            "the labels here are of things in the photos (boxes), which are not read: cut the things out, "
            "or sort the photos into class folders"
        )
        return
    for name in [name for name in names if suffix_of(name) == ".json"][:_FEW]:
        try:
            list_manifest(root / name)
        except RequestError as reason:
            why = reason.got if not reason.allowed and reason.got else reason.what
            yield tr("{table} is not read as labels: {reason}", table=name, reason=why)


def _beside_every_photo(walk: Walk, names: list[str]) -> bool:
    """Whether most photos have an ``.xml`` (Pascal VOC), ``.txt`` (YOLO) or ``.json`` (LabelMe) with their name."""
    stems = {Path(name).stem for name in names if suffix_of(name) in {".xml", ".txt", ".json"}}
    photos = [Path(name).stem for name in walk.photos_below("")]
    return sum(stem in stems for stem in photos) > _OF_THINGS * len(photos)
