"""``tsugiki predict``: ask a trained classifier about photos."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.answer_rows import set_answer_rows
from tsugiki.cli.options import device_option, option, run_argument
from tsugiki.cli.output import aligned, emit_json, say_left_out
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, emit_exactly, say, working
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.errors import DataError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsugiki.classifier.answer import Prediction
    from tsugiki.classifier.predict import Predictor
    from tsugiki.data.sources.listing import LeftOut


_MOST_DRAWN = 36


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def predict(
    run: Annotated[Path, run_argument()],
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO|FOLDER...", help=tr("photos, or folders of them"))],
    top: Annotated[int, option("N", tr("how many classes are named per photo"), min=1)] = 3,
    plot: Annotated[Path | None, option("FILE", tr("draw the photos with their answers into this file"))] = None,
    format_: Annotated[Format, option("table|json|csv", tr("how answers are printed"), "--format")] = Format.table,
    device: Annotated[str | None, device_option()] = None,
) -> None:
    """Ask a trained classifier about photos.

    Raises:
        TsugikiError: When a photo or a run is not there or cannot be used.
    """
    if run.is_file():  # a photo in its place: said before the run is looked through for photos
        from tsugiki.classifier.artefact import read_description

        read_description(run)
    paths, left_out = _photos(photos)
    with starting():
        from tsugiki.classifier.load_predictor import load_predictor
        from tsugiki.classifier.predict import predict_files

        if plot is not None:
            from tsugiki.reporting.plots.figures import check_picture

            check_picture(plot, paths)
        model = load_predictor(run, device=device, count=len(paths))
    answers = predict_files(model, paths, left_out, top=top)
    problems = [answer for answer in answers if answer.problem]
    if len(problems) == len(answers):
        say_left_out((answer.name, answer.problem) for answer in problems[1:])
        raise DataError(tr("None of these photos can be read."), got=f"{problems[0].name}: {problems[0].problem}")
    _tell(answers, model, format_)
    if not all(answer.known or answer.problem for answer in answers):
        say(
            tr(
                "not sure: less like the training photos than 95% of them, however high the probability; "
                "`tsugiki explain` shows why"
            )
        )
    if plot is not None:
        _draw(answers, model.classes, plot)
    say_left_out((answer.name, answer.problem) for answer in problems)
    if problems:
        raise DataError(
            tr(
                "Photos that could not be read, and have no answer: {count} of {total}.",
                count=len(problems),
                total=len(answers),
            )
        )


def _tell(answers: Sequence[Prediction], model: Predictor, format_: Format) -> None:
    if format_ is Format.table:
        emit(_table(answers, model.classes))
    elif format_ is Format.json:
        emit_json([answer.to_dict(model.classes) for answer in answers])
    else:
        emit_exactly(_csv(answers, model))


def _photos(given: Sequence[Path]) -> tuple[list[Path], list[LeftOut]]:
    from tsugiki.classifier.predict import no_photo
    from tsugiki.data.sources.folders import photos_in

    paths: list[Path] = []
    left_out: list[LeftOut] = []
    for place in given:
        if not place.exists():
            raise no_photo(place)
        found, others = photos_in(place) if place.is_dir() else ([place], [])
        paths += found
        left_out += others
    return paths, left_out


def _table(answers: Sequence[Prediction], classes: Sequence[str]) -> str:
    if any(answer.labels is not None for answer in answers):
        return aligned(set_answer_rows(answers, classes))
    rows = [(tr("photo"), tr("answer"), tr("probability"), tr("next best"))]
    for answer in answers:
        if answer.problem:
            continue
        label = answer.label if answer.known else tr("not sure ({label}?)", label=answer.label)
        others = ", ".join(f"{name} {probability:.1%}" for name, probability in answer.top[1:])
        rows.append((answer.name, label, f"{answer.probability:.1%}", others))
    return aligned(rows)


def _csv(answers: Sequence[Prediction], model: Predictor) -> str:
    """A row per photo; one that could not be read has no answer, and its reason in the last column."""
    rows: list[list[object]] = [["path", "predicted", "known", *(f"probability:{name}" for name in model.classes), "problem"]]
    for answer in answers:
        chances = [""] * len(model.classes) if answer.problem else answer.probabilities
        rows.append([answer.name, answer.label, "" if answer.problem else answer.known, *chances, answer.problem])
    return table_text(rows).rstrip("\n")


def _draw(answers: Sequence[Prediction], classes: Sequence[str], path: Path) -> None:
    from tsugiki.reporting.plots.figures import save_picture
    from tsugiki.reporting.plots.label_sets_plot import draw_answers

    drawable = [answer for answer in answers if not answer.problem]
    shown = drawable[:_MOST_DRAWN]
    with working(tr("Drawing")):
        save_picture(draw_answers(shown, classes), path)
    say(tr("Written: {path}", path=path))
    if len(shown) < len(drawable):
        say(tr("It shows the first {count} of {total} photos.", count=len(shown), total=len(drawable)))
