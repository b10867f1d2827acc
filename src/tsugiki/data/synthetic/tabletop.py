"""What the three dishes share: the table, what the food lies on, and the things around it.

None of it depends on the dish, so that nothing here gives the class away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsugiki.data.synthetic.canvas import Canvas, Colour, Paint, View, blob, capsule, rectangle, shift
from tsugiki.data.synthetic.grain import Grain

SURFACES: tuple[tuple[Colour, Colour, Grain], ...] = (
    ((176, 128, 84), (120, 78, 44), "wood"),
    ((112, 76, 50), (66, 42, 28), "wood"),
    ((222, 204, 176), (186, 160, 124), "wood"),
    ((66, 62, 62), (44, 40, 42), "cloudy"),
    ((228, 226, 222), (190, 188, 188), "cloudy"),
    ((236, 232, 224), (206, 198, 184), "weave"),
    ((196, 52, 44), (232, 224, 214), "checks"),
    ((52, 84, 128), (226, 226, 226), "checks"),
    ((214, 196, 160), (150, 52, 44), "stripes"),
    ((86, 116, 88), (62, 88, 66), "weave"),
    ((156, 50, 44), (116, 30, 30), "weave"),
    ((216, 150, 84), (190, 116, 58), "cloudy"),
    ((48, 70, 92), (30, 46, 66), "weave"),
    ((206, 188, 164), (176, 156, 132), "fine"),
)

PLATES: tuple[Colour, ...] = (
    (238, 236, 230), (244, 242, 240), (52, 50, 54), (92, 116, 134),
    (190, 168, 140), (140, 70, 50), (224, 214, 190), (70, 92, 78),
)  # fmt: skip

SAUCES: tuple[Colour, ...] = ((54, 26, 18), (172, 38, 24), (226, 186, 70), (240, 234, 216), (84, 120, 50), (110, 54, 28))


def lay_table(canvas: Canvas, rng: np.random.Generator) -> None:
    """The surface that everything lies on, sometimes with a cloth across a part of it."""
    canvas.cover(_surface(rng), turn=rng.uniform(0, 2 * np.pi), stretch=rng.uniform(0.7, 1.6))
    if rng.random() < 0.25:
        middle = canvas.size / 2
        away = View((middle, middle), canvas.size, turn=rng.uniform(0, 2 * np.pi)).at(rng.uniform(0.4, 0.8), 0)
        canvas.polygon(away.project(rectangle(1, 3)), _surface(rng), rise=3)


def _surface(rng: np.random.Generator) -> Paint:
    colour, second, grain = SURFACES[int(rng.integers(len(SURFACES)))]
    return Paint(shift(rng, colour, 16), shift(rng, second, 16), grain)


def serve_on(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A plate, a board, a slate, paper, or nothing at all."""
    (_plate, _plate, _board, _slab, _nothing)[int(rng.integers(5))](canvas, view, rng)


