"""Networks of timm (PyTorch Image Models)."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import timm
import torch
from timm.data.config import resolve_data_config
from torch import nn

from tsugiki.backbones.sources.base import Plan, height_and_width
from tsugiki.backbones.sources.hub_files import hub_file
from tsugiki.backbones.sources.weights_download import download
from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError, UnknownName
from tsugiki.data.preprocess import Fit, Interpolation, Preprocess
from tsugiki.locale.messages import tr

_FITS: dict[str, Fit] = {"center": "crop", "squash": "squash", "border": "pad"}
_SAFE_TWINS = {"pytorch_model.bin": "model.safetensors", "open_clip_pytorch_model.bin": "open_clip_model.safetensors"}


@functools.cache
def names() -> tuple[str, ...]:
    """Every architecture, without tags."""
    return tuple(timm.list_models())


@functools.cache
def tagged_names() -> tuple[str, ...]:
    """Every set of pretrained weights, as ``ARCHITECTURE.TAG``."""
    return tuple(timm.list_pretrained())


def tags_of(architecture: str) -> list[str]:
    """The tags of an architecture's pretrained weights."""
    return [name.partition(".")[2] for name in tagged_names() if name.partition(".")[0] == architecture]


def config_of(name: str) -> Any:
    """Timm's own description of an architecture or of its tagged weights; ``None`` where it has none."""
    return timm.models.get_pretrained_cfg(name)


def plan(name: str, weights: str, model_args: Mapping[str, Any]) -> Plan:
    """See :class:`tsugiki.backbones.sources.base.Source`.

    Raises:
        UnknownName: When the architecture has no such set of weights.
    """
    architecture, _, tag = name.partition(".")
    tag = weights or tag
    if tag and tag not in tags_of(architecture):
        raise UnknownName(
            tr("{name} has no set of weights called {weights}.", name=f"timm:{architecture}", weights=repr(tag)),
            name=tag,
            known=tags_of(architecture),
            cure=tr("one of {names}, or default, none, or a file", names=", ".join(tags_of(architecture)) or "-"),
        )
    config = config_of(f"{architecture}.{tag}" if tag else architecture)
    label = f"{architecture}.{tag}" if tag else architecture
    has_weights = config is not None and bool(config.has_weights)
    found = (tag or config.tag or "default") if has_weights else ""
    return Plan(label, dict(model_args), found, getattr(config, "license", None) or "unknown")


def build(name: str, model_args: Mapping[str, Any]) -> nn.Module:
    """See :class:`tsugiki.backbones.sources.base.Source`."""
    network: nn.Module = timm.create_model(name, pretrained=False, **_tuples(model_args))
    return network


def preprocess(plan: Plan) -> Preprocess:
    """From timm's data configuration of the weights."""
    config = config_of(plan.name)
    asked = sized(plan.model_args)
    return from_config(resolve_data_config(asked, pretrained_cfg=config.to_dict() if config else {}))  # type: ignore[no-untyped-call]


def fetch(plan: Plan) -> Path:
    """The file of the weights, from the hub's cache, the hub, or the address that timm knows."""
    return fetch_configured(config_of(plan.name), f"timm:{plan.name}")


def fetch_configured(config: Any, name: str) -> Path:
    """The file of weights that a timm configuration points to.

    Raises:
        RequestError: When it points to none.
    """
    if config is not None and config.hf_hub_id:
        filename = config.hf_hub_filename or "pytorch_model.bin"
        twin = _SAFE_TWINS.get(filename)
        return hub_file(config.hf_hub_id, [twin, filename] if twin else [filename], name=name)
    if config is not None and isinstance(config.url, str) and config.url:
        return download(config.url, Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(config.url).path).name, name=name)
    raise RequestError(
        tr("timm has no pretrained weights for {name}.", name=name),
        cure=tr(
            "give {weights}, or {none} to start from random weights",
            weights=argument("weights", "FILE"),
            none=argument("weights", "none"),
        ),
    )


def sized(args: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the arguments that says how large photos are, as timm's data configuration wants it."""
    size = height_and_width(args.get("img_size"))
    return {} if size is None else {"input_size": (3, *size)}


def from_config(config: Mapping[str, Any]) -> Preprocess:
    """Timm's data configuration in our words."""
    _, height, width = config["input_size"]
    interpolation: Interpolation = "bicubic" if config["interpolation"] == "random" else config["interpolation"]
    fit = _FITS.get(config.get("crop_mode", "center"), "crop")
    frame = math.floor(height / config["crop_pct"]), math.floor(width / config["crop_pct"])
    by_side = frame[0] == frame[1] if fit == "crop" else frame == (height, width)  # timm's own rule for what is square
    return Preprocess(
        size=(height, width),
        resize=min(frame) if by_side else frame,
        fit=fit,
        interpolation=interpolation,
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def adapt(network: nn.Module, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """See :class:`tsugiki.backbones.sources.base.Source`: many publishers' original layouts."""
    convert = getattr(sys.modules[type(network).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return state
    try:
        result = convert(dict(state), network)
    except (KeyError, RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError):
        return state  # not that layout either: the caller says what does not fit
    return result if isinstance(result, Mapping) else state


def _tuples(model_args: Mapping[str, Any]) -> dict[str, Any]:
    # JSON and TOML know only lists; timm takes both, but some networks hash what they are given.
    return {key: tuple(value) if isinstance(value, list) else value for key, value in model_args.items()}
