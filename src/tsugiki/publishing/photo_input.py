"""Resize and crop as part of a graph: a decoded photo of any size becomes the network's input as Pillow would make it.

Pillow resizes in two passes, across and down, each a weighted sum that is rounded to whole values; weights are whole numbers
of 22 bits. Here each pass is a product with a matrix of such weights, which is computed from the photo's size for the pixels of
the frame only. In double precision all of it is exact, and so the frames are Pillow's to the bit. A runtime that knows float32
only (OpenVINO) comes to other values in one of 10,000, by 1 (``docs/decisions/0011-photos-into-exported-files.md``).

Letters: ``B`` photos, ``H`` x ``W`` a photo's own size, ``h`` x ``w`` the network's input.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import nn

from tsugiki.data.joined_preprocess import JoinedPreprocess
from tsugiki.data.preprocess import Preprocess

ONE = 1 << 22
"""What Pillow's weights are fractions of."""


def tall_photos_vertically_first() -> bool:
    """Whether this machine's Pillow resizes photos first downwards that lose more than twice as many rows as columns."""
    photo = Image.fromarray((np.arange(60) ** 2 % 251).astype(np.uint8).reshape(20, 3))  # Pillow 13 does, Pillow 12 does not
    down_first = photo.resize((3, 9), Image.Resampling.BICUBIC).resize((7, 9), Image.Resampling.BICUBIC)
    return photo.resize((7, 9), Image.Resampling.BICUBIC).tobytes() == down_first.tobytes()


def photo_input(preprocess: Preprocess, *, frames_too: bool = True) -> nn.Module:
    """What brings photos to the frame of one network, or to those of several; see :class:`PhotoInput`."""
    if isinstance(preprocess, JoinedPreprocess):
        return JoinedPhotoInput(preprocess, frames_too=frames_too)
    return PhotoInput(preprocess, frames_too=frames_too)


