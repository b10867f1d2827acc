"""The table behind every number of a classifier that gives several labels: one row per photo, with a cell per class.

``predictions.csv`` is this table. It keeps every digit, and the thresholds, so a stranger with a spreadsheet computes the same
metrics from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.display.cell_html import cell_html
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.display.visible import visible
from tsugiki.core.files import write_atomically
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT, joined
from tsugiki.evaluation.answer_tables import PROBABILITY, SHOWN_ROWS, AnswerTable, columns_before, pandas_here
from tsugiki.evaluation.multi_label.set_metrics import complete_rows, exact_rows, shown_cells
from tsugiki.locale.messages import first_few, tr

_LABEL, _THRESHOLD = "label:", "threshold:"
_KINDS = (_LABEL, PROBABILITY, _THRESHOLD)
_CELLS: dict[int, object] = {PRESENT: PRESENT, ABSENT: ABSENT, NOT_KNOWN: ""}
_VALUES = {str(text): value for value, text in _CELLS.items()}


@dataclass(frozen=True, repr=False)
class MultiLabelPredictions:
    """What a classifier said about photos of which it is known, at least in part, what they show.

    Letters: ``N`` photos, ``K`` classes.

    Attributes:
        names: ``N`` paths, relative to the folder of photos.
        splits: ``N`` of ``train`` / ``val`` / ``test``, or what stands there where nothing is held out
            (:mod:`tsugiki.evaluation.predictions`).
        targets: ``[N, K]`` int8: 1 where a photo shows a class, 0 where not, -1 where nobody knows.
        probabilities: ``[N, K]``, each class by itself; rows do not add up to one.
        thresholds: ``[N, K]`` a class is shown from this probability on; ``[K]`` is taken for the same at every photo. They
            differ between photos where nothing is held out: each photo has had no say in its own.
        classes: ``K`` class names.
        known: ``[N]`` whether the photo is like the training photos: where not, it is answered with "not sure", whatever its
            probabilities; ``None`` where nobody has looked.
    """

    names: tuple[str, ...]
    splits: tuple[str, ...]
    targets: npt.NDArray[np.int8]
    probabilities: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]
    classes: tuple[str, ...]
    known: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", np.asarray(self.targets, dtype=np.int8))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float64))
        thresholds = np.asarray(self.thresholds, dtype=np.float64)
        if thresholds.ndim == 1:
            thresholds = np.tile(thresholds, (len(self.names), 1))
        object.__setattr__(self, "thresholds", thresholds)
        if self.known is not None:
            object.__setattr__(self, "known", np.asarray(self.known, dtype=np.bool_))
        cells = (len(self.names), len(self.classes))
        shapes = (len(self.splits), self.targets.shape, self.probabilities.shape, self.thresholds.shape)
        if shapes != (cells[0], cells, cells, cells):
            raise ValueError(
                f"names {cells[0]}, splits {shapes[0]}, classes {cells[1]}, targets {shapes[1]}, probabilities {shapes[2]} "
                f"and thresholds {shapes[3]} do not belong together"
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shown(self) -> npt.NDArray[np.bool_]:
        """``[N, K]`` which classes are answered: those whose probability reaches the threshold, compared as float32."""
        return shown_cells(self.probabilities, self.thresholds)

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """``[N]`` whether every class is answered right, which only photos all of whose cells are known can be."""
        return exact_rows(self.targets, self.shown)

    def label_text(self, row: int) -> str:
        """The classes that a photo is known to show, as ``a|b``; empty for none."""
        return self._text(self.targets[row] == PRESENT)

    def answer_text(self, row: int) -> str:
        """The classes that are answered, as ``a|b``; empty for none of the classes."""
        return self._text(shown_cells(self.probabilities[row], self.thresholds[row]))

    def _text(self, flags: npt.NDArray[np.bool_]) -> str:
        return joined(self.classes[column] for column in np.flatnonzero(flags).tolist())

    def take(self, rows: Iterable[int]) -> MultiLabelPredictions:
        """The photos at ``rows``, in that order."""
        picked = list(rows)
        return MultiLabelPredictions(
            tuple(self.names[row] for row in picked),
            tuple(self.splits[row] for row in picked),
            self.targets[picked],
            self.probabilities[picked],
            self.thresholds[picked],
            self.classes,
            None if self.known is None else self.known[picked],
        )

    def of(self, split: str) -> MultiLabelPredictions:
        """The photos of one split."""
        return self.take(row for row, name in enumerate(self.splits) if name == split)

    def scored(self) -> MultiLabelPredictions:
        """The photos of which something is known: only they can be answered right or wrong."""
        return self.take(self.scored_rows())

    def scored_rows(self) -> list[int]:
        """The rows of :meth:`scored`."""
        rows: list[int] = np.flatnonzero((self.targets != NOT_KNOWN).any(axis=1)).tolist()
        return rows

    def __repr__(self) -> str:
        right = f"{int(self.correct.sum())} of {int(complete_rows(self.targets).sum())} exactly right"
        return visible(
            f"<MultiLabelPredictions: {len(self)} photos, {len(self.classes)} classes ({first_few(self.classes)}); {right}>",
            one_line=True,
        )

    def _repr_html_(self) -> str:
        """For a notebook: the first rows."""
        rows = [self._columns, *(self._row(row) for row in range(min(len(self), SHOWN_ROWS)))]
        more = [tr("... and {count} more", count=len(self) - SHOWN_ROWS)] if len(self) > SHOWN_ROWS else []
        return cell_html(repr(self)[1:-1], rows, more)

    def to_pandas(self) -> Any:
        """The table of :meth:`to_csv` as a pandas ``DataFrame``, one row per photo; what nobody knows is ``<NA>``.

        Raises:
            RequestError: When pandas is not installed.
        """
        pd = pandas_here()
        plain = pd.DataFrame([self._row(row) for row in range(len(self))], columns=[*self._columns])
        cells = [[None if cell == NOT_KNOWN else cell for cell in column] for column in self.targets.T.tolist()]
        columns: dict[str, Any] = {_LABEL + name: pd.array(cells[at], dtype="Int8") for at, name in enumerate(self.classes)}
        columns |= {PROBABILITY + name: self.probabilities[:, at] for at, name in enumerate(self.classes)}
        columns |= {_THRESHOLD + name: self.thresholds[:, at] for at, name in enumerate(self.classes)}
        return pd.concat([plain, pd.DataFrame(columns)], axis=1)

    @property
    def _columns(self) -> tuple[str, ...]:
        """Of the table, before the cells."""
        return columns_before(self.known)

    def _row(self, row: int) -> list[Any]:
        known = [] if self.known is None else [bool(self.known[row])]
        return [self.names[row], self.splits[row], self.label_text(row), self.answer_text(row), *known]

    def _rows(self) -> Iterator[list[Any]]:
        for row in range(len(self)):
            cells = [_CELLS[cell] for cell in self.targets[row].tolist()]
            yield [*self._row(row), *cells, *self.probabilities[row].tolist(), *self.thresholds[row].tolist()]

    def to_csv(self, path: Path) -> None:
        """Write ``path, split, label, predicted, known, label:<class>..., probability:<class>..., threshold:<class>...``.

        ``label`` and ``predicted`` are ``a|b``, empty for none of the classes; ``label:<class>`` is 1, 0, or empty where nobody
        knows. Without the column ``known`` where nobody has looked. A class is answered where its probability reaches its
        threshold, both rounded to float32.
        """
        header = [*self._columns, *(kind + name for kind in _KINDS for name in self.classes)]
        write_atomically(path, table_text([header, *self._rows()]))

    @classmethod
    def from_csv(cls, path: Path) -> MultiLabelPredictions:
        """The opposite of :meth:`to_csv`: equal to what was written, to the last bit.

        Raises:
            DataError: When the file is no such table.
        """
        table = AnswerTable.read(path, _KINDS)
        classes, first = _classes(table), table.first
        end = first + len(classes)
        try:
            targets = [[_VALUES[text] for text in row[first:end]] for row in table.rows]
            chances = np.array([[float(cell) for cell in row[end:]] for row in table.rows])
            known = table.known()
        except (KeyError, ValueError) as error:
            raise table.refusal(str(error)) from error
        chances = chances.reshape(len(table.rows), 2, len(classes))
        return cls(
            tuple(row[0] for row in table.rows),
            tuple(row[1] for row in table.rows),
            np.array(targets, np.int8).reshape(len(table.rows), len(classes)),
            chances[:, 0],
            chances[:, 1],
            classes,
            known,
        )


def _classes(table: AnswerTable) -> tuple[str, ...]:
    """The classes that stand in the heading three times, in the same order."""
    headings = table.header[table.first :]
    count, left = divmod(len(headings), 3)
    classes = tuple(name.removeprefix(_LABEL) for name in headings[:count])
    if left or headings != [kind + name for kind in _KINDS for name in classes]:
        raise table.refusal(",".join(table.header)[:200])
    return classes
