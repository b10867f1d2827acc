"""``tg.show``: photos as a person wants to see them, whatever holds them: with their labels, or with a classifier's answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from tsugiki.classifier.answer import Prediction
from tsugiki.core.console import say
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import RequestError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.label_sets import spoken
from tsugiki.data.samples import Samples
from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
from tsugiki.evaluation.predictions import Predictions
from tsugiki.locale.messages import tr
from tsugiki.reporting.pages.set_gallery import wrong_cells
from tsugiki.reporting.plots.figures import Picture, present
from tsugiki.reporting.plots.fonts import drawn_names, legible
from tsugiki.reporting.plots.label_sets_plot import SetTile, draw_label_sets
from tsugiki.reporting.plots.photo_grid import Framed, draw_grid
from tsugiki.reporting.plots.predictions_plot import Tile, draw_predictions
from tsugiki.training.run import Run

_COLUMNS = 4
_WIDTH = 22  # columns of a label


def show(what: Any, *, count: int = 12) -> Picture:
    """Draw and show photos: in a notebook at once.

    Args:
        what: Samples, as many of each class as there is room for, with their labels; a run, its held-out photos with the
            answers, wrong ones first; a prediction or several of files, with the answers.
        count: How many photos at most.

    Raises:
        RequestError: When it holds no photos, or not one of them can be read.
    """
    if isinstance(what, Samples):
        return present(_with_labels(what, count))
    if isinstance(what, Run):
        return present(_judged(what, count))
    answers = [what] if isinstance(what, Prediction) else what
    if isinstance(answers, list | tuple) and answers and all(isinstance(one, Prediction) for one in answers):
        return present(_answered(answers, count))
    raise RequestError(
        tr("{name} is something else than was expected.", name="what"),
        allowed="Samples, Run, Prediction, [Prediction, ...]",
        got=type(what).__name__,
    )


def _with_labels(samples: Samples, count: int) -> Picture:
    names = samples.label_names() if samples.targets is None else [spoken(one) for one in samples.label_sets()]
    rows = _readable(samples, _in_turn(names), count)
    shown = [names[row] for row in rows]
    with legible(shown):
        short = drawn_names(shown, _WIDTH)
        return draw_grid([Framed.unjudged(samples.paths[row], short[names[row]]) for row in rows], _COLUMNS)


def _in_turn(names: Sequence[str]) -> Iterator[int]:
    """Rows such that every label has its turn."""
    place: dict[str, int] = {}
    turns = []
    for row, name in enumerate(names):
        place[name] = place.get(name, -1) + 1
        turns.append((place[name], row))
    return (row for _, row in sorted(turns))


def _judged(run: Run, count: int) -> Picture:
    rows = run.predictions.of(run.evaluation["split"]).scored()
    place = {name: at for at, name in enumerate(run.samples.names)}
    wrong = wrong_cells(rows).any(axis=1) if isinstance(rows, MultiLabelPredictions) else rows.predicted != rows.labels
    order = np.argsort(~wrong, kind="stable").tolist()
    there = _readable(run.samples, (place[rows.names[row]] for row in order), count)
    back = {name: row for row, name in enumerate(rows.names)}
    picked = [(run.samples.paths[at], back[run.samples.names[at]]) for at in there]
    if isinstance(rows, MultiLabelPredictions):
        return draw_label_sets([SetTile.of_row(path, rows, row) for path, row in picked], columns=_COLUMNS)
    return draw_predictions([_tile(path, rows, row) for path, row in picked], columns=_COLUMNS)


def _tile(path: Any, rows: Predictions, row: int) -> Tile:
    predicted = int(rows.predicted[row])
    known = True if rows.known is None else bool(rows.known[row])
    chance = float(rows.probabilities[row, predicted])
    return Tile(path, rows.classes[predicted], chance, rows.classes[int(rows.labels[row])], known=known)


def _answered(answers: Sequence[Prediction], count: int) -> Picture:
    tiles = []
    for answer in answers[:count]:
        if answer.problem or not answer.name:
            _left_out(answer.name or tr("the photo"), answer.problem or tr("it is no file"))
        else:
            label = answer.label if answer.labels is None else spoken(answer.labels)
            tiles.append(Tile(answer.name, label, answer.probability, known=answer.known))
    return draw_predictions(tiles, columns=_COLUMNS)


def _readable(samples: Samples, rows: Iterator[int], count: int) -> list[int]:
    """The first rows whose photo can be read; those that cannot are named."""
    paths = samples.paths

    def opened() -> Iterator[int]:
        for row in rows:
            try:
                open_photo(paths[row])
            except UnreadablePhoto as fault:
                _left_out(samples.names[row], fault.what)
            else:
                yield row

    return list(islice(opened(), count))


def _left_out(name: str, reason: str) -> None:
    say(tr("Left out: {name}: {reason}", name=visible(name, one_line=True), reason=reason))