class JoinedPhotoInput(nn.Module):
    """Photos of any size, or frames that are ready, to the frames of several networks, one below the other.

    Args:
        preprocess: What :meth:`tsugiki.data.joined_preprocess.JoinedPreprocess.frame` does.
        frames_too: See :class:`PhotoInput`.
    """

    __constants__ = ("frames_too", "width")

    def __init__(self, preprocess: JoinedPreprocess, *, frames_too: bool = True) -> None:
        super().__init__()
        self.frames_too = frames_too
        self.width = preprocess.size[1]
        self.inputs = nn.ModuleList([PhotoInput(part, frames_too=frames_too) for part in preprocess.parts])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Frames ``[B, 3, h, w]``, float32, whole values, of uint8 photos ``[B, H, W, 3]`` or frames ``[B, 3, h, w]``."""
        if self.frames_too:  # noqa: SIM102 (on its own, so that it is settled when the graph is made)
            if pixels.shape[3] != 3:
                return pixels.float()
        frames = []
        for one in self.inputs:
            frame = one(pixels)
            frames.append(nn.functional.pad(frame, (0, self.width - frame.shape[3])))
        return torch.cat(frames, 2)


class PhotoInput(nn.Module):
    """Photos of any size, or frames that are ready, to frames. It is compiled, not traced: it looks at the sizes itself.

    Args:
        preprocess: What :meth:`tsugiki.Preprocess.frame` does; that method is the reference. Not of the ``nearest`` pixel:
            which one is nearest depends on the rounding of a running sum there.
        frames_too: Whether frames that are ready are taken, too. Otherwise the graph has no branches, and both orders of the
            passes are computed.
    """

    __constants__ = (
        *("height", "width", "high", "wide", "squashed", "whole", "by_side", "halves_down", "filled"),
        *("tall_first", "frames_too", "bilinear", "lanczos", "one"),
    )

    def __init__(self, preprocess: Preprocess, *, frames_too: bool = True) -> None:
        super().__init__()
        rule = preprocess
        self.frames_too = frames_too
        self.height, self.width = rule.size
        pair = isinstance(rule.resize, tuple)
        side = (rule.shorter_side, rule.shorter_side) if rule.fit == "crop" else rule.size
        self.high, self.wide = rule.resize if isinstance(rule.resize, tuple) else side
        self.squashed, self.whole = rule.fit == "squash", rule.fit == "pad"
        self.by_side = rule.fit == "crop" and not pair
        self.halves_down = rule.halves == "down"
        self.filled = self.whole or self.high < self.height or self.wide < self.width
        self.bilinear, self.lanczos = rule.interpolation == "bilinear", rule.interpolation == "lanczos"
        self.one = ONE
        self.tall_first = tall_photos_vertically_first()
        self.colour = nn.Parameter(torch.tensor(rule.fill_colour).float().view(3, 1, 1), requires_grad=False)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Frames ``[B, 3, h, w]``, float32, whole values, of uint8 photos ``[B, H, W, 3]`` or frames ``[B, 3, h, w]``."""
        if self.frames_too:  # noqa: SIM102 (on its own, so that it is settled when the graph is made)
            if pixels.shape[3] != 3:
                return pixels.float()
        height, width = pixels.shape[1], pixels.shape[2]
        high, wide = self._scaled(height, width, self.high, self.wide), self._scaled(width, height, self.wide, self.high)
        across = self._weights(width, wide, self._margin(wide - self.width), self.width).t()  # [W, w]
        down = self._weights(height, high, self._margin(high - self.height), self.height)  # [h, H]
        values = pixels.permute(0, 3, 1, 2).double()  # [B, 3, H, W]
        if self.frames_too:
            if self.tall_first and height - high > 2 * max(width - wide, 0):
                frames = self._down_first(values, down, across)
            else:
                frames = self._across_first(values, down, across)
        else:
            tall = torch.full([1], height - high - 2 * max(width - wide, 0)) > 0
            frames = self._across_first(values, down, across)
            if self.tall_first:
                frames = torch.where(tall, self._down_first(values, down, across), frames)
        if self.filled:
            seen = self._inside(high, self.height)[:, None] * self._inside(wide, self.width)[None, :]  # [h, w]
            frames = frames * seen + self.colour * (1 - seen)
        return frames

    def _across_first(self, values: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
        """Both passes, ``[B, 3, H, W]`` to ``[B, 3, h, w]``."""
        return self._rounded(torch.matmul(down, self._rounded(torch.matmul(values, across)))).float()

    def _down_first(self, values: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
        """The same in the other order."""
        return self._rounded(torch.matmul(self._rounded(torch.matmul(down, values)), across)).float()

    def _scaled(self, length: int, other: int, target: int, other_target: int) -> int:
        """How long a side becomes before the middle is cut out; ``other`` is the other side."""
        if self.squashed:
            return target
        if self.by_side:
            return max(target, target * length // other)
        fitting = (2 * length * other_target + other) // (2 * other)  # rounded
        tie = 1 - min(1, 2 * length * other_target + other - fitting * 2 * other)
        fitting = fitting - tie * (fitting % 2)  # halves to the even number
        if self.whole:
            return max(1, min(target, fitting))
        return max(target, fitting)

    def _margin(self, more: int) -> int:
        """Pixels to cut off before the middle; negative where the photo is shorter."""
        cut = max(more, 0)
        half = cut // 2
        if not self.halves_down:
            half = half + (cut % 2) * (half % 2)
        return half - max(-more, 0) // 2

    def _inside(self, scaled: int, count: int) -> torch.Tensor:
        """``[count]``: 1 where the frame lies on the photo, 0 beside it."""
        at = torch.arange(count) + self._margin(scaled - count)
        return ((at >= 0) & (at < scaled)).float()

    def _rounded(self, sums: torch.Tensor) -> torch.Tensor:
        """Weighted sums as whole values from 0 to 255."""
        return ((sums + self.one // 2) / self.one).floor().clamp(0, 255)

    def _weights(self, length: int, scaled: int, first: int, count: int) -> torch.Tensor:
        """``[count, length]``: how much each pixel of a side counts for those of the frame, of which ``first`` is the first.

        Whole numbers, of which :data:`ONE` is all.
        """
        at = torch.arange(count) + first
        # The middle of a pixel of the resized photo lies at length / 2 + steps / (2 * scaled): small numbers, even of strips.
        steps = (2 * at + 1 - scaled) * length
        whole = torch.div(steps, 2 * scaled, rounding_mode="floor")
        rest = (steps - whole * (2 * scaled)).double() / torch.full([1], 2 * scaled).double()
        away = (2 * (torch.arange(length)[None, :] - whole[:, None]) + 1 - length).double() / 2 - rest[:, None]
        shrunk = (torch.full([1], scaled).double() / torch.full([1], length).double()).clamp_max(1)
        weights = self._kernel((away * shrunk).abs())
        return (weights / weights.sum(1, keepdim=True).clamp_min(1e-9) * self.one + 0.5).floor()

    def _kernel(self, away: torch.Tensor) -> torch.Tensor:
        """Pillow's filters, of distances in pixels of the coarser photo."""
        if self.bilinear:
            return (1 - away).clamp_min(0)
        if self.lanczos:
            angle = away.clamp(1e-6, 3) * math.pi
            return torch.where(away < 3, 3 * torch.sin(angle) * torch.sin(angle / 3) / (angle * angle), torch.zeros_like(away))
        near = (1.5 * away - 2.5) * away * away + 1
        far = (((away - 5) * away + 8) * away - 4) * -0.5
        return torch.where(away < 1, near, torch.where(away < 2, far, torch.zeros_like(away)))
