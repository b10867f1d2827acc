"""A command line that was not understood, in the program's own sentences: typer's are English, without what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr


def refusal(error: Exception, words: Sequence[str]) -> RequestError | None:
    """What typer refused, told anew; ``None`` for any other error.

    Args:
        error: As typer raises it when it does not answer errors itself. Its kinds are known by name: where they are defined
            changes from version to version.
        words: The command line.
    """
    tell = _SENTENCES.get(type(error).__name__)
    if tell is None:
        return None
    what, allowed, got = tell(error, words)
    context = getattr(error, "ctx", None)
    command = " ".join(["tsugiki", *(words[:1] if context is None else _path(context))])
    return RequestError(what, allowed=allowed, got=got, cure=f"{command} --help")


def _unknown_option(error: Any, _words: Sequence[str]) -> tuple[str, str, str]:
    near = ", ".join(error.possibilities or ())
    return tr("There is no option {name}.", name=error.option_name), tr("did you mean {names}?", names=near) if near else "", ""


def _missing(error: Any, _words: Sequence[str]) -> tuple[str, str, str]:
    return tr("{name} is missing.", name=_name(error)), str(getattr(error.param, "help", None) or ""), ""


def _bad_value(error: Any, words: Sequence[str]) -> tuple[str, str, str]:
    return tr("{name} does not take this value.", name=_name(error)), _allowed(error), _given(error, words)


def _bad_option(error: Any, _words: Sequence[str]) -> tuple[str, str, str]:
    if "does not take" in error.message:
        return tr("{name} takes no value.", name=error.option_name), "", ""
    return tr("{name} needs a value.", name=error.option_name), "", ""


def _other(error: Any, words: Sequence[str]) -> tuple[str, str, str]:
    """Kinds without a name of their own, told apart by who refused: a group knows commands, a command takes words."""
    context = getattr(error, "ctx", None)
    known = getattr(getattr(context, "command", None), "commands", None)
    if known:
        name = next((word for word in words[len(_path(context)) :] if not word.startswith("-")), "")
        return tr("There is no command {name}.", name=repr(name)), ", ".join(known), ""
    extra = re.search(r"\(([^()]*)\)$", error.message)
    if extra:
        return tr("There are more words than the command takes."), "", extra[1]
    return error.message, "", ""


_SENTENCES: dict[str, Callable[[Any, Sequence[str]], tuple[str, str, str]]] = {
    "NoSuchOption": _unknown_option,
    "MissingParameter": _missing,
    "BadParameter": _bad_value,
    "BadOptionUsage": _bad_option,
    "UsageError": _other,
    "NoSuchCommand": _other,
}
"""By the name of typer's kind: what was wrong, what is allowed, what was got."""


def _path(context: Any) -> list[str]:
    """The commands that led here, without the program's own name, which depends on how it was started."""
    return [] if context.parent is None else [*_path(context.parent), context.info_name]


def _name(error: Any) -> str:
    """The option as it is typed, or the argument's name in capitals."""
    if error.param is None:
        return str(error.param_hint or "")
    options = [name for name in error.param.opts if name.startswith("-")]
    return max(options, key=len) if options else str(error.param.metavar or error.param.name.upper())


def _allowed(error: Any) -> str:
    if choices := re.findall(r"'([^']*)'", error.message.partition("is not one of")[2]):
        return ", ".join(choices)
    if bound := re.search(r"greater than or equal to (\S+)", error.message):
        return tr("{least} or more", least=bound[1])
    if bound := re.search(r"less than or equal to (\S+)", error.message):
        return tr("{most} or less", most=bound[1])
    if "integer" in error.message:
        return tr("a whole number")
    return tr("a number") if "number" in error.message else str(error.message)


def _given(error: Any, words: Sequence[str]) -> str:
    """The value after the option, or behind its ``=``."""
    options = error.param.opts if error.param is not None else ()
    for word, following in zip(words, [*words[1:], ""], strict=True):
        option, equals, value = word.partition("=")
        if option in options:
            return repr(value if equals else following)
    return ""
