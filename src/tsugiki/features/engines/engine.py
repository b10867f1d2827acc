"""The contract of an engine, and the checks that every engine must pass before its features count. Nothing here needs PyTorch.

Letters: ``B`` photos, ``D`` feature width, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from tsugiki.data.preprocess import Preprocess

PixelBatch = npt.NDArray[np.uint8]
FeatureBatch = npt.NDArray[np.float32]
EngineName = Literal["auto", "openvino", "torch"]

CONVERTING_PAYS_FROM = 48
"""Photos: converting a network for OpenVINO takes about a second, in which PyTorch computes as many."""

ALIKE = 0.999
"""Mean cosine with float32 PyTorch that an engine for learning must reach."""

NEAR = 0.25
"""How far from float32 PyTorch, relative to its length, the worst feature vector for learning may be."""

EQUAL = 1e-4
"""The same for an engine whose answers are reported."""


class Engine(Protocol):
    """Something that computes a backbone's features, fast.

    Attributes:
        name: ``torch`` or ``openvino``.
        precision: ``float32``, ``bfloat16`` or ``float16``: part of the key that features are stored under.
        batch_size: How many photos it likes to be given at once.
        lanes: How many threads may call it at the same time.
    """

    name: str
    precision: str
    batch_size: int
    lanes: int

    def __call__(self, pixels: PixelBatch) -> FeatureBatch:
        """Features ``[B, D]`` float32 of uint8 pixels ``[B, 3, H, W]``; ``B`` may be anything."""
        ...


class EngineChoice(Protocol):
    """Who says which engine computes the features of one network.

    Attributes:
        preprocess: From a photo to the network's input.
    """

    preprocess: Preprocess

    @property
    def parts(self) -> Sequence[EngineChoice]:
        """Who says so for each of several networks; itself, where there is one."""
        ...

    @property
    def key(self) -> str:
        """A digest of the network's architecture and weights: part of the key that features are stored under."""
        ...

    @property
    def num_features(self) -> int:
        """``D``."""
        ...

    def choose(self, sample: PixelBatch, *, exact: bool, count: int, like: str = "") -> Engine:
        """The engine to use.

        Args:
            sample: The first photos, uint8 ``[B, 3, H, W]``.
            exact: Whether the features are reported (float32) or learned from (16-bit arithmetic will do).
            count: How many photos are to come.
            like: A precision to prefer: the one of stored features that these will stand beside.
        """
        ...


def mean_cosine(first: FeatureBatch, second: FeatureBatch) -> float:
    """Mean over ``B`` photos of the cosine between their two features ``[B, D]``; -1 where one is not finite."""
    if not _comparable(first, second):
        return -1.0
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.maximum(lengths, 1e-12)
    return float(np.where((first == second).all(axis=1), 1.0, cosines).mean())  # two vectors of zeros are equal


def worst_difference(features: FeatureBatch, expected: FeatureBatch) -> float:
    """The largest distance of features ``[B, D]`` from the expected ones, relative to the length of those.

    A cosine alone would not see features of another length.
    """
    if not _comparable(features, expected):
        return float("inf")
    distances = np.linalg.norm(features - expected, axis=1)
    return float((distances / np.maximum(np.linalg.norm(expected, axis=1), 1e-12)).max())


def _comparable(first: FeatureBatch, second: FeatureBatch) -> bool:
    return first.shape == second.shape and bool(np.isfinite(first).all() and np.isfinite(second).all())
