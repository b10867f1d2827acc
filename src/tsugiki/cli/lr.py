"""``tsugiki lr``: look for a learning rate."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.options import LabelOptions, WeightOptions, data_argument, device_option, json_option, option, seed_option
from tsugiki.cli.values import model_arg_words
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say, working
from tsugiki.core.errors import RequestError, TrainingError
from tsugiki.core.seeds import DEFAULT_SEED
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import BackboneSpec
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples
    from tsugiki.fine_tuning.lr_range import RateTest
    from tsugiki.fine_tuning.settings import FineTuneSettings


@dataclass(frozen=True)
class TunedOptions:
    """What is to be fine-tuned, and how: as it would be by ``fit``."""

    unfreeze: Annotated[str, option("GROUPS", tr("all, how many layer groups learn, or the lowest one's name"))] = "all"
    batch_size: Annotated[int, option("N", tr("photos per step"))] = 32
    seed: Annotated[int, seed_option()] = DEFAULT_SEED

    def words(self) -> list[str]:
        """Those that are not as usual, as they are typed."""
        changed = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name) != each.default}
        return [word for name, value in changed.items() for word in (f"--{name.replace('_', '-')}", str(value))]


@dataclass(frozen=True)
class RateOptions:
    """The learning rates to try."""

    steps: Annotated[int, option("N", tr("how many learning rates to try"))] = 60
    lowest: Annotated[float, option("X", tr("the smallest learning rate"))] = 1e-6
    highest: Annotated[float, option("X", tr("the largest learning rate"))] = 1.0


def lr(
    *,
    network: Annotated[str, typer.Argument(metavar="RUN_OR_BACKBONE", help=tr("a run folder, or the name of a backbone"))],
    data: Annotated[str, data_argument()],
    weights: WeightOptions,
    labels: LabelOptions,
    tuned: TunedOptions,
    rates: RateOptions,
    plot: Annotated[Path | None, option("FILE", tr("draw the curve into this file"))] = None,
    device: Annotated[str | None, device_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Try learning rates for fine-tuning and suggest one; no weight is changed."""
    with starting():
        from tsugiki.core.devices import pick_device
        from tsugiki.fine_tuning.lr_range import find_rate, rates_between
        from tsugiki.fine_tuning.settings import FineTuneSettings
        from tsugiki.reporting.plots.figures import check_picture

    settings = FineTuneSettings(**vars(tuned))
    rates_between(rates.lowest, rates.highest, rates.steps)
    if plot is not None:
        check_picture(plot)
    if _is_run(network):
        _refuse_for_run(network, weights)
    labels.reading()
    classifier, samples, words = _start(network, partial(_loaded, data, labels, settings), settings, weights)
    words += labels.words()
    found = find_rate(classifier.to(pick_device(device)), samples, settings, **vars(rates))
    _tell(found, plot, as_json=as_json)
    if found.suggestion is not None and not as_json:
        words += [*tuned.words(), "--method", "fine-tune", "--lr", f"{found.suggestion:.1e}"]
        say(tr("next: {command}", command=shlex.join(["tsugiki", "fit", data, *words])))


def _is_run(network: str) -> bool:
    return (Path(network) / "classifier.json").is_file()


def _refuse_for_run(network: str, weights: WeightOptions) -> None:
    idle = ", ".join(f"--{name.replace('_', '-')}" for name, value in vars(weights).items() if value not in (None, []))
    if idle:
        raise RequestError(
            tr("{folder} is a run: its own weights are tried.", folder=network),
            allowed=tr("{names} with the name of a backbone", names=idle),
            got=idle,
            cure=tr("leave these options out, or name a backbone instead of the run"),
        )


def _loaded(data: str, labels: LabelOptions, settings: FineTuneSettings) -> Samples:
    from tsugiki.data.load import load

    return load(data, seed=settings.seed, **vars(labels))


def _start(
    network: str, loaded: Callable[[], Samples], settings: FineTuneSettings, weights: WeightOptions
) -> tuple[Classifier, Samples, list[str]]:
    """The classifier that fine-tuning would start from, the photos, and the words that make ``fit`` start there, too.

    A run's own classifier, or a backbone with its head fitted on stored features. Held-out photos are not judged, and what
    cannot work is refused before any feature is computed.
    """
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.classifier.require_task import require_task
    from tsugiki.features.extract import extract
    from tsugiki.fine_tuning.layers import chosen_groups
    from tsugiki.fine_tuning.training_data import split_for_validation
    from tsugiki.heads.linear import HeadSettings, fit_head

    run = Classifier.load(network) if _is_run(network) else None
    with working(tr("Loading the backbone")):
        root = run.backbone if run else weights.load(network)
    chosen_groups(root, settings.unfreeze)
    samples = loaded()
    split_for_validation(samples, settings)
    # As in a fit, photos that cannot be read are out of the way before anything is learned, and the others are held out so.
    if run is not None:
        require_task(run, samples)
        samples = samples.with_classes(run.classes)
        return run, extract(samples, root, preprocess=run.preprocess).samples, _words_of(root.spec)
    classifier = Classifier(root, classes=samples.classes, task=samples.task)
    table = extract(samples, root)
    head = fit_head(table, len(samples.classes), HeadSettings(seed=settings.seed))
    classifier.head.load_state_dict(head.as_layer().state_dict())
    return classifier, table.samples, ["--backbone", network, *weights.words()]


def _words_of(spec: BackboneSpec) -> list[str]:
    """The words that make ``fit`` take a run's backbone."""
    from tsugiki.backbones.load_backbone import arguments_given
    from tsugiki.backbones.weights.weights_file import names_a_file

    # A run knows the name of a file of weights, not where it lies.
    weights = f"FOLDER/{spec.weights}" if names_a_file(spec.weights) else spec.weights
    return ["--backbone", str(spec), *WeightOptions(weights).words(), *model_arg_words(arguments_given(spec))]


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
