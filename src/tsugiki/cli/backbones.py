"""``tsugiki backbones``: every pretrained network that can be named."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tsugiki.cli.options import json_option, option, zoo_option
from tsugiki.cli.output import aligned, emit_json
from tsugiki.cli.waiting import starting
from tsugiki.core.console import emit, say
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.catalog import BackboneInfo


def backbones(
    text: Annotated[list[str] | None, typer.Argument(metavar="[WORD...]", help=tr("words that the name must hold"))] = None,
    here: Annotated[bool, option("", tr("only those whose weights are on this machine"), "--here")] = False,
    every: Annotated[bool, option("", tr("all of them instead of a shortlist"), "--all")] = False,
    zoo: Annotated[Path | None, zoo_option()] = None,
    as_json: Annotated[bool, json_option()] = False,
) -> None:
    """List backbones: source, parameters, input size, ImageNet accuracy, licence, and whether the weights are here."""
    words = " ".join(text or [])
    with starting():
        from tsugiki.backbones.catalog import list_backbones, shortlist

        brief = not (words or here or every or as_json)
        found = [] if brief else [info for info in list_backbones(words, zoo=zoo) if info.on_this_machine or not here]
        chosen = shortlist(zoo) if brief else []
    if brief:
        emit(_shortlist(chosen))
        say(tr("A few to begin with; any name here is typed as --backbone NAME."))
        say(tr("tsugiki backbones WORD searches all names, --all lists them, --here those whose weights are here."))
        return
    if as_json:
        emit_json([dataclasses.asdict(info) for info in found])
        return
    if found:
        emit(_table(found))
    say(tr("backbones found: {count}", count=len(found)))
    if found:
        say(tr("Names of the Hugging Face Hub (hub:OWNER/NAME) are not listed. Any name here is typed as --backbone NAME."))


def _shortlist(chosen: list[tuple[BackboneInfo, str]]) -> str:
    titles = (tr("name"), "ImageNet", tr("here"), tr("good for"))
    rows = ((info.name, _accuracy(info), tr("yes") if info.on_this_machine else "-", reason) for info, reason in chosen)
    return aligned([titles, *rows])


def _accuracy(info: BackboneInfo) -> str:
    return f"{info.imagenet_top1:.1f}%" if info.imagenet_top1 else "-"


def _table(found: list[BackboneInfo]) -> str:
    titles = (tr("name"), tr("parameters"), tr("input"), tr("ImageNet top-1"), tr("licence"), tr("on this machine"))
    return aligned([titles, *(_row(info) for info in found)])


def _row(info: BackboneInfo) -> tuple[str, ...]:
    return (
        info.name,
        f"{info.parameters / 1e6:.1f} M" if info.parameters else "-",
        f"{info.input_size[0]} x {info.input_size[1]}" if info.input_size else "-",
        _accuracy(info),
        info.licence,
        tr("yes") if info.on_this_machine else "-",
    )
