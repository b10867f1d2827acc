"""``tsugiki demo``: everything at work, offline, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tsugiki.cli.options import force_option, option
from tsugiki.cli.waiting import is_whole, starting
from tsugiki.core.console import emit_exactly, say, typed, working
from tsugiki.core.regular_files import read_json
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.data.samples import Samples


def demo(
    out: Annotated[Path, option("RUN", tr("the run folder"))] = Path("runs/demo"),
    force: Annotated[bool, force_option()] = False,
    open_report: Annotated[bool, option("", tr("show the report in the browser at the end"), "--open")] = False,
) -> None:
    """Draw the sample, train on it, judge, predict, and tell what to try next."""
    with starting():
        from tsugiki.backbones.load_backbone import load_backbone
        from tsugiki.cli.fit import a_photo, classifier_of, say_verdict
        from tsugiki.cli.fit import open_report as show
        from tsugiki.data.load import load
        from tsugiki.reporting.run_folder import REPORT, check_output_folder, save_run
        from tsugiki.training.fit import fit

    say(tr("The sample: drawings of pizza, steak and sushi, made by the program itself."))
    samples = load("sample:foodvision")
    target = check_output_folder(out, overwrite=force or _is_demo(out, samples))
    with working(tr("Loading the backbone")):
        model = classifier_of(load_backbone("bundled:nae"), samples)
    run = fit(model, samples)
    with working(tr("Writing the run and its report")):
        save_run(run, target, overwrite=True)
        is_whole(target)
        picture = _draw(target, samples.of(samples.held_out).paths)
    emit_exactly(str(target))
    say_verdict(run)
    say(tr("The run is in {run}; {picture} shows some of its answers.", run=target, picture=picture))
    say(tr("The report: {path}", path=target / REPORT))
    say(tr("next: {command}", command=f"tsugiki predict {typed(target)} {typed(a_photo(samples))}"))
    say(tr("These are drawings, and the bundled backbone is small. On your own photos, one folder per class:"))
    say("  tsugiki fit PHOTOS --out runs/mine")
    say(tr("and, where no weights can be downloaded:"))
    say("  tsugiki fit PHOTOS --backbone bundled:nae --out runs/mine")
    if open_report:
        show(target / REPORT)


def _is_demo(folder: Path, samples: Samples) -> bool:
    """Whether a folder holds a run of the drawn sample: another demo takes nothing away."""
    from tsugiki.inspection.seen_photos import fingerprint

    try:
        about = read_json(folder / "classifier.json")
        return bool(about["trained"]["data_fingerprint"] == fingerprint(samples))
    except (OSError, ValueError, TypeError, KeyError):
        return False


def _draw(run: Path, photos: list[Path]) -> Path:
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.classifier.predict import predict_files
    from tsugiki.reporting.plots.figures import save_picture
    from tsugiki.reporting.plots.predictions_plot import Tile, draw_predictions

    shown = photos[:: max(1, len(photos) // 9)][:9]
    answers = predict_files(Classifier.load(run), shown)
    picture = run / "predictions.png"
    tiles = [
        Tile(photo, answer.label, answer.probability, photo.parent.name, known=answer.known)
        for answer, photo in zip(answers, shown, strict=True)
    ]
    save_picture(draw_predictions(tiles), picture)
    return picture
