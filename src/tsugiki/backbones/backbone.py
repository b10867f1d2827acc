"""The contract: a pretrained network that turns photos into features, with its own preprocessing.

Letters: ``B`` photos, ``H`` x ``W`` pixels, ``D`` feature width.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from tsugiki.backbones.freezing import freeze
from tsugiki.backbones.layer_groups import LayerGroup, group_layers
from tsugiki.backbones.structure import changed_parts, structure_of
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

Features = Literal["last", "multi"]
"""Which features of a network are taken."""


@dataclass(frozen=True)
class BackboneSpec:
    """What a backbone is: enough to say which one, and to build its architecture again without weights.

    Attributes:
        source: ``torchvision``, ``timm``, ``hub``, ``bundled`` or ``zoo``.
        name: The name within the source.
        architecture: What to build, as ``torchvision:NAME``, ``timm:NAME`` or ``transformers:TYPE``.
        model_args: Arguments of the architecture, plain JSON values.
        weights: Which weights were asked for: ``default``, ``none``, the name of a set, or the name of a file.
        features: Those of the ``last`` layer, or of the stages before it, too (``multi``: :mod:`tsugiki.backbones.stages`).
    """

    source: str
    name: str
    architecture: str
    model_args: dict[str, Any] = field(default_factory=dict)
    weights: str = "default"
    features: Features = "last"

    def __str__(self) -> str:
        return f"{self.source}:{self.name}" + (f":{self.features}" if self.features != "last" else "")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the usual features are left out, as versions that had no others expect."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if (key, value) != ("features", "last")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> BackboneSpec:
        """The opposite of :meth:`to_dict`; raises ``TypeError`` for missing or unknown values."""
        return cls(**values)


@dataclass(frozen=True)
class WeightsOrigin:
    """Where weights came from.

    Attributes:
        label: The name of the set or of the file, without any folder; ``none`` for random weights.
        sha256: Of the file's content; empty for random weights.
        licence: As far as the file or its publisher says; ``unknown`` otherwise.
        learned_from: Short digests of the photos that a run was fine-tuned on whose weights these are, a blank between two.
    """

    label: str
    sha256: str = ""
    licence: str = "unknown"
    learned_from: str = field(default="", repr=False)


NO_WEIGHTS = WeightsOrigin("none")


class Backbone(nn.Module):
    """A network without its last classifying layer.

    Freezing is a matter of its own (:func:`tsugiki.backbones.freeze`); ``train()`` and ``eval()`` are those of any module.

    Args:
        body: Maps ``[B, 3, H, W]`` to ``[B, D]``.
        num_features: ``D``.
        spec: What it is.
        preprocess: From a photo to the input the weights expect.
        origin: Where the weights came from.
        head: The classifying layer that was cut off the pretrained network, ``[B, D]`` to its classes; ``None`` where there
            was none or where it does not work on pooled features.
    """

    def __init__(
        self,
        body: nn.Module,
        num_features: int,
        *,
        spec: BackboneSpec,
        preprocess: Preprocess,
        origin: WeightsOrigin = NO_WEIGHTS,
        head: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.body = body
        self.num_features = num_features
        self.spec = spec
        self.preprocess = preprocess
        self.origin = origin
        self._as_built = structure_of(body)
        # In a tuple, so that the old head is no submodule: it is neither trained, nor saved, nor counted.
        self._cut_off = (head,)

    @property
    def head(self) -> nn.Module | None:
        """The classifying layer that was cut off; it stays on the CPU and learns nothing."""
        return self._cut_off[0]

    @property
    def parts(self) -> tuple[Backbone, ...]:
        """The backbones whose features stand side by side: itself, where it is one."""
        return (self,)

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def num_parameters(self) -> int:
        """How many numbers could learn."""
        return sum(parameter.numel() for parameter in self.parameters())

    def key(self) -> str:
        """A digest of the architecture and of every parameter and buffer as it is now."""
        digest = hashlib.sha256()
        digest.update(f"{self.spec.architecture} {sorted(self.spec.model_args.items())}".encode())
        digest.update(repr(sorted(structure_of(self.body).items())).encode())  # an activation or a stride is no parameter
        for name, tensor in sorted(self.state_dict().items()):
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every parameter and buffer by name, for reading only."""
        return dict(self.state_dict())

    def freeze(self) -> None:
        """See :func:`tsugiki.backbones.freeze`."""
        freeze(self)

    def check_precision(self) -> None:
        """Refuse numbers that are not float32: what is reported is computed in it, for everybody alike.

        Raises:
            RequestError: When a parameter is of another kind.
        """
        kinds = {parameter.dtype for parameter in self.parameters() if parameter.is_floating_point()}
        others = {str(kind).removeprefix("torch.") for kind in kinds - {torch.float32}}
        if others:
            raise RequestError(
                tr(
                    "This network's numbers are {kinds}; features and answers are computed in float32.",
                    kinds=", ".join(sorted(others)),
                ),
                allowed="float32",
                got=", ".join(sorted(others)),
                cure=tr("call .float() on it; engines compute in 16 bits by themselves where that is faster"),
            )

    def changed_since_built(self) -> list[str]:
        """The paths of layers that were exchanged, or whose settings were changed, since the network was built."""
        return changed_parts(self._as_built, structure_of(self.body))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of photos, ``[B, 3, H, W]`` to ``[B, D]``."""
        out: torch.Tensor = self.body(x)
        return out.flatten(1)  # [B, D] already for most; [B, D, 1, 1] for a few

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The same as calling the backbone: ``[B, 3, H, W]`` to ``[B, D]``."""
        out: torch.Tensor = self(x)
        return out

    def layer_groups(self) -> list[LayerGroup]:
        """The layers in groups, input side first; each parameter is in exactly one."""
        return group_layers(self.body)
