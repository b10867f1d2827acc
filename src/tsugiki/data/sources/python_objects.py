"""What a Python program holds already -> :class:`Listing`: an ``ImageFolder``, a ``DataFrame``, pairs of path and label."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tsugiki.core.errors import RequestError
from tsugiki.data.sources.listing import LeftOut, Listing, one_spelling
from tsugiki.data.sources.split_words import split_of
from tsugiki.locale.messages import tr

_NEEDED, _READ = ("path", "label"), ("path", "label", "split", "group")


class _Row(NamedTuple):
    path: str
    label: str
    split: str = ""
    group: str = ""


def list_object(photos: Any) -> Listing:
    """The candidate photos that an object of a program names; none is opened.

    Args:
        photos: A torchvision ``ImageFolder`` (or a ``Subset`` of one); a pandas ``DataFrame`` with the columns ``path``,
            ``label`` and, if there are any, ``split`` and ``group``; pairs of path and label; or a dictionary of these by
            split. Paths that are relative begin in the working folder.

    Raises:
        RequestError: When it is something else, names no photos, or contradicts itself.
    """
    decisions: list[str] = []
    rows = list(_rows(photos, decisions))
    if not rows:
        raise RequestError(tr("This names no photos."), allowed=_allowed(), got=type(photos).__name__)
    return _listing(rows, decisions)


def _rows(photos: Any, decisions: list[str], split: str = "") -> Iterator[_Row]:
    if isinstance(photos, Mapping) and photos and all(split_of(str(name)) for name in photos):
        for name, part in photos.items():
            yield from _rows(part, decisions, split_of(str(name)) or "")
    elif hasattr(photos, "columns") and hasattr(photos, "itertuples"):
        yield from _of_frame(photos, decisions, split)
    elif hasattr(photos, "indices") and hasattr(photos, "dataset"):
        whole = list(_rows(photos.dataset, decisions, split))
        yield from (whole[int(at)] for at in photos.indices)
    elif hasattr(photos, "samples") and hasattr(photos, "classes"):
        yield from (_Row(str(path), str(photos.classes[label]), split) for path, label in photos.samples)
    elif pairs := _pairs(photos):
        yield from (_Row(os.fspath(path), str(label), split) for path, label in pairs)
    else:
        raise RequestError(tr("Photos cannot be listed from this."), allowed=_allowed(), got=type(photos).__name__)


def _allowed() -> str:
    return tr("a path, an ImageFolder, a DataFrame with the columns path and label, or pairs of path and label")


def _pairs(photos: Any) -> Sequence[tuple[Any, Any]]:
    if isinstance(photos, str | bytes) or not isinstance(photos, Sequence | Mapping):
        return ()
    pairs = list(photos.items() if isinstance(photos, Mapping) else photos)
    good = all(isinstance(one, tuple | list) and len(one) == 2 and isinstance(one[0], str | os.PathLike) for one in pairs)
    return pairs if good and all(isinstance(label, str) for _, label in pairs) else ()


def _of_frame(frame: Any, decisions: list[str], split: str) -> Iterator[_Row]:
    names = {str(name).strip().casefold(): name for name in frame.columns}
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise RequestError(
            tr("The DataFrame has no column {names}.", names=", ".join(missing)),
            allowed="path, label[, split][, group]",
            got=", ".join(map(str, frame.columns)),
            cure="frame.rename(columns={...})",
        )
    unread = [str(name) for key, name in names.items() if key not in _READ]
    if unread:
        decisions.append(tr("Columns that were not read: {names}.", names=", ".join(unread)))
    columns = [list(frame[names[name]]) if name in names else [""] * len(frame) for name in _READ]
    for path, label, word, group in zip(*columns, strict=True):
        cells = [_text(cell) for cell in (path, label, word, group)]
        yield _Row(cells[0], cells[1], split or _known_split(cells[2]), cells[3])


def _text(cell: object) -> str:
    """A cell as text: empty where there is nothing, whole numbers without a point (a gap in a column makes floats of them)."""
    if isinstance(cell, bytes):
        return cell.decode(errors="replace").strip()
    if isinstance(cell, list | tuple | set | dict) or getattr(cell, "shape", None):
        what = tr("A cell of the DataFrame holds several values.")
        raise RequestError(what, allowed=tr("one label for each photo"), got=repr(cell)[:200])
    if cell is None or cell != cell or str(cell) in {"<NA>", "NaT"}:  # noqa: PLR0124 (NaN is the one value unlike itself)
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _known_split(word: str) -> str:
    found = split_of(word) if word else ""
    if found is None:
        raise RequestError(tr("There is no split {name}.", name=repr(word)), allowed="train, val, test", got=repr(word))
    return found


def _listing(rows: Iterable[_Row], decisions: Sequence[str]) -> Listing:
    kept: dict[str, _Row] = {}
    left_out = []
    for number, row in enumerate(rows):
        if not row.path or not row.label:
            left_out.append(LeftOut(row.path or f"#{number}", tr("row {number} has no path or no label", number=number)))
            continue
        place = os.path.abspath(row.path)  # noqa: PTH100 (links stay links)
        first = kept.setdefault(place, row)
        if first.label != row.label:
            what = tr("{path} is named with two labels.", path=row.path)
            raise RequestError(what, allowed=tr("one label for each photo"), got=f"{first.label}, {row.label}")
        if first is not row:
            left_out.append(LeftOut(row.path, tr("named more than once: it counts once")))
    root = os.path.commonpath([os.path.dirname(place) for place in kept]) if kept else os.getcwd()  # noqa: PTH120, PTH109
    groups = tuple(one_spelling(row.group) for row in kept.values())
    return Listing(
        root=Path(root),
        names=tuple(Path(os.path.relpath(place, root)).as_posix() for place in kept),
        labels=tuple(one_spelling(row.label) for row in kept.values()),
        splits=tuple(row.split for row in kept.values()),
        groups=groups if any(groups) else None,
        left_out=tuple(left_out),
        decisions=tuple(decisions),
    )
