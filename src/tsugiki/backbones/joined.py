"""Several pretrained networks as one backbone: their features side by side.

Networks that have learned from the same photos in different ways see different things; a head on the features of both is
mostly better than one on either; how much, ``docs/decisions/0015-several-backbones.md`` has measured. Each part's features are
scaled to length one, photo by photo, so that no part counts for more because its numbers are larger; the cosine between two
photos is then the mean of the cosines that the parts see.

Letters: ``B`` photos, ``P`` parts, ``H`` x ``W`` the array of :class:`tsugiki.data.joined_preprocess.JoinedPreprocess`, ``D``
width of all features together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tsugiki.backbones.backbone import NO_WEIGHTS, Backbone, BackboneSpec, WeightsOrigin
from tsugiki.backbones.layer_groups import LayerGroup
from tsugiki.backbones.names import JOINT
from tsugiki.core.errors import RequestError
from tsugiki.data.joined_preprocess import JoinedPreprocess
from tsugiki.locale.messages import listed, tr


@dataclass(frozen=True)
class JoinedSpec(BackboneSpec):
    """What several backbones are. Made by :meth:`of`.

    Attributes:
        parts: Each of them.
    """

    parts: tuple[BackboneSpec, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[BackboneSpec]) -> JoinedSpec:
        """The backbones ``parts`` together."""
        weights = dict.fromkeys(part.weights for part in parts)
        return cls(
            "joined",
            JOINT.join(map(str, parts)),
            JOINT.join(part.architecture for part in parts),
            weights=JOINT.join(weights),
            parts=tuple(parts),
        )

    def __str__(self) -> str:
        return self.name

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; :func:`spec_of` reads them."""
        return {"parts": [part.to_dict() for part in self.parts]}


def spec_of(values: Mapping[str, Any]) -> BackboneSpec:
    """What :meth:`BackboneSpec.to_dict` has written, of one backbone or of several; raises ``TypeError`` for other values."""
    if "parts" not in values:
        return BackboneSpec.from_dict(values)
    return JoinedSpec.of([BackboneSpec.from_dict(part) for part in values["parts"]])


class JoinedBackbone(Backbone):
    """Several backbones whose features stand side by side, each part's scaled to length one.

    Args:
        parts: At least two; each stays what it is, frozen or not.

    Raises:
        RequestError: When there are fewer than two, or one of them twice.
    """

    def __init__(self, parts: Sequence[Backbone]) -> None:
        nn.Module.__init__(self)
        if len(parts) < 2 or len({part.key() for part in parts}) < len(parts):
            raise RequestError(
                tr("Several backbones are joined where each is another one."),
                allowed=tr("two or more, of other architectures or other weights"),
                got=JOINT.join(str(part.spec) for part in parts) or "-",
            )
        self.members = nn.ModuleList(parts)
        self.num_features = sum(part.num_features for part in parts)
        self.spec = JoinedSpec.of([part.spec for part in parts])
        self.preprocess = JoinedPreprocess.of([part.preprocess for part in parts])
        self._cut_off = (None,)

    @property
    def parts(self) -> tuple[Backbone, ...]:
        """The backbones, in the order of their features."""
        return tuple(self.members)  # type: ignore[arg-type]

    @property
    def origin(self) -> WeightsOrigin:  # type: ignore[override]  # that of the parts, which may be told later
        """Where the weights came from, all told together; each part tells its own."""
        return joined_origin([part.origin for part in self.parts])

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.parts[0].device

    @property
    def num_parameters(self) -> int:
        """How many numbers could learn."""
        return sum(part.num_parameters for part in self.parts)

    def key(self) -> str:
        """The digests of the parts."""
        return JOINT.join(part.key() for part in self.parts)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every parameter and buffer by name, for reading only."""
        return {f"members.{at}.{name}": one for at, part in enumerate(self.parts) for name, one in part.tensors().items()}

    def freeze(self) -> None:
        """See :func:`tsugiki.backbones.freeze`."""
        for part in self.parts:  # one that is known need not be built for that
            part.freeze()

    def check_precision(self) -> None:
        """See :meth:`Backbone.check_precision`."""
        for part in self.parts:
            part.check_precision()

    def changed_since_built(self) -> list[str]:
        """The paths of layers that were exchanged, or whose settings were changed, since the networks were built."""
        return [f"{at}.{path}" for at, part in enumerate(self.parts) for path in part.changed_since_built()]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``[B, D]`` of photos ``[B, 3, H, W]``."""
        inputs = self.preprocess.split(x)  # type: ignore[attr-defined]
        features: Sequence[torch.Tensor] = [part.features(own) for part, own in zip(self.parts, inputs, strict=True)]
        return side_by_side(features)

    def layer_groups(self) -> list[LayerGroup]:
        """The layers of all parts in groups."""
        return [group for part in self.parts for group in part.layer_groups()]


def side_by_side(features: Sequence[torch.Tensor]) -> torch.Tensor:
    """``P`` parts' features ``[B, d]`` of the same photos as ``[B, D]``, each part's scaled to length one."""
    return torch.cat([nn.functional.normalize(part, dim=1) for part in features], dim=1)


def joined_origin(parts: Sequence[WeightsOrigin]) -> WeightsOrigin:
    """Where the weights of several backbones came from, in one line; all that is asked of a user by any of them is in it."""
    label, licence = (listed(dict.fromkeys(texts)) for texts in zip(*((one.label, one.licence) for one in parts), strict=True))
    return WeightsOrigin(label, "", licence) if label != NO_WEIGHTS.label else NO_WEIGHTS
