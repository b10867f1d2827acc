"""What every source of architectures offers: the same four verbs, once per library."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.data.preprocess import Preprocess


@dataclass(frozen=True)
class Plan:
    """What to build and where its pretrained weights are; nothing is built or fetched yet.

    Attributes:
        name: The architecture's name within its library, with a timm tag where one was chosen.
        model_args: The person's arguments, completed by those that the weights need.
        weights: The name of the set of weights; empty where the architecture has none.
        licence: Of the weights, ``unknown`` where nobody says.
    """

    name: str
    model_args: dict[str, Any]
    weights: str
    licence: str = "unknown"


class Source(Protocol):
    """A library of architectures."""

    def plan(self, name: str, weights: str, model_args: Mapping[str, Any]) -> Plan:
        """Say what ``name`` with the set ``weights`` (empty: the default one) means; raises ``UnknownName``."""

    def build(self, name: str, model_args: Mapping[str, Any]) -> nn.Module:
        """The whole network with its classifying layer, random weights."""

    def preprocess(self, plan: Plan) -> Preprocess:
        """What the plan's weights expect."""

    def fetch(self, plan: Plan) -> Path:
        """The file of the plan's weights, on this machine."""

    def adapt(self, network: nn.Module, state: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        """Weights in another layout that the library knows, in the network's own; unchanged where it knows none."""


def height_and_width(size: object) -> tuple[int, int] | None:
    """An argument that says how large photos are, a number or a pair; ``None`` for anything else, which the library refuses."""
    pair = (size, size) if isinstance(size, int) else size
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(side, int) and side > 0 for side in pair):
        return None
    return pair[0], pair[1]


@dataclass(frozen=True)
class Recipe:
    """How to make a backbone.

    Attributes:
        spec: What to build.
        preprocess: What its weights expect.
        fetch: Gives the file of weights, on this machine; ``None`` for random weights.
        label: The name of the weights, for the artefact.
        licence: Of the weights, where the publisher says.
        stated_licence: What a person has written about these weights: it counts, whatever anybody else says.
    """

    spec: BackboneSpec
    preprocess: Preprocess
    fetch: Callable[[], Path] | None
    label: str
    licence: str = "unknown"
    stated_licence: str = ""

    def fetched_once(self) -> Recipe:
        """The same, asking for the file of weights once only."""
        return self if self.fetch is None else replace(self, fetch=functools.cache(self.fetch))

    def without_weights(self) -> Recipe:
        """The same architecture with random weights."""
        return replace(
            self, spec=replace(self.spec, weights="none"), fetch=None, label="none", licence="unknown", stated_licence=""
        )

    def with_file(self, path: Path) -> Recipe:
        """The same architecture with the weights of a local file."""
        spec = replace(self.spec, weights=path.name)
        return replace(self, spec=spec, fetch=lambda: path, label=path.name, licence="unknown", stated_licence="")
