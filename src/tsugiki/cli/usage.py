"""How the program answers ``--help`` and a command line that was not understood, in the language in use.

typer's own pages cut words short in narrow columns, and find no place to break a Japanese line; its refusals are English and do
not say what is allowed.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from typer import style
from typer.core import TyperCommand, TyperGroup

from tsugiki.core.console import typed
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

FINE_TUNING, EXPERT = "fine-tuning", "expert"
"""Panels of a long page of options; what is in none of them comes first."""

_TERM = 24
"""Columns for an option and the space behind it; what is longer has a line of its own."""

_UNIT = re.compile(r" +|\[[^]]*\]|[(「]*(?:[!-~]+|[ァ-ヺー・]+|[一-龯々]+|.)[ぁ-ん]*[、。:」)]*")
"""What a line never breaks: a word, something in brackets, in Japanese a run of one kind of letter with its ending."""


class _Page:
    """``--help`` in the language in use, without a broken word."""

    def get_help_option(self, ctx: Any) -> Any:
        """The option ``--help``."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        option.help = tr("show this page")
        return option

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page."""
        formatter.write(_page(ctx))


class Command(_Page, TyperCommand):
    """A command with a page of this program's own."""


class Group(_Page, TyperGroup):
    """A group of commands with a page of this program's own."""


class Help(NamedTuple):
    """What ``--help`` says of a command.

    Attributes:
        usage: How it is typed.
        about: What it does.
        sections: Titles, and rows of what is typed and what it says.
        epilog: What stands at the end.
    """

    usage: str
    about: str
    sections: list[tuple[str, list[tuple[str, str]]]]
    epilog: str


def help_of(context: Any) -> Help:
    """What ``--help`` says of the command of a context, in the language in use: for a terminal, and for the documentation."""
    command, path = context.command, _path(context)
    parameters = command.get_params(context)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    commands = getattr(command, "commands", {})
    words = ["tsugiki", *path, *(each.metavar for each in arguments), tr("[OPTIONS]"), *([tr("COMMAND")] if commands else [])]
    sections = [
        (tr("Arguments"), [(each.metavar, each.help or "") for each in arguments]),
        (tr("Commands"), [(name, each.help or "") for name, each in commands.items()]),
        *_panels(options),
        (tr("Examples"), _examples().get(" ".join(path), [])),
    ]
    return Help(" ".join(words), command.help or "", [section for section in sections if section[1]], command.epilog or "")


def _page(context: Any) -> str:
    told = help_of(context)
    blocks = [f"{tr('Usage:')} {told.usage}", "\n".join(_wrapped(told.about, _width()))]
    blocks += [f"{style(title, bold=True)}\n{_rows(rows)}" for title, rows in told.sections]
    if told.epilog:
        blocks.append("\n".join(_wrapped(told.epilog, _width())))
    return "\n\n".join(blocks)


