"""``tsugiki lr``: look for a learning rate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.core.console import emit, say
from tsugiki.core.messages import tr
from tsugiki.core.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.data.samples import Samples


def lr(
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
    from tsugiki.core.devices import pick_device
    from tsugiki.training.evidence import find_samples
    from tsugiki.training.fine_tune.lr_range import find_rate
    from tsugiki.training.fine_tune.settings import FineTuneSettings

    settings = FineTuneSettings(unfreeze=unfreeze, batch_size=batch_size, seed=seed)
    samples = find_samples(data, seed=seed)
    classifier = _classifier(network, samples, weights, model_arg or []).to(pick_device(device))
    found = find_rate(classifier, samples, settings, steps=steps, lowest=lowest, highest=highest)
    if plot is not None:
        from tsugiki.reporting.figures import save_picture
        from tsugiki.reporting.rate_plot import draw_rates

        save_picture(draw_rates(found.rates, found.losses, found.suggestion), plot)
        say(tr("Written: {path}", path=plot))
    if as_json:
        emit(json.dumps({"suggestion": found.suggestion, "rates": found.rates, "losses": found.losses}, indent=2))
    else:
        emit(f"{found.suggestion:.1e}")
        say(tr("next: tsugiki fit {data} --method fine-tune --lr {rate}", data=data, rate=f"{found.suggestion:.1e}"))


def _classifier(network: str, samples: Samples, weights: str, arguments: list[str]) -> Classifier:
    """A run's classifier, or a backbone with its head fitted on stored features: where fine-tuning would start."""
    from tsugiki.backbones.loading import load_backbone
    from tsugiki.classifier.classifier import Classifier
    from tsugiki.cli.model_args import parse_model_args
    from tsugiki.training.fit import fit

    if (Path(network) / "classifier.json").is_file():
        return Classifier.load(network)
    root = load_backbone(network, weights=weights, model_args=parse_model_args(arguments))
    classifier = Classifier(root, classes=samples.classes)
    fit(classifier, samples)
    return classifier
