"""Photos of which a label was answered wrong: which it is, what was missed, what was named by mistake.

Letters: ``N`` photos, ``K`` classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tsugiki.data.label_sets import NOT_KNOWN, PRESENT, spoken
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.locale.messages import first_few, in_a_row, tr
from tsugiki.reporting.pages.gallery import ShownPhoto, labels_text
from tsugiki.reporting.pages.page import Bilingual, bilingual

Named = tuple[tuple[str, str], ...]
"""Classes and their probabilities as they are shown."""


@dataclass(frozen=True)
class WrongLabels(ShownPhoto):
    """A photo with a wrong answer; its ``label`` is the class that was answered wrong most surely, by which photos are found.

    Attributes:
        missed: Classes that it shows and that were not answered.
        added: Classes that were answered and that it does not show.
        right: Classes that it shows and that were answered.
    """

    missed: Named = ()
    added: Named = ()
    right: Named = ()


def wrong_cells(rows: MultiLabelPredictions) -> npt.NDArray[np.bool_]:
    """``[N, K]`` cells that are known and answered wrong."""
    return np.asarray((rows.targets != NOT_KNOWN) & ((rows.targets == PRESENT) != rows.shown), np.bool_)


def set_mistakes_in(rows: MultiLabelPredictions) -> Iterable[WrongLabels]:
    """Every photo with a wrong answer, the one first whose probability was farthest from the truth."""
    wrong = wrong_cells(rows)
    far = np.where(wrong, np.abs((rows.targets == PRESENT) - rows.probabilities), -1.0)
    worst = far.max(axis=1)
    found = np.flatnonzero(wrong.any(axis=1))
    for row in found[np.argsort(-worst[found], kind="stable")].tolist():
        present, shown = rows.targets[row] == PRESENT, rows.shown[row]
        missed, added = _named(rows, row, wrong[row] & present), _named(rows, row, wrong[row] & ~present)
        yield WrongLabels(
            rows.names[row],
            rows.classes[int(far[row].argmax())],
            _words(rows, row, missed, added),
            said=labels_text(rows.classes[column] for column in np.flatnonzero(shown | present).tolist()),
            chance=f"{worst[row]:.0%}",
            missed=missed,
            added=added,
            right=_named(rows, row, present & shown),
        )


def _named(rows: MultiLabelPredictions, row: int, flags: npt.NDArray[np.bool_]) -> Named:
    """The surest first."""
    chances = rows.probabilities[row]
    columns = sorted(np.flatnonzero(flags).tolist(), key=lambda column: -chances[column])
    return tuple((rows.classes[column], f"{chances[column]:.0%}") for column in columns)


def _words(rows: MultiLabelPredictions, row: int, missed: Named, added: Named) -> Bilingual:
    labels = [rows.classes[column] for column in np.flatnonzero(rows.targets[row] == PRESENT).tolist()]
    return bilingual(
        lambda: in_a_row(
            tr("It shows: {labels}.", labels=spoken(labels)),
            tr("Missed: {labels}.", labels=_with_chances(missed)) if missed else "",
            tr("Named by mistake: {labels}.", labels=_with_chances(added)) if added else "",
        )
    )


def _with_chances(named: Named) -> str:
    return first_few([tr("{name} ({chance})", name=name, chance=chance) for name, chance in named])
