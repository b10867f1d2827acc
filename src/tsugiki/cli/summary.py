"""``tsugiki summary``: a network before and after its backbone is frozen and its head replaced."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tsugiki.cli.options import json_option, model_arg_option, option, zoo_option
from tsugiki.cli.output import emit_json
from tsugiki.cli.values import parse_model_args
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from torch import nn

    from tsugiki.backbones.tables import ParameterTable


def summary(
    target: Annotated[str, typer.Argument(metavar="BACKBONE|RUN", help=tr("the name of a backbone, or a run folder"))],
    classes: Annotated[int, option("N", tr("classes of the new head"), min=1)] = 3,
    batch_size: Annotated[int, option("N", tr("photos in the batch that the shapes are shown for"), min=1)] = 32,
    model_arg: Annotated[list[str] | None, model_arg_option()] = None,
    zoo: Annotated[Path | None, zoo_option()] = None,
    parameters: Annotated[bool, option("", tr("list every parameter instead of every layer"), "--parameters")] = False,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """Show a network's layers, shapes and parameters, and which of them learn. No weights are needed."""
    with starting():
        if _is_run(target):
            stages, size = _stages_of_run(Path(target))
        else:
            stages, size = _stages_of_backbone(target, classes, model_arg or [], zoo)
        report = [_described(title, network, (batch_size, 3, *size), parameters) for title, network in stages]
    if as_json:
        emit_json([_plain(title, table) for title, _, table in report])
        return
    for title, text, table in report:
        say(f"\n{title}")
        emit(text)
        say(table.totals)


def _is_run(target: str) -> bool:
    folder = Path(target)
    if (folder / "classifier.json").is_file():
        return True
    if folder.is_dir():
        raise RequestError(
            tr("{folder} is no run folder.", folder=folder),
            allowed=tr("a folder with classifier.json in it, or the name of a backbone"),
        )
    return False


def _stages_of_run(folder: Path) -> tuple[list[tuple[str, nn.Module]], tuple[int, int]]:
    from tsugiki.classifier.classifier import Classifier

    classifier = Classifier.load(folder)
    return [(tr("{folder}, as it was saved", folder=folder), classifier)], classifier.preprocess.size


def _stages_of_backbone(
    name: str, classes: int, model_arg: list[str], zoo: Path | None
) -> tuple[list[tuple[str, nn.Module]], tuple[int, int]]:
    from tsugiki.backbones.freezing import freeze
    from tsugiki.backbones.load_backbone import build_network
    from tsugiki.backbones.network_heads import replace_head

    args = parse_model_args(model_arg)
    before, preprocess = build_network(name, model_args=args, zoo=zoo)
    after, _ = build_network(name, model_args=args, zoo=zoo)
    replace_head(freeze(after), classes)
    titles = (
        tr("{name}, as it was pretrained: every parameter learns", name=name),
        tr("{name}, backbone frozen and head replaced: {classes} classes", name=name, classes=classes),
    )
    return list(zip(titles, (before, after), strict=True)), preprocess.size


def _described(
    title: str, network: nn.Module, input_size: tuple[int, int, int, int], parameters: bool
) -> tuple[str, str, ParameterTable]:
    from tsugiki.backbones import tables

    table = tables.parameter_table(network)
    return title, str(table if parameters else tables.summary(network, input_size)), table


def _plain(title: str, table: ParameterTable) -> dict[str, Any]:
    rows = [{"name": r.name, "shape": list(r.shape), "count": r.count, "trainable": r.trainable} for r in table.rows]
    totals = {"trainable": table.trainable, "frozen": table.frozen, "total": table.total}
    return {"title": title, **totals, "parameters": rows}
