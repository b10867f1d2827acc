"""Grains: patterns that paint shows through, and that make surfaces look like something. Made once, cut at random."""

from __future__ import annotations

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Grain = Literal["fine", "mottled", "cloudy", "wood", "weave", "checks", "stripes", "spots"]

Field: TypeAlias = npt.NDArray[np.float64]

GRAIN_SIZE = 768
"""Pixels along the side of a grain."""


@cache
def grains() -> dict[Grain, Image.Image]:
    """All of them, mode L."""
    rng = np.random.default_rng(20260)
    mottled = _clouds(rng, (160, 96, 48))
    return {
        "fine": _image(_clouds(rng, (384, 192))),
        "mottled": _image(_sharpen(mottled, 1.6)),
        "cloudy": _image(_clouds(rng, (12, 6, 24))),
        "wood": _image(_wood(rng)),
        "weave": _image(_weave(rng)),
        "checks": _image(_checks()),
        "stripes": _image(_stripes()),
        "spots": _image(_sharpen(_clouds(rng, (64, 32)), 5.0, middle=0.72)),
    }


@cache
def film_noise() -> npt.NDArray[np.float32]:
    """``[GRAIN_SIZE, GRAIN_SIZE, 3]``, mean 0 and standard deviation 1."""
    return np.random.default_rng(20261).standard_normal((GRAIN_SIZE, GRAIN_SIZE, 3), dtype=np.float32)


def _clouds(rng: np.random.Generator, cells: tuple[int, ...]) -> Field:
    """Smooth noise in [0, 1], the sum of one layer per number of cells across."""
    total = np.zeros((GRAIN_SIZE, GRAIN_SIZE))
    for layer, count in enumerate(cells):
        total += _enlarged(rng.random((count, count))) / (1 + 0.6 * layer)
    low, high = np.quantile(total, [0.02, 0.98])
    return _within((total - low) / (high - low))


def _enlarged(field: Field) -> Field:
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize((GRAIN_SIZE, GRAIN_SIZE), Image.Resampling.BICUBIC), dtype=np.float64)


def _sharpen(field: Field, contrast: float, *, middle: float = 0.5) -> Field:
    return _within((field - middle) * contrast + 0.5)


def _within(field: Field) -> Field:
    result: Field = np.clip(field, 0, 1)
    return result


def _wood(rng: np.random.Generator) -> Field:
    along = _enlarged(rng.random((96, 3))) + 0.5 * _enlarged(rng.random((300, 6)))
    plank = np.arange(GRAIN_SIZE) // 96
    tone = rng.random(plank.max() + 1)[plank][:, None] * 0.6
    gap = (np.arange(GRAIN_SIZE) % 96 < 3)[:, None] * 1.0
    return _within(along * 0.45 + tone + gap)


def _weave(rng: np.random.Generator) -> Field:
    wave = np.sin(np.arange(GRAIN_SIZE) * 2 * np.pi / 6)
    return _within(0.5 + 0.25 * np.add.outer(wave, wave) + 0.25 * (_clouds(rng, (384, 24)) - 0.5))


def _checks() -> Field:
    square = (np.arange(GRAIN_SIZE) // 24 % 2).astype(float)
    return _within(np.add.outer(square, square) / 2)


def _stripes() -> Field:
    stripe = (np.arange(GRAIN_SIZE) % 48 < 16).astype(float)
    return np.tile(stripe[:, None], (1, GRAIN_SIZE))


def _image(field: Field) -> Image.Image:
    return Image.fromarray((field * 255).astype(np.uint8))
