"""Repositories of the Hugging Face Hub: networks of timm, and image classifiers of transformers."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.sources.base import Recipe
from tsugiki.backbones.sources.hub_files import hub_file
from tsugiki.core.errors import RequestError, WeightsError
from tsugiki.core.regular_files import read_json
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

WEIGHTS_FILES = ("model.safetensors", "pytorch_model.bin")


def recipe(name: str, model_args: Mapping[str, Any]) -> Recipe:
    """How to make the backbone of the repository ``name``; its small ``config.json`` is fetched to find out.

    Raises:
        WeightsError: When the repository is of no library that is known here.
    """
    config = _json(hub_file(name, ["config.json"], name=f"hub:{name}"))
    try:
        if "architecture" in config:
            return _timm_recipe(name, config, model_args)
        if "model_type" in config:
            return _transformers_recipe(name, config, model_args)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise WeightsError(
            tr("The settings of {repository} on the hub cannot be understood.", repository=name), got=repr(error)[:300]
        ) from error
    raise WeightsError(
        tr("{repository} on the hub is of no library that is known here.", repository=name), allowed="timm, transformers"
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except (OSError, ValueError) as error:
        raise WeightsError(
            tr("{path} is damaged.", path=path), got=str(error), cure=tr("delete it and fetch it again")
        ) from error
    return document if isinstance(document, dict) else {}


def _recipe(name: str, architecture: str, model_args: dict[str, Any], preprocess: Preprocess, licence: str) -> Recipe:
    spec = BackboneSpec("hub", name, architecture, model_args)
    return Recipe(spec, preprocess, lambda: hub_file(name, WEIGHTS_FILES, name=f"hub:{name}"), name, licence)


def _timm_recipe(name: str, config: Mapping[str, Any], model_args: Mapping[str, Any]) -> Recipe:
    from timm.data.config import resolve_data_config

    from tsugiki.backbones.sources import timm_source

    architecture = str(config["architecture"])
    if architecture not in timm_source.names():
        raise WeightsError(
            tr("The timm on this machine does not know the architecture {architecture}.", architecture=architecture),
            cure="pip install --upgrade timm",
        )
    weights = dict(config.get("pretrained_cfg") or config)
    args = {**_timm_args(config, weights), **model_args}
    data = resolve_data_config(_sized(args), pretrained_cfg=weights)  # type: ignore[no-untyped-call]
    licence = str(weights.get("license") or "unknown")
    return _recipe(name, f"timm:{architecture}", args, timm_source.from_config(data), licence)


def _timm_args(config: Mapping[str, Any], weights: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with which timm itself would build the network of this repository."""
    args = {key: config.get(key, weights.get(key)) for key in ("num_classes", "global_pool")}
    if weights.get("fixed_input_size"):
        args["img_size"] = list(weights["input_size"][-2:])
    return {key: value for key, value in {**args, **config.get("model_args", {})}.items() if value is not None}


def _sized(args: Mapping[str, Any]) -> dict[str, Any]:
    size = args.get("img_size")
    return {} if size is None else {"input_size": (3, size, size) if isinstance(size, int) else (3, *size)}


def _transformers_recipe(name: str, config: Mapping[str, Any], model_args: Mapping[str, Any]) -> Recipe:
    if importlib.util.find_spec("transformers") is None:
        raise RequestError(
            tr("{name} is a network of transformers, which is not installed.", name=f"hub:{name}"),
            cure="pip install 'tsugiki[transformers]'",
        )
    classes = [str(each) for each in config.get("architectures") or []]
    if not any("ForImageClassification" in each for each in classes):
        raise WeightsError(
            tr("{repository} on the hub is no image classifier.", repository=name),
            allowed="...ForImageClassification",
            got=", ".join(classes) or str(config["model_type"]),
        )
    from tsugiki.backbones.sources import transformers_source

    processor = _json(hub_file(name, ["preprocessor_config.json"], name=f"hub:{name}"))
    args = {**transformers_source.plain_config(config), **model_args}
    architecture = f"transformers:{config['model_type']}"
    return _recipe(name, architecture, args, transformers_source.from_processor(processor), "unknown")
