"""Names of backbones, and which source each belongs to.

``torchvision:NAME``, ``timm:NAME[.TAG]``, ``hub:OWNER/NAME``, ``bundled:NAME``, a name of the zoo, or a bare name (torchvision
first, as in the articles, then timm).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.core.messages import tr

SOURCES = ("torchvision", "timm", "hub", "bundled")

_HUB_NAME = re.compile(r"^[\w.-]+/[\w.-]+(@[\w./-]+)?$")


@dataclass(frozen=True)
class Address:
    """A name that exists: where, and what it is called there."""

    source: str
    name: str

    def __str__(self) -> str:
        return f"{self.source}:{self.name}"


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
    if not colon:
        return _resolve_bare(name, zoo)
    if prefix == "zoo" and rest in zoo:
        return Address("zoo", rest)
    if prefix == "hub":
        return _resolve_hub(rest)
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
    if _HUB_NAME.match(name):
        raise RequestError(
            tr("A backbone of the Hugging Face Hub needs its prefix."), got=repr(name), cure=f"--backbone hub:{name}"
        )
    raise _unknown(name, name, zoo)


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
        cure=tr("`tsugiki backbones TEXT` lists the names that hold TEXT"),
    )


def _torchvision_names() -> tuple[str, ...]:
    from tsugiki.backbones import torchvision_source

    return torchvision_source.names()


def _timm_names() -> tuple[str, ...]:
    from tsugiki.backbones import timm_source

    return timm_source.names()


def _bundled_names() -> tuple[str, ...]:
    from tsugiki.backbones import bundled_source

    return bundled_source.names()


_CATALOGUES: dict[str, Callable[[], tuple[str, ...]]] = {
    "torchvision": _torchvision_names,
    "timm": _timm_names,
    "bundled": _bundled_names,
}
