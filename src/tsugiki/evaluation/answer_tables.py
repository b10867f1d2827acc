"""What tables of answers have in common, whether photos have one label or several: columns, reading, refusing other files."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tsugiki.core.display.table_cells import table_rows
from tsugiki.core.errors import DataError, RequestError
from tsugiki.core.regular_files import read_text
from tsugiki.locale.messages import tr

_COLUMNS = ("path", "split", "label", "predicted")
_KNOWN = "known"
_TRUTH = {"True": True, "False": False}

PROBABILITY = "probability:"
"""Before the name of a class: the heading of its probabilities."""

SHOWN_ROWS = 10
"""Of a table, in a notebook."""


def columns_before(known: npt.NDArray[np.bool_] | None) -> tuple[str, ...]:
    """The columns before those of the classes; whether a photo is known stands in them where somebody has looked, ``[N]``."""
    return _COLUMNS if known is None else (*_COLUMNS, _KNOWN)


@dataclass(frozen=True)
class AnswerTable:
    """A table as it was read.

    Attributes:
        path: The file.
        kinds: What stands before the name of a class in the headings of its columns.
        header: Headings.
        rows: Cells, as many in each row as there are headings.
        first: The first column of a class; runs of version 0.1.0 have no column ``known`` before it.
    """

    path: Path
    kinds: Sequence[str]
    header: list[str]
    rows: list[list[str]]
    first: int

    @classmethod
    def read(cls, path: Path, kinds: Sequence[str]) -> AnswerTable:
        """A table of answers.

        Raises:
            DataError: When the file is no such table.
        """
        try:
            header, *rows = table_rows(read_text(path, encoding="utf-8-sig")) or [[]]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise cls(path, kinds, [], [], 0).refusal(str(error)) from error
        table = cls(path, kinds, header, rows, len(_COLUMNS) + (_KNOWN in header[len(_COLUMNS) :][:1]))
        if tuple(header[: len(_COLUMNS)]) != _COLUMNS:
            raise table.refusal(",".join(header)[:200])
        for row in rows:
            if len(row) != len(header):
                raise table.refusal(",".join(row)[:200])
        return table

    def known(self) -> npt.NDArray[np.bool_] | None:
        """``[N]`` the column ``known``, or ``None`` where there is none.

        Raises:
            KeyError: When a cell says neither.
        """
        if self.first == len(_COLUMNS):
            return None
        return np.array([_TRUTH[row[self.first - 1]] for row in self.rows], np.bool_)

    def refusal(self, got: str) -> DataError:
        """What to raise where the file is no such table."""
        return DataError(
            tr("{name} is no table of predictions.", name=self.path.name),
            allowed=",".join([*_COLUMNS, _KNOWN, *(f"{kind}<class>,..." for kind in self.kinds)]),
            got=got,
            cure=tr("let the program write it anew: tsugiki evaluate RUN DATA"),
        )


def pandas_here() -> Any:
    """The module ``pandas``.

    Raises:
        RequestError: When it is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise RequestError(tr("{name} is not installed.", name="pandas"), cure="pip install pandas") from None
    return pd
