"""``tsugiki predict``: ask a trained classifier about photos."""

from __future__ import annotations

import json
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.answer_rows import at_least_text, set_answer_rows, taxonomy_cells, taxonomy_columns
from tsugiki.cli.options import device_option, force_option, option, run_argument
from tsugiki.cli.output import aligned, emit_json, say_left_out
from tsugiki.cli.predict_inputs import Asked
from tsugiki.cli.waiting import goes_on_with, is_whole, starting
from tsugiki.core.console import emit, emit_exactly, progress, say, working
from tsugiki.core.display.table_cells import table_text
from tsugiki.core.errors import DataError, RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tsugiki.classifier.answer import Prediction
    from tsugiki.classifier.answers_file import AnswersFile
    from tsugiki.classifier.predict import Predictor

_MOST_DRAWN = 36


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"
    jsonl = "jsonl"


_STREAMED = {".csv": Format.csv, ".jsonl": Format.jsonl, ".ndjson": Format.jsonl}


def predict(
    run: Annotated[Path, run_argument()],
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO|FOLDER|-...", help=tr("photos, folders of them, videos; -: paths from stdin"))
    ],
    top: Annotated[int, option("N", tr("how many classes are named per photo"), min=1)] = 3,
    plot: Annotated[Path | None, option("FILE", tr("draw the photos with their answers into this file"))] = None,
    format_: Annotated[
        Format | None,
        option("table|json|csv|jsonl", tr("how answers are printed; csv and jsonl come as they are computed"), "--format"),
    ] = None,
    out: Annotated[
        Path | None, option("FILE", tr("write them into a .csv or .jsonl; what was interrupted goes on where it was"))
    ] = None,
    overwrite: Annotated[bool, force_option()] = False,
    null: Annotated[
        bool, option("", tr("paths from stdin end with a zero byte, as find -print0 writes them"), "-0", "--null")
    ] = False,
    every: Annotated[float, option("SECONDS", tr("how far apart the frames of a video are that are asked about"))] = 1.0,
    device: Annotated[str | None, device_option()] = None,
) -> None:
    """Ask a trained classifier about photos.

    Raises:
        TsugikiError: When a photo or a run is not there or cannot be used.
    """
    if run.is_file():  # a photo in its place: said before the run is looked through for photos
        from tsugiki.classifier.artefact import read_description

        read_description(run)
    shape = _format(format_, out)
    asked = Asked.of(photos, null=null, every=every)
    with starting():
        from tsugiki.classifier.artefact import read_description
        from tsugiki.classifier.load_predictor import load_predictor

        if plot is not None:
            from tsugiki.reporting.plots.figures import check_picture

            check_picture(plot, [photo for photo in asked.known if isinstance(photo, Path)])
        model = load_predictor(run, device=device, count=asked.count)
    file = None
    if out is not None:
        from tsugiki.classifier.answers_file import AnswersFile

        about = {
            "run": read_description(run)["weights_sha256"],
            "format": shape,
            "classes": model.classes,
            "top": top,
            "every": every,
        }
        file = AnswersFile(out, about, overwrite=overwrite)
    told = _Told(shape, model, file)
    with nullcontext() if file is None else closing(file):
        told.tell_all(asked, top)
    _say_the_end(told, plot)


def _format(asked: Format | None, out: Path | None) -> Format:
    """How answers are written: as it was asked for, or as the file is called.

    Raises:
        RequestError: When a file is to hold what does not come photo by photo.
    """
    if out is None:
        return asked or Format.table
    found = asked or _STREAMED.get(out.suffix.lower())
    if found not in _STREAMED.values():
        raise RequestError(
            tr("Into a file answers are written photo by photo."),
            allowed=tr("FILE.csv or FILE.jsonl, or --format csv|jsonl"),
            got=str(found or out),
        )
    return found or Format.csv


