"""The table behind every number: one row per photo, with its class and the probability of each class.

``predictions.csv`` is this table. It keeps every digit, so a stranger with a spreadsheet computes the same metrics from it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import DataError
from tsugiki.core.files import write_atomically
from tsugiki.core.messages import tr
from tsugiki.data.samples import UNKNOWN_CLASS

_COLUMNS = ("path", "split", "label", "predicted")
_PROBABILITY = "probability:"


@dataclass(frozen=True)
class Predictions:
    """What a classifier said about photos whose class is known.

    Letters: ``N`` photos, ``K`` classes.

    Attributes:
        names: ``N`` paths, relative to the folder of photos.
        splits: ``N`` of ``train`` / ``val`` / ``test``.
        labels: ``[N]`` int64, index into ``classes``; :data:`tsugiki.data.samples.UNKNOWN_CLASS` where the photo's class is
            none of them.
        probabilities: ``[N, K]``, each row adds up to one.
        classes: ``K`` class names.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int64))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        count = len(self.names)
        if (len(self.splits), self.labels.shape, self.probabilities.shape) != (count, (count,), (count, len(self.classes))):
            raise ValueError(
                f"names {count}, splits {len(self.splits)}, labels {self.labels.shape}, classes {len(self.classes)} "
                f"and probabilities {self.probabilities.shape} do not belong together"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def predicted(self) -> npt.NDArray[np.int64]:
        """``[N]`` the most probable class; the first of them where several are equally probable."""
        most: npt.NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return most

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """``[N]`` whether the most probable class is the photo's."""
        return np.equal(self.predicted, self.labels, dtype=np.bool_)

    def take(self, rows: Iterable[int]) -> Predictions:
        """The photos at ``rows``, in that order."""
        picked = list(rows)
        return Predictions(
            tuple(self.names[row] for row in picked),
            tuple(self.splits[row] for row in picked),
            self.labels[picked],
            self.probabilities[picked],
            self.classes,
        )

    def of(self, split: str) -> Predictions:
        """The photos of one split."""
        return self.take(row for row, name in enumerate(self.splits) if name == split)

    def scored(self) -> Predictions:
        """The photos whose class is one that the classifier knows: only they can be right or wrong."""
        return self.take(np.flatnonzero(self.labels != UNKNOWN_CLASS).tolist())

    def to_csv(self, path: Path) -> None:
        """Write ``path, split, label, predicted, probability:<class>...``; the label of an unknown class is empty."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*_COLUMNS, *(_PROBABILITY + name for name in self.classes)])
        names = [*self.classes, ""]  # UNKNOWN_CLASS is -1: the last one
        for row, (label, predicted) in enumerate(zip(self.labels, self.predicted, strict=True)):
            chances = map(repr, self.probabilities[row].tolist())
            writer.writerow([self.names[row], self.splits[row], names[label], names[predicted], *chances])
        write_atomically(path, stream.getvalue())

    @classmethod
    def from_csv(cls, path: Path) -> Predictions:
        """The opposite of :meth:`to_csv`: equal to what was written, to the last bit.

        Raises:
            DataError: When the file is no such table.
        """
        with path.open(encoding="utf-8-sig", newline="") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
        classes = tuple(name.removeprefix(_PROBABILITY) for name in header[len(_COLUMNS) :])
        _check(path, header, rows)
        index = {name: position for position, name in enumerate(classes)} | {"": UNKNOWN_CLASS}
        try:
            labels = [index[row[2]] for row in rows]
            chances = [[float(value) for value in row[len(_COLUMNS) :]] for row in rows]
        except (KeyError, ValueError) as error:
            raise _no_table(path, str(error)) from error
        return cls(
            tuple(row[0] for row in rows),
            tuple(row[1] for row in rows),
            np.array(labels, dtype=np.int64),
            np.array(chances, dtype=np.float64).reshape(len(rows), len(classes)),
            classes,
        )


def _check(path: Path, header: list[str], rows: list[list[str]]) -> None:
    chances = header[len(_COLUMNS) :]
    if tuple(header[: len(_COLUMNS)]) != _COLUMNS or not all(name.startswith(_PROBABILITY) for name in chances):
        raise _no_table(path, ",".join(header)[:200])
    for row in rows:
        if len(row) != len(header):
            raise _no_table(path, ",".join(row)[:200])


def _no_table(path: Path, got: str) -> DataError:
    return DataError(
        tr("{name} is no table of predictions.", name=path.name),
        allowed=f"{','.join(_COLUMNS)},{_PROBABILITY}<class>,...",
        got=got,
        cure=tr("let the program write it anew: tsugiki evaluate RUN DATA"),
    )
