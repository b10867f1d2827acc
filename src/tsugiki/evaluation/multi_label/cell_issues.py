"""Cells that are probably labelled wrong: a class that a photo is said to show, or not to show; the most suspicious first.

Confident learning (Northcutt, Jiang and Chuang, JAIR 2021), each class by itself a question with two answers. Doubted cells are
ranked by how probable it is that they are wrong, as the head has it: scaled by what is usual in the class, or as if classes
were equally frequent, fewer of the first are wrong. Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tsugiki.core.display.table_cells import table_text
from tsugiki.core.errors import DataError
from tsugiki.core.files import write_atomically
from tsugiki.data.label_sets import ABSENT, NOT_KNOWN, PRESENT, joined, parted, set_text
from tsugiki.evaluation.label_issues import ACTIONS, COLUMNS
from tsugiki.evaluation.metrics import Bools, Floats, Ints
from tsugiki.evaluation.multi_label.set_metrics import roc_area
from tsugiki.locale.messages import first_few, in_a_row, tr

FEWEST = 5
"""Photos that show a class, and that do not: with fewer the class is not examined."""

_WORTH_ASKING = 0.625
"""Area under the ROC curve: who has gone less than a quarter of the way knows too little (:mod:`tsugiki.evaluation.chance`)."""


@dataclass(frozen=True)
class CellSuspect:
    """A cell that is doubted.

    Attributes:
        row: Which photo.
        cls: Which class.
        given: What the cell says: present or absent, as in :mod:`tsugiki.data.label_sets`.
        score: 0.5..1, how suspicious: the probability that the cell says the wrong thing.
        confident: Whether it is off the diagonal of the class's confident joint, too: as probable as what is usual for cells
            that say the opposite.
    """

    row: int
    cls: int
    given: int
    score: float
    confident: bool


@dataclass(frozen=True)
class CellIssues:
    """What was found, and where nobody looked.

    Attributes:
        suspects: The most suspicious first.
        examined: Classes whose cells were examined.
        too_few: Classes that fewer than :data:`FEWEST` photos show, or do not show.
        near_chance: Classes that the heads cannot tell: they doubt no label.
        cells: How many cells were examined.
        classes: ``K`` class names, where they are known.
    """

    suspects: tuple[CellSuspect, ...]
    examined: tuple[int, ...]
    too_few: tuple[int, ...]
    near_chance: tuple[int, ...]
    cells: int = 0
    classes: tuple[str, ...] = ()


def find_cell_suspects(targets: Ints, probabilities: Floats) -> CellIssues:
    """Every cell that is more probably the opposite of what it says; cells that nobody knows are never doubted.

    Args:
        targets: ``[N, K]``.
        probabilities: ``[N, K]`` out-of-fold: a head that has trained on a wrong label has learned to agree with it. NaN where
            nobody could judge a photo.
    """
    found: list[CellSuspect] = []
    examined, too_few, near, cells = [], [], [], 0
    judged = np.isfinite(probabilities).all(axis=1)
    for column in range(targets.shape[1]):
        rows = np.flatnonzero(judged & (targets[:, column] != NOT_KNOWN))
        present, chances = targets[rows, column] == PRESENT, probabilities[rows, column].astype(np.float64)
        positives = int(present.sum())
        if min(positives, len(rows) - positives) < FEWEST:
            too_few.append(column)
        elif (roc_area(present, chances) or 0.0) < _WORTH_ASKING:
            near.append(column)
        else:
            examined.append(column)
            cells += len(rows)
            found += _suspects_of(column, rows, present, chances)
    order = sorted(found, key=lambda one: (-one.score, one.row, one.cls))
    return CellIssues(tuple(order), tuple(examined), tuple(too_few), tuple(near), cells)


def _suspects_of(
    column: int, rows: npt.NDArray[np.intp], present: Bools, chances: npt.NDArray[np.float64]
) -> list[CellSuspect]:
    own = np.where(present, chances, 1 - chances)
    usual_present, usual_absent = own[present].mean(), own[~present].mean()
    confident = 1 - own >= np.where(present, usual_absent, usual_present)
    return [
        CellSuspect(int(rows[at]), column, PRESENT if present[at] else ABSENT, float(1 - own[at]), bool(confident[at]))
        for at in np.flatnonzero(own < 0.5).tolist()
    ]


def unexamined_sentence(issues: CellIssues, classes: Sequence[str]) -> str:
    """Which classes nobody examined, and why; empty where all were.

    Args:
        issues: What was found.
        classes: ``K`` class names.
    """
    few, near = ([classes[column] for column in columns] for columns in (issues.too_few, issues.near_chance))
    return in_a_row(
        tr(
            "Labels not examined, because fewer than {fewest} photos show the class or do not show it: {names} ({count}).",
            fewest=FEWEST,
            count=len(few),
            names=first_few(few),
        )
        if few
        else "",
        tr(
            "Labels not examined, because answers are close to guessing: {names} ({count}).",
            count=len(near),
            names=first_few(near),
        )
        if near
        else "",
    )


def write_cell_suspects(
    path: Path, suspects: Sequence[CellSuspect], *, names: Sequence[str], targets: Ints, classes: Sequence[str]
) -> None:
    """Write the table that :func:`tsugiki.evaluation.label_issues.write_suspects` writes for one label.

    ``label`` is what the photo shows as ``a|b``, ``suggested`` the same after this one change; ``|`` alone is none of the
    classes. A photo with two doubted cells has two rows. Every ``action`` is ``keep`` until a person changes it.

    Args:
        path: The file to write.
        suspects: In the order in which they should be looked at.
        names: Paths of all photos, by row.
        targets: ``[N, K]`` of all photos.
        classes: Class names, by column.
    """
    rows = []
    for one in suspects:
        label = frozenset(classes[column] for column in np.flatnonzero(targets[one.row] == PRESENT).tolist())
        suggested = label ^ {classes[one.cls]}
        rows.append([names[one.row], set_text(label), set_text(suggested), f"{one.score:.4f}", ACTIONS[0]])
    write_atomically(path, table_text([COLUMNS, *rows]).encode("utf-8-sig"))


def apply_changes(label_text: str, changes: Iterable[tuple[str, str]]) -> frozenset[str]:
    """What a photo shows after all changes that a person decided.

    Of each change only the difference counts, so several rows about one photo add up, and a change that was made already is
    made once.

    Args:
        label_text: What it shows now, as ``a|b``.
        changes: ``label`` and ``suggested`` of each row.

    Raises:
        DataError: When one row adds a class that another takes away, or does not say what the label was.
    """
    added: set[str] = set()
    removed: set[str] = set()
    for label, suggested in changes:
        if not label.strip():
            raise DataError(
                tr("A row to relabel does not say what the photo was said to show."),
                allowed=tr("in label what the photo was said to show, | alone for none of the classes"),
                got=suggested,
            )
        before, after = parted(label).present, parted(suggested).present
        added |= after - before
        removed |= before - after
    if contradicted := added & removed:
        raise DataError(
            tr(
                "Rows about one photo contradict each other: {names} is to be added and to be taken away.",
                names=joined(contradicted),
            ),
            got=label_text,
            cure=tr("keep one of these rows"),
        )
    return (parted(label_text).present | added) - removed
