"""Pizza: a round of dough or some slices of it, sauce, cheese, and whatever goes on top."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tsugiki.data.synthetic.canvas import Canvas, Colour, Paint, View, blob, capsule, rectangle, sector, shift
from tsugiki.data.synthetic.tabletop import leaf

CHEESES: tuple[tuple[Colour, Colour], ...] = (
    ((234, 190, 96), (206, 110, 48)),
    ((240, 214, 150), (222, 140, 70)),
    ((226, 150, 70), (170, 60, 30)),
    ((204, 84, 44), (238, 196, 120)),
    ((196, 176, 92), (120, 128, 52)),
    ((244, 228, 190), (206, 160, 96)),
)


def draw_pizza(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A whole pizza, one with slices missing, or a slice or two."""
    start = rng.uniform(0, 2 * np.pi)
    eighths = int(rng.choice([16, 7, 6, 5, 2, 1], p=[0.5, 0.16, 0.1, 0.06, 0.08, 0.1]))
    if eighths > 8:
        _draw_piece(canvas, view, (start, start + 2 * np.pi), rng)
    elif eighths > 2:
        _draw_piece(canvas, view, (start, start + eighths * np.pi / 4), rng)
    else:
        for place in range(eighths):
            half = rng.uniform(0.3, 0.45)
            lying = view.at(rng.normal(0, 0.08), place * 0.75 - 0.35 * (eighths - 1), turn=rng.normal(0, 0.25))
            _draw_piece(canvas, lying.at(-1.0, 0, scale=1.9), (-half, half), rng)


def _draw_piece(canvas: Canvas, view: View, angles: tuple[float, float], rng: np.random.Generator) -> None:
    def piece(radius: float, wobble: float) -> np.ndarray:
        if angles[1] - angles[0] > 6.2:
            return view.project(blob(rng, radius=radius, wobble=wobble))
        return view.project(sector(rng, *angles, radius=radius, wobble=wobble))

    crust, char = shift(rng, (206, 150, 88), 18), shift(rng, (130, 76, 40), 16)
    canvas.polygon(piece(1.0, 0.02), Paint(crust, char, "mottled"), rise=22, soft=2, dome=16)
    rim = rng.uniform(0.8, 0.9)
    canvas.polygon(piece(rim, 0.03), Paint(shift(rng, (178, 60, 30)), shift(rng, (140, 36, 20)), "fine"), rise=-8, soft=2)
    colour, second = CHEESES[int(rng.integers(len(CHEESES)))]
    canvas.polygon(piece(rim * 0.96, 0.04), Paint(shift(rng, colour), shift(rng, second), "mottled"), rise=6, soft=2)
    for topping in rng.choice(len(TOPPINGS), size=int(rng.integers(1, 4)), replace=False):
        _strew(canvas, view, (angles, rim), TOPPINGS[int(topping)], rng)
    if angles[1] - angles[0] > 6.2 and rng.random() < 0.5:
        _cut(canvas, view, rng)


Topping = Callable[[Canvas, View, np.random.Generator], None]


def _strew(
    canvas: Canvas, view: View, where: tuple[tuple[float, float], float], topping: Topping, rng: np.random.Generator
) -> None:
    (start, stop), rim = where
    count = max(2, int(rng.uniform(8, 20) * (stop - start) / (2 * np.pi)))
    # One place per equal part of the angle, so that the toppings do not all lie in a heap.
    angles = start + (np.arange(count) + rng.uniform(0.2, 0.8, count)) * (stop - start) / count
    away = np.sqrt(rng.uniform(0.04, 1, count)) * (rim - 0.14)
    for angle, distance in zip(angles, away, strict=True):
        topping(canvas, view.at(distance * np.cos(angle), distance * np.sin(angle), turn=rng.uniform(0, 6.3)), rng)


def _cut(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    turn = rng.uniform(0, np.pi)
    for part in range(int(rng.integers(2, 5))):
        line = view.at(0, 0, turn=turn + part * np.pi / 4).project(rectangle(1.96, 0.018))
        canvas.polygon(line, Paint((110, 60, 34)), rise=-10)


def _salami(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    red = shift(rng, (168, 48, 34), 14)
    canvas.polygon(
        view.project(blob(rng, radius=rng.uniform(0.12, 0.16), wobble=0.03)), Paint(red, (206, 96, 70), "fine"), rise=8
    )


def _olive(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    dark = ((44, 36, 40), (88, 96, 44))[int(rng.integers(2))]
    canvas.polygon(view.project(blob(rng, radius=0.07, wobble=0.02)), Paint(dark), rise=12)
    canvas.polygon(view.project(blob(rng, radius=0.03)), Paint((200, 140, 80)), rise=-10)


def _mushroom(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    flesh = shift(rng, (222, 204, 172))
    cap = blob(rng, radius=0.12, wobble=0.04) * [1, 0.62]
    canvas.polygon(view.project(cap), Paint(flesh, (150, 116, 82), "mottled"), rise=8)
    canvas.polygon(view.at(0, 0.09).project(rectangle(0.07, 0.12)), Paint(flesh), rise=6)


def _pepper(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour: Colour = ((74, 128, 50), (206, 50, 34), (228, 176, 44))[int(rng.integers(3))]
    canvas.polygon(view.project(capsule(0.26, 0.05)), Paint(shift(rng, colour)), rise=12)


def _mozzarella(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    milk = shift(rng, (246, 236, 212), 8)
    canvas.polygon(
        view.project(blob(rng, radius=rng.uniform(0.1, 0.2), wobble=0.14)),
        Paint(milk, (232, 204, 150), "cloudy"),
        rise=6,
        soft=2,
    )


def _ham(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    canvas.polygon(view.project(rectangle(0.17, 0.14)), Paint(shift(rng, (222, 140, 128)), (204, 110, 100), "mottled"), rise=8)


def _tomato_slice(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    canvas.polygon(view.project(blob(rng, radius=0.13)), Paint(shift(rng, (202, 50, 34))), rise=8)
    canvas.polygon(view.project(blob(rng, radius=0.09)), Paint((222, 100, 70), (236, 180, 120), "fine"))


TOPPINGS: tuple[Topping, ...] = (_salami, _salami, _olive, _mushroom, _pepper, _mozzarella, _ham, _tomato_slice, leaf)
