"""Networks that may be chosen: by name, from a zoo file, or all whose weights are on this machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tsugiki.backbones.catalog import at_hand, shortlist
from tsugiki.backbones.names import JOINT, MULTI, Named, each_of
from tsugiki.backbones.zoo import find_zoo
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone

_SHORTLIST = "shortlist"
_PERMISSIVE = re.compile(r"(the )?(apache|mit|bsd|0bsd|isc|cc0|unlicense|zlib|public domain)\b", re.IGNORECASE)
"""How names of licences begin that allow any use, also in what is sold, if the licence's text goes with it."""
_BINDS = re.compile(r"\bnc\b|non-?commercial", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A network with its weights.

    Attributes:
        name: As it is typed after ``--backbone``, without its weights.
        weights: ``default``, the name of a set, a local file, or ``none``.
        zoo: The zoo file that the name may come from.
    """

    name: str
    weights: str = "default"
    zoo: str | Path | None = None

    @classmethod
    def read(cls, text: str, zoo: str | Path | None = None) -> Candidate:
        """``NAME``, or ``NAME=WEIGHTS``; a path that is there is a name, whatever letters are in it.

        Raises:
            RequestError: When one of the two is missing.
        """
        name, equals, weights = text.partition("=")
        if text and (not equals or Path(text).exists()):
            return cls(text, zoo=zoo)
        if not name or not weights:
            raise RequestError(
                tr("This names no network with its weights."),
                allowed=tr("NAME, or NAME=WEIGHTS: a named set, a local file, or none"),
                got=repr(text),
            )
        return cls(name, weights, zoo)

    def __str__(self) -> str:
        return self.name if self.weights == "default" else f"{self.name}={self.weights}"

    def load(self, *, seed: int) -> Backbone:
        """The network; random weights are the same for the same seed.

        Raises:
            TsugikiError: When it cannot be loaded.
        """
        import torch

        from tsugiki.backbones.load_backbone import load_backbone

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return load_backbone(self.name, weights=self.weights, zoo=self.zoo)


def load_candidates(parts: Sequence[Candidate], *, seed: int) -> Backbone:
    """A network, or several as one.

    Raises:
        TsugikiError: When one cannot be loaded.
    """
    from tsugiki.backbones.joined import JoinedBackbone

    loaded = [part.load(seed=seed) for part in parts]
    return loaded[0] if len(loaded) == 1 else JoinedBackbone(loaded)


def words_of(parts: Sequence[Candidate]) -> tuple[str, ...]:
    """A network, or several together, as ``tsugiki fit`` takes them."""
    weights, zoo = [one.weights for one in parts], parts[0].zoo
    words = ["--backbone", JOINT.join(one.name for one in parts)]
    if set(weights) != {"default"}:
        words += ["--weights", JOINT.join(weights)]
    return (*words, *([] if zoo is None else ["--zoo", str(zoo)]))


def candidates(named: str | Iterable[str] | None, zoo: str | Path | None = None) -> list[Candidate]:
    """The networks that are named, each once; without names all whose weights are on this machine.

    Those that are named come in the order of their names: what a ranking says is the same in whatever order they were typed.

    Args:
        named: One, or several: ``NAME`` or ``NAME=WEIGHTS``; ``shortlist`` stands for the short list of ``tsugiki backbones``.
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.

    Raises:
        RequestError: When a text names nothing, or there is nothing to choose from.
    """
    if named is None:
        return [Candidate(info.name, zoo=zoo) for info in at_hand(zoo)]
    found = [each for text in ([named] if isinstance(named, str) else named) for each in _meant(str(text).strip(), zoo)]
    if not found:
        raise RequestError(tr("No network is named."), allowed=tr("names of networks, or none at all: those on this machine"))
    return sorted(dict.fromkeys(found), key=str)


def _meant(text: str, zoo: str | Path | None) -> Sequence[Candidate]:
    if text == _SHORTLIST:
        return [Candidate(info.name, zoo=zoo) for info, _ in shortlist(zoo)]
    one = Candidate.read(text, zoo)
    # The search puts networks together itself: those that are named together are each judged alone first.
    parts = each_of(one.name, one.weights, {}, find_zoo(zoo).names())
    return [one] if len(parts) == 1 else [Candidate(_typed(part), part.weights, zoo) for part in parts]


def _typed(part: Named) -> str:
    """The name with what says that the network's stages count, too."""
    return f"{part.name}{MULTI}" if part.multi else part.name


def is_permissive(licence: str) -> bool:
    """Whether a licence of weights allows any use; an unknown one does not."""
    return bool(_PERMISSIVE.match(licence.strip())) and not _BINDS.search(licence)
