"""A fingerprint of how a photo looks: copies that were resized or compressed again keep it, other photos do not."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

_SIDE = 8


def perceptual_hash(grey: npt.NDArray[np.float32]) -> int:
    """64 bits of a photo's coarse structure: signs of its lowest cosine frequencies against their median.

    Method: the pHash of C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010.

    Args:
        grey: ``[32, 32]``, the whole photo in grey, any range.

    Returns:
        A signed 64-bit integer; two photos are the more alike, the fewer of its bits differ.
    """
    basis = _cosines(len(grey))
    low = (basis @ grey @ basis.T).ravel()  # [64] lowest frequencies
    bits = low > np.median(low[1:])  # without the mean brightness
    return int(np.packbits(bits).view(">i8")[0])


@functools.cache
def _cosines(size: int) -> npt.NDArray[np.float32]:
    steps = np.arange(size) + 0.5
    return np.cos(np.pi * np.outer(np.arange(_SIDE), steps) / size).astype(np.float32)
