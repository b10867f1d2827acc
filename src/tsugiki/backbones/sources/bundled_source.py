"""Backbones that come with the program: no network needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors import safe_open

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.sources.base import Recipe
from tsugiki.data.preprocess import Preprocess


@dataclass(frozen=True)
class Bundled:
    """A backbone that comes with the program; its file says how it is built."""

    name: str
    preprocess: Preprocess
    parameters: int


_ALL = {"nae": Bundled("nae", Preprocess(size=(128, 128), resize=146), parameters=2_814_976)}


def names() -> tuple[str, ...]:
    """Every bundled backbone."""
    return tuple(_ALL)


def describe(name: str) -> Bundled:
    """What is known about a bundled backbone."""
    return _ALL[name]


def file_of(name: str) -> Path:
    """The file of its weights."""
    return Path(str(resources.files("tsugiki.backbones"))) / "bundled" / f"{name}.safetensors"


def recipe(name: str, model_args: Mapping[str, Any]) -> Recipe:
    """How to make it."""
    path = file_of(name)
    with safe_open(path, framework="pt") as stream:
        metadata = stream.metadata()
    architecture = ":".join(metadata["arch"].split())
    spec = BackboneSpec("bundled", name, architecture, {**json.loads(metadata["model_args"]), **model_args})
    return Recipe(spec, _ALL[name].preprocess, lambda: path, path.name, metadata["license"])