def _panels(options: Sequence[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles and rows; a page that has nothing for experts is short and has one panel."""
    panels = {each.rich_help_panel for each in options}
    if not panels & {FINE_TUNING, EXPERT}:
        return [(tr("Options"), [_row(each) for each in options])]
    titles = {
        None: tr("Basics"),
        FINE_TUNING: tr("Fine-tuning (with --method fine-tune or --method auto)"),
        EXPERT: tr("Expert"),
    }
    return [(title, [_row(each) for each in options if each.rich_help_panel == name]) for name, title in titles.items()]


def _row(option: Any) -> tuple[str, str]:
    """How an option is typed, and what it says."""
    term = " / ".join(", ".join(sorted(names, key=len)) for names in (option.opts, option.secondary_opts) if names)
    value = option.metavar or ""
    usual = option.show_default if isinstance(option.show_default, str) else option.default
    shown = "" if usual is None or usual is False else tr("[default: {value}]", value=getattr(usual, "value", usual))
    return f"{term} {value}".rstrip(), f"{option.help} {shown}".rstrip()


def _examples() -> dict[str, list[tuple[str, str]]]:
    return {
        "": [
            ("tsugiki demo", tr("the whole story on a drawn sample")),
            ("tsugiki fit photos", tr("train on your own photos, one folder per class")),
            ("tsugiki predict runs/photos new.jpg", tr("ask what is on a photo")),
        ],
        "demo": [
            ("tsugiki demo", tr("into runs/demo")),
            ("tsugiki demo --out runs/try --open", tr("elsewhere, and show the report at the end")),
        ],
        "audit": [
            ("tsugiki audit photos", tr("a line per question")),
            ("tsugiki audit photos --out audits/photos", tr("also a page with the photos, and a list to decide in")),
        ],
        "rank": [
            ("tsugiki rank photos", tr("every network whose weights are on this machine")),
            ("tsugiki rank photos --backbone resnet50 --backbone bundled:nae --budget 2m", tr("these two, in two minutes")),
            ("tsugiki rank photos --max-latency 20 --licence permissive", tr("only what is fast, and free to use")),
        ],
        "fit": [
            ("tsugiki fit photos", tr("transfer learning with EfficientNet-B0, into runs/photos")),
            ("tsugiki fit photos --backbone bundled:nae --exclude suspects.csv", tr("offline, without doubted photos")),
            ("tsugiki fit new --extend runs/photos", tr("one class more; only its photos are looked at")),
            ("tsugiki fit photos --method auto --budget 10m", tr("fine-tunes too, and keeps what validates better")),
        ],
        "evaluate": [
            ("tsugiki evaluate runs/photos new", tr("how good is it on photos of another day?")),
            ("tsugiki evaluate runs/photos new --out judged", tr("keeps the numbers and every answer")),
        ],
        "predict": [
            ("tsugiki predict runs/photos new.jpg", tr("one photo")),
            ("tsugiki predict runs/photos new --format csv > answers.csv", tr("a folder, as a table for a spreadsheet")),
            ("tsugiki predict runs/photos new --plot answers.jpg", tr("also as a picture")),
        ],
        "next": [
            ("tsugiki next runs/photos new", tr("the twenty of them, into next.csv")),
            ("tsugiki fit photos --labels next.csv", tr("once labels are written into it, learn from them too")),
        ],
        "export": [
            ("tsugiki export runs/photos --format onnx", tr("for ONNX Runtime, with a program that needs nothing of tsugiki")),
            (
                "tsugiki export runs/photos --precision int8 --data photos",
                tr("in 8 bits, and how many photos more it answers wrong"),
            ),
            ("tsugiki export runs/photos --format openvino --out model", tr("for OpenVINO, into a folder of that name")),
        ],
        "serve": [
            ("tsugiki serve runs/photos", tr("a page to drop photos on, and an API, for this machine")),
            ("tsugiki serve runs/photos --keep kept --port 0", tr("also keeps the photos, at whichever port is free")),
            ("tsugiki serve runs/a runs/b --host 0.0.0.0 --token auto", tr("two models, for those who show the token")),
        ],
        "studio": [
            ("tsugiki studio photos", tr("label, learn, try and export the photos of a folder")),
            ("tsugiki studio sample:foodvision --backbone bundled:nae", tr("the drawn sample, with the bundled backbone")),
        ],
        "explain": [
            ("tsugiki explain runs/photos new.jpg", tr("which parts of it speak for the answer")),
            ("tsugiki explain runs/photos new.jpg --data photos", tr("also the training photos most like it")),
        ],
        "summary": [
            ("tsugiki summary efficientnet_b0", tr("before and after its head is replaced")),
            ("tsugiki summary runs/photos --parameters", tr("every parameter of a run")),
        ],
        "backbones": [
            ("tsugiki backbones", tr("a few to begin with")),
            ("tsugiki backbones vit small", tr("those whose names hold both words")),
            ("tsugiki backbones --here", tr("those that need no network")),
        ],
        "plot": [
            ("tsugiki plot runs/photos", tr("the curves of its training")),
            ("tsugiki plot runs/photos --data photos --batch", tr("also answers, and what the network sees")),
        ],
        "lr": [
            ("tsugiki lr efficientnet_b0 photos", tr("a learning rate to begin with")),
            ("tsugiki lr runs/photos photos --plot rates.png", tr("from a run, with the curve")),
        ],
        "cache": [
            ("tsugiki cache", tr("where it is, and how large")),
            ("tsugiki cache --clear", tr("photos are looked at anew next time")),
        ],
        "data": [
            ("tsugiki data list", tr("what is known by name")),
            ("tsugiki data get hymenoptera", tr("fetch one")),
        ],
        "data get": [
            ("tsugiki data get hymenoptera", tr("a known one, into data/")),
            ("tsugiki data get photos.zip --to mine", tr("an archive of your own")),
        ],
    }


def _width() -> int:
    return min(100, shutil.get_terminal_size().columns)


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    lines = []
    for term, text in rows:
        told = _wrapped(text, _width() - _TERM - 2)
        lines += [f"  {term}"] if len(term) > _TERM - 2 else [f"  {term:{_TERM}}{told.pop(0)}"]
        lines += [" " * (_TERM + 2) + line for line in told]
    return "\n".join(lines)


def _wrapped(text: str, width: int) -> list[str]:
    """The text as lines that a terminal shows in ``width`` columns (a Japanese letter takes two)."""
    from rich.cells import cell_len

    lines = [""]
    for unit in _UNIT.findall(text):
        if lines[-1] and cell_len(lines[-1] + unit.rstrip()) > width:
            lines.append("")
        lines[-1] += unit if lines[-1] else unit.lstrip()
    return [line.rstrip() for line in lines]


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
        near = _meant(name, list(known))
        allowed = tr("did you mean {names}?", names=", ".join(near)) if near else ", ".join(known)
        return tr("There is no command {name}.", name=repr(name)), allowed, ""
    extra = re.search(r"\(([^()]*)\)$", error.message)
    if extra:
        return tr("There are more words than the command takes."), "", extra[1]
    return error.message, "", ""


_OTHER_WORDS = {
    "train": "fit",
    "learn": "fit",
    "finetune": "fit --method fine-tune",
    "fine-tune": "fit --method fine-tune",
    "transfer": "fit",
    "test": "evaluate",
    "eval": "evaluate",
    "validate": "evaluate",
    "score": "evaluate",
    "classify": "predict",
    "infer": "predict",
    "inference": "predict",
    "compare": "rank",
    "choose": "rank",
    "select": "rank",
    "check": "audit",
    "inspect": "audit",
    "clean": "audit",
    "models": "backbones",
    "list": "backbones",
    "download": "data get",
    "why": "explain",
    "gradcam": "explain",
    "help": "--help",
    "version": "--version",
}
"""What other programs call it, and what it is called here."""


_HARDLY_LESS = 0.1


def _meant(name: str, known: Sequence[str]) -> list[str]:
    """The commands that a person may have meant by a word that is none."""
    others = _OTHER_WORDS if "fit" in known else {}
    if name not in others and others and os.path.lexists(name):
        return [f"fit {typed(name)}"]
    word = name.casefold()
    near = difflib.get_close_matches(word, [*known, *others], n=3, cutoff=0.6)
    likeness = [difflib.SequenceMatcher(None, each, word).ratio() for each in near]
    # What is much less like it than the nearest is something else.
    nearest = [each for each, ratio in zip(near, likeness, strict=True) if ratio > likeness[0] - _HARDLY_LESS]
    return list(dict.fromkeys(others.get(each, each) for each in nearest))


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
