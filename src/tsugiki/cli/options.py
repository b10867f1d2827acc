"""Arguments of an architecture, as typed: ``--model-arg pad_type=same --model-arg img_size=192``."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.training.methods import FineTuning


def parse_model_args(pairs: Iterable[str]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs as arguments; a value that reads as JSON (``192``, ``true``, ``[1, 2]``) is that, else text.

    Raises:
        RequestError: When a pair has no name or no equals sign.
    """
    parsed: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip().isidentifier():
            raise RequestError(
                tr("This is no argument of an architecture."),
                allowed="--model-arg NAME=VALUE",
                got=repr(pair),
                cure="--model-arg img_size=192",
            )
        if name.strip() in parsed:
            got = f"{name.strip()}={json.dumps(parsed[name.strip()])}, {pair}"
            raise RequestError(
                tr("{name} is set twice.", name=name.strip()), allowed=tr("once"), got=got, cure=tr("leave one of them out")
            )
        parsed[name.strip()] = _model_arg_value(value)
    return parsed


def model_arg_words(arguments: Mapping[str, Any]) -> list[str]:
    """The opposite of :func:`parse_model_args`: words for a command line."""
    return [word for name, value in arguments.items() for word in ("--model-arg", f"{name}={_text(value)}")]


def _text(value: Any) -> str:
    return value if isinstance(value, str) and _model_arg_value(value) == value else json.dumps(value)


def _model_arg_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


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
    Literal["auto", "float32", "bfloat16", "float16"], typer.Option(help=tr("fine-tuning: auto times what is fastest here"))
]
BudgetOption = Annotated[
    str | None, typer.Option(help=tr("fine-tuning: how long it may take, as 90s, 10m or 2h; the clock then sets the epochs"))
]
KnobOption = Annotated[
    list[str] | None, typer.Option("--knob", help=tr("fine-tuning: any other setting, as NAME=VALUE"), metavar="NAME=VALUE")
]
ResumeOption = Annotated[
    bool | None,
    typer.Option("--resume/--restart", help=tr("fine-tuning: go on where it stopped (the default, if it can), or anew")),
]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "": 1}
_OF_AUGMENTATION = ("crop", "ratio", "flip", "trivial", "mixup", "cutmix", "erase")

_OWN = ("preset", "unfreeze", "flip", "precision", "budget", "knob", "resume")
"""Parameters that only fine-tuning has."""


def options_typed(context: typer.Context) -> dict[str, str]:
    """The options on the command line, whatever their values: each parameter's name and how it is typed."""
    names: dict[str, str] = {}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name and source is not None and source.name == "COMMANDLINE":
            spellings = parameter.opts if context.params.get(parameter.name) is not False else parameter.secondary_opts
            names[parameter.name] = max(spellings or parameter.opts, key=len)
    return names


def refuse_without_fine_tuning(typed: Mapping[str, str]) -> None:
    """Refuse options that would do nothing because only the head learns.

    Args:
        typed: From :func:`options_typed`.

    Raises:
        RequestError: With the options that fine-tuning needs.
    """
    idle = [typed[name] for name in _OWN if name in typed]
    if idle:
        raise RequestError(
            tr("These options are for fine-tuning, but only the head is to learn: {names}", names=", ".join(idle)),
            allowed=tr("{names} with --method fine-tune or --method auto", names=", ".join(idle)),
            got="--method transfer",
            cure=tr("add --method fine-tune or --method auto, or leave these options out"),
        )


