"""A canvas that knows colour and height, and shapes that are painted on it.

Everything lies on one table seen by one camera: a :class:`View` turns table coordinates (the dish is about two units wide)
into pixels. Colour and height are painted together, so that one light can shade the finished scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from tsugiki.data.synthetic.grain import GRAIN_SIZE, Grain, grains

Points: TypeAlias = npt.NDArray[np.float64]
"""``[N, 2]``: the corners of a shape, in table units or pixels."""

Colour: TypeAlias = tuple[int, int, int]
Box: TypeAlias = tuple[int, int, int, int]


@dataclass(frozen=True)
class Paint:
    """One colour, and a second one that shows through it where a grain says so."""

    colour: Colour
    second: Colour | None = None
    grain: Grain = "fine"


@dataclass(frozen=True)
class View:
    """Where a thing lies on the table and how the camera sees it.

    Attributes:
        centre: Its place in pixels.
        scale: Pixels per table unit.
        turn: Its rotation on the table, in radians.
        squash: How much the camera's slant flattens the table, 1 seen from straight above.
    """

    centre: tuple[float, float]
    scale: float
    turn: float = 0.0
    squash: float = 1.0

    def project(self, points: Points) -> Points:
        """Table units to pixels."""
        cos, sin = np.cos(self.turn) * self.scale, np.sin(self.turn) * self.scale
        turning = np.array([[cos, sin * self.squash], [-sin, cos * self.squash]])
        placed: Points = points @ turning + self.centre
        return placed

    def at(self, x: float, y: float, *, turn: float = 0.0, scale: float = 1.0) -> View:
        """The view of a thing that lies at ``(x, y)`` of this one."""
        place = self.project(np.array([[x, y]]))[0]
        return replace(self, centre=(place[0], place[1]), turn=self.turn + turn, scale=self.scale * scale)


class Canvas:
    """A square picture with the height of everything on it.

    Attributes:
        colour: RGB, ``size`` x ``size``.
        height: Of the same size, 0 the table, 255 the highest.
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size = size
        self.rng = rng
        self.colour = Image.new("RGB", (size, size))
        self.height = Image.new("L", (size, size))

    def cover(self, paint: Paint, *, turn: float = 0.0, stretch: float = 1.0) -> None:
        """Paint the whole canvas, the grain turned and stretched."""
        self.colour.paste(paint.colour, (0, 0, self.size, self.size))
        if paint.second is None:
            return
        cos, sin = np.cos(turn) * stretch, np.sin(turn) * stretch
        reach = GRAIN_SIZE / 2
        half = self.size / 2
        turned = grains()[paint.grain].transform(
            self.colour.size,
            Image.Transform.AFFINE,
            (cos, -sin, reach - half * (cos - sin), sin, cos, reach - half * (sin + cos)),
            Image.Resampling.BILINEAR,
        )
        self.colour.paste(paint.second, (0, 0), turned)

    def polygon(self, points: Points, paint: Paint, *, rise: int = 0, soft: float = 0.0, dome: int = 0) -> None:
        """Fill a shape.

        Args:
            points: Its corners, in pixels.
            paint: What it is filled with.
            rise: How much higher than what lies under it; below zero, a hollow.
            soft: How blurred its edge is, in pixels.
            dome: How much higher still in its middle.
        """
        flat = points.ravel().tolist()
        if soft or dome or paint.second is not None:
            self._polygon_by_mask(points, paint, soft=soft, dome=dome, rise=rise)
        else:
            ImageDraw.Draw(self.colour).polygon(flat, fill=paint.colour)
            self._raise(flat, rise)

    def _polygon_by_mask(self, points: Points, paint: Paint, *, soft: float, dome: int, rise: int) -> None:
        margin = int(soft * 2) + 1
        left, top = (max(0, int(value) - margin) for value in points.min(0))
        right, bottom = (min(self.size, int(value) + margin + 2) for value in points.max(0))
        if right - left < 2 or bottom - top < 2:
            return
        box = left, top, right, bottom
        corners = (points - (left, top)).ravel().tolist()
        mask = _filled(box, corners, 255)
        if soft:
            mask = mask.filter(ImageFilter.BoxBlur(soft))
        self._paint(box, mask, paint)
        self._raise(points.ravel().tolist(), rise)
        if dome:
            hill = _filled(box, corners, dome).filter(ImageFilter.BoxBlur(max(1.0, min(mask.size) / 5)))
            self.height.paste(ImageChops.add(self.height.crop(box), ImageChops.multiply(hill, mask)), box)

    def _paint(self, box: Box, mask: Image.Image, paint: Paint) -> None:
        self.colour.paste(paint.colour, box, mask)
        if paint.second is not None:
            width, height = mask.size
            x, y = self.rng.integers(0, GRAIN_SIZE - np.array([width, height]) + 1).tolist()
            grain = grains()[paint.grain].crop((x, y, x + width, y + height))
            self.colour.paste(paint.second, box, ImageChops.multiply(mask, grain))

    def _raise(self, corners: list[float], rise: int) -> None:
        """Give a shape one height: that of what lies under its middle, and ``rise``."""
        if rise:
            x, y = (min(max(0, int(sum(side) / len(side))), self.size - 1) for side in (corners[::2], corners[1::2]))
            under = cast("int", self.height.getpixel((x, y)))  # mode L has one band
            ImageDraw.Draw(self.height).polygon(corners, fill=min(max(0, under + rise), 255))


def _filled(box: Box, corners: Sequence[float], value: int) -> Image.Image:
    mask = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    ImageDraw.Draw(mask).polygon(corners, fill=value)
    return mask


def blob(rng: np.random.Generator, *, radius: float = 1.0, wobble: float = 0.05, corners: int = 40) -> Points:
    """A circle with a hand-made outline, in table units."""
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], 1) * (radius * _outline(rng, angle, wobble))[:, None]


def sector(rng: np.random.Generator, start: float, stop: float, *, radius: float = 1.0, wobble: float = 0.02) -> Points:
    """A piece of cake from angle ``start`` to ``stop``, its tip at the origin."""
    angle = np.linspace(start, stop, max(6, int((stop - start) * 8)))
    arc = np.stack([np.cos(angle), np.sin(angle)], 1) * (radius * _outline(rng, angle, wobble))[:, None]
    return np.concatenate([np.zeros((1, 2)), arc])


def capsule(length: float, width: float, *, corners: int = 20) -> Points:
    """A bar with round ends along the x axis."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, corners // 2)
    end = np.stack([np.cos(angle), np.sin(angle)], 1) * width / 2
    reach = np.array([max(0.0, length - width) / 2, 0.0])
    return np.concatenate([end + reach, -end - reach])


def rectangle(width: float, height: float) -> Points:
    """A rectangle around the origin."""
    return np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * [width / 2, height / 2]


def _outline(rng: np.random.Generator, angle: npt.NDArray[np.float64], wobble: float) -> npt.NDArray[np.float64]:
    waves = np.arange(2, 6)
    phase = rng.uniform(0, 2 * np.pi, waves.size)
    size = rng.normal(0, wobble, waves.size) / np.sqrt(waves)
    result: npt.NDArray[np.float64] = 1 + np.sin(angle[:, None] * waves + phase) @ size
    return result


def shift(rng: np.random.Generator, colour: Colour, spread: float = 12.0) -> Colour:
    """A colour near ``colour``."""
    red, green, blue = (
        np.clip(np.array(colour) + rng.normal(0, spread) + rng.normal(0, spread / 2, 3), 0, 255).astype(int).tolist()
    )
    return red, green, blue
