"""Objects that hold pictures with their labels: data sets of PyTorch, arrays, lists.

Letters: ``N`` pictures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from tsugiki.core.console import progress
from tsugiki.core.errors import RequestError
from tsugiki.data.sources.in_memory.list_values import LabelLists, label_of, labels_given
from tsugiki.data.sources.in_memory.pictures import Held, are_pictures, check_array, is_picture, looked_at
from tsugiki.data.sources.tables.label_cells import Cell
from tsugiki.locale.messages import listed, tr

# -- arrays and lists -----------------------------------------------------------------------------------------------------


def are_pictures_and_labels(photos: Any) -> bool:
    """Whether this is ``(pictures, labels)``."""
    if not isinstance(photos, tuple | list) or len(photos) != 2 or not are_pictures(photos[0]):
        return False
    return not isinstance(photos[1], Image.Image) and getattr(photos[1], "ndim", 1) < 3


def of_arrays(pictures: Any, labels: Any) -> tuple[list[Held], LabelLists]:
    """``N`` pictures, and what is given of them.

    Raises:
        RequestError: When they are no pictures, no labels, or not as many.
    """
    check_array(pictures)
    labels = _plain_labels(labels)
    if hasattr(labels, "__len__") and len(labels) != len(pictures):
        raise RequestError(
            tr("The lists do not fit together."),
            allowed=tr("a label for each of {count} pictures", count=len(pictures)),
            got=tr("{count} labels", count=len(labels)),
        )
    given = labels_given(labels, len(pictures), named_by="pandas.DataFrame(labels, columns=[...])")
    return of_pictures(pictures), given


def of_pictures(pictures: Any) -> list[Held]:
    """``N`` pictures of a list or an array."""
    check_array(pictures)
    with progress(tr("Reading photos"), total=len(pictures)) as tick:
        return [_ticked(tick, looked_at(pictures, at, pictures[at])) for at in range(len(pictures))]


def _ticked(tick: Any, held: Held) -> Held:
    tick(1, "")
    return held


def _plain_labels(labels: Any) -> Any:
    """Labels of an array or tensor as a list; a column of an array is one label each."""
    if hasattr(labels, "columns") or not hasattr(labels, "tolist"):
        return labels
    labels = labels.reshape(-1) if getattr(labels, "ndim", 0) == 2 and labels.shape[1] == 1 else labels
    return labels.tolist()


# -- data sets of PyTorch -------------------------------------------------------------------------------------------------


def is_of_pictures(photos: Any) -> bool:
    """Whether an object gives pairs of picture and label, by number: a map-style data set, or a list of such pairs."""
    if isinstance(photos, str | bytes | Mapping) or not (hasattr(photos, "__len__") and hasattr(photos, "__getitem__")):
        return False
    if isinstance(photos, np.ndarray) or hasattr(photos, "detach") or not len(photos):
        return False
    try:
        first = photos[0]
    except (LookupError, TypeError):  # it goes by names
        return False
    return (pair := _pair(first)) is not None and is_picture(pair[0])


def of_dataset(photos: Any) -> Iterator[tuple[Held, Cell]]:
    """The pictures of a data set, and their labels: a number is the class of that number, where the data set names classes.

    Raises:
        RequestError: When an entry is no picture with a label, or its number is that of no class.
    """
    names, pictures = classes_of(photos), _Pictures(photos)
    with progress(tr("Reading photos"), total=len(photos)) as tick:
        for at in range(len(photos)):
            picture, label = pictures.pair(at)
            yield looked_at(pictures, at, picture), _label(at, label, names)
            tick(1, "")


def _pair(entry: Any) -> tuple[Any, Any] | None:
    """The picture and the label of an entry; ``None`` where it is something else."""
    if isinstance(entry, Mapping):
        return (entry["image"], entry["label"]) if {"image", "label"} <= set(entry) else None
    return (entry[0], entry[1]) if isinstance(entry, tuple | list) and len(entry) == 2 else None


class _Pictures:
    """The pictures alone."""

    def __init__(self, pairs: Any) -> None:
        self._pairs = pairs

    def pair(self, at: int) -> tuple[Any, Any]:
        found = self._pairs[at]
        if (pair := _pair(found)) is None:
            raise RequestError(
                tr("Entry {number} is no pair of picture and label.", number=at),
                allowed=tr("(picture, label) for every number"),
                got=repr(found)[:80],
            )
        return pair

    def __getitem__(self, at: int) -> Any:
        return self.pair(at)[0]


def classes_of(photos: Any) -> Sequence[str] | None:
    """The names of the classes that a data set numbers; ``None`` where nobody says, or its parts say differently."""
    if isinstance(names := getattr(photos, "classes", None), list | tuple):
        return [str(name) for name in names]
    if hasattr(photos, "dataset"):
        return classes_of(photos.dataset)
    parts = [classes_of(part) for part in getattr(photos, "datasets", ())]
    return parts[0] if parts and all(names == parts[0] for names in parts) else None


def _label(at: int, label: Any, names: Sequence[str] | None) -> Cell:
    if getattr(label, "ndim", None) == 0:  # a number of NumPy or PyTorch
        label = label.item()
    if names is None or isinstance(label, bool) or not hasattr(label, "__index__"):
        return label_of("label", at, label.tolist() if hasattr(label, "tolist") else label)
    if not 0 <= (number := int(label)) < len(names):
        raise RequestError(
            tr("Entry {number} has the number of no class.", number=at),
            allowed=tr("0 to {last}: {names}", last=len(names) - 1, names=listed(names[:5])),
            got=str(label),
        )
    return names[number]
