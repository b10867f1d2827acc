"""``photos.csv`` of a run: every photo that it knew, so that it can learn more without them.

A line per photo: where it lay (from the run's folder), its split, its label as it counted, its content. Letters: ``N`` photos.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tsugiki.core.display.table_cells import table_rows, table_text
from tsugiki.core.errors import ArtefactError
from tsugiki.core.files import write_atomically
from tsugiki.core.regular_files import read_text
from tsugiki.data.label_sets import LabelSet, combinations, joined, parted, sets_of, target_matrix
from tsugiki.data.samples import Samples
from tsugiki.data.splits import SPLITS
from tsugiki.locale.messages import tr

PHOTOS = "photos.csv"
_COLUMNS = ("path", "split", "label", "sha256", "group", "unknown")
"""``unknown``: of which classes nobody knows whether the photo shows them, where photos may have several labels."""

_DIGEST = 64


def write_known_photos(path: Path, samples: Samples, *, beside: Path | None = None) -> None:
    """Write the table.

    Args:
        path: The file.
        samples: ``N`` photos, as they counted in the end.
        beside: The folder that the file will lie in; its own, where nobody says.
    """
    folder = (beside or path.parent).absolute()
    groups = samples.groups or ("",) * len(samples)
    unknown = [""] * len(samples)
    if samples.targets is not None:
        unknown = [joined(one.unknown) for one in sets_of(samples.targets, samples.classes)]
    columns = (samples.splits, samples.label_names(), samples.digests, groups, unknown)
    rows = zip((seen_from(folder, place) for place in samples.paths), *columns, strict=True)
    write_atomically(path, table_text([_COLUMNS, *rows]))


def read_known_photos(path: Path, classes: Sequence[str], *, several: bool) -> Samples:
    """The opposite of :func:`write_known_photos`; no photo is opened, and none has to be there.

    Args:
        path: The file.
        classes: ``K`` of the run's classifier.
        several: Whether photos may have several labels.

    Raises:
        ArtefactError: When it is no such table.
    """
    try:
        header, *rows = table_rows(read_text(path, encoding="utf-8-sig")) or [[]]
        if tuple(header) != _COLUMNS:
            raise _damaged(path, ",".join(header)[:200])
        names, splits, labels, digests, groups, unknown = (list(column) for column in zip(*rows, strict=True))
        if wrong := [cell for cell in splits if cell not in SPLITS] + [cell for cell in digests if len(cell) != _DIGEST]:
            raise _damaged(path, wrong[0])
        targets, place = None, {name: number for number, name in enumerate(classes)}
        if several:
            sets = [
                LabelSet(parted(shown).present, parted(open_).present) for shown, open_ in zip(labels, unknown, strict=True)
            ]
            targets = target_matrix(sets, classes)
            numbers = combinations(targets)
        else:
            numbers = np.array([place[label] for label in labels], np.int64)
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError) as fault:
        raise _damaged(path, str(fault)) from fault
    return Samples(
        root=path.parent.absolute(),
        names=tuple(names),
        labels=numbers,
        splits=tuple(splits),
        classes=tuple(classes),
        digests=tuple(digests),
        groups=tuple(groups) if any(groups) else None,
        targets=targets,
    )


def seen_from(folder: Path, place: Path) -> str:
    """Where a photo lies, from a folder; from the root where no way leads there."""
    try:
        return Path(os.path.relpath(place.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive
        return place.absolute().as_posix()


def _damaged(path: Path, got: str) -> ArtefactError:
    return ArtefactError(
        tr("{path} is no list of a run's photos.", path=path),
        allowed=",".join(_COLUMNS),
        got=got,
        cure=tr("fit the whole data set anew"),
    )
