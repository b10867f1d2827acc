"""A table of labelled photos: first as it was found (:class:`Listing`), then as it counts (:class:`Samples`).

The two are separate because a photo counts only after it was really decoded, and each photo is decoded once: while its features
are computed, or by :func:`tsugiki.data.load` for a person who wants to look first. Both ways end in a :class:`Look` per file.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

UNKNOWN_CLASS = -1
"""The label of a held-out photo whose class was not among the training classes."""

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class LeftOut:
    """A file that does not count, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Look:
    """What came of decoding one file: its content's SHA-256, or the reason why it cannot be read."""

    digest: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Listing:
    """Candidate photos as they were found, none of them opened yet.

    Attributes:
        root: The folder that ``names`` are relative to.
        names: ``N`` POSIX paths relative to ``root``, in order.
        labels: ``N`` class names.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or ``""`` where nobody said: such photos are split by
            :func:`tsugiki.data.settle`.
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


@dataclass(frozen=True)
class Draw:
    """How photos were held out where the data set did not say: the same draw holds the same photos out again."""

    seed: int
    held_out: float


@dataclass(frozen=True)
class Decided:
    """What a person decided about one photo, known by its content.

    Attributes:
        digest: SHA-256 of its content.
        label: The class that it was found in.
        now: The class that it counts as, or ``""`` where it is left out.
    """

    digest: str
    label: str
    now: str


@dataclass(frozen=True)
class Samples:
    """Photos that count: each was decoded once, has a class and a split.

    Attributes:
        root: The folder that ``names`` are relative to.
        names: ``N`` POSIX paths relative to ``root``.
        labels: ``[N]`` int64, index into ``classes``, or :data:`UNKNOWN_CLASS`.
        splits: ``N`` of ``train`` / ``val`` / ``test``.
        classes: ``K`` class names in the order of the labels.
        digests: ``N`` SHA-256 of the files' content.
        groups: ``N`` names of subjects that are never split, or ``None``.
        left_out: Files that do not count, each with its reason.
        decisions: Sentences for the person: what was decided and why.
        draw: How photos were held out, or ``None`` where the data set has splits of its own.
        decided: What a person's list changed, photo by photo.
    """

    root: Path
    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    splits: tuple[str, ...]
    classes: tuple[str, ...]
    digests: tuple[str, ...]
    groups: tuple[str, ...] | None = None
    left_out: tuple[LeftOut, ...] = ()
    decisions: tuple[str, ...] = ()
    draw: Draw | None = None
    decided: tuple[Decided, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def paths(self) -> list[Path]:
        """``N`` paths that can be opened."""
        return [self.root / name for name in self.names]

    @property
    def held_out(self) -> str:
        """The split that is looked at once, at the end: ``test`` where there is one, else ``val``."""
        return "test" if "test" in self.splits else "val"

    def take(self, rows: Iterable[int]) -> Samples:
        """The photos at ``rows``, in that order."""
        picked = list(rows)
        return replace(
            self,
            names=tuple(self.names[row] for row in picked),
            labels=self.labels[picked],
            splits=tuple(self.splits[row] for row in picked),
            digests=tuple(self.digests[row] for row in picked),
            groups=None if self.groups is None else tuple(self.groups[row] for row in picked),
        )

    def rows_of(self, split: str) -> list[int]:
        """The rows that belong to ``split``."""
        return [row for row, name in enumerate(self.splits) if name == split]

    def of(self, split: str) -> Samples:
        """The photos of one split."""
        return self.take(self.rows_of(split))

    def with_classes(self, classes: tuple[str, ...]) -> Samples:
        """The same photos with labels in the order of ``classes``.

        Raises:
            RequestError: When one of the two has a class that the other does not have.
        """
        if self.classes == classes:
            return self
        if set(self.classes) != set(classes):
            raise RequestError(
                tr("The photos' classes are not the classifier's."),
                allowed=", ".join(classes),
                got=", ".join(self.classes),
                cure="Classifier(..., classes=data.classes)",
            )
        place = np.array([classes.index(name) for name in self.classes] + [UNKNOWN_CLASS])
        return replace(self, classes=classes, labels=place[self.labels])

    def counts(self) -> dict[str, dict[str, int]]:
        """Photos per split and class name, classes in order, absent ones as 0."""
        seen = Counter(zip(self.splits, self.labels.tolist(), strict=True))
        return {
            split: {name: seen[split, label] for label, name in enumerate(self.classes)}
            for split in SPLITS
            if split in self.splits
        }
