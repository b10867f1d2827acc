"""Random views of training photos, made for whole batches at once.

Letters: ``B`` photos, ``S`` pixels per side of a stored photo, ``R`` pixels per side that the student sees.
"""

from __future__ import annotations

import math

import torch
from torch.nn.functional import interpolate

PHOTOS_PER_CROP = 32
LEAST_AREA = 0.35
BRIGHTNESS_AND_CONTRAST = 0.3


def random_views(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """Crops, flips and light.

    Args:
        pixels: ``[B, 3, S, S]`` uint8.
        size: ``R``.
        generator: Where the chances come from.

    Returns:
        ``[B, 3, R, R]`` float32 in [0, 1].
    """
    views = [_crop(group, size, generator) for group in torch.split(pixels, PHOTOS_PER_CROP)]
    return _light(_flip(torch.cat(views), generator), generator).clamp(0, 1)


def whole_views(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """The whole photos, as validation sees them: ``[B, 3, S, S]`` uint8 to ``[B, 3, R, R]`` float32 in [0, 1]."""
    return interpolate(pixels.float() / 255, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)


def _crop(pixels: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """One crop for the whole group: resizing a group is one call, and a batch of eight groups is varied enough."""
    side = pixels.shape[-1]
    area, shape = torch.rand(2, generator=generator).tolist()
    ratio = math.exp((2 * shape - 1) * math.log(4 / 3))
    kept = (LEAST_AREA + (1 - LEAST_AREA) * area) * side * side
    height, width = (min(side, round(math.sqrt(kept * part))) for part in (ratio, 1 / ratio))
    top, left = (torch.rand(2, generator=generator) * torch.tensor([side - height + 1, side - width + 1])).int().tolist()
    window = pixels[:, :, top : top + height, left : left + width].float() / 255
    return interpolate(window, size=(size, size), mode="bilinear", antialias=True)


def _flip(views: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    flipped = torch.rand(len(views), 1, 1, 1, generator=generator) < 0.5
    return torch.where(flipped, views.flip(3), views)


def _light(views: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    strength = 1 + (2 * torch.rand(2, len(views), 1, 1, 1, generator=generator) - 1) * BRIGHTNESS_AND_CONTRAST
    brighter = views * strength[0]
    middle = brighter.mean((1, 2, 3), keepdim=True)
    return middle + (brighter - middle) * strength[1]
