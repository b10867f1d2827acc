"""From a photo to a network's input: deterministic, and part of the weights.

:class:`Preprocess` says what to do; :meth:`Preprocess.pixels` does it with Pillow and is the reference that faster paths are
measured against.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import listed, tr

if TYPE_CHECKING:
    import torch

Fit = Literal["crop", "squash", "pad"]
Interpolation = Literal["bicubic", "bilinear", "lanczos", "nearest"]
Halves = Literal["even", "down"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

MOST_RESIZED = 50_000_000
"""Pixels that a whole photo may have after resizing; of longer strips only the part that the network sees is resized."""

_RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "nearest": Image.Resampling.NEAREST,
}


@dataclass(frozen=True)
class Preprocess:
    """How a photo becomes a network's input.

    Attributes:
        size: Height and width of the input, in pixels.
        resize: For ``crop``: the photo's shorter side becomes this many pixels before the centre is cut out. A pair stands for
            height and width that a frame around the centre has instead: the photo is brought to it as ``fit`` says (it covers
            it for ``crop``, has its size for ``squash``, lies in it for ``pad``), and ``size`` is cut out of the middle.
        fit: ``crop`` keeps the proportions and cuts the middle out; ``squash`` resizes to ``size`` whatever the proportions;
            ``pad`` keeps everything and fills the rest with the mean colour.
        interpolation: How pixels are averaged; antialiased always.
        mean: Per channel, of RGB in [0, 1].
        std: Per channel, likewise.
        halves: Where the centre is cut out when it falls on half a pixel: at the ``even`` one, as torchvision and timm do, or
            ``down``, as transformers does.
    """

    size: tuple[int, int] = (224, 224)
    resize: int | tuple[int, int] = 256
    fit: Fit = "crop"
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    halves: Halves = "even"

    def __post_init__(self) -> None:
        faults = list(self._faults())
        if faults:
            raise RequestError(tr("This preprocessing cannot work."), got="; ".join(faults))

    def _faults(self) -> list[str]:
        faults = []
        if len(self.size) != 2 or not all(isinstance(side, int) and side > 0 for side in self.size):
            faults.append(f"size={self.size}")
        if not self._resize_can_work():
            faults.append(f"resize={self.resize}")
        if self.fit not in get_args(Fit):
            faults.append(f"fit={self.fit!r} ({', '.join(get_args(Fit))})")
        if self.interpolation not in _RESAMPLING:
            faults.append(f"interpolation={self.interpolation!r} ({', '.join(_RESAMPLING)})")
        if self.halves not in get_args(Halves):
            faults.append(f"halves={self.halves!r} ({', '.join(get_args(Halves))})")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std, default=0) <= 0 or not all(map(math.isfinite, self.mean)):
            faults.append(f"mean={self.mean} std={self.std}")
        return faults

    def _resize_can_work(self) -> bool:
        if isinstance(self.resize, tuple):
            return len(self.resize) == 2 and all(isinstance(side, int) and side > 0 for side in self.resize)
        return isinstance(self.resize, int) and (self.fit != "crop" or self.resize > 0)

    @property
    def shorter_side(self) -> int:
        """Pixels of the shorter side that a photo is resized to, or is meant to have."""
        return min(self.resize) if isinstance(self.resize, tuple) else self.resize

    def squashed(self) -> Preprocess:
        """The same, but the whole photo is brought to ``size`` whatever its proportions, and nothing is cut off."""
        return dataclasses.replace(self, fit="squash", resize=self.shorter_side)

    def scaled_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that a photo of ``width`` x ``height`` is resized to, before it is cropped or padded."""
        target_height, target_width = self.resize if isinstance(self.resize, tuple) else self.size
        if self.fit == "squash":
            return target_width, target_height
        if self.fit == "pad":
            scale = min(target_width / width, target_height / height)
            return max(1, round(width * scale)), max(1, round(height * scale))
        if isinstance(self.resize, tuple):
            ratio = min(width / target_width, height / target_height)
            return max(1, round(width / ratio)), max(1, round(height / ratio))
        # The shorter side becomes `resize`; the longer one is cut down to a whole pixel, as torchvision does.
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize

    def crop_box(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of the input's frame on a resized photo; outside of the photo where it is smaller."""
        target_height, target_width = self.size
        left, top = self._margin(width, target_width), self._margin(height, target_height)
        return left, top, left + target_width, top + target_height

    def _margin(self, length: int, target: int) -> int:
        """Pixels to cut off before the middle; negative where the photo is shorter."""
        if length < target:
            return -((target - length) // 2)
        return round((length - target) / 2) if self.halves == "even" else (length - target) // 2

    def frame(self, photo: Image.Image) -> Image.Image:
        """The part of ``photo`` (mode RGB) that the network sees, at the size it sees it."""
        scaled = self.scaled_size(*photo.size)
        box = self.crop_box(*scaled)
        if scaled[0] * scaled[1] > MOST_RESIZED:
            return self._frame_of_strip(photo, scaled, box)
        resized = photo.resize(scaled, _RESAMPLING[self.interpolation])
        if box == (0, 0, *resized.size):
            return resized
        frame = Image.new("RGB", (self.size[1], self.size[0]), self.fill_colour)
        frame.paste(resized, (-box[0], -box[1]))
        return frame

    def _frame_of_strip(self, photo: Image.Image, scaled: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
        """The frame of a photo so long that it would fill the memory if all of it were resized."""
        left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], scaled[0]), min(box[3], scaled[1])
        x, y = photo.width / scaled[0], photo.height / scaled[1]
        source = (left * x, top * y, right * x, bottom * y)
        frame = Image.new("RGB", (self.size[1], self.size[0]), self.fill_colour)
        part = photo.resize((right - left, bottom - top), _RESAMPLING[self.interpolation], box=source)
        frame.paste(part, (left - box[0], top - box[1]))
        return frame

    @property
    def fill_colour(self) -> tuple[int, int, int]:
        """What stands where the photo does not reach: the mean colour, or black where a crop is larger than the photo."""
        if self.fit != "pad":
            return (0, 0, 0)
        red, green, blue = (round(255 * value) for value in self.mean)
        return red, green, blue

    def array(self, photo: Image.Image) -> npt.NDArray[np.uint8]:
        """``photo`` (mode RGB) as uint8 ``[3, H, W]``, not yet normalised; PyTorch is not needed."""
        return np.ascontiguousarray(np.array(self.frame(photo)).transpose(2, 0, 1))

    def pixels(self, photo: Image.Image) -> torch.Tensor:
        """The same as a tensor, uint8 ``[3, H, W]``."""
        import torch

        return torch.from_numpy(self.array(photo))

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 ``[..., 3, H, W]`` to float32 of the same shape, as the network expects it."""
        import torch

        mean = torch.tensor(self.mean, device=pixels.device).view(3, 1, 1)
        std = torch.tensor(self.std, device=pixels.device).view(3, 1, 1)
        return (pixels.to(torch.float32) / 255 - mean) / std

    def __call__(self, photo: Image.Image) -> torch.Tensor:
        """``photo`` (mode RGB) as the network's input, float32 ``[3, H, W]``."""
        return self.normalise(self.pixels(photo))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the usual ``halves`` is left out, as versions that had no other one expect."""
        values = dataclasses.asdict(self)
        return {key: value for key, value in values.items() if (key, value) != ("halves", "even")}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preprocess:
        """The opposite of :meth:`to_dict`.

        Raises:
            RequestError: When values are missing, unknown or impossible.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - names)
        if unknown:
            raise RequestError(
                tr("Preprocessing has no setting {names}.", names=", ".join(unknown)),
                allowed=", ".join(sorted(names)),
            )
        tuples: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        try:
            return cls(**tuples)
        except TypeError as fault:  # a number where two belong, a text where a number belongs
            raise RequestError(tr("This preprocessing cannot work."), got=str(fault)) from None

    def describe(self) -> str:
        """One line for the person: size, rule, interpolation, mean and std."""
        height, width = self.size
        numbers = "mean {} std {}".format(
            "/".join(f"{value:g}" for value in self.mean), "/".join(f"{value:g}" for value in self.std)
        )
        return listed((f"{height} x {width} px", self.describe_fit(), self.interpolation, numbers))

    def describe_fit(self) -> str:
        """How a photo is brought to the input's size, in words for the person."""
        rules = {
            "crop": tr("shorter side to {pixels} px, centre crop", pixels=self.shorter_side),
            "squash": tr("resized without keeping proportions"),
            "pad": tr("whole photo, padded"),
        }
        if self.fit == "crop" or not isinstance(self.resize, tuple) or self.resize == self.size:
            return rules[self.fit]
        frame = f"{self.resize[0]} x {self.resize[1]} px"
        return tr("{rule} at {frame}, centre crop", rule=rules[self.fit], frame=frame)
