"""From a file's content to a network's pixels: the reference path, and a fast one that agrees with it.

The reference is :func:`tsugiki.data.images.decode.open_photo` and :class:`tsugiki.data.preprocess.Preprocess`, both Pillow;
what is predicted and what is scored goes through it. The fast path is for the photos one learns from: libjpeg-turbo decodes (in
a fraction of the size when the photo is much larger than needed) and PyTorch resizes with its vectorised antialiased kernel.
Odd files (not RGB, not JPEG, damaged, warned of by the decoder) always go through the reference, which does not import PyTorch.

Letters: ``H`` x ``W`` the network's input, ``h`` x ``w`` a photo.
"""

from __future__ import annotations

import functools
import io
import math
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.data.images.decode import MAX_PIXELS, content_digest, open_photo, strict_pillow
from tsugiki.data.images.jpeg import JPEG_START, check_effort, decode_jpeg
from tsugiki.data.images.remarks import note, noting
from tsugiki.data.photo_index import PhotoFacts
from tsugiki.data.preprocess import MOST_RESIZED, Preprocess

if TYPE_CHECKING:
    import torch

_MARGIN = 2  # a decoder that scales must leave this many times the pixels that the resize ends with
_TORCH_MODES = {"bicubic", "bilinear"}  # what PyTorch can antialias


@dataclass(frozen=True)
class View:
    """Which part of a photo a feature is computed from.

    ``View()`` is the preprocessing's own frame. ``number`` > 0 are augmented views: 1 is the mirror image, the others are
    mirrored or not and cut out at random; which part depends only on the photo's content and the number, so that a view can be
    stored and found again.
    """

    number: int = 0

    def row_key(self, digest: str) -> str:
        """What the feature of this view of a photo is stored under, 64 hexadecimal digits."""
        # "1" changes when what a number means changes.
        return digest if self.number == 0 else content_digest(f"{digest}/view-{self.number}/1".encode())

    def mirrored(self, digest: str) -> bool:
        """Whether left and right are exchanged."""
        return self.number == 1 or (self.number > 1 and self._dice(digest).random() < 0.5)

    def part(self, digest: str) -> tuple[float, float, float, float] | None:
        """Left, top, right, bottom as shares of the photo's size; ``None`` for the preprocessing's own frame."""
        if self.number < 2:
            return None
        dice = self._dice(digest)
        dice.random()  # the coin of `mirrored`
        area, shape = dice.uniform(0.35, 1.0), math.exp(dice.uniform(math.log(3 / 4), math.log(4 / 3)))
        width, height = min(1.0, math.sqrt(area * shape)), min(1.0, math.sqrt(area / shape))
        left, top = dice.uniform(0, 1 - width), dice.uniform(0, 1 - height)
        return left, top, left + width, top + height

    def _dice(self, digest: str) -> random.Random:
        return random.Random(f"{digest}/{self.number}")  # noqa: S311 (nothing here is secret)


FRAME = View()


@dataclass(frozen=True)
class Pixels:
    """A photo as a network's input: ``array`` uint8 ``[3, H, W]``, and its facts."""

    array: npt.NDArray[np.uint8]
    facts: PhotoFacts

    @property
    def values(self) -> torch.Tensor:
        """``array`` as a tensor ``[3, H, W]`` of the same memory."""
        import torch

        return torch.from_numpy(self.array)


def read_pixels(content: bytes, preprocess: Preprocess, *, fast: bool, view: View = FRAME) -> Pixels:
    """Decode a file's content and bring it to the network's size.

    Args:
        content: The whole file.
        preprocess: Size, rule and interpolation.
        fast: Use the fast path where it can be used.
        view: Which part of the photo.

    Returns:
        Values ``[3, H, W]`` of the network's size, and what was seen on the way.

    Raises:
        UnreadablePhoto: With the reason.
    """
    with noting() as remarks:
        photo = None
        if fast:
            with strict_pillow():
                photo = _fast_decode(content, preprocess)
        pixels = _reference(content, preprocess, view) if photo is None else _framed(photo, preprocess, view, content)
    return replace(pixels, facts=replace(pixels.facts, remarks=tuple(remarks)))


def _reference(content: bytes, preprocess: Preprocess, view: View) -> Pixels:
    photo = open_photo(content)
    facts = _facts(_channels_first(photo.resize((32, 32), Image.Resampling.BILINEAR, reducing_gap=2.0)), *photo.size)
    part = view.part(content_digest(content)) if view.number > 1 else None
    if part:
        photo, preprocess = photo.crop(_box(part, *photo.size)), preprocess.squashed()
    return Pixels(_mirrored(preprocess.array(photo), content, view), facts)


@dataclass(frozen=True)
class _Decoded:
    values: torch.Tensor  # uint8 [3, h, w], perhaps smaller than the photo
    width: int  # of the photo itself
    height: int