def fine_tuning_of(
    *,
    preset: str = "default",
    knobs: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
    budget: str | None = None,
    resume: bool | None = None,
    target: Path,
) -> FineTuning:
    """What the options ask for.

    Args:
        preset: Name of a preset.
        knobs: ``NAME=VALUE`` for any field of the settings, or of their augmentation.
        given: Fields that have options of their own; ``None`` where the option was left out.
        budget: A time such as ``10m``.
        resume: Go on, begin anew, or (``None``) go on if possible.
        target: The run folder; checkpoints lie beside it until it is there.

    Raises:
        RequestError: When a value makes no sense, is given twice, or checkpoints cannot lie there.
    """
    from tsugiki.fine_tuning.settings import FineTuneSettings
    from tsugiki.training.methods import FineTuning

    chosen = {name: value for name, value in (given or {}).items() if value is not None}
    if budget is not None:
        chosen["budget"] = parse_budget(budget)
    chosen |= _knobs(knobs, {name: _spelled(name, value, budget) for name, value in chosen.items()})
    settings = FineTuneSettings.preset(preset, **{name: chosen[name] for name in chosen if name not in _OF_AUGMENTATION})
    parts = {name: chosen[name] for name in _OF_AUGMENTATION if name in chosen}
    settings = replace(settings, augmentation=replace(settings.augmentation, **parts))
    how: Literal["auto", "must", "never"] = "auto" if resume is None else "must" if resume else "never"
    return FineTuning(settings, folder=_checked(unfinished(target)), resume=how)


def _spelled(name: str, value: Any, budget: str | None) -> str:
    """A field that has an option of its own, as it is typed."""
    switches = {("flip", True): "--flip", ("flip", False): "--no-flip", ("class_weights", True): "--class-weights"}
    option = f"--{name.replace('_', '-')} {budget if name == 'budget' else value}"
    return switches.get((name, value), option) if isinstance(value, bool) else option


def _knobs(texts: Sequence[str], typed: dict[str, str]) -> dict[str, Any]:
    """The fields that ``--knob`` sets; ``typed`` are those that other options set, as they are typed."""
    from tsugiki.fine_tuning.settings import FineTuneSettings

    known = [*(each.name for each in fields(FineTuneSettings)), *_OF_AUGMENTATION]
    read: dict[str, Any] = {}
    for text in texts:
        name, value = _knob(text)
        if name not in known:
            cure = tr("these can be set: {names}", names=", ".join(sorted(set(known) - {"augmentation"})))
            raise UnknownName(tr("Fine-tuning has no setting {name}.", name=repr(name)), name=name, known=known, cure=cure)
        if name in typed:
            got = f"{typed[name]}, --knob {text}"
            raise RequestError(
                tr("{name} is set twice.", name=name), allowed=tr("once"), got=got, cure=tr("leave one of them out")
            )
        read[name], typed[name] = value, f"--knob {text}"
    return read


def _checked(folder: Path) -> Path:
    if folder.is_dir() or not os.path.lexists(folder):
        return folder
    raise RequestError(
        tr("The checkpoints of this run cannot lie in {folder}.", folder=folder),
        allowed=tr("a folder, or nothing of that name"),
        got=tr("a file"),
        cure=tr("move it away, or name another run folder with --out"),
    )


def unfinished(target: Path) -> Path:
    """Where the checkpoints of a run lie until it is whole."""
    return target.with_name(f"{target.name}.unfinished")


def forget(target: Path) -> None:
    """Delete the checkpoints of a run that is whole now."""
    if unfinished(target).is_dir():
        from tsugiki.fine_tuning.checkpoints import forget as delete

        delete(unfinished(target))


def parse_budget(text: str) -> float:
    """Seconds of ``90s``, ``10m``, ``2h`` or ``600``.

    Raises:
        RequestError: When it is no such time, or less than a second.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([smh]?)", text.strip())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds < 1:
        raise RequestError(
            tr("This is no length of time."),
            allowed=tr("a second or more, as 90s, 10m or 2h"),
            got=repr(text),
            cure="--budget 10m",
        )
    return seconds


def _knob(text: str) -> tuple[str, Any]:
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise RequestError(
            tr("A setting is given as NAME=VALUE."), allowed="--knob NAME=VALUE", got=repr(text), cure="--knob ema_decay=0.99"
        )
    name, read = name.strip().replace("-", "_"), _value(value.strip())
    return name, parse_budget(read) if name == "budget" and isinstance(read, str) else read


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
