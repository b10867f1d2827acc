"""Labels as scikit-learn's users give them: one per photo; or several, as a table of 1 and 0 or as lists of names.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT
from tsugiki.locale.messages import tr


class PhotoError(RequestError, ValueError):
    """Photos or labels that an estimator cannot take; a ``ValueError``, as scikit-learn wants it."""


@dataclass(frozen=True)
class SeveralLabels:
    """Photos with any number of labels each.

    Attributes:
        classes: ``[K]``: the columns of a table by number, or by name where they have names; sorted names of lists.
        targets: ``[N, K]`` of 1, 0 and -1 (nobody knows).
        listed: Whether they were given as lists.
    """

    classes: npt.NDArray[Any]
    targets: npt.NDArray[np.int8]
    listed: bool

    @classmethod
    def read(cls, labels: Any, known: npt.NDArray[Any] | None = None) -> SeveralLabels | None:
        """Labels of several per photo; ``None`` where each photo has one.

        Args:
            labels: A table ``[N, K]`` of 1 and 0 (and NaN or -1 where nobody knows): an array, a ``DataFrame``, a sparse matrix
                or lists of one length. Or ``N`` lists, tuples or sets of names.
            known: ``[K]`` classes of lists that are to be read in their order, others being passed over.

        Raises:
            PhotoError: When a table holds something else.
        """
        names = [str(name) for name in labels.columns] if hasattr(labels, "columns") else None
        if hasattr(labels, "toarray"):
            labels = labels.toarray()
        elif hasattr(labels, "to_numpy"):
            labels = labels.to_numpy()
        rows = [*labels] if hasattr(labels, "__iter__") and not isinstance(labels, str | bytes) else []
        if not rows or not all(isinstance(row, list | tuple | set | frozenset | np.ndarray) for row in rows):
            return None
        if any(isinstance(row, np.ndarray) and row.ndim != 1 for row in rows):
            return None
        widths = {len(row) for row in rows}
        if all(_is_cell(value) for row in rows for value in row) and len(widths) == 1 and widths != {0}:
            table = np.array([[*row] for row in rows], np.float64)
            # A column is one label per photo, as scikit-learn has it.
            return None if table.shape[1] == 1 else cls._of_table(table, names)
        if isinstance(labels, np.ndarray) and labels.ndim == 2:
            if labels.shape[1] == 1:
                return None
            raise PhotoError(
                tr("A table of labels says 1 or 0 of each class, and NaN or -1 where nobody knows."),
                got=f"{labels.dtype} {list(labels.shape)}",
            )
        return cls._of_lists(rows, known)

    @classmethod
    def _of_table(cls, table: npt.NDArray[np.float64], names: Sequence[str] | None) -> SeveralLabels:
        targets = np.where(np.isnan(table), NOT_KNOWN, table).astype(np.int8)
        return cls(np.arange(table.shape[1]) if names is None else np.array(names), targets, listed=False)

    @classmethod
    def _of_lists(cls, rows: Sequence[Any], known: npt.NDArray[Any] | None) -> SeveralLabels:
        sets = [{*row} for row in rows]
        if any(name is None or name != name for one in sets for name in one):  # noqa: PLR0124 (NaN differs from itself)
            raise PhotoError(tr("A list of labels holds names only."), got="None, NaN", cure=tr("an empty list shows no class"))
        classes = np.array(sorted({name for one in sets for name in one})) if known is None else known
        place = {name: column for column, name in enumerate(classes.tolist())}
        targets = np.full((len(sets), len(classes)), ABSENT, np.int8)
        for row, one in enumerate(sets):
            for name in one & place.keys():
                targets[row, place[name]] = PRESENT
        return cls(classes, targets, listed=True)


def _is_cell(value: object) -> bool:
    if not isinstance(value, int | float | np.number | np.bool_):
        return False
    number = float(value)
    return number in {1.0, 0.0, -1.0} or number != number  # noqa: PLR0124
