"""Sushi: fish on rice (nigiri) and rolls (maki), in rows, rings or heaps."""

from __future__ import annotations

import numpy as np

from tsugiki.data.synthetic.canvas import Canvas, Colour, Paint, View, blob, capsule, rectangle, shift
from tsugiki.data.synthetic.tabletop import leaf, lemon

RICE = Paint((240, 234, 222), (204, 194, 176), "fine")
NORI: Colour = (34, 40, 38)

FISH: tuple[tuple[Colour, Colour], ...] = (
    ((236, 132, 78), (250, 196, 156)),
    ((176, 44, 52), (206, 92, 90)),
    ((238, 196, 176), (222, 130, 104)),
    ((240, 200, 76), (226, 170, 50)),
    ((226, 214, 202), (196, 150, 140)),
    ((132, 78, 44), (80, 44, 28)),
)

FILLINGS: tuple[Colour, ...] = ((236, 132, 78), (180, 44, 50), (96, 142, 64), (240, 204, 90), (226, 206, 130), (120, 66, 40))


def draw_sushi(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Three to a dozen pieces, all of a kind or mixed."""
    kind = int(rng.integers(3))
    pieces = _places(rng, small=kind == 1)
    style = int(rng.integers(3))
    fish = int(rng.integers(len(FISH)))
    # The camera looks from the front: what lies behind is drawn first.
    for piece in sorted((view.at(x, y, turn=turn) for x, y, turn in pieces), key=lambda one: one.centre[1]):
        if kind == 0 or (kind == 2 and rng.random() < 0.5):
            _nigiri(canvas, piece, fish if rng.random() < 0.6 else int(rng.integers(len(FISH))), rng)
        else:
            _maki(canvas, piece, style, rng)
    _finish(canvas, view, rng)


def _places(rng: np.random.Generator, *, small: bool) -> list[tuple[float, float, float]]:
    """Places and turns: rows, a ring, or a heap without order."""
    step = (0.52, 0.56) if small else (0.5, 0.98)
    order = rng.random()
    if order < 0.6:
        columns, rows = int(rng.integers(3, 5)), int(rng.integers(1, 4 if small else 3))
        lean = rng.normal(0, 0.15) + (0 if small else np.pi / 2)
        return [
            (
                (column - (columns - 1) / 2) * step[0] + rng.normal(0, 0.03),
                (row - (rows - 1) / 2) * step[1],
                lean + rng.normal(0, 0.08),
            )
            for row in range(rows)
            for column in range(columns)
        ]
    if order < 0.8:
        count = int(rng.integers(5, 9))
        angles = np.arange(count) * 2 * np.pi / count + rng.uniform(0, 1)
        return [(0.72 * np.cos(angle), 0.72 * np.sin(angle), angle) for angle in angles.tolist()]
    return [(*rng.uniform(-0.75, 0.75, 2).tolist(), rng.uniform(0, np.pi)) for _ in range(int(rng.integers(4, 9)))]


def _nigiri(canvas: Canvas, view: View, fish: int, rng: np.random.Generator) -> None:
    rice = capsule(0.82, 0.4) * rng.normal(1, 0.02, (20, 1))
    canvas.polygon(view.project(rice), RICE, rise=26, dome=10)
    colour, streak = (shift(rng, one, 10) for one in FISH[fish])
    topping = blob(rng, radius=1, wobble=0.05, corners=30)
    topping = np.sign(topping) * np.abs(topping) ** 0.75 * [rng.uniform(0.43, 0.5), rng.uniform(0.19, 0.225)]
    canvas.polygon(view.at(0, -0.035).project(topping), Paint(colour, streak, "cloudy"), rise=18, dome=22)
    if fish in (0, 1, 2, 4):
        for place in np.arange(-0.32, 0.34, rng.uniform(0.1, 0.16)):
            line = view.at(place, -0.035, turn=np.pi / 2 + 0.5)
            canvas.polygon(line.project(capsule(0.3, 0.022)), Paint(streak))
    elif fish == 3 or rng.random() < 0.3:
        canvas.polygon(view.project(rectangle(0.11, 0.41)), Paint(NORI), rise=4)


def _maki(canvas: Canvas, view: View, style: int, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.23, 0.26)
    side = blob(rng, radius=radius, wobble=0.02)
    outside = Paint(NORI, (58, 66, 60), "fine") if style else RICE
    # The roll stands: its side shows below its top, the more the flatter the camera looks.
    drop = 0.24 * (1.15 - view.squash) * view.scale
    for step in (1.0, 0.75, 0.5, 0.25):
        canvas.polygon(view.project(side) + np.array([0, drop * step]), outside, rise=8)
    canvas.polygon(view.project(side), outside, rise=16)
    if style:
        canvas.polygon(view.project(side * 0.86), RICE, rise=4)
    else:
        canvas.polygon(view.project(side * 0.98), Paint(RICE.colour, shift(rng, (226, 120, 60), 20), "spots"), rise=4)
        canvas.polygon(view.project(side * 0.62), Paint(NORI))
        canvas.polygon(view.project(side * 0.52), RICE)
    for _ in range(int(rng.integers(1, 4))):
        filling = view.at(*rng.normal(0, radius * 0.16, 2)).project(
            blob(rng, radius=radius * rng.uniform(0.2, 0.4), wobble=0.1)
        )
        canvas.polygon(filling, Paint(shift(rng, FILLINGS[int(rng.integers(len(FILLINGS)))])), rise=3)


def _finish(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Wasabi, ginger, a leaf: perhaps."""
    beside = view.at(rng.choice([-1.0, 1.0]) * rng.uniform(0.8, 1.1), rng.uniform(-0.6, 0.6), turn=rng.uniform(0, 6))
    extra = int(rng.integers(5))
    if extra == 0:
        canvas.polygon(
            beside.project(blob(rng, radius=0.14, wobble=0.12)),
            Paint((156, 180, 96), (130, 156, 76), "mottled"),
            rise=30,
            soft=1,
            dome=20,
        )
    elif extra == 1:
        for _ in range(4):
            petal = beside.at(*rng.normal(0, 0.08, 2), turn=rng.uniform(0, 6))
            canvas.polygon(
                petal.project(blob(rng, radius=0.15, wobble=0.16)),
                Paint(shift(rng, (240, 204, 180)), (230, 176, 160), "cloudy"),
                rise=10,
                soft=1,
            )
    elif extra == 2:
        leaf(canvas, beside.at(0, 0, scale=2.2), rng)
    elif extra == 3:
        lemon(canvas, beside, rng)
