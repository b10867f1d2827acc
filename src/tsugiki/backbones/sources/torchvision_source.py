"""Classification networks of torchvision."""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
import torchvision.models
from torch import nn
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from tsugiki.backbones.sources.base import Plan
from tsugiki.backbones.sources.weights_download import download
from tsugiki.core.errors import UnknownName
from tsugiki.data.preprocess import Interpolation, Preprocess
from tsugiki.locale.messages import tr

_HASH = re.compile(r"-([a-f0-9]{6,})\.")


@functools.cache
def names() -> tuple[str, ...]:
    """Every classification network."""
    return tuple(torchvision.models.list_models(module=torchvision.models))


def weights_of(name: str) -> list[Any]:
    """The published sets of weights of a network, members of torchvision's own enumeration, oldest first."""
    return list(torchvision.models.get_model_weights(name))


def default_weights(name: str) -> Any:
    """The set that torchvision recommends."""
    return torchvision.models.get_model_weights(name).DEFAULT


def place_of(weights: Any) -> Path:
    """Where torchvision itself keeps the file, whether it is there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def licence_of(weights: Any) -> str:
    """What torchvision says about the weights' licence; it says something only for the few that bind."""
    return str(weights.meta.get("license", "unknown"))


def plan(name: str, weights: str, model_args: Mapping[str, Any]) -> Plan:
    """See :class:`tsugiki.backbones.sources.base.Source`."""
    chosen = _chosen(name, weights)
    return Plan(name, {**_needed_args(name, chosen), **model_args}, chosen.name, licence_of(chosen))


def build(name: str, model_args: Mapping[str, Any]) -> nn.Module:
    """See :class:`tsugiki.backbones.sources.base.Source`."""
    if name not in names():  # torchvision's networks for other tasks fetch weights of their own
        raise ValueError(name)
    network: nn.Module = torchvision.models.get_model(name, weights=None, **model_args)
    return network


def preprocess(plan: Plan) -> Preprocess:
    """From the weights' own ``transforms()``, in the size that the network is asked to take."""
    found = from_transforms(_chosen(plan.name, plan.weights).transforms())
    size = plan.model_args.get("image_size")
    if not isinstance(size, int) or (size, size) == found.size:
        return found
    return replace(found, size=(size, size), resize=round(found.shorter_side * size / min(found.size)))


def fetch(plan: Plan) -> Path:
    """The file where torchvision keeps it, fetched if it is not there.

    A file that is there is used as it is; torchvision, too, checks it only when it fetches it.
    """
    weights = _chosen(plan.name, plan.weights)
    match = _HASH.search(weights.url)
    label = f"torchvision:{plan.name}"
    return download(weights.url, place_of(weights), name=label, hash_prefix=match.group(1) if match else "")


def adapt(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """See :class:`tsugiki.backbones.sources.base.Source`: a transformer's positions for photos of another size."""
    positions = state.get("encoder.pos_embedding")
    if not isinstance(network, VisionTransformer) or positions is None or positions.ndim != 3:
        return state
    try:
        adapted: Mapping[str, torch.Tensor] = interpolate_embeddings(network.image_size, network.patch_size, OrderedDict(state))
    except ValueError:  # of no square
        return state
    return adapted


def from_transforms(transforms: Any) -> Preprocess:
    """Torchvision's ``ImageClassification`` preset in our words."""
    interpolation: Interpolation = transforms.interpolation.value
    return Preprocess(
        size=(transforms.crop_size[0], transforms.crop_size[-1]),
        resize=transforms.resize_size[0],
        interpolation=interpolation,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
    )


def _chosen(name: str, weights: str) -> Any:
    if not weights:
        return default_weights(name)
    sets = {each.name: each for each in weights_of(name)}
    wanted = "DEFAULT" if weights.endswith("DEFAULT") else weights.rpartition(".")[2]
    if wanted == "DEFAULT":
        return default_weights(name)
    if wanted not in sets:
        raise UnknownName(
            tr("{name} has no set of weights called {weights}.", name=f"torchvision:{name}", weights=repr(weights)),
            name=weights,
            known=sets,
            cure=tr("one of {names}, or default, none, or a file", names=", ".join(sets)),
        )
    return sets[wanted]


def _needed_args(name: str, weights: Any) -> dict[str, Any]:
    """The arguments with which torchvision builds the network when it loads these weights."""
    if name == "googlenet":
        return {"transform_input": True, "aux_logits": False, "init_weights": False}
    if name == "inception_v3":
        return {"transform_input": True, "aux_logits": False, "init_weights": False}
    if name.startswith("vit_"):
        return {"image_size": weights.meta["min_size"][0]}
    return {}
