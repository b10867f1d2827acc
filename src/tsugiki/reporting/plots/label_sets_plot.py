"""Photos with the several labels that a classifier gives them: what was missed, and what was named by mistake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.cells import cell_len

from tsugiki.classifier.answer import Prediction
from tsugiki.core.errors import RequestError
from tsugiki.data.images.decode import PhotoSource
from tsugiki.data.label_sets import NOT_KNOWN, PRESENT, LabelSet, spoken
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.locale.messages import listed, tr
from tsugiki.reporting.plots.figures import Picture
from tsugiki.reporting.plots.fonts import drawn_names, legible
from tsugiki.reporting.plots.photo_grid import Framed, draw_grid
from tsugiki.reporting.plots.predictions_plot import Tile, draw_predictions

_MOST_NAMED = 4  # classes above one photo
_WIDTH = 18  # letters of a name
_LINE = 24  # letters of a line


@dataclass(frozen=True)
class SetTile:
    """One photo of a grid.

    Attributes:
        photo: Any photo, or where to read it.
        answers: The classes that are shown, with their probabilities, 0 to 1.
        labels: What is known of the photo, or ``None`` where nobody knows anything.
        known: Whether the photo is like the training photos; otherwise the answer is a guess, and is drawn as one.
    """

    photo: PhotoSource
    answers: tuple[tuple[str, float], ...]
    labels: LabelSet | None = None
    known: bool = True

    @classmethod
    def of_row(cls, photo: Path, rows: MultiLabelPredictions, row: int) -> SetTile:
        """A row of a run's table."""
        chances, shown, cells = rows.probabilities[row], rows.shown[row], rows.targets[row]
        best = [column for column in np.argsort(-chances, kind="stable").tolist() if shown[column]]
        present, unknown = (
            frozenset(rows.classes[column] for column in np.flatnonzero(cells == value).tolist())
            for value in (PRESENT, NOT_KNOWN)
        )
        known = rows.known is None or bool(rows.known[row])
        return cls(photo, tuple((rows.classes[at], float(chances[at])) for at in best), LabelSet(present, unknown), known)

    @classmethod
    def of_answer(cls, answer: Prediction, classes: Sequence[str]) -> SetTile:
        """What a classifier of ``classes`` answers to a photo that has no labels."""
        chances = dict(zip(classes, answer.probabilities, strict=True))
        return cls(answer.name, tuple((name, chances[name]) for name in answer.labels or ()), known=answer.known)

    @property
    def missed(self) -> frozenset[str]:
        """Classes that the photo is known to show and that are not answered."""
        return frozenset() if self.labels is None else self.labels.present - self._answered

    @property
    def added(self) -> frozenset[str]:
        """Classes that are answered and that the photo is known not to show."""
        return frozenset() if self.labels is None else self._answered - self.labels.present - self.labels.unknown

    @property
    def _answered(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.answers)


def draw_label_sets(tiles: Sequence[SetTile], *, columns: int = 3) -> Picture:
    """A grid of photos, each under its labels and their probabilities; wrong ones also say what was missed and added.

    Raises:
        RequestError: When there is no photo.
    """
    if not tiles:
        raise RequestError(tr("There is no photo to draw."))
    said = [name for tile in tiles for name in (*dict(tile.answers), *tile.missed)]
    with legible(said):
        names = drawn_names(said, _WIDTH)
        return draw_grid([_framed(tile, names) for tile in tiles], columns)


def draw_answers(answers: Sequence[Prediction], classes: Sequence[str]) -> Picture:
    """A grid of photos of which nobody says what they show, with a classifier's answers, of either task.

    Raises:
        RequestError: When there is no photo.
    """
    if any(answer.labels is not None for answer in answers):
        return draw_label_sets([SetTile.of_answer(answer, classes) for answer in answers])
    return draw_predictions([Tile(answer.name, answer.label, answer.probability, known=answer.known) for answer in answers])


def _framed(tile: SetTile, names: Mapping[str, str]) -> Framed:
    answer = _few(f"{names[name]} {chance:.0%}" for name, chance in tile.answers) or spoken(())
    wrong = [
        tr("missed: {names}", names=_few(names[name] for name in sorted(tile.missed))) if tile.missed else "",
        tr("added: {names}", names=_few(names[name] for name in sorted(tile.added))) if tile.added else "",
    ]
    if not tile.known:
        return Framed.unsure(tile.photo, "\n".join(filter(None, (answer, tr("not sure"), *wrong))))
    if tile.labels is None:
        return Framed.unjudged(tile.photo, answer)
    if not any(wrong):
        return Framed.right(tile.photo, answer)
    return Framed.wrong(tile.photo, "\n".join(filter(None, (answer, *wrong))))


def _few(names: Iterable[str]) -> str:
    """As many in a line as there is room for, and how many more there are."""
    every = [*names]
    more = [tr("and {count} more", count=len(every) - _MOST_NAMED)] if len(every) > _MOST_NAMED else []
    lines: list[str] = []
    for name in (*every[:_MOST_NAMED], *more):
        longer = listed((lines[-1], name)) if lines else name
        if lines and cell_len(longer) <= _LINE:
            lines[-1] = longer
        else:
            lines.append(name)
    return "\n".join(lines)
