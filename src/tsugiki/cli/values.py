"""What is typed becomes values, and back: ``NAME=VALUE`` of architectures and settings, lengths of time."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from tsugiki.core.arguments import ANY
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.core.regular_files import parse_json
from tsugiki.locale.messages import tr

AUGMENTATION = ("crop", "ratio", "flip", "trivial", "mixup", "cutmix", "erase")
"""Settings that are parts of the augmentation."""

_OPTION_OF = {"overwrite": "--force", "model_args": "--model-arg", "resume": "--resume"}
# fmt: off
_OPTIONS = frozenset({
    "out", "backbone", "weights", "zoo", "exclude", "relabel", "held_out", "method", "epochs", "lr", "batch_size", "seed",
    "class_weights", "preset", "budget", "unfreeze", "flip", "precision", "device", "engine", "views", "log", "to", "lowest",
    "highest", "steps", "top", "count", "multi_label", "label_separator", "threshold", "taxonomy", "at_least",
    "max_latency", "max_size", "licence", "parts",
})
# fmt: on
"""Parameters of library functions that are options of the command line; other settings go through ``--set``."""

_SECONDS = {"s": 1, "m": 60, "h": 3600, "": 1}


def parse_model_args(texts: Iterable[str]) -> dict[str, Any]:
    """``NAME=VALUE`` texts as arguments; a value that reads as JSON (``192``, ``true``, ``[1, 2]``) is that, else text.

    Raises:
        RequestError: When a text has no name or no equals sign, or a name stands there twice.
    """
    parsed: dict[str, Any] = {}
    for text in texts:
        name, value = _split(text, "--model-arg", "img_size=192", places=True)
        if name in parsed:
            raise _set_twice(name, f"{name}={json.dumps(parsed[name])}, {text}")
        parsed[name] = _model_arg_value(value)
    return parsed


def _split(text: str, option: str, example: str, *, places: bool = False) -> tuple[str, str]:
    """Name and value; ``places``: where the name may begin with the place of one of several backbones, as ``2.`` does."""
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    place, dot, bare = name.rpartition(".") if places else ("", "", name)
    if not equals or not bare.isidentifier() or (dot and not place.isdecimal()):
        what = tr("A setting is given as NAME=VALUE.")
        raise RequestError(what, allowed=f"{option} NAME=VALUE", got=repr(text), cure=f"{option} {example}")
    return name, value


def model_arg_words(arguments: Mapping[str, Any]) -> list[str]:
    """The opposite of :func:`parse_model_args`: words for a command line."""
    return [word for name, value in arguments.items() for word in ("--model-arg", f"{name}={_text(value)}")]


def _text(value: Any) -> str:
    return value if isinstance(value, str) and _model_arg_value(value) == value else json.dumps(value)


def _model_arg_value(text: str) -> Any:
    try:
        return parse_json(text)
    except ValueError:
        return text


def as_typed(name: str, value: Any) -> str:
    """An argument of a library function as it is typed: what :mod:`tsugiki.core.arguments` asks for."""
    option = _OPTION_OF.get(name) or (f"--{name.replace('_', '-')}" if name in _OPTIONS else "")
    text = "" if value is ANY else ",".join(map(_typed_value, value)) if isinstance(value, tuple) else _typed_value(value)
    if not option:
        return f"--set {name}" + (f"={text}" if text else "")
    if name in _OPTION_OF and name != "model_args":
        return option  # switches, whatever they are in Python
    if isinstance(value, bool):
        return option if value else f"--no-{option.removeprefix('--')}"
    return f"{option} {text}".rstrip() if name != "model_args" else f"{option} NAME=VALUE"


def _typed_value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return str(value).lower() if isinstance(value, bool) else shlex.quote(str(value))


def parse_settings(texts: Iterable[str], typed: Mapping[str, str]) -> dict[str, Any]:
    """``NAME=VALUE`` texts as settings of fine-tuning, or as parts of its augmentation.

    Args:
        texts: After ``--set``.
        typed: Settings that have options of their own and were given by these, each as it was typed.

    Raises:
        UnknownName: When there is no such setting.
        RequestError: When a text has no name or no equals sign, or something is set twice.
    """
    from tsugiki.fine_tuning.settings import FineTuneSettings

    known = {*(each.name for each in fields(FineTuneSettings)), *AUGMENTATION}
    typed, parsed = dict(typed), {}
    for text in texts:
        name, value = _split(text, "--set", "ema_decay=0.99")
        if name not in known:
            cure = tr("these can be set: {names}", names=", ".join(sorted(known - {"augmentation"})))
            raise UnknownName(tr("Fine-tuning has no setting {name}.", name=repr(name)), name=name, known=known, cure=cure)
        if name in typed:
            raise _set_twice(name, f"{typed[name]}, --set {text}")
        parsed[name], typed[name] = _value(value.strip()), f"--set {text}"
        if name == "budget" and isinstance(parsed[name], str):
            parsed[name] = parse_time(parsed[name])
    return parsed


def _set_twice(name: str, got: str) -> RequestError:
    what = tr("{name} is set twice.", name=name)
    return RequestError(what, allowed=tr("once"), got=got, cure=tr("leave one of them out"))


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


def parse_time(text: str) -> float:
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