def _fast_decode(content: bytes, preprocess: Preprocess) -> _Decoded | None:
    """The photo if the fast path can be sure to see what the reference sees, else nothing."""
    if not content.startswith(JPEG_START) or preprocess.interpolation not in _TORCH_MODES:
        return None
    import torch

    try:
        header = Image.open(io.BytesIO(content), formats=("JPEG",))
        width, height = header.size
        wide, high = preprocess.scaled_size(width, height)
        if (
            header.mode != "RGB"
            or "mpoffset" in header.info
            or max(wide * high / MOST_RESIZED, width * height / MAX_PIXELS) > 1
        ):
            return None
        check_effort(content, width * height, MAX_PIXELS)
        if header.getexif().get(0x0112, 1) != 1:  # turned photos are few: the reference turns them
            return None
        least = (0, 0)
        if min(width / wide, height / high) >= 2 * _MARGIN:
            header.draft("RGB", (_MARGIN * wide, _MARGIN * high))
            least = (header.height, header.width)
        values = decode_jpeg(content, least)
        return None if values is None else _Decoded(torch.from_numpy(values).permute(2, 0, 1), width, height)
    except Exception:  # noqa: BLE001 (decoders raise whatever a broken file makes them stumble over)
        return None  # the reference says what is wrong, in words


def _framed(photo: _Decoded, preprocess: Preprocess, view: View, content: bytes) -> Pixels:
    values = photo.values
    part = view.part(content_digest(content)) if view.number > 1 else None
    if part:
        left, top, right, bottom = _box(part, values.shape[2], values.shape[1])
        framed = _resize(values[:, top:bottom, left:right], preprocess.size, preprocess.interpolation)
        facts_from = values
    else:
        wide, high = preprocess.scaled_size(photo.width, photo.height)
        facts_from = _resize(values, (high, wide), preprocess.interpolation)
        framed = _cut(facts_from, preprocess)
    small = _resize(facts_from, (32, 32), "bilinear")
    return Pixels(_mirrored(framed.numpy(), content, view), _facts(small.numpy(), photo.width, photo.height))


def _resize(values: torch.Tensor, size: tuple[int, int], interpolation: str) -> torch.Tensor:
    """uint8 ``[3, h, w]`` to ``[3, *size]``, antialiased."""
    if tuple(values.shape[1:]) == size:
        return values
    from torch.nn import functional

    return functional.interpolate(values[None], size=size, mode=interpolation, antialias=True)[0]


def _cut(values: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """The network's frame of a resized photo, filled where the photo does not reach."""
    height, width = preprocess.size
    left, top, right, bottom = preprocess.crop_box(values.shape[2], values.shape[1])
    if left >= 0 and top >= 0:
        return values[:, top:bottom, left:right]
    import torch

    colour = torch.tensor(preprocess.fill_colour, dtype=torch.uint8).view(3, 1, 1)
    frame = colour.expand(3, height, width).clone()
    kept = values[:, max(top, 0) : bottom, max(left, 0) : right]
    y, x = max(-top, 0), max(-left, 0)
    frame[:, y : y + kept.shape[1], x : x + kept.shape[2]] = kept
    return frame


def _mirrored(pixels: npt.NDArray[np.uint8], content: bytes, view: View) -> npt.NDArray[np.uint8]:
    mirrored = view.number > 0 and view.mirrored(content_digest(content))
    return np.ascontiguousarray(pixels[:, :, ::-1]) if mirrored else pixels


def _box(part: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    left, top = int(part[0] * width), int(part[1] * height)
    return left, top, max(left + 1, round(part[2] * width)), max(top + 1, round(part[3] * height))


def _to_tensor(photo: Image.Image) -> torch.Tensor:
    import torch

    return torch.from_numpy(_channels_first(photo))


def _channels_first(photo: Image.Image) -> npt.NDArray[np.uint8]:
    return np.array(photo).transpose(2, 0, 1)


def _facts(small: npt.NDArray[np.uint8], width: int, height: int) -> PhotoFacts:
    """Facts of a photo from its whole frame at 32 x 32 pixels, uint8 ``[3, 32, 32]``."""
    values = small.astype(np.float32)  # [3, 32, 32]
    red, green, blue = (float(value) for value in values.mean(axis=(1, 2)))
    _note_darkness(values)
    grey = 0.299 * values[0] + 0.587 * values[1] + 0.114 * values[2]
    return PhotoFacts(width, height, (red, green, blue), perceptual_hash(grey))


_NEARLY_BLACK = 20


def _note_darkness(values: npt.NDArray[np.float32]) -> None:
    """Say of ``[3, 32, 32]`` that there is little to see."""
    darkest, brightest = values.min(axis=(1, 2)), values.max(axis=(1, 2))
    if (darkest == brightest).all():
        note("blank")
    elif brightest.max() <= _NEARLY_BLACK:
        note("dark", int(brightest.max()))


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
