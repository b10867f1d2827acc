"""``tsugiki fit``: the main job."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tsugiki.cli.options import (
    BudgetOption,
    FlipOption,
    KnobOption,
    MethodOption,
    PrecisionOption,
    PresetOption,
    ResumeOption,
    UnfreezeOption,
    fine_tuning_of,
    forget,
    options_typed,
    refuse_without_fine_tuning,
)
from tsugiki.core.console import emit, say, typed
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples
    from tsugiki.training.run import Run

EngineName = Literal["auto", "openvino", "torch"]


def fit(
    context: typer.Context,
    data: Annotated[str, typer.Argument(metavar="DATA", help=tr("a folder of photos, a manifest, an archive, or sample:NAME"))],
    out: Annotated[Path | None, typer.Option(help=tr("the run folder; runs/ and the name of DATA when left out"))] = None,
    backbone: Annotated[str, typer.Option(help=tr("a pretrained network (see: tsugiki backbones)"))] = "efficientnet_b0",
    weights: Annotated[str, typer.Option(help=tr("default, a named set, a local file, or none"))] = "default",
    model_arg: Annotated[list[str] | None, typer.Option(help=tr("NAME=VALUE for the architecture"))] = None,
    zoo: Annotated[Path | None, typer.Option(help=tr("a zoo file with names of your own"))] = None,
    epochs: Annotated[int | None, typer.Option(help=tr("passes over the photos; chosen for you when left out"))] = None,
    lr: Annotated[float | None, typer.Option(help=tr("learning rate; chosen for you when left out"))] = None,
    batch_size: Annotated[int | None, typer.Option(help=tr("photos per step; chosen for you when left out"))] = None,
    class_weights: Annotated[
        bool, typer.Option("--class-weights", help=tr("rare classes count as much as frequent ones"))
    ] = False,
    views: Annotated[int, typer.Option(help=tr("augmented views per training photo"), min=0)] = 0,
    held_out: Annotated[float, typer.Option(help=tr("share to hold out where the data set has no splits"))] = 0.2,
    seed: Annotated[int, typer.Option(help=tr("the same seed gives the same result"))] = DEFAULT_SEED,
    device: Annotated[str | None, typer.Option(help=tr("cpu, cuda or mps; the best one when left out"))] = None,
    engine: Annotated[EngineName, typer.Option(help=tr("what computes features: auto, openvino or torch"))] = "auto",
    method: MethodOption = "transfer",
    preset: PresetOption = "default",
    unfreeze: UnfreezeOption = None,
    flip: FlipOption = True,
    precision: PrecisionOption = "auto",
    budget: BudgetOption = None,
    knob: KnobOption = None,
    resume: ResumeOption = None,
    exclude: Annotated[
        Path | None, typer.Option(help=tr("a list (suspects.csv) whose rows marked exclude are left out"))
    ] = None,
    relabel: Annotated[
        Path | None, typer.Option(help=tr("a list (suspects.csv) whose rows marked relabel change class"))
    ] = None,
    log: Annotated[str | None, typer.Option(help=tr("also send the curves to: tensorboard, mlflow or wandb"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Train a classifier on a folder of labelled photos."""
    from tsugiki.backbones.load import load_backbone
    from tsugiki.cli.options import parse_model_args
    from tsugiki.core.devices import pick_device
    from tsugiki.data.describe import describe_samples
    from tsugiki.features.table import Looking, find_samples
    from tsugiki.heads.linear import HeadSettings
    from tsugiki.reporting.run_folder import check_target
    from tsugiki.training.corrections import apply_decisions, choose
    from tsugiki.training.methods import fit as train
    from tsugiki.training.trackers import require_tracker, tracking

    require_tracker(log)
    target = check_target(out or default_target(data))
    asked = options_typed(context)
    arguments = parse_model_args(model_arg or [])
    given = {"epochs": epochs, "lr": lr, "batch_size": batch_size}
    fine_tuning = None
    if method == "transfer":
        refuse_without_fine_tuning(asked)
    else:
        own = {"unfreeze": unfreeze, "precision": precision, "flip": flip, "seed": seed}
        chosen = {**given, **{name: own[name] for name in own if name in asked}, "class_weights": class_weights or None}
        fine_tuning = fine_tuning_of(preset=preset, knobs=knob or [], given=chosen, budget=budget, resume=resume, target=target)
    # Epochs, rate and batch size belong to the method that was asked for; the head under fine-tuning chooses its own.
    of_head = {name: value for name, value in given.items() if value is not None and method == "transfer"}
    settings = HeadSettings(seed=seed, class_weights=class_weights, **of_head)  # type: ignore[arg-type]
    samples = apply_decisions(find_samples(data, seed=seed, held_out=held_out), choose(exclude, relabel))
    say(describe_samples(samples))
    root = load_backbone(backbone, weights=weights, model_args=arguments, zoo=zoo)
    model = classifier_of(root, samples).to(pick_device(device))
    looking = Looking(engine=engine, views=views)
    with tracking(log, target.with_name(f"{target.name}.log"), {"backbone": str(root.spec), "method": method}) as tracker:
        if tracker is not None and fine_tuning is not None:
            fine_tuning = replace(fine_tuning, on_epoch=tracker.add_row)
        run = train(model, samples, method=method, settings=settings, looking=looking, fine_tuning=fine_tuning)
        # The head is trained in one go, so its curves come afterwards; those of fine-tuning came epoch by epoch.
        if tracker is not None and run.classifier.notes["method"] == "transfer":
            for row in run.history:
                tracker.add_row(row)
    finish(run, target, as_json=as_json)


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


def finish(run: Run, target: Path, *, as_json: bool) -> None:
    """Save the run and say where, and what to do with it; of several processes the main one does, the others wait for it."""
    from tsugiki.core.devices import is_main_process
    from tsugiki.core.processes import wait_for_all

    if is_main_process():
        _save(run, target, as_json=as_json)
        forget(target)  # the checkpoints belong to all processes: they may go once the run is there
    wait_for_all(run.classifier.device)


def _save(run: Run, target: Path, *, as_json: bool) -> None:
    from tsugiki.reporting.run_folder import EVALUATION, save_run

    save_run(run, target)
    if as_json:
        evaluation = json.loads((target / EVALUATION).read_text(encoding="utf-8"))  # with what saving has found out
        emit(json.dumps({"run": target.as_posix(), "evaluation": evaluation}, ensure_ascii=False, indent=2))
        return
    emit(str(target))
    say(tr("next: tsugiki predict {run} PHOTO", run=typed(target)))
