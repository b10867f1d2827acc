"""``tsugiki fit``: the main job."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tsugiki.cli.backbone_choice import BackboneOptions
from tsugiki.cli.options import (
    DataOptions,
    EngineOptions,
    FineTuneOptions,
    LabelOptions,
    MethodOptions,
    OutputOptions,
    TaxonomyOptions,
    WeightOptions,
    default_target,
    option,
)
from tsugiki.cli.output import emit_json
from tsugiki.cli.waiting import is_whole, starting
from tsugiki.core.console import emit_exactly, say, typed, working
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples
    from tsugiki.data.taxonomy import Taxonomy
    from tsugiki.training.run import Run


def fit(
    *,
    out: Annotated[Path | None, option("RUN", tr("the run folder; runs/ and the name of DATA when left out"))] = None,
    network: BackboneOptions,
    weights: WeightOptions,
    training: MethodOptions,
    photos: DataOptions,
    labels: LabelOptions,
    above: TaxonomyOptions,
    fine_tuning: FineTuneOptions,
    compute: EngineOptions,
    output: OutputOptions,
) -> None:
    """Train a classifier on a folder of labelled photos."""
    with starting():
        from tsugiki.core.devices import pick_device
        from tsugiki.data.load import describe_samples, read_samples
        from tsugiki.reporting.run_folder import check_output_folder
        from tsugiki.training.corrections import apply_decisions, choose
        from tsugiki.training.fit import fit as train
        from tsugiki.training.more_photos.further_labels import with_further
        from tsugiki.training.trackers import require_tracker, tracking

    # What cannot work is refused before the first photo is opened.
    require_tracker(output.log)
    choice, extension = network.choice(weights, training.method), network.extension(weights, training.method)
    target = check_output_folder(out or default_target(photos.data), overwrite=output.force)
    tuning = fine_tuning.request(training, unfinished(target))
    head, features = training.head(), compute.features()
    decided, reading = choose(photos.exclude, photos.relabel), labels.reading()

    read = read_samples if extension is None else extension.samples
    found = read(photos.data, seed=training.seed_or_default(), held_out=photos.held_out, reading=reading)
    if photos.labels is not None:
        found = with_further(found, photos.labels, reading=reading)
    samples = apply_decisions(found, decided if extension is None else extension.decided(found, decided))
    say(describe_samples(samples))  # once, as it is after what a person has decided
    tree, ranking = above.tree(samples.classes), None
    if choice is not None:
        ranking = choice.rank(samples, seed=training.seed_or_default(), features=features, device=compute.device)
        samples = ranking.samples or samples
    with working(tr("Loading the backbone")):
        if extension is None:
            root = weights.load(network.backbone) if ranking is None else ranking.load()
            model = classifier_of(root, samples, tree)
        else:
            model = extension.model(samples, tree)
            say_network(model)
        device = pick_device(compute.device)
        if device != model.device:  # moving a network that is known would build it
            model = model.to(device)
    about = {"backbone": str(model.backbone.spec), "method": training.method}
    with tracking(output.log, target.with_name(f"{target.name}.log"), about) as tracker:
        if tracker is not None and tuning is not None:
            tuning = replace(tuning, on_epoch=tracker.add_row)
        if extension is None:
            run = train(model, samples, method=training.method, settings=head, features=features, fine_tuning=tuning)
        else:
            run = extension.fitted(model, samples, settings=head, features=features)
        # The head is trained in one go, so its curves come afterwards; those of fine-tuning came epoch by epoch.
        if tracker is not None and run.classifier.notes["method"] == "transfer":
            for row in run.history:
                tracker.add_row(row)
    if ranking is not None:
        run.classifier.notes = {**run.classifier.notes, "ranking": ranking.notes()}
    finish(run, target, output)


def classifier_of(root: Backbone, samples: Samples, tree: Taxonomy | None = None) -> Classifier:
    """A classifier for the samples' classes on a loaded backbone, told in two lines."""
    from tsugiki.classifier.classifier import Classifier

    model = Classifier(root, classes=samples.classes, task=samples.task)
    model.taxonomy = tree
    say_network(model)
    return model


def say_network(model: Classifier) -> None:
    """What is frozen, what learns, and what photos become, in two lines."""
    root = model.backbone
    say(
        tr(
            "Backbone: {name} ({weights}), {frozen} parameters frozen; head: {trainable} trainable",
            name=root.spec,
            weights=root.origin.label,
            frozen=f"{root.num_parameters:,}",
            trainable=f"{sum(number.numel() for number in model.head.parameters()):,}",
        )
    )
    say(tr("Preprocessing: {rule}", rule=model.preprocess.describe()))


def unfinished(target: Path) -> Path:
    """Where the checkpoints of a run lie until it is whole."""
    return target.with_name(f"{target.name}.unfinished")


def finish(run: Run, target: Path, output: OutputOptions) -> None:
    """Save the run and say where, and what to do with it; of several processes the main one does, the others wait for it."""
    from tsugiki.core.devices import is_main_process
    from tsugiki.core.processes import wait_for_all
    from tsugiki.fine_tuning.checkpoints import forget

    if is_main_process():
        saved = _saved(run, target, overwrite=output.force)
        is_whole(saved)
        _tell(run, saved, output)
        if unfinished(target).is_dir():
            forget(unfinished(target))  # checkpoints belong to all processes: they may go once the run is there
    wait_for_all(run.classifier.device)


def _saved(run: Run, target: Path, *, overwrite: bool) -> Path:
    """Where the run is now: beside its place, where somebody else has put something there meanwhile."""
    from tsugiki.reporting.run_folder import free_folder, save_run

    with working(tr("Writing the run and its report")):
        try:
            return save_run(run, target, overwrite=overwrite)
        except RequestError as error:
            say(str(error))
            return save_run(run, free_folder(target))


def _tell(run: Run, saved: Path, output: OutputOptions) -> None:
    """The answer; then what it is worth, and what to do with it."""
    from tsugiki.reporting.run_folder import EVALUATION, REPORT

    if output.as_json:
        evaluation = json.loads((saved / EVALUATION).read_text(encoding="utf-8"))  # with what saving has found out
        emit_json({"run": saved.as_posix(), "evaluation": evaluation})
    else:
        emit_exactly(str(saved))
    say_verdict(run)
    say(tr("The report: {path}", path=saved / REPORT))
    say(tr("next: {command}", command=f"tsugiki predict {typed(saved)} {typed(a_photo(run.samples))}"))
    if output.open_report:
        open_report(saved / REPORT)


def say_verdict(run: Run) -> None:
    """What the score is worth, a line each."""
    from tsugiki.reporting.verdict import verdict

    for sentence in verdict(run):
        say(sentence)


def open_report(page: Path) -> None:
    """Show the report in the browser, or say that there is none."""
    from tsugiki.reporting.shown_report import open_in_browser

    if not open_in_browser(page):
        say(tr("There is no browser here that could show it."))


def a_photo(samples: Samples) -> Path:
    """A photo to ask about: a held-out one, named as briefly as it can be."""
    paths = samples.take(samples.held_out_rows or samples.train_rows).paths
    path = next((one for one in paths if one.exists()), paths[0])  # of a run that was extended photos may be gone
    seen_from_here = Path(os.path.relpath(path)) if path.absolute().drive == Path.cwd().drive else path
    return path if ".." in seen_from_here.parts else seen_from_here