@dataclass
class _Told:
    """Answers as they are told, one by one or all together at the end, and what is to be said of all of them.

    Attributes:
        shape: How they are written.
        model: Whose they are.
        file: Where they go instead of standard output.
        answers: All of them, where they are told together; else the first that can be drawn.
        count: How many there are.
        problems: How many could not be read.
        unsure: How many are unlike anything seen.
        first_problem: Name and reason.
    """

    shape: Format
    model: Predictor
    file: AnswersFile | None
    answers: list[Prediction] = field(default_factory=list)
    count: int = 0
    problems: int = 0
    unsure: int = 0
    first_problem: str = ""

    def tell_all(self, asked: Asked, top: int) -> None:
        """Ask about all photos, and tell."""
        from tsugiki.classifier.predict_stream import predict_stream

        groups, file = asked.groups, self.file
        if file is not None:
            if asked.is_complete:
                file.require_among(asked.known)
            if file.answered:
                say(tr("Going on after {count} answers that are in {path} already.", count=file.answered, path=file.path))
            goes_on_with(file.path)
            self.count, self.problems = file.answered, file.problems
            groups = file.without_answered(groups)
        if self.shape is Format.csv and (file is None or file.is_empty):
            self._put(_csv_head(self.model))
        total = asked.count - self.count if asked.is_complete else None
        stream = predict_stream(self.model, groups, top=top, count=asked.count)
        bar = progress(tr("Looking at photos"), total) if total != 1 else nullcontext(lambda *_: None)
        with bar as tick, closing(stream):
            for answer in stream:
                self._tell(answer)
                tick(1, "")
        if file is not None:
            file.finish()
            is_whole(file.path)
        elif self.shape is Format.json and not self.count:
            emit_json([])
        elif self.shape in {Format.table, Format.json} and self.problems < self.count:
            self._tell_whole()

    def _tell(self, answer: Prediction) -> None:
        self.count += 1
        self.unsure += not (answer.known or answer.problem)
        if answer.problem:
            self.problems += 1
            self.first_problem = self.first_problem or f"{answer.name}: {answer.problem}"
        if self.shape in {Format.table, Format.json}:
            self.answers.append(answer)
            return
        if len(self.answers) < _MOST_DRAWN and not answer.problem:
            self.answers.append(answer)
        line = _csv_row(answer, self.model) if self.shape is Format.csv else _json_line(answer, self.model)
        if self.file is None:
            emit_exactly(line.rstrip("\n"))
        else:
            self.file.add(line, problem=bool(answer.problem))
        if answer.problem:
            say_left_out([(answer.name, answer.problem)])

    def _put(self, lines: str) -> None:
        if self.file is None:
            emit_exactly(lines.rstrip("\n"))
        else:
            self.file.head(lines)

    def _tell_whole(self) -> None:
        if self.shape is Format.table:
            emit(_table(self.answers, self.model.classes))
        else:
            emit_json([answer.to_dict(self.model.classes) for answer in self.answers])

    @property
    def unread(self) -> list[tuple[str, str]]:
        """Names and reasons of those that were not named yet."""
        return [(answer.name, answer.problem) for answer in self.answers if answer.problem]


def _say_the_end(told: _Told, plot: Path | None) -> None:
    """What is to be said of all answers.

    Raises:
        DataError: When photos could not be read.
    """
    if told.count and told.problems == told.count:
        say_left_out(told.unread[1:])
        raise DataError(tr("None of these photos can be read."), got=told.first_problem)
    if told.file is not None:
        say(tr("Written: {path}", path=told.file.path))
    if told.unsure:
        say(
            tr(
                "not sure: less like the training photos than 95% of them, however high the probability; "
                "`tsugiki explain` shows why"
            )
        )
    if plot is not None:
        _draw(told, told.model.classes, plot)
    say_left_out(told.unread)
    if told.problems:
        raise DataError(
            tr("Photos that could not be read, and have no answer: {count} of {total}.", count=told.problems, total=told.count)
        )


def _table(answers: Sequence[Prediction], classes: Sequence[str]) -> str:
    if any(answer.labels is not None for answer in answers):
        return aligned(set_answer_rows(answers, classes))
    rows: list[tuple[str, ...]] = [(tr("photo"), tr("answer"), tr("probability"), tr("next best"))]
    placed = any(answer.ancestors is not None for answer in answers)
    if placed:
        rows = [(*rows[0][:3], tr("at least"), *rows[0][3:])]
    for answer in answers:
        if answer.problem:
            continue
        label = answer.label if answer.known else tr("not sure ({label}?)", label=answer.label)
        others = ", ".join(f"{name} {probability:.1%}" for name, probability in answer.top[1:])
        named = (at_least_text(answer),) if placed else ()
        rows.append((answer.name, label, f"{answer.probability:.1%}", *named, others))
    return aligned(rows)


def _csv_head(model: Predictor) -> str:
    chances = [f"probability:{name}" for name in model.classes]
    return table_text([["path", "predicted", "known", *chances, *taxonomy_columns(model.answer_head), "problem"]])


def _csv_row(answer: Prediction, model: Predictor) -> str:
    """A row; a photo that could not be read has no answer, and its reason in the last column."""
    chances = [""] * len(model.classes) if answer.problem else answer.probabilities
    known = "" if answer.problem else answer.known
    above = taxonomy_cells(answer, model.answer_head)
    return table_text([[answer.name, answer.label, known, *chances, *above, answer.problem]])


def _json_line(answer: Prediction, model: Predictor) -> str:
    line = json.dumps(answer.to_dict(model.classes), ensure_ascii=False)
    # A name that is no text has halves of letters in it, which JSON writes as numbers.
    return line.encode("utf-8", "backslashreplace").decode() + "\n"


def _draw(told: _Told, classes: Sequence[str], path: Path) -> None:
    from tsugiki.reporting.plots.figures import save_picture
    from tsugiki.reporting.plots.label_sets_plot import draw_answers

    shown = [answer for answer in told.answers if not answer.problem][:_MOST_DRAWN]
    with working(tr("Drawing")):
        save_picture(draw_answers(shown, classes), path)
    say(tr("Written: {path}", path=path))
    if len(shown) < told.count - told.problems:
        say(tr("It shows the first {count} of {total} photos.", count=len(shown), total=told.count - told.problems))
