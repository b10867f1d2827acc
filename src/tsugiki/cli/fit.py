"""``tsugiki fit``: the main job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tsugiki.cli.options import DataOptions, EngineOptions, FineTuneOptions, MethodOptions, OutputOptions, WeightOptions, option
from tsugiki.cli.output import emit_json
from tsugiki.core.console import emit, say, typed
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples
    from tsugiki.training.run import Run


def fit(
    *,
    out: Annotated[Path | None, option("RUN", tr("the run folder; runs/ and the name of DATA when left out"))] = None,
    backbone: Annotated[str, option("NAME", tr("a pretrained network (see: tsugiki backbones)"))] = "efficientnet_b0",
    weights: WeightOptions,
    training: MethodOptions,
    photos: DataOptions,
    fine_tuning: FineTuneOptions,
    compute: EngineOptions,
    output: OutputOptions,
) -> None:
    """Train a classifier on a folder of labelled photos."""
    from tsugiki.core.console import quiet
    from tsugiki.core.devices import pick_device
    from tsugiki.data.load import describe_samples, load
    from tsugiki.reporting.run_folder import check_output_folder
    from tsugiki.training.corrections import apply_decisions, choose
    from tsugiki.training.fit import fit as train
    from tsugiki.training.trackers import require_tracker, tracking

    # What cannot work is refused before the first photo is opened.
    require_tracker(output.log)
    target = check_output_folder(out or default_target(photos.data))
    tuning = fine_tuning.request(training, unfinished(target))
    head, features = training.head(), compute.features()
    decided = choose(photos.exclude, photos.relabel)

    with quiet():  # the table is told once, as it is after what a person has decided
        samples = apply_decisions(load(photos.data, seed=training.seed_or_default(), held_out=photos.held_out), decided)
    say(describe_samples(samples))
    root = weights.load(backbone)
    model = classifier_of(root, samples).to(pick_device(compute.device))
    about = {"backbone": str(root.spec), "method": training.method}
    with tracking(output.log, target.with_name(f"{target.name}.log"), about) as tracker:
        if tracker is not None and tuning is not None:
            tuning = replace(tuning, on_epoch=tracker.add_row)
        run = train(model, samples, method=training.method, settings=head, features=features, fine_tuning=tuning)
        # The head is trained in one go, so its curves come afterwards; those of fine-tuning came epoch by epoch.
        if tracker is not None and run.classifier.notes["method"] == "transfer":
            for row in run.history:
                tracker.add_row(row)
    finish(run, target, as_json=output.as_json)


def classifier_of(root: Backbone, samples: Samples) -> Classifier:
    """A classifier for the samples' classes on a loaded backbone, told in two lines."""
    from tsugiki.backbones.tables import parameter_table
    from tsugiki.classifier.classifier import Classifier

    model = Classifier(root, classes=samples.classes)
    table = parameter_table(model)
    say(
        tr(
            "Backbone: {name} ({weights}), {frozen} parameters frozen; head: {trainable} trainable",
            name=root.spec,
            weights=root.origin.label,
            frozen=f"{table.frozen:,}",
            trainable=f"{table.trainable:,}",
        )
    )
    say(tr("Preprocessing: {rule}", rule=model.preprocess.describe()))
    return model


def default_target(data: str) -> Path:
    """``runs/NAME`` for photos in ``.../NAME``."""
    name = data.partition(":")[2] if data.startswith("sample:") else Path(data).resolve().name.partition(".")[0]
    return Path("runs") / (name or "run")


def unfinished(target: Path) -> Path:
    """Where the checkpoints of a run lie until it is whole."""
    return target.with_name(f"{target.name}.unfinished")


def finish(run: Run, target: Path, *, as_json: bool) -> None:
    """Save the run and say where, and what to do with it; of several processes the main one does, the others wait for it."""
    from tsugiki.core.devices import is_main_process
    from tsugiki.core.processes import wait_for_all
    from tsugiki.fine_tuning.checkpoints import forget

    if is_main_process():
        _save(run, target, as_json=as_json)
        if unfinished(target).is_dir():
            forget(unfinished(target))  # checkpoints belong to all processes: they may go once the run is there
    wait_for_all(run.classifier.device)


def _save(run: Run, target: Path, *, as_json: bool) -> None:
    from tsugiki.core.errors import RequestError
    from tsugiki.reporting.run_folder import EVALUATION, save_elsewhere, save_run

    try:
        save_run(run, target)
    except RequestError as fault:  # the folder was free when the work began
        save_elsewhere(run, target, fault)
    if as_json:
        evaluation = json.loads((target / EVALUATION).read_text(encoding="utf-8"))  # with what saving has found out
        emit_json({"run": target.as_posix(), "evaluation": evaluation})
        return
    emit(str(target))
    say(tr("next: tsugiki predict {run} PHOTO", run=typed(target)))
