"""The options of ``tsugiki fit`` that concern fine-tuning, and how they become settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr

if TYPE_CHECKING:
    from tsugiki.training.fine_tune.settings import FineTuneSettings
    from tsugiki.training.methods import FineTuning

MethodOption = Annotated[
    Literal["transfer", "fine-tune", "auto"],
    typer.Option(help=tr("transfer: the head learns; fine-tune: then all layers; auto: what validation prefers")),
]
PresetOption = Annotated[str, typer.Option(help=tr("fine-tuning: default, gentle, thorough or plain"))]
UnfreezeOption = Annotated[
    str | None, typer.Option(help=tr("fine-tuning: all, how many layer groups learn, or the lowest one's name"))
]
FlipOption = Annotated[bool, typer.Option("--flip/--no-flip", help=tr("fine-tuning: mirror photos; off where left matters"))]
PrecisionOption = Annotated[
    Literal["auto", "float32", "bf16", "fp16"], typer.Option(help=tr("fine-tuning: auto times what is fastest here"))
]
BudgetOption = Annotated[str | None, typer.Option(help=tr("fine-tuning: how long it may take, as 90s, 10m or 2h"))]
KnobOption = Annotated[
    list[str] | None, typer.Option("--knob", help=tr("fine-tuning: any other setting, as NAME=VALUE"), metavar="NAME=VALUE")
]
ResumeOption = Annotated[
    bool | None,
    typer.Option("--resume/--restart", help=tr("fine-tuning: go on where it stopped (the default, if it can), or anew")),
]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "": 1}
_OF_AUGMENTATION = {"crop", "ratio", "flip", "trivial", "mixup", "cutmix", "erase"}


def fine_tuning_of(
    *,
    preset: str,
    knobs: list[str],
    given: Mapping[str, Any],
    flip: bool,
    budget: str | None,
    resume: bool | None,
    target: Path,
) -> FineTuning:
    """What the options ask for.

    Args:
        preset: Name of a preset.
        knobs: ``NAME=VALUE`` for any field of the settings, or of their augmentation.
        given: Settings that have options of their own; ``None`` where the option was left out.
        flip: Whether photos may be mirrored.
        budget: A time such as ``10m``.
        resume: Go on, begin anew, or (``None``) go on if possible.
        target: The run folder; checkpoints lie beside it until it is there.

    Raises:
        RequestError: When a value makes no sense.
    """
    from tsugiki.training.fine_tune.settings import FineTuneSettings
    from tsugiki.training.methods import FineTuning

    chosen = {name: value for name, value in given.items() if value is not None}
    read = dict(map(_knob, knobs))
    augmentation = {name: value for name, value in read.items() if name in _OF_AUGMENTATION}
    others = {name: str(value) if name == "unfreeze" else value for name, value in read.items() if name not in _OF_AUGMENTATION}
    if budget is not None:
        others["budget"] = parse_budget(budget)
    settings = FineTuneSettings.preset(preset, **{**chosen, **others})
    settings = _augmented(settings, augmentation if flip else {**augmentation, "flip": False})
    how: Literal["auto", "must", "never"] = "auto" if resume is None else "must" if resume else "never"
    return FineTuning(settings, folder=unfinished(target), resume=how)


def _augmented(settings: FineTuneSettings, changes: Mapping[str, Any]) -> FineTuneSettings:
    try:
        return replace(settings, augmentation=replace(settings.augmentation, **changes)) if changes else settings
    except TypeError as error:  # text where a number belongs
        got = ", ".join(f"{name}={value!r}" for name, value in changes.items())
        raise RequestError(tr("This augmentation cannot work."), got=got) from error


def unfinished(target: Path) -> Path:
    """Where the checkpoints of a run lie until it is whole."""
    return target.with_name(f"{target.name}.unfinished")


def forget(target: Path) -> None:
    """Delete the checkpoints of a run that is whole now."""
    if unfinished(target).exists():
        from tsugiki.training.fine_tune.run import forget as delete

        delete(unfinished(target))


def parse_budget(text: str) -> float:
    """Seconds of ``90s``, ``10m``, ``2h`` or ``600``.

    Raises:
        RequestError: When it is no such time.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None or not float(match[1]):
        raise RequestError(tr("This is no length of time."), allowed="90s, 10m, 2h", got=repr(text))
    return float(match[1]) * _SECONDS[match[2]]


def _knob(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise RequestError(tr("A setting is given as NAME=VALUE."), got=repr(text), cure="--knob ema_decay=0.99")
    return name.strip().replace("-", "_"), _value(value.strip())


def _value(text: str) -> Any:
    """A switch, a whole number, a number, numbers with commas between, or the text itself."""
    if text.lower() in {"true", "yes", "false", "no"}:
        return text.lower() in {"true", "yes"}
    if "," in text:
        return tuple(_value(part.strip()) for part in text.split(","))
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
