"""TrivialAugment (Müller and Hutter, ICCV 2021): one operation of random strength per view, with stated randomness.

The operations and strengths are those of ``torchvision.transforms.v2.TrivialAugmentWide``, done by torchvision's functions;
only the numbers are drawn here, from a generator that the caller owns.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F  # noqa: N812 (the customary name)

BINS = 31

Operation = Callable[[torch.Tensor, float], torch.Tensor]
"""uint8 ``[3, H, W]`` and a strength to the same shape."""


def _sheared(pixels: torch.Tensor, x: float, y: float) -> torch.Tensor:
    shear = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    changed: torch.Tensor = F.affine(pixels, angle=0.0, translate=[0, 0], scale=1.0, shear=shear, center=[0.0, 0.0])
    return changed


def _moved(pixels: torch.Tensor, x: float, y: float) -> torch.Tensor:
    changed: torch.Tensor = F.affine(pixels, angle=0.0, translate=[int(x), int(y)], scale=1.0, shear=[0.0, 0.0])
    return changed


# Name -> largest strength of a signed operation, and what it does.
SIGNED: dict[str, tuple[float, Operation]] = {
    "ShearX": (0.99, lambda pixels, s: _sheared(pixels, s, 0)),
    "ShearY": (0.99, lambda pixels, s: _sheared(pixels, 0, s)),
    "TranslateX": (32.0, lambda pixels, s: _moved(pixels, s, 0)),
    "TranslateY": (32.0, lambda pixels, s: _moved(pixels, 0, s)),
    "Rotate": (135.0, F.rotate),
    "Brightness": (0.99, lambda pixels, s: F.adjust_brightness(pixels, 1 + s)),
    "Color": (0.99, lambda pixels, s: F.adjust_saturation(pixels, 1 + s)),
    "Contrast": (0.99, lambda pixels, s: F.adjust_contrast(pixels, 1 + s)),
    "Sharpness": (0.99, lambda pixels, s: F.adjust_sharpness(pixels, 1 + s)),
}

# Name -> what it does with a strength in [0, 1].
UNSIGNED: dict[str, Operation] = {
    "Identity": lambda pixels, _: pixels,
    "Posterize": lambda pixels, s: F.posterize(pixels, round(8 - 6 * s)),
    "Solarize": lambda pixels, s: F.solarize(pixels, 255 * (1 - s)),
    "AutoContrast": lambda pixels, _: F.autocontrast(pixels),
    "Equalize": lambda pixels, _: F.equalize(pixels),
}

_NAMES = (*SIGNED, *UNSIGNED)


def trivial_augment(pixels: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    """One random operation on uint8 ``[3, H, W]``."""
    name = _NAMES[random.integers(len(_NAMES))]
    strength = float(random.integers(BINS)) / (BINS - 1)
    if name in UNSIGNED:
        return UNSIGNED[name](pixels, strength)
    largest, change = SIGNED[name]
    return change(pixels, strength * largest * (-1 if random.random() < 0.5 else 1))
