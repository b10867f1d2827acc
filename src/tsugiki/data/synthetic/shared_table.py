"""A table for several: up to three dishes in one photo, and now and then none, for who wants to learn several labels at once.

Places, plates, things, camera and light are drawn alike whatever is eaten, so that neither the number of dishes nor an empty
plate tells which they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tsugiki.data.synthetic.camera import CANVAS_SIZE, develop, expose
from tsugiki.data.synthetic.canvas import Canvas, View
from tsugiki.data.synthetic.tabletop import lay_table, scatter_things, serve_on

Dishes = Mapping[str, Callable[[Canvas, View, np.random.Generator], None]]

_HOW_MANY = (0.12, 0.36, 0.32, 0.2)
"""How often a table has none of the dishes, one, two, three."""

_EMPTY_PLATES = 0.4  # of the places without a dish
_AWAY = 1.55  # of the middle, in units of a dish


def draw_shared_table(dishes: Dishes, rng: np.random.Generator) -> tuple[bytes, tuple[str, ...]]:
    """One photo as JPEG, and the names of the dishes on it.

    Args:
        dishes: Those that there are, and what draws each.
        rng: Decides everything.
    """
    count = int(rng.choice(len(_HOW_MANY), p=_HOW_MANY))
    served = [list(dishes)[place] for place in sorted(rng.choice(len(dishes), size=count, replace=False))]
    canvas, middle = Canvas(CANVAS_SIZE, rng), _aim(rng)
    places = _places(middle, len(dishes), rng)
    lay_table(canvas, rng)
    for number, place in enumerate(places):
        if number < count or rng.random() < _EMPTY_PLATES:
            serve_on(canvas, place, rng)
    scatter_things(canvas, middle.at(0, 0, scale=1.6), rng)
    # The camera looks from the front: what lies behind is drawn first.
    for name, place in sorted(zip(served, places, strict=False), key=lambda one: one[1].centre[1]):
        dishes[name](canvas, place, rng)
    return develop(expose(canvas, rng), rng), tuple(served)


def _aim(rng: np.random.Generator) -> View:
    """The middle of the table, from rather far away."""
    centre = CANVAS_SIZE / 2 + rng.normal(0, 0.03 * CANVAS_SIZE, 2)
    scale = CANVAS_SIZE * rng.uniform(0.165, 0.2)
    return View((centre[0], centre[1]), scale, turn=rng.uniform(0, 2 * np.pi), squash=rng.uniform(0.75, 1.0))


def _places(middle: View, count: int, rng: np.random.Generator) -> list[View]:
    """Where people sit around the table, in no order."""
    angles = (rng.permutation(count) + rng.uniform(-0.08, 0.08, count)) * 2 * np.pi / count
    away = _AWAY * rng.uniform(0.9, 1.08, count)
    turns = rng.uniform(0, 2 * np.pi, count)
    return [
        middle.at(far * np.cos(angle), far * np.sin(angle), turn=turn)
        for angle, far, turn in zip(angles, away, turns, strict=True)
    ]
