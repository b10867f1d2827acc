"""Augmentation: the random changes that a photo goes through in training, and only there.

Every view of a photo is a pure function of ``(seed, round, row)``. No hidden random state exists: views can be made ahead by
threads, divided among processes or made again after a crash, and are the same to the last bit. (torchvision's own random
transforms draw from the one generator of the process, which a thread must not touch while the network draws its dropout; so the
numbers are drawn here and the changes are made by ``torchvision.transforms.v2.functional``.)

Letters: ``B`` photos, ``H`` and ``W`` height and width in pixels.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tsugiki.core.validation import Checks
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import listed, tr

if TYPE_CHECKING:
    import torch

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""


WHOLE = (1.0, 1.0)

_WIDEST = 1000.0  # a proportion beyond which no photo is
_STRONGEST = 1e6  # a concentration beyond which every share is a half


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a photo in training.

    Attributes:
        crop: Smallest and largest share of the photo's area that a random crop keeps; ``(1, 1)`` always keeps the frame that
            prediction uses.
        ratio: Narrowest and widest proportions of such a crop, before it is resized.
        flip: Mirror half of the views left to right. Switch it off where left and right mean something.
        trivial: One random operation of random strength per view (TrivialAugment: Müller and Hutter, ICCV 2021).
        mixup: Concentration of the shares in which two photos are blended (Zhang et al., ICLR 2018); 0 blends none.
        cutmix: The same for a patch of one photo put into another (Yun et al., ICCV 2019); with both, each step tosses a coin.
        erase: Probability that a rectangle of a view is painted over (Zhong et al., AAAI 2020).

    Raises:
        RequestError: With every impossible value at once.
    """

    crop: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: bool = True
    trivial: bool = False
    mixup: float = 0.0
    cutmix: float = 0.0
    erase: float = 0.0

    def __post_init__(self) -> None:
        checks = Checks()
        kept: dict[str, Any] = {}
        area = tr("two shares of the area, 0 < smallest <= largest <= 1, as 0.5,1")
        kept["crop"] = checks.pair("crop", self.crop, 1, area)
        kept["ratio"] = checks.pair("ratio", self.ratio, _WIDEST, tr("two proportions, 0 < narrowest <= widest, as 0.75,1.33"))
        kept |= {name: checks.switch(name, getattr(self, name)) for name in ("flip", "trivial")}
        kept |= {name: checks.real(name, getattr(self, name), 0, _STRONGEST) for name in ("mixup", "cutmix")}
        kept["erase"] = checks.real("erase", self.erase, 0, 1)
        checks.refuse(
            tr("This augmentation cannot work."),
            cure=tr("change them as allowed, or leave them out: what is left out has a usual value"),
        )
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def mixes(self) -> bool:
        """Whether photos are ever blended with each other."""
        return self.mixup > 0 or self.cutmix > 0

    def stored_side(self, preprocess: Preprocess) -> int:
        """Pixels that the shorter side of a stored photo needs so that its smallest crop is not blown up."""
        return max(preprocess.shorter_side, math.ceil(max(preprocess.size) / math.sqrt(self.crop[0])))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Augmentation:
        """The opposite of :meth:`to_dict`."""
        fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        return cls(**fields)

    def describe(self) -> str:
        """One line for the person: what may happen to a photo."""
        parts = [
            tr("random crop of {low:.0%} to {high:.0%}", low=self.crop[0], high=self.crop[1]) if self.crop != WHOLE else "",
            tr("mirrored left to right") if self.flip else "",
            "TrivialAugment" if self.trivial else "",
            f"MixUp {self.mixup:g}" if self.mixup else "",
            f"CutMix {self.cutmix:g}" if self.cutmix else "",
            tr("erasing {share:.0%}", share=self.erase) if self.erase else "",
        ]
        return listed(filter(None, parts)) or tr("none")


NO_AUGMENTATION = Augmentation(crop=(1.0, 1.0), flip=False)


def view_of(
    photo: Image.Image, preprocess: Preprocess, augmentation: Augmentation, random: np.random.Generator
) -> torch.Tensor:
    """One random view of ``photo`` (mode RGB), uint8 ``[3, H, W]``."""
    import torch

    frame = _cropped(photo, preprocess, augmentation, random)
    if augmentation.flip and random.random() < 0.5:
        frame = frame.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    pixels = torch.from_numpy(np.array(frame)).permute(2, 0, 1)  # [3, H, W], channels last in memory
    if augmentation.trivial:
        from tsugiki.data.augmentation.trivial_augment import trivial_augment

        pixels = trivial_augment(pixels, random)
    if random.random() < augmentation.erase:
        pixels = _erased(pixels, preprocess, random)
    return pixels