def _plate(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour = shift(rng, PLATES[int(rng.integers(len(PLATES)))], 8)
    radius = rng.uniform(1.15, 1.5)
    shade: Colour = tuple(int(value * 0.92) for value in colour)  # type: ignore[assignment]
    canvas.polygon(view.project(blob(rng, radius=radius, wobble=0)), Paint(colour, shade, "cloudy"), rise=14)
    canvas.polygon(view.project(blob(rng, radius=radius * 0.78, wobble=0)), Paint(shade, colour, "cloudy"), soft=2)
    canvas.polygon(view.project(blob(rng, radius=radius * 0.74, wobble=0)), Paint(colour))


def _board(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour, second, _ = SURFACES[int(rng.integers(3))]
    paint = Paint(shift(rng, colour, 14), shift(rng, second, 14), "wood")
    lying = view.at(0, 0, turn=rng.uniform(0, np.pi))
    if rng.random() < 0.5:
        shape = blob(rng, radius=rng.uniform(1.15, 1.4), wobble=0.005)
    else:
        shape = rectangle(rng.uniform(2.3, 3), rng.uniform(1.9, 2.4))
    canvas.polygon(lying.project(shape), paint, rise=16)


def _slab(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour: Colour = ((48, 46, 50), (226, 220, 206), (60, 46, 38), (130, 128, 126))[int(rng.integers(4))]
    lying = view.at(0, 0, turn=rng.uniform(0, np.pi))
    shape = rectangle(rng.uniform(2.3, 3), rng.uniform(1.6, 2.3))
    canvas.polygon(lying.project(shape), Paint(shift(rng, colour), shift(rng, colour, 20), "cloudy"), rise=8)


def _nothing(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    del canvas, view, rng


def scatter_things(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Up to four things around the dish, partly out of the picture."""
    for _ in range(int(rng.integers(0, 5))):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(1.25, 1.9)
        thing = THINGS[int(rng.integers(len(THINGS)))]
        thing(canvas, view.at(away * np.cos(angle), away * np.sin(angle), turn=rng.uniform(0, 2 * np.pi)), rng)


def _stick(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour: Colour = ((150, 92, 50), (60, 30, 26), (196, 168, 120), (190, 190, 194))[int(rng.integers(4))]
    for place in (-0.06, 0.07)[: int(rng.integers(1, 3))]:
        side = view.at(0, place, turn=rng.normal(0, 0.03))
        canvas.polygon(side.project(capsule(2.4, 0.06)), Paint(colour), rise=14)


def _fork(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    steel = Paint(shift(rng, (186, 186, 190), 14), (120, 120, 126), "cloudy")
    canvas.polygon(view.project(capsule(1.3, 0.09)), steel, rise=10)
    head = view.at(0.8, 0)
    canvas.polygon(head.project(capsule(0.3, 0.24)), steel, rise=10)
    for place in (-0.09, -0.03, 0.03, 0.09):
        canvas.polygon(head.at(0.22, place).project(capsule(0.34, 0.035)), steel, rise=10)


def _knife(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    handle = Paint(((40, 36, 36), (120, 76, 46), (180, 180, 184))[int(rng.integers(3))])
    canvas.polygon(view.at(-0.55, 0).project(capsule(0.8, 0.13)), handle, rise=14)
    blade = np.array([[-0.15, -0.06], [0.7, -0.06], [0.95, 0.02], [0.9, 0.07], [-0.15, 0.07]])
    canvas.polygon(view.project(blade), Paint((204, 206, 210), (150, 152, 158), "cloudy"), rise=8)


def _bowl(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.26, 0.42)
    colour = shift(rng, PLATES[int(rng.integers(len(PLATES)))])
    canvas.polygon(view.project(blob(rng, radius=radius, wobble=0)), Paint(colour), rise=40)
    sauce = SAUCES[int(rng.integers(len(SAUCES)))]
    canvas.polygon(view.project(blob(rng, radius=radius * 0.8, wobble=0)), Paint(shift(rng, sauce)), rise=-12)
    canvas.polygon(view.at(-radius / 4, -radius / 4).project(blob(rng, radius=radius / 6)), Paint((250, 246, 236)), soft=2)


def _glass(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    radius = rng.uniform(0.3, 0.42)
    drink: Colour = ((198, 210, 214), (120, 30, 40), (214, 160, 60), (230, 226, 216))[int(rng.integers(4))]
    canvas.polygon(view.project(blob(rng, radius=radius, wobble=0)), Paint((214, 220, 222)), rise=60)
    canvas.polygon(view.project(blob(rng, radius=radius * 0.88, wobble=0)), Paint(shift(rng, drink)))
    canvas.polygon(
        view.at(radius / 3, -radius / 3).project(capsule(radius * 0.6, radius * 0.14)), Paint((252, 252, 252)), soft=2
    )


def tomato(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A cherry tomato, or a few."""
    for _ in range(int(rng.integers(1, 4))):
        place = view.at(*rng.normal(0, 0.16, 2))
        canvas.polygon(
            place.project(blob(rng, radius=rng.uniform(0.1, 0.16))), Paint(shift(rng, (200, 44, 30))), rise=20, dome=30
        )
        canvas.polygon(place.at(-0.03, -0.04).project(blob(rng, radius=0.025)), Paint((250, 226, 214)))


def lemon(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A slice of lemon or lime."""
    rind = ((232, 196, 60), (128, 164, 60))[int(rng.integers(2))]
    canvas.polygon(view.project(blob(rng, radius=0.22, wobble=0.01)), Paint(shift(rng, rind)), rise=14)
    canvas.polygon(view.project(blob(rng, radius=0.185, wobble=0.01)), Paint((246, 236, 178)))
    for part in range(8):
        slice_ = view.at(0, 0, turn=part * np.pi / 4).at(0.1, 0)
        canvas.polygon(slice_.project(capsule(0.13, 0.08)), Paint(shift(rng, rind, 6)))


def leaves(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A handful of green leaves."""
    for _ in range(int(rng.integers(3, 9))):
        leaf(canvas, view.at(*rng.normal(0, 0.2, 2), turn=rng.uniform(0, 2 * np.pi)), rng)


def leaf(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """One green leaf."""
    green = shift(rng, (72, 118, 46), 18)
    tip = np.array([[-0.16, 0], [-0.06, -0.07], [0.06, -0.06], [0.17, 0], [0.06, 0.06], [-0.06, 0.07]])
    canvas.polygon(view.project(tip), Paint(green, shift(rng, (46, 84, 32)), "mottled"), rise=10)
    canvas.polygon(view.project(capsule(0.3, 0.015)), Paint((150, 180, 110)))


def crumbs(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Crumbs, pepper or sesame, strewn about."""
    colour: Colour = ((60, 40, 30), (236, 222, 184), (150, 100, 56), (90, 120, 56))[int(rng.integers(4))]
    for _ in range(int(rng.integers(8, 24))):
        canvas.polygon(view.at(*rng.normal(0, 0.4, 2)).project(blob(rng, radius=0.022, corners=6)), Paint(colour), rise=6)


THINGS: tuple[Callable[[Canvas, View, np.random.Generator], None], ...] = (
    _stick, _stick, _fork, _knife, _bowl, _bowl, _glass, tomato, lemon, leaves, crumbs,
)  # fmt: skip
