"""``tsugiki explain``: why a photo is answered as it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.options import device_option, json_option, label_separator_option, option, run_argument
from tsugiki.cli.output import emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit_exactly, say, working
from tsugiki.core.errors import DataError, RequestError, UnreadablePhoto
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.classifier.answer import Prediction


def explain(
    run: Annotated[Path, run_argument()],
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help=tr("a photo"))],
    out: Annotated[Path | None, option("FILE", tr("the picture to write; PHOTO-why.png here when left out"))] = None,
    data: Annotated[str | None, option("DATA", tr("the photos of the run: shows the training photos most like it"))] = None,
    label_separator: Annotated[str | None, label_separator_option()] = None,
    label: Annotated[str | None, option("CLASS", tr("explain this class instead of the answer"), "--label", "--class")] = None,
    device: Annotated[str | None, device_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Draw what the model sees of a photo, which parts speak for its answer, and what it has seen that is like it.

    Raises:
        TsugikiError: When a photo or a run is not there or cannot be used.
    """
    if not photo.exists() or photo.is_dir():
        raise RequestError(tr("There is no photo {path}.", path=photo), allowed=tr("a photo"))
    with starting():
        from tsugiki.classifier.classifier import Classifier
        from tsugiki.core.devices import pick_device
        from tsugiki.reporting.plots.explanation_plot import explain_with_neighbours
        from tsugiki.reporting.plots.figures import check_picture

        target = check_picture(out or Path(f"{photo.stem}-why.png"), [photo])
        classifier = Classifier.load(run).to(pick_device(device))
    with working(tr("Looking for the evidence")):
        try:
            found = explain_with_neighbours(classifier, photo, label=label, data=data, label_separator=label_separator)
        except UnreadablePhoto as fault:
            raise DataError(tr("{path} cannot be read: {reason}", path=photo, reason=fault.what)) from fault
        found.save(target)
    if as_json:
        emit_json({"picture": target.as_posix(), **found.to_dict(classifier.classes)})
        return
    answer = found.prediction
    told = f"{answer.label}  {answer.probability:.1%}" if answer.labels is None else _answered_labels(answer)
    say(told + ("" if answer.known else "  " + tr("not sure: less like the training photos than 95% of them")))
    if label is None and answer.labels and len(answer.labels) > len(found.explained):
        numbers = {"count": len(found.explained), "total": len(answer.labels)}
        say(tr("Explained: the {count} most probable of {total} labels; --label names another one.", **numbers))
    emit_exactly(str(target))


def _answered_labels(answer: Prediction) -> str:
    """Every label with its probability; without any, the most probable class."""
    labels = answer.labels or ()
    if not labels:
        name, chance = answer.top[0]
        return tr("none of the classes (most probable: {name}, {chance})", name=name, chance=f"{chance:.1%}")
    return ", ".join(f"{name} {chance:.1%}" for name, chance in answer.top if name in labels)