def _cropped(
    photo: Image.Image, preprocess: Preprocess, augmentation: Augmentation, random: np.random.Generator
) -> Image.Image:
    if augmentation.crop == WHOLE:
        return preprocess.frame(photo)
    height, width = preprocess.size
    box = random_box(photo.width, photo.height, augmentation, random)
    # Pillow crops and resizes in one pass, without the interpreter's lock, and averages as prediction does.
    return photo.resize((width, height), Image.Resampling[preprocess.interpolation.upper()], box=box)


def random_box(width: int, height: int, augmentation: Augmentation, random: np.random.Generator) -> Box:
    """A crop of random area and proportions (Szegedy et al., 2014), as large as the photo allows after ten tries."""
    low, high = (math.log(value) for value in augmentation.ratio)
    for _ in range(10):
        area = width * height * random.uniform(*augmentation.crop)
        ratio = math.exp(random.uniform(low, high))
        box_width, box_height = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if 1 <= box_width <= width and 1 <= box_height <= height:
            left, top = random.uniform(0, width - box_width), random.uniform(0, height - box_height)
            return left, top, min(left + box_width, width), min(top + box_height, height)
    ratio = min(max(width / height, augmentation.ratio[0]), augmentation.ratio[1])
    box_width, box_height = min(width, height * ratio), min(height, width / ratio)
    left, top = (width - box_width) / 2, (height - box_height) / 2
    return left, top, left + box_width, top + box_height


def _erased(pixels: torch.Tensor, preprocess: Preprocess, random: np.random.Generator) -> torch.Tensor:
    import torch

    _, height, width = pixels.shape
    area = height * width * random.uniform(0.02, 0.33)
    ratio = math.exp(random.uniform(math.log(0.3), math.log(3.3)))
    tall, wide = min(height, round(math.sqrt(area * ratio))), min(width, round(math.sqrt(area / ratio)))
    top, left = random.integers(height - tall + 1), random.integers(width - wide + 1)
    mean = torch.tensor([round(255 * value) for value in preprocess.mean], dtype=torch.uint8)
    erased = pixels.clone()
    erased[:, top : top + tall, left : left + wide] = mean.view(3, 1, 1)
    return erased


@dataclass(frozen=True)
class Mix:
    """How the photos of one step are blended, each with the one before it.

    Attributes:
        share: How much of each photo, and of its label, stays: 1 blends nothing.
        box: For CutMix: left, top, right and bottom of the patch that comes from the other photo.
    """

    share: float = 1.0
    box: tuple[int, int, int, int] | None = None

    def blend(self, photos: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` with ``others`` of the same shape mixed in."""
        if self.box is None:
            return photos * self.share + others * (1 - self.share)
        left, top, right, bottom = self.box
        blended = photos.clone()
        blended[:, :, top:bottom, left:right] = others[:, :, top:bottom, left:right]
        return blended


def mix_of(augmentation: Augmentation, size: tuple[int, int], random: np.random.Generator) -> Mix | None:
    """Draw how one step's photos of ``size`` (height, width) are blended; ``None`` where they are not."""
    if not augmentation.mixes:
        return None
    cut = random.random() < 0.5 if augmentation.mixup and augmentation.cutmix else augmentation.cutmix > 0
    alpha = augmentation.cutmix if cut else augmentation.mixup
    share = float(random.beta(alpha, alpha))
    return _patch(share, size, random) if cut else Mix(share)


def _patch(share: float, size: tuple[int, int], random: np.random.Generator) -> Mix:
    height, width = size
    tall, wide = height * math.sqrt(1 - share) / 2, width * math.sqrt(1 - share) / 2
    y, x = random.uniform(0, height), random.uniform(0, width)
    top, bottom = round(max(0.0, y - tall)), round(min(float(height), y + tall))
    left, right = round(max(0.0, x - wide)), round(min(float(width), x + wide))
    # The patch may hang over the edge: the labels are shared as the pixels really are.
    return Mix(1 - (bottom - top) * (right - left) / (height * width), (left, top, right, bottom))
