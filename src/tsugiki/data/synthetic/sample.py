"""Samples: data sets that the program draws by itself, so that everything can be tried without a network.

``sample:foodvision`` stands in for the articles' photos of pizza, steak and sushi, with their 225 photos to learn from and 75
held out. Surfaces, plates, things on the table, light and lens are drawn alike for all three dishes, so that colour alone tells
little: it is shape and texture that a network must have learned to see. ``sample:table`` has up to three of these dishes in one
photo, and a table of which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tsugiki.core.errors import UnknownName
from tsugiki.core.files import atomic_folder, cache_folder, cache_place
from tsugiki.core.threads import ContextThreadPool
from tsugiki.data.label_sets import SEPARATOR, joined
from tsugiki.data.synthetic.camera import CANVAS_SIZE, aim, develop, expose
from tsugiki.data.synthetic.canvas import Canvas, View
from tsugiki.data.synthetic.pizza import draw_pizza
from tsugiki.data.synthetic.shared_table import draw_shared_table
from tsugiki.data.synthetic.steak import draw_steak
from tsugiki.data.synthetic.sushi import draw_sushi
from tsugiki.data.synthetic.tabletop import lay_table, scatter_things, serve_on
from tsugiki.locale.messages import tr

SAMPLE_VERSION = 1
"""Raised whenever a photo changes: other bytes are another data set."""

SAMPLES = ("foodvision", "table")
"""What ``sample:NAME`` can be."""

PHOTOS_PER_CLASS = {"train": 75, "test": 25}
TABLES = {"train": 225, "test": 75}

DISHES: dict[str, Callable[[Canvas, View, np.random.Generator], None]] = {
    "pizza": draw_pizza,
    "steak": draw_steak,
    "sushi": draw_sushi,
}


def describe_samples() -> dict[str, str]:
    """Every sample's name and what it is, in the language in use."""
    return {
        "foodvision": tr("pizza, steak and sushi drawn by the program: 225 photos to train on, 75 held out"),
        "table": tr(
            "tables with none to three of these dishes, for several labels per photo: 225 photos to train on, 75 held out"
        ),
    }


def sample_folder(name: str = "foodvision") -> Path:
    """The folder of a sample, drawn at the first call and found again afterwards.

    Args:
        name: One of :data:`SAMPLES`.

    Returns:
        A folder with ``train`` and ``test``, each with one folder per class; of ``table`` one with ``labels.csv``.

    Raises:
        UnknownName: When there is no such sample.
    """
    if name not in SAMPLES:
        raise UnknownName(tr("There is no sample {name}.", name=name), name=name, known=SAMPLES)
    folder = cache_folder() / "samples" / f"{name}-{SAMPLE_VERSION}"
    if not folder.is_dir():
        folder = cache_place("samples") / folder.name
    if not folder.is_dir():
        with atomic_folder(folder) as temporary:
            {"foodvision": _draw_all, "table": _draw_tables}[name](temporary)
    return folder


def draw_photo(dish: str, number: int) -> bytes:
    """One photo of ``dish`` as JPEG; the same number gives the same photo.

    Raises:
        KeyError: When there is no such dish.
    """
    draw = DISHES[dish]
    rng = np.random.default_rng([SAMPLE_VERSION, list(DISHES).index(dish), number])
    canvas, view = Canvas(CANVAS_SIZE, rng), aim(rng)
    lay_table(canvas, rng)
    serve_on(canvas, view, rng)
    scatter_things(canvas, view, rng)
    draw(canvas, view, rng)
    return develop(expose(canvas, rng), rng)


def _draw_all(folder: Path) -> None:
    for path, _, _ in _plan():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
    # Two threads are what pays: Pillow works outside of Python's lock, the rest does not.
    with ContextThreadPool(2) as pool:
        list(pool.map(partial(_write_photo, folder), _plan()))


def _plan() -> Iterator[tuple[str, str, int]]:
    """Path, dish and number of every photo."""
    for dish in DISHES:
        number = 0
        for split, count in PHOTOS_PER_CLASS.items():
            for place in range(count):
                yield f"{split}/{dish}/{dish}-{place + 1:03}.jpg", dish, number
                number += 1


def draw_table(number: int) -> tuple[bytes, tuple[str, ...]]:
    """One photo of ``sample:table`` as JPEG, and what is on it; the same number gives the same photo."""
    return draw_shared_table(DISHES, np.random.default_rng([SAMPLE_VERSION, len(DISHES), number]))


def _draw_tables(folder: Path) -> None:
    splits = [split for split, count in TABLES.items() for _ in range(count)]
    (folder / "photos").mkdir()
    with ContextThreadPool(2) as pool:
        drawn = list(pool.map(draw_table, range(len(splits))))
    rows = ["path,label,split"]
    for number, (split, (photo, dishes)) in enumerate(zip(splits, drawn, strict=True), start=1):
        name = f"photos/table-{number:03}.jpg"
        (folder / name).write_bytes(photo)
        rows.append(f"{name},{joined(dishes) or SEPARATOR},{split}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_photo(folder: Path, photo: tuple[str, str, int]) -> None:
    path, dish, number = photo
    (folder / path).write_bytes(draw_photo(dish, number))
