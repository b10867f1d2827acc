"""``tsugiki plot``: a run's pictures: its curves, what it says about held-out photos, what it sees of them."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tsugiki.cli.options import option, run_argument
from tsugiki.cli.output import say_left_out
from tsugiki.core.console import emit_exactly, typed, working
from tsugiki.core.errors import ArtefactError, DataError, RequestError
from tsugiki.core.files import check_folder_place
from tsugiki.core.regular_files import read_text
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure
    from PIL.Image import Image

    from tsugiki.data.sources.listing import Listing


def plot(
    run: Annotated[Path, run_argument()],
    out: Annotated[Path | None, option("FOLDER", tr("where the pictures go; beside the run when left out"))] = None,
    data: Annotated[str | None, option("DATA", tr("the photos of the run: draws predictions on held-out ones"))] = None,
    batch: Annotated[bool, option("", tr("with --data: also photos as the network sees them"), "--batch")] = False,
    count: Annotated[int, option("N", tr("photos per picture"), min=1, max=60)] = 9,
    seed: Annotated[int, option("N", tr("which photos are picked"))] = 0,
) -> None:
    """Draw the curves of a run and, with --data, its predictions; each picture's path is a line of the answer.

    Raises:
        TsugikiError: When a photo or a run is not there or cannot be used.
    """
    if batch and data is None:
        raise RequestError(tr("--batch draws photos, and needs to know where they are."), cure="--data DATA")
    rows = _history(run)
    folder = check_folder_place(out or run.with_name(f"{run.name}-plots"))
    _save(lambda: _curves(rows), folder / "curves.png")
    if data is not None:
        _save(lambda: _predictions(run, data, count, seed), folder / "predictions.png")
    if batch and data is not None:
        _save(lambda: _batch(run, data, count, seed), folder / "batch.png")


def _save(draw: Callable[[], Figure], path: Path) -> None:
    with working(tr("Drawing")):
        from tsugiki.reporting.plots.figures import save_picture

        save_picture(draw(), path)
    emit_exactly(str(path))


def _curves(rows: list[dict[str, str]]) -> Figure:
    from tsugiki.reporting.plots.curves_plot import draw_loss_curves

    return draw_loss_curves(rows)


def _history(run: Path) -> list[dict[str, str]]:
    from tsugiki.classifier.artefact import damaged

    path = _part(run, "history.csv")
    try:
        return list(csv.DictReader(io.StringIO(read_text(path), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise damaged(path, str(error)) from error


def _part(run: Path, name: str) -> Path:
    if not run.is_dir():
        raise RequestError(
            tr("There is no run folder {folder}.", folder=run),
            cure=tr("make one with `tsugiki fit DATA --out {folder}`", folder=typed(run)),
        )
    if not (run / name).is_file():
        raise ArtefactError(
            tr("{folder} holds no {name}.", folder=run, name=name), got=", ".join(sorted(entry.name for entry in run.iterdir()))
        )
    return run / name


def _predictions(run: Path, data: str, count: int, seed: int) -> Figure:
    from tsugiki.evaluation.multi_label.set_predictions import MultiLabelPredictions
    from tsugiki.evaluation.predictions import OUT_OF_FOLD
    from tsugiki.reporting.plots.label_sets_plot import SetTile, draw_label_sets
    from tsugiki.reporting.plots.predictions_plot import Tile, draw_predictions
    from tsugiki.reporting.run_tables import read_predictions

    rows = read_predictions(_part(run, "predictions.csv"))
    held_out = rows.of(next(split for split in ("test", "val", OUT_OF_FOLD, *rows.splits) if split in rows.splits)).scored()
    found = _found(_listed(data), held_out.names)
    picked = [row for row in _some(sorted(found), count, seed) if _readable(found[row], held_out.names[row]) is not None]
    if isinstance(held_out, MultiLabelPredictions):
        return draw_label_sets([SetTile.of_row(found[row], held_out, row) for row in picked])
    tiles = []
    for row in picked:
        predicted = held_out.predicted[row]
        chance, label = held_out.probabilities[row, predicted], held_out.labels[row]
        tiles.append(Tile(found[row], held_out.classes[predicted], float(chance), held_out.classes[label]))
    return draw_predictions(tiles)


def _found(listing: Listing, names: tuple[str, ...]) -> dict[int, Path]:
    """Rows of the table whose photo is in the listing, and where."""
    places = dict(zip(listing.names, listing.paths, strict=True))
    found = {row: places[name] for row, name in enumerate(names) if name in places}
    if not found:
        raise DataError(
            tr("None of the photos that the run was judged on is in {folder}.", folder=listing.root),
            allowed=", ".join(names[:3]),
            got=", ".join(listing.names[:3]),
        )
    return found


def _batch(run: Path, data: str, count: int, seed: int) -> Figure:
    import torch

    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.label_sets import spoken
    from tsugiki.data.load import list_photos
    from tsugiki.inspection.seen_photos import reading_of
    from tsugiki.reporting.plots.batch_plot import draw_batch

    classifier = Classifier.load(run)
    preprocess, listing = classifier.preprocess, list_photos(data, reading_of(classifier, None))
    inputs, labels = [], []
    for row in _some(list(range(len(listing))), count, seed):
        photo = _readable(listing.paths[row], listing.names[row])
        if photo is not None:
            inputs.append(preprocess(photo))
            labels.append(listing.labels[row] if listing.label_sets is None else spoken(listing.label_sets[row].present))
    stacked = torch.stack(inputs) if inputs else torch.empty(0, 3, 1, 1)
    return draw_batch(stacked, labels, (preprocess.mean, preprocess.std))


def _readable(path: Path, name: str) -> Image | None:
    """The photo; one that cannot be read is named, and no other takes its place."""
    from tsugiki.core.errors import UnreadablePhoto
    from tsugiki.data.images.decode import open_photo

    try:
        return open_photo(path)
    except UnreadablePhoto as error:
        say_left_out([(name, error.what)])
        return None


def _listed(data: str) -> Listing:
    from tsugiki.data.load import list_photos

    return list_photos(data)


def _some(rows: list[int], count: int, seed: int) -> list[int]:
    return random.Random(seed).sample(rows, k=min(count, len(rows)))  # noqa: S311 (no secret)
