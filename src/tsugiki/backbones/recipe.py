"""What has to be done for one backbone: said completely before anything is built or fetched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tsugiki.backbones.backbone import BackboneSpec
from tsugiki.backbones.weights_file import SUFFIXES
from tsugiki.data.preprocess import Preprocess


@dataclass(frozen=True)
class Recipe:
    """How to make a backbone.

    Attributes:
        spec: What to build.
        preprocess: What its weights expect.
        fetch: Gives the file of weights, on this machine; ``None`` for random weights.
        label: The name of the weights, for the artefact.
        licence: Of the weights, where the publisher says.
    """

    spec: BackboneSpec
    preprocess: Preprocess
    fetch: Callable[[], Path] | None
    label: str
    licence: str = "unknown"

    def without_weights(self) -> Recipe:
        """The same architecture with random weights."""
        return replace(self, spec=replace(self.spec, weights="none"), fetch=None, label="none", licence="unknown")

    def with_file(self, path: Path) -> Recipe:
        """The same architecture with the weights of a local file."""
        spec = replace(self.spec, weights=path.name)
        return replace(self, spec=spec, fetch=lambda: path, label=path.name, licence="unknown")


def names_a_file(weights: str) -> bool:
    """Whether ``weights`` is meant as a local file and not as the name of a set."""
    return weights.endswith(SUFFIXES) or "/" in weights or "\\" in weights or Path(weights).is_file()
