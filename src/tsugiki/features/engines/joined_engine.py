"""The engines of several networks as one: each computes its own part of every photo. Nothing here needs PyTorch.

Letters: ``B`` photos, ``H`` x ``W`` all frames of a photo together, ``D`` width of all parts together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsugiki.data.joined_preprocess import JoinedPreprocess
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.engine import Engine, EngineChoice, FeatureBatch, PixelBatch
from tsugiki.features.join import side_by_side


class JoinedEngine:
    """Computes the features of several networks, one after the other.

    Args:
        parts: An engine of each.
        preprocess: Where in the pixels each one's are.
    """

    def __init__(self, parts: Sequence[Engine], preprocess: JoinedPreprocess) -> None:
        self.parts = tuple(parts)
        self.preprocess = preprocess
        self.name = "+".join(dict.fromkeys(part.name for part in parts))
        self.precision = "+".join(dict.fromkeys(part.precision for part in parts))
        self.batch_size = min(part.batch_size for part in parts)
        self.lanes = min(part.lanes for part in parts)

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` of uint8 pixels ``[B, 3, H, W]``."""
        own = self.preprocess.split(pixels)
        return side_by_side([engine(part.copy()) for engine, part in zip(self.parts, own, strict=True)])


class JoinedEngines:
    """Who says which engines compute the features of several networks.

    Args:
        parts: Who says so for each.
    """

    def __init__(self, parts: Sequence[EngineChoice]) -> None:
        self.parts = tuple(parts)
        self.joint = JoinedPreprocess.of([part.preprocess for part in parts])
        self.preprocess: Preprocess = self.joint

    @property
    def key(self) -> str:
        """The digests of the networks."""
        return "+".join(part.key for part in self.parts)

    @property
    def num_features(self) -> int:
        """``D``."""
        return sum(part.num_features for part in self.parts)

    def choose(self, sample: PixelBatch | None = None, *, exact: bool = True, count: int = 1, like: str = "") -> JoinedEngine:
        """The engines to use, as :meth:`tsugiki.features.engines.engine.EngineChoice.choose` says.

        Args:
            sample: The first photos, uint8 ``[B, 3, H, W]``; a run's own engines need none.
            exact: Whether the features are reported or learned from.
            count: How many photos are to come.
            like: A precision to prefer.
        """
        own = self.joint.split(np.zeros((0, 3, *self.joint.size), np.uint8) if sample is None else sample)
        chosen = [
            part.choose(pixels.copy(), exact=exact, count=count, like=like)
            for part, pixels in zip(self.parts, own, strict=True)
        ]
        return JoinedEngine(chosen, self.joint)
