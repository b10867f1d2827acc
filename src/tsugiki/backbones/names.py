"""Names of backbones, and which source each belongs to.

``torchvision:NAME``, ``timm:NAME[.TAG]``, ``hub:OWNER/NAME``, ``bundled:NAME``, a name of the zoo, or a bare name (torchvision
first, as in the articles, then timm). ``A+B`` are several, whose features stand side by side; what is said of one of them
alone begins with its place: weights ``FILE+none``, an argument ``2.num_classes``. ``NAME:multi`` takes the features of the
network's stages, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsugiki.backbones.sources.compiler_later import compiler_later
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.locale.messages import tr

SOURCES = ("torchvision", "timm", "hub", "bundled")
_FOLDERS = {"run": "classifier.json", "folder": "config.json"}  # what a folder holds, by what it then is

JOINT = "+"
"""What stands between the names of several backbones."""

MULTI = ":multi"

_SEPARATORS = "/\\"  # of paths, whatever the machine
_HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")


@dataclass(frozen=True)
class Address:
    """A name that exists: where, and what it is called there."""

    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


@dataclass(frozen=True)
class Named:
    """A backbone as it was asked for: its name, its weights, arguments of its architecture, and whether its stages count."""

    name: str
    weights: str
    model_args: dict[str, Any]
    multi: bool = False


def each_of(name: str, weights: str, model_args: Mapping[str, Any], zoo_names: Iterable[str] = ()) -> list[Named]:
    """The backbones that ``name`` names, with what belongs to each.

    Args:
        name: As a person types it; what is a name of the zoo, or there on the disk, is one backbone whatever it holds.
        weights: One word for all of them, or one for each, joined as the names are.
        model_args: For all of them; those that begin with a number and a dot are for the one at that place, counted from 1.
        zoo_names: The names that a zoo file adds.

    Raises:
        RequestError: When a name is empty, or weights or arguments are for other backbones than are named.
    """
    names = _parts(name, zoo_names)
    arguments = _arguments_of_each(model_args, len(names))
    if len(names) == 1:
        return [_named(names[0], weights, arguments[0])]
    one_file = Path(weights).is_file()
    sets = [weights] if one_file else [text.strip() for text in weights.split(JOINT)]
    if len(sets) == 1 and not one_file:
        sets *= len(names)
    if len(sets) != len(names) or not all((*names, *sets)):
        raise RequestError(
            tr("Several backbones have a name each, and weights each or one word for all."),
            allowed="A+B; default, none, FILE_A+FILE_B",
            got=f"{name}; {weights}",
            cure=tr("name the weights in the order of the backbones, or give each network a name of its own in a zoo file"),
        )
    return [_named(*each) for each in zip(names, sets, arguments, strict=True)]


def _arguments_of_each(model_args: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """What is for all of ``count`` backbones, and over it what is for each alone."""
    of_all = {key: value for key, value in model_args.items() if "." not in key}
    arguments = [dict(of_all) for _ in range(count)]
    for key, value in model_args.items():
        place, dot, bare = key.partition(".")
        if dot and not (place.isdecimal() and 1 <= int(place) <= count):
            raise RequestError(tr("There is no backbone at this place."), allowed=f"1. ... {count}.", got=f"{key}={value}")
        if dot:
            arguments[int(place) - 1][bare] = value
    return arguments


def _named(name: str, weights: str, model_args: dict[str, Any]) -> Named:
    bare = name.removesuffix(MULTI)
    return Named(bare, weights, model_args, multi=bare != name)


def _parts(name: str, zoo_names: Iterable[str]) -> list[str]:
    if JOINT not in name or name in set(zoo_names) or Path(name).expanduser().exists():
        return [name]
    return [part.strip() for part in name.split(JOINT)]


def resolve(name: str, zoo_names: Iterable[str] = ()) -> Address:
    """Find out which source ``name`` belongs to.

    Args:
        name: As a person types it.
        zoo_names: The names that a zoo file adds.

    Raises:
        UnknownName: When no source has it; the nearest names of all sources are named.
        RequestError: When the prefix is no source, or a hub name is not ``OWNER/NAME``.
    """
    zoo = tuple(zoo_names)
    prefix, colon, rest = name.partition(":")
    if not colon or len(prefix) == 1 or set(prefix) & set(_SEPARATORS):  # a path may hold a colon, too
        return _resolve_bare(name, zoo)
    if prefix == "zoo" and rest in zoo:
        return Address("zoo", rest)
    if prefix == "hub":
        return _folder(rest) or _resolve_hub(rest)
    if prefix not in _CATALOGUES:
        raise RequestError(
            tr("There is no source of backbones called {prefix}.", prefix=repr(prefix)),
            allowed=", ".join(f"{source}:" for source in SOURCES),
            got=repr(name),
        )
    if _has(prefix, rest):
        return Address(prefix, rest)
    raise _unknown(name, rest, zoo)


def _resolve_bare(name: str, zoo: tuple[str, ...]) -> Address:
    if name in zoo:
        return Address("zoo", name)
    for source in ("torchvision", "timm"):
        if _has(source, name):
            return Address(source, name)
    if found := _folder(name):
        return found
    if name.startswith(".") or set(name) & set(_SEPARATORS):
        raise _path(name)
    raise _unknown(name, name, zoo)


def _folder(name: str) -> Address | None:
    """The run, or the repository of the hub, that the folder ``name`` holds, if it is one."""
    place = Path(name).expanduser()
    for source, file in _FOLDERS.items():
        if name and (place / file).is_file():
            return Address(source, str(place))
    return None


def _path(name: str) -> RequestError:
    """What is meant as the path of a run, or as a name of the hub without its prefix."""
    allowed = tr("the name of a backbone, a folder that `tsugiki fit` wrote, or one with config.json and weights")
    if Path(name).is_dir():
        what = tr("{name} is neither a run folder nor a backbone.", name=name)
        got = tr("a folder without classifier.json and config.json")
        return RequestError(what, allowed=allowed, got=got, cure=_listing())
    if Path(name).is_file():
        what = tr("{name} is neither a run folder nor a backbone.", name=name)
        cure = tr(
            "if these are weights, name their network, too: {words}",
            words=f"{argument('backbone', 'NAME')} {argument('weights', name)}",
        )
        return RequestError(what, allowed=allowed, got=tr("a file"), cure=cure)
    cure = tr("check the path")
    if _HUB_NAME.match(name) and not name.startswith("."):
        cure = tr("check the path; a backbone of the Hugging Face Hub is typed as hub:{name}", name=name)
    return RequestError(
        tr("There is no run folder {folder}, and no backbone of that name.", folder=name),
        allowed=allowed,
        got=repr(name),
        cure=cure,
    )


def _resolve_hub(name: str) -> Address:
    if not _HUB_NAME.match(name):
        raise RequestError(tr("This is no name on the Hugging Face Hub."), allowed="hub:OWNER/NAME", got=repr(f"hub:{name}"))
    return Address("hub", name)


def _has(source: str, name: str) -> bool:
    # A tag is looked at later, with the weights: a wrong one is answered with the tags that exist.
    return (name.partition(".")[0] if source == "timm" else name) in _CATALOGUES[source]()


def _unknown(asked: str, bare: str, zoo: tuple[str, ...]) -> UnknownName:
    known = {found: f"{source}:{found}" for source in ("timm", "torchvision", "bundled") for found in _CATALOGUES[source]()}
    known |= {found: found for found in zoo}
    return UnknownName(
        tr("There is no backbone called {name}.", name=repr(asked)),
        name=bare,
        known=known,
        cure=_listing(),
    )


def _listing() -> str:
    return tr("`tsugiki backbones TEXT` lists the names that hold TEXT")


def _torchvision_names() -> tuple[str, ...]:
    with compiler_later():
        from tsugiki.backbones.sources import torchvision_source

    return torchvision_source.names()


def _timm_names() -> tuple[str, ...]:
    with compiler_later():
        from tsugiki.backbones.sources import timm_source

    return timm_source.names()


def _bundled_names() -> tuple[str, ...]:
    from tsugiki.backbones.sources import bundled_source

    return bundled_source.names()


_CATALOGUES: dict[str, Callable[[], tuple[str, ...]]] = {
    "torchvision": _torchvision_names,
    "timm": _timm_names,
    "bundled": _bundled_names,
}
