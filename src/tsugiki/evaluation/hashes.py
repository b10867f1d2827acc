"""A perceptual hash: 64 bits that stay nearly the same when a photo is resized, re-encoded or brightened."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from tsugiki.evaluation.arrays import Floats, Ints

Hashes = npt.NDArray[np.uint64]

THUMBNAIL = 32
"""Side of the grey thumbnail that is hashed, in pixels."""

_KEPT = 8


def perceptual_hash(grey: Floats | Ints) -> int:
    """64 bits of a grey picture ``[H, W]``: the signs of its lowest frequencies against their median (pHash).

    Two hashes of the same picture differ in a few bits, of different ones in about 32. Mirrored and turned pictures have other
    hashes. H and W are arbitrary: the picture is averaged down to 32 x 32 first, so a thumbnail of that size is enough.

    The method is C. Zauner's, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010.
    """
    height, width = grey.shape
    small = _area(height) @ grey.astype(np.float64) @ _area(width).T  # [32, 32]
    waves = _cosines()
    frequencies = (waves @ small @ waves.T).ravel()  # [64]
    # Rounded, so that pictures without any structure do not hash their rounding errors.
    frequencies = np.round(frequencies, 6)
    bits = frequencies > np.median(frequencies[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def differing_bits(first: Hashes, second: Hashes) -> npt.NDArray[np.uint8]:
    """``[N, M]`` how many of the 64 bits differ between each of ``first`` ``[N]`` and each of ``second`` ``[M]``."""
    bits: npt.NDArray[np.uint8] = np.bitwise_count(first[:, None] ^ second[None, :])
    return bits


@functools.cache
def _cosines() -> npt.NDArray[np.float64]:
    """``[8, 32]`` the lowest waves of the discrete cosine transform (type II)."""
    place = (2 * np.arange(THUMBNAIL) + 1) * np.pi / (2 * THUMBNAIL)
    waves: npt.NDArray[np.float64] = np.cos(np.arange(_KEPT)[:, None] * place)
    return waves


@functools.cache
def _area(length: int) -> npt.NDArray[np.float64]:
    """``[32, length]`` weights that average ``length`` pixels down (or spread them up) to 32, by the area they share."""
    edges = np.arange(THUMBNAIL + 1) * length / THUMBNAIL
    pixel = np.arange(length)
    shared = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights: npt.NDArray[np.float64] = np.maximum(shared, 0) * THUMBNAIL / length
    return weights
