"""``tsugiki demo``: everything at work, offline, in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tsugiki.cli.options import option
from tsugiki.core.console import emit, say
from tsugiki.locale.messages import tr


def demo(
    out: Annotated[Path, option("RUN", tr("the run folder"))] = Path("runs/demo"),
) -> None:
    """Draw the sample, train on it, judge, predict, and tell what to try next."""
    from tsugiki.backbones.load_backbone import load_backbone
    from tsugiki.cli.fit import classifier_of
    from tsugiki.data.load import load
    from tsugiki.reporting.run_folder import check_output_folder, save_run
    from tsugiki.training.fit import fit

    target = check_output_folder(out)
    say(tr("The sample: drawings of pizza, steak and sushi, made by the program itself."))
    samples = load("sample:foodvision")
    run = fit(classifier_of(load_backbone("bundled:nae"), samples), samples)
    save_run(run, target)
    picture = _draw(target, samples.of(samples.held_out).paths)
    emit(str(target))
    say(tr("The run is in {run}; {picture} shows some of its answers.", run=target, picture=picture))
    say(tr("These are drawings, and the bundled backbone is small. On your own photos, one folder per class:"))
    say("  tsugiki fit PHOTOS --out runs/mine")
    say(tr("and, where no weights can be downloaded:"))
    say("  tsugiki fit PHOTOS --backbone bundled:nae --out runs/mine")
    say(tr("Then ask about a photo: tsugiki predict {run} PHOTO", run="runs/mine"))


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
