"""Arguments of an architecture, as typed: ``--model-arg pad_type=same --model-arg img_size=192``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr


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
        parsed[name.strip()] = _value(value)
    return parsed


def model_arg_words(arguments: Mapping[str, Any]) -> list[str]:
    """The opposite of :func:`parse_model_args`: words for a command line."""
    return [word for name, value in arguments.items() for word in ("--model-arg", f"{name}={_text(value)}")]


def _text(value: Any) -> str:
    return value if isinstance(value, str) and _value(value) == value else json.dumps(value)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
