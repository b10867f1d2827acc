"""Every backbone that can be named, with what its metadata knows; nothing is built or fetched."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tsugiki.backbones.sources import bundled_source, timm_source, torchvision_source
from tsugiki.backbones.sources.hub_files import cached_file, cached_repositories
from tsugiki.backbones.sources.hub_source import WEIGHTS_FILES
from tsugiki.backbones.zoo import find_zoo
from tsugiki.locale.messages import tr

_MOST_PARAMETERS = 100_000_000
_BYTES_PER_PARAMETER = 4


@dataclass(frozen=True)
class BackboneInfo:
    """One line of the catalogue; ``None`` is what the metadata does not know.

    Attributes:
        name: As it is typed, with its source, and for timm with the tag of its weights.
        source: ``bundled``, ``zoo``, ``torchvision`` or ``timm``.
        parameters: Of the whole pretrained network; of the part that is kept, for a bundled one.
        input_size: Height and width in pixels.
        imagenet_top1: Percent of ImageNet's validation photos, as its publisher measured it.
        licence: Of the weights.
        on_this_machine: Whether the default weights are already here.
    """

    name: str
    source: str
    parameters: int | None
    input_size: tuple[int, int] | None
    imagenet_top1: float | None
    licence: str
    on_this_machine: bool


def list_backbones(text: str = "", *, zoo: str | Path | None = None) -> list[BackboneInfo]:
    """The backbones whose name holds every word of ``text``: bundled ones first, then the zoo's, torchvision's, timm's.

    Args:
        text: Words, upper or lower case; empty for all.
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
    """
    words = text.lower().split()
    return [info for part in (_bundled(), _zoo(zoo), _torchvision(), _timm()) for info in part if _holds(info.name, words)]


def best_at_hand(zoo: str | Path | None = None) -> str:
    """The name of the best network whose weights are on this machine: nothing is fetched, and a bundled one is always there.

    Best is what is right most often on ImageNet, as its publisher measured it, of those that an ordinary machine can run. A
    zoo's own weights and timm's come without such a number: they come, the zoo's first and of timm's the largest, before the
    bundled ones, which are small.

    Args:
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
    """
    known = [info for info in _torchvision() if info.on_this_machine and (info.parameters or 0) <= _MOST_PARAMETERS]
    if known:
        return max(known, key=lambda info: info.imagenet_top1 or 0.0).name
    others = (info.name for part in (_zoo(zoo), _timm_at_hand(), _bundled()) for info in part if info.on_this_machine)
    return next(others)


def at_hand(zoo: str | Path | None = None) -> list[BackboneInfo]:
    """Every network whose default weights are on this machine, the most promising first: nothing is fetched.

    The zoo's own come first, then torchvision's by their accuracy on ImageNet, then timm's by size, then the bundled ones.

    Args:
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
    """
    known = sorted(_torchvision(), key=lambda info: -(info.imagenet_top1 or 0.0))
    found = (*_zoo(zoo), *known, *_timm_at_hand(most=math.inf), *_bundled())
    return [info for info in found if info.on_this_machine]


def shortlist(zoo: str | Path | None = None) -> list[tuple[BackboneInfo, str]]:
    """A few to begin with, from small to large, each with what it is good for; the zoo's own come first.

    Args:
        zoo: A zoo file; without it the one in ``TSUGIKI_ZOO`` counts.
    """
    reasons = {
        "bundled:nae": tr("small; no network needed"),
        "torchvision:mobilenet_v3_large": tr("fast on a processor"),
        "torchvision:efficientnet_b0": tr("the usual one"),
        "torchvision:resnet50": tr("the best known one"),
        "torchvision:convnext_tiny": tr("more accurate, slower"),
        _SELF_SUPERVISED: tr("few photos, with a GPU"),
    }
    own = [(info, tr("from your zoo")) for info in _zoo(zoo)]
    known = {info.name: info for info in (*_bundled(), *_torchvision(), _timm_info(_SELF_SUPERVISED.partition(":")[2]))}
    return [*own, *((known[name], reason) for name, reason in reasons.items() if name in known)]


_SELF_SUPERVISED = "timm:vit_small_patch14_dinov2.lvd142m"


def _holds(name: str, words: Iterable[str]) -> bool:
    return all(word in name.lower() for word in words)


def _bundled() -> Iterator[BackboneInfo]:
    for name in bundled_source.names():
        recipe, about = bundled_source.recipe(name, {}), bundled_source.describe(name)
        yield BackboneInfo(
            f"bundled:{name}", "bundled", about.parameters, recipe.preprocess.size, None, recipe.licence, on_this_machine=True
        )


def _zoo(path: str | Path | None) -> Iterator[BackboneInfo]:
    for entry in find_zoo(path).entries.values():
        size = entry.preprocess.size if entry.preprocess else None
        yield BackboneInfo(entry.name, "zoo", None, size, None, entry.licence, on_this_machine=entry.weights.is_file())


def _torchvision() -> Iterator[BackboneInfo]:
    for name in torchvision_source.names():
        weights = torchvision_source.default_weights(name)
        scores = weights.meta.get("_metrics", {}).get("ImageNet-1K", {})
        yield BackboneInfo(
            f"torchvision:{name}",
            "torchvision",
            weights.meta["num_params"],
            torchvision_source.from_transforms(weights.transforms()).size,
            scores.get("acc@1"),
            torchvision_source.licence_of(weights),
            on_this_machine=torchvision_source.place_of(weights).is_file(),
        )


def _timm() -> Iterator[BackboneInfo]:
    tagged = timm_source.tagged_names()
    pretrained = {name.partition(".")[0] for name in tagged}
    for name in sorted((*tagged, *(each for each in timm_source.names() if each not in pretrained))):
        yield _timm_info(name)


def _timm_at_hand(most: float = _BYTES_PER_PARAMETER * _MOST_PARAMETERS) -> list[BackboneInfo]:
    """Those of timm whose weights are here and no larger than ``most`` bytes, the largest first."""
    here, sizes = cached_repositories("timm"), {}
    for name in set(here) & set(timm_source.tagged_names() if here else ()):
        weights = cached_file(f"timm/{name}", WEIGHTS_FILES)
        if weights is not None and weights.stat().st_size <= most:
            sizes[name] = weights.stat().st_size
    return [_timm_info(name) for name in sorted(sizes, key=lambda name: (-sizes[name], name))]


def _timm_info(name: str) -> BackboneInfo:
    config = timm_source.config_of(name)
    size = config.input_size[-2:] if config else None
    licence = (config.license if config else None) or "unknown"
    here = bool(config and config.hf_hub_id and cached_file(config.hf_hub_id, WEIGHTS_FILES))
    return BackboneInfo(f"timm:{name}", "timm", None, size, None, licence, on_this_machine=here)
