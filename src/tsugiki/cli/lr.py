"""``tsugiki lr``: look for a learning rate."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsugiki.cli.options import options_typed
from tsugiki.core.console import emit, say, typed
from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples
    from tsugiki.fine_tuning.lr_range import RateTest
    from tsugiki.fine_tuning.settings import FineTuneSettings


def lr(
    context: typer.Context,
    network: Annotated[str, typer.Argument(metavar="RUN_OR_BACKBONE", help=tr("a run folder, or the name of a backbone"))],
    data: Annotated[str, typer.Argument(metavar="DATA", help=tr("a folder of photos, a manifest, an archive, or sample:NAME"))],
    weights: Annotated[str, typer.Option(help=tr("default, a named set, a local file, or none"))] = "default",
    model_arg: Annotated[list[str] | None, typer.Option(help=tr("NAME=VALUE for the architecture"))] = None,
    unfreeze: Annotated[str, typer.Option(help=tr("all, how many layer groups learn, or the lowest one's name"))] = "all",
    batch_size: Annotated[int, typer.Option(help=tr("photos per step"))] = 32,
    steps: Annotated[int, typer.Option(help=tr("how many learning rates to try"))] = 60,
    lowest: Annotated[float, typer.Option(help=tr("the smallest learning rate"))] = 1e-6,
    highest: Annotated[float, typer.Option(help=tr("the largest learning rate"))] = 1.0,
    plot: Annotated[Path | None, typer.Option(help=tr("draw the curve into this PNG file"))] = None,
    seed: Annotated[int, typer.Option(help=tr("the same seed gives the same result"))] = DEFAULT_SEED,
    device: Annotated[str | None, typer.Option(help=tr("cpu, cuda or mps; the best one when left out"))] = None,
    as_json: Annotated[bool, typer.Option("--json", help=tr("one JSON document on standard output"))] = False,
) -> None:
    """Try learning rates for fine-tuning and suggest one; no weight is changed."""
    from tsugiki.cli.options import parse_model_args
    from tsugiki.core.devices import pick_device
    from tsugiki.fine_tuning.lr_range import find_rate, rates_between
    from tsugiki.fine_tuning.settings import FineTuneSettings

    settings = FineTuneSettings(unfreeze=unfreeze, batch_size=batch_size, seed=seed)
    rates_between(lowest, highest, steps)
    _check_picture(plot)
    arguments = parse_model_args(model_arg or [])
    if _is_run(network):
        _refuse_for_run(network, options_typed(context))
    classifier, samples, words = _start(network, data, settings, weights=weights, arguments=arguments)
    found = find_rate(classifier.to(pick_device(device)), samples, settings, steps=steps, lowest=lowest, highest=highest)
    _tell(found, plot, as_json=as_json)
    if found.suggestion is not None and not as_json:
        others = [("--unfreeze", unfreeze, "all"), ("--batch-size", batch_size, 32), ("--seed", seed, DEFAULT_SEED)]
        words += [word for option, value, usual in others if value != usual for word in (option, str(value))]
        words = [*words, "--method", "fine-tune", "--lr", f"{found.suggestion:.1e}"]
        say(tr("next: {command}", command=shlex.join(["tsugiki", "fit", data, *words])))


def _is_run(network: str) -> bool:
    return (Path(network) / "classifier.json").is_file()


def _refuse_for_run(network: str, asked: Mapping[str, str]) -> None:
    idle = [asked[name] for name in ("weights", "model_arg") if name in asked]
    if idle:
        raise RequestError(
            tr("{folder} is a run: its own weights are tried.", folder=network),
            allowed=tr("{names} with the name of a backbone", names=", ".join(idle)),
            got=", ".join(idle),
            cure=tr("leave these options out, or name a backbone instead of the run"),
        )


def _check_picture(path: Path | None) -> None:
    """Refuse, before anything is computed, what the curve cannot be drawn into."""
    if path is not None and (path.suffix.lower() != ".png" or path.is_dir()):
        raise RequestError(
            tr("The curve cannot be drawn into {path}.", path=path),
            allowed=tr("a PNG file: a name that ends in .png"),
            got=tr("a folder") if path.is_dir() else repr(path.name),
            cure=f"--plot {typed(path / 'rates.png' if path.is_dir() else path.with_suffix('.png'))}",
        )


def _start(
    network: str, data: str, settings: FineTuneSettings, *, weights: str, arguments: dict[str, Any]
) -> tuple[Classifier, Samples, list[str]]:
    """The classifier that fine-tuning would start from, the photos, and the words that make ``fit`` start there, too.

    A run's own classifier, or a backbone with its head fitted on stored features. Held-out photos are not judged, and what
    cannot work is refused before any feature is computed.
    """
    from tsugiki.backbones.load import arguments_given, load_backbone
    from tsugiki.backbones.sources.base import names_a_file
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.cli.options import model_arg_words
    from tsugiki.features.table import Looking, find_samples
    from tsugiki.fine_tuning.layers import chosen_groups
    from tsugiki.fine_tuning.training_data import split_for_validation
    from tsugiki.heads.linear import HeadSettings
    from tsugiki.training.fit import learn

    run = Classifier.load(network) if _is_run(network) else None
    root = run.backbone if run else load_backbone(network, weights=weights, model_args=arguments)
    chosen_groups(root, settings.unfreeze)
    samples = find_samples(data, seed=settings.seed)
    split_for_validation(samples, settings)
    if run is None:
        words = ["--backbone", network, *_weights_words(weights), *model_arg_words(arguments)]
        classifier = Classifier(root, classes=samples.classes)
        return learn(classifier, samples, HeadSettings(seed=settings.seed), Looking()).classifier, samples, words
    # A run knows the name of a file of weights, not where it lies.
    weights = f"FOLDER/{root.spec.weights}" if names_a_file(root.spec.weights) else root.spec.weights
    words = ["--backbone", str(root.spec), *_weights_words(weights), *model_arg_words(arguments_given(root.spec))]
    return run, samples.with_classes(run.classes), words


def _weights_words(weights: str) -> list[str]:
    return [] if weights == "default" else ["--weights", weights]


def _tell(found: RateTest, plot: Path | None, *, as_json: bool) -> None:
    """The answer; without a suggestion, that there is none, once everything else is told.

    Raises:
        TrainingError: When there is no suggestion.
    """
    if plot is not None:
        from tsugiki.reporting.plots.figures import save_picture
        from tsugiki.reporting.plots.rate_plot import draw_rates

        save_picture(draw_rates(found.rates, found.losses, found.suggestion), plot)
        say(tr("Written: {path}", path=plot))
    if as_json:
        emit(json.dumps({"suggestion": found.suggestion, "rates": found.rates, "losses": found.losses}, indent=2))
    if found.suggestion is None:
        raise _no_suggestion(found)
    if not as_json:
        emit(f"{found.suggestion:.1e}")


def _no_suggestion(found: RateTest) -> TrainingError:
    if not found.lowest_at:
        return TrainingError(tr("No learning rate lowered the loss; try more --steps."))
    rate = found.rates[found.lowest_at]
    return TrainingError(
        tr("The loss is lowest at {rate}, and a tenth of that, the usual choice, was not tried.", rate=f"{rate:.1e}"),
        got=f"--lowest {found.rates[0]:g}",
        cure=f"--lowest {rate / 100:.0e}",
    )
