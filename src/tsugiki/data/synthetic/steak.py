"""Steak: one piece of meat, or a piece that was sliced, with a grill's marks and what is eaten with it."""

from __future__ import annotations

import numpy as np

from tsugiki.data.synthetic.canvas import Canvas, Colour, Paint, Points, View, blob, capsule, rectangle, shift
from tsugiki.data.synthetic.tabletop import leaf, leaves, lemon, tomato

CRUSTS: tuple[tuple[Colour, Colour], ...] = (
    ((104, 62, 40), (60, 34, 24)),
    ((134, 82, 50), (82, 46, 28)),
    ((82, 50, 38), (40, 26, 22)),
    ((160, 104, 64), (98, 56, 32)),
    ((120, 56, 40), (70, 32, 24)),
)

INSIDES: tuple[tuple[Colour, Colour], ...] = (
    ((186, 70, 66), (208, 116, 100)),
    ((204, 118, 104), (224, 160, 136)),
    ((166, 108, 86), (190, 144, 118)),
)


def draw_steak(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """A steak and what is eaten with it."""
    if rng.random() < 0.3:
        _pour_sauce(canvas, view, rng)
    for _ in range(int(rng.integers(0, 2))):
        _side_dish(canvas, view, rng)
    if rng.random() < 0.3:
        _draw_slices(canvas, view, rng)
    else:
        _draw_whole(canvas, view, rng)
    _finish(canvas, view, rng)


def _cut_of_meat(rng: np.random.Generator) -> Points:
    long, wide = rng.uniform(0.85, 1.05), rng.uniform(0.5, 0.78)
    outline = blob(rng, radius=1.0, wobble=0.11, corners=50) * [long, wide]
    # A strip tapers to one end.
    outline[:, 1] *= 1 - rng.uniform(0, 0.4) * (outline[:, 0] + 1) / 2
    return outline


def _draw_whole(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    outline = _cut_of_meat(rng)
    colour, second = CRUSTS[int(rng.integers(len(CRUSTS)))]
    fat = shift(rng, (206, 172, 120), 14)
    if rng.random() < 0.6:
        canvas.polygon(view.at(0.0, -0.07).project(outline), Paint(fat, second, "mottled"), rise=26, soft=2)
    canvas.polygon(view.project(outline), Paint(shift(rng, colour), shift(rng, second), "mottled"), rise=34, soft=2, dome=26)
    for _ in range(int(rng.integers(0, 4))):
        vein = view.at(*rng.normal(0, 0.25, 2), turn=rng.uniform(0, np.pi))
        canvas.polygon(vein.project(blob(rng, radius=0.16, wobble=0.2) * [1.6, 0.25]), Paint(fat, colour, "mottled"))
    if rng.random() < 0.7:
        _grill(canvas, view, outline, rng)


def _grill(canvas: Canvas, view: View, outline: Points, rng: np.random.Generator) -> None:
    burnt = Paint(shift(rng, (34, 22, 18), 6))
    turns = [rng.uniform(0.4, 1.2)] if rng.random() < 0.6 else [0.7, -0.7]
    for turn in turns:
        across = np.array([np.cos(turn), np.sin(turn)])
        reach = outline @ across
        for place in np.arange(reach.min() + 0.14, reach.max() - 0.1, rng.uniform(0.19, 0.26)):
            near = outline[np.abs(reach - place) < 0.08]
            if len(near) > 1:
                ends = near @ np.array([-across[1], across[0]])
                bar = view.at(*(across * place), turn=turn + np.pi / 2).at((ends.min() + ends.max()) / 2, 0)
                canvas.polygon(bar.project(capsule(np.ptp(ends) * 0.84, 0.065)), burnt, rise=-8)


def _draw_slices(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour, second = CRUSTS[int(rng.integers(len(CRUSTS)))]
    inside, streak = INSIDES[int(rng.integers(len(INSIDES)))]
    count = int(rng.integers(6, 10))
    width = 1.9 / count
    lean = rng.normal(0, 0.15)
    for place in range(count):
        tall = rng.uniform(0.8, 1.05) * (1 - 0.3 * abs(place / count - 0.45))
        lying = view.at(-0.9 + place * width, rng.normal(0, 0.03), turn=np.pi / 2 + lean + rng.normal(0, 0.05))
        shape = capsule(tall, width * 1.35) * rng.normal(1, 0.03, (20, 1))
        canvas.polygon(lying.project(shape), Paint(shift(rng, colour), shift(rng, second), "mottled"), rise=26)
        flesh = Paint(shift(rng, inside, 8), shift(rng, streak, 8), "mottled")
        canvas.polygon(lying.at(0, -width * 0.12).project(shape * [0.9, 0.66]), flesh, rise=4, soft=2)


def _pour_sauce(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    colour: Colour = ((84, 40, 22), (140, 60, 26), (196, 150, 80), (110, 130, 60))[int(rng.integers(4))]
    canvas.polygon(view.project(blob(rng, radius=0.95, wobble=0.1)), Paint(shift(rng, colour)), rise=2, soft=2)


def _side_dish(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    angle = rng.uniform(0, 2 * np.pi)
    place = view.at(0.95 * np.cos(angle), 0.85 * np.sin(angle), turn=rng.uniform(0, 2 * np.pi))
    (_fries, _asparagus, _potatoes, tomato, leaves, lemon)[int(rng.integers(6))](canvas, place, rng)


def _fries(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(8, 18))):
        lying = view.at(*rng.normal(0, 0.18, 2), turn=rng.uniform(0, np.pi))
        canvas.polygon(lying.project(rectangle(0.48, 0.085)), Paint(shift(rng, (226, 176, 84), 14)), rise=16)


def _asparagus(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    for place in range(int(rng.integers(3, 6))):
        lying = view.at(0, place * 0.1 - 0.2, turn=rng.normal(0, 0.08))
        canvas.polygon(lying.project(capsule(1.1, 0.08)), Paint(shift(rng, (104, 140, 62)), (70, 100, 44), "mottled"), rise=18)


def _potatoes(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(2, 5))):
        shape = blob(rng, radius=0.19, wobble=0.06) * [1.25, 1]
        lying = view.at(*rng.normal(0, 0.22, 2), turn=rng.uniform(0, np.pi))
        canvas.polygon(lying.project(shape), Paint(shift(rng, (220, 176, 100)), (170, 116, 58), "mottled"), rise=26, dome=30)


def _finish(canvas: Canvas, view: View, rng: np.random.Generator) -> None:
    """Butter, rosemary, coarse pepper: perhaps."""
    if rng.random() < 0.25:
        butter = view.at(*rng.normal(0, 0.15, 2))
        canvas.polygon(
            butter.project(blob(rng, radius=0.15, wobble=0.05)),
            Paint((244, 226, 150), (150, 170, 90), "spots"),
            rise=16,
            soft=1,
            dome=20,
        )
    if rng.random() < 0.4:
        sprig = view.at(*rng.normal(0, 0.2, 2), turn=rng.uniform(0, np.pi))
        for place in range(int(rng.integers(1, 7))):
            leaf(canvas, sprig.at(place * 0.07 - 0.2, 0, turn=(-1) ** place * 0.9, scale=0.8), rng)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(6, 22))):
            grain = view.at(*(rng.normal(0, 0.3, 2) * [1, 0.6]))
            canvas.polygon(
                grain.project(blob(rng, radius=0.02, corners=6)),
                Paint((226, 214, 196) if rng.random() < 0.4 else (30, 24, 22)),
                rise=8,
            )
