"""Several labels per photo: which classes a photo shows, which it does not, and of which nobody knows.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tsugiki.data.natural_order import natural
from tsugiki.locale.messages import listed, tr

Task = Literal["single", "multi"]
"""``single``: each photo is of exactly one class; ``multi``: of any number of them, none included."""

PRESENT, ABSENT, NOT_KNOWN = 1, 0, -1
"""The values of a cell: whether a photo shows a class."""

SEPARATOR = "|"
"""What stands between the names of several labels, where nobody names another one."""


@dataclass(frozen=True)
class LabelReading:
    """How a person wants labels to be read.

    Attributes:
        multi_label: Whether a photo may show any number of classes, even where no photo has several labels.
        separator: What stands between names in one cell; ``None``: :data:`SEPARATOR`.
        is_of_run: Whether the run that learns more has several labels, and nobody had to ask for them.
    """

    multi_label: bool = False
    separator: str | None = None
    is_of_run: bool = False

    @property
    def several(self) -> bool:
        """Whether photos are to have several labels, whatever their labels look like."""
        return self.multi_label or self.separator is not None

    def split(self, text: str) -> list[str]:
        """The names in a text, each once; a separator of nothing but spaces is any space between words."""
        separator = SEPARATOR if self.separator is None else self.separator
        parts = text.split(separator) if separator.strip() else text.split()
        return list(dict.fromkeys(name for part in parts if (name := part.strip())))


AS_WRITTEN = LabelReading()
"""Nobody said how: labels show it themselves."""


@dataclass(frozen=True)
class LabelSet:
    """What is known of one photo; a class that is named in neither is absent.

    Attributes:
        present: Classes that it shows.
        unknown: Classes of which nobody knows whether it shows them.
    """

    present: frozenset[str] = frozenset()
    unknown: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return joined(self.present)


def joined(names: Iterable[str]) -> str:
    """Names of labels as one text, as tables and people write them; empty for none."""
    return SEPARATOR.join(sorted(names, key=natural))


def spoken(names: Iterable[str]) -> str:
    """Names of labels as a person reads them, in the language in use; where there is none, that it is none of the classes."""
    ordered: list[str] = sorted(names, key=natural)
    return listed(ordered) or tr("none of the classes")


def target_matrix(sets: Sequence[LabelSet], classes: Sequence[str]) -> npt.NDArray[np.int8]:
    """``[N, K]``: :data:`PRESENT`, :data:`ABSENT` or :data:`NOT_KNOWN`; names that are no classes are passed over."""
    place = {name: column for column, name in enumerate(classes)}
    targets = np.full((len(sets), len(classes)), ABSENT, np.int8)
    for row, one in enumerate(sets):
        for names, value in ((one.unknown, NOT_KNOWN), (one.present, PRESENT)):
            for name in names:
                if name in place:
                    targets[row, place[name]] = value
    return targets


def combinations(targets: npt.NDArray[np.int8]) -> npt.NDArray[np.int64]:
    """``[N]`` a number per photo, the same where all ``[N, K]`` cells are the same."""
    return np.unique(targets, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def sets_of(targets: npt.NDArray[np.int8], classes: Sequence[str]) -> list[LabelSet]:
    """``N`` sets of targets ``[N, K]``."""

    def named(row: npt.NDArray[np.int8], value: int) -> frozenset[str]:
        return frozenset(classes[place] for place in np.flatnonzero(row == value).tolist())

    return [LabelSet(named(row, PRESENT), named(row, NOT_KNOWN)) for row in targets]


def set_text(names: Iterable[str]) -> str:
    """Names of labels as one text that is never empty: ``|`` for none of the classes."""
    return joined(names) or SEPARATOR


def parted(text: str) -> LabelSet:
    """The set that :func:`joined` or :func:`set_text` has written; spaces around a name are a spreadsheet's or a hand's."""
    return LabelSet(frozenset(AS_WRITTEN.split(text)))
