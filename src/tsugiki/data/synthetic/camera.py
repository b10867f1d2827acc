"""The photographer: where the camera stands, how the light falls, and everything that goes wrong on the way to the file."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from tsugiki.data.synthetic.canvas import Canvas, View
from tsugiki.data.synthetic.grain import GRAIN_SIZE, film_noise

CANVAS_SIZE = 264
PHOTO_SIZE = 176

Pixels = npt.NDArray[np.float32]


def aim(rng: np.random.Generator) -> View:
    """Where the dish is in the picture: often off the middle, from far to too near, slanted."""
    scale = CANVAS_SIZE * np.exp(rng.uniform(np.log(0.36), np.log(0.56)))
    centre = CANVAS_SIZE / 2 + rng.normal(0, 0.06 * CANVAS_SIZE, 2)
    return View((centre[0], centre[1]), scale, turn=rng.uniform(0, 2 * np.pi), squash=rng.uniform(0.6, 1.0))


def expose(canvas: Canvas, rng: np.random.Generator) -> Image.Image:
    """The finished photo: lens, light and film."""
    scene, height = _through_the_lens(canvas, rng)
    lit = _relief(height, rng) * _falloff(rng)
    pixels = (scene @ _film_response(rng)) * lit[:, :, None]
    pixels += np.float32(rng.normal(-10, 10))
    x, y = rng.integers(0, GRAIN_SIZE - PHOTO_SIZE, 2)
    pixels += film_noise()[y : y + PHOTO_SIZE, x : x + PHOTO_SIZE] * np.float32(rng.gamma(2.0, 1.8))
    return Image.fromarray(np.clip(pixels, 0, 255, out=pixels).astype(np.uint8))


def _through_the_lens(canvas: Canvas, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Colour ``[H, W, 3]`` and height ``[H, W]`` at the photo's size, not always sharp."""
    small = (PHOTO_SIZE, PHOTO_SIZE)
    colour = canvas.colour.resize(small, Image.Resampling.BOX)
    height = canvas.height.resize(small, Image.Resampling.BOX).filter(ImageFilter.BoxBlur(1))
    if rng.random() < 0.45:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.4, 1.2))
        colour, height = colour.filter(blur), height.filter(blur)
    return np.asarray(colour, dtype=np.float32), np.asarray(height, dtype=np.float32)


def _relief(height: Pixels, rng: np.random.Generator) -> Pixels:
    """``[H, W]``: what a lamp from one side makes of the heights, shadows included."""
    angle = rng.uniform(0, 2 * np.pi)
    x, y = np.cos(angle), np.sin(angle)
    strength = rng.uniform(0.006, 0.016)
    rows, columns = np.gradient(height)
    shade = 1 + columns * np.float32(strength * x) + rows * np.float32(strength * y)
    shadow = np.zeros_like(height)
    for step in (2, 4, 7):
        beyond = np.roll(height, (round(y * -step), round(x * -step)), axis=(0, 1))
        shadow = np.maximum(shadow, beyond - height - step * 2)
    depth = np.float32(rng.uniform(0.2, 0.55) / 14)
    result: Pixels = np.asarray(np.clip(shade, 0.45, 1.6) * (1 - depth * np.minimum(shadow, 14)), dtype=np.float32)
    return result


def _falloff(rng: np.random.Generator) -> Pixels:
    """``[H, W]``: brightness that falls off to one side and to the corners."""
    across = np.linspace(-1, 1, PHOTO_SIZE)
    corners = rng.uniform(0, 0.16)
    down, right = (slope * across - corners * across**2 for slope in rng.normal(0, 0.16, 2))
    result: Pixels = (np.add.outer(down, 1 + right) * np.exp(rng.normal(0, 0.13))).astype(np.float32)
    return result


def _film_response(rng: np.random.Generator) -> Pixels:
    """``[3, 3]``: the lamp's colour, saturation and contrast, to be multiplied from the right."""
    warmth, tint = rng.normal(0, 0.07), rng.normal(0, 0.03)
    lamp = np.diag([1 + warmth, 1 + tint, 1 - warmth])
    saturation = rng.uniform(0.6, 1.25)
    mixing = np.full((3, 3), (1 - saturation) / 3) + np.eye(3) * saturation
    result: Pixels = (lamp @ mixing * rng.uniform(0.9, 1.3)).astype(np.float32)
    return result


def develop(photo: Image.Image, rng: np.random.Generator) -> bytes:
    """The photo as the bytes of a JPEG file."""
    stream = io.BytesIO()
    photo.save(stream, "JPEG", quality=int(rng.integers(60, 93)))
    return stream.getvalue()
