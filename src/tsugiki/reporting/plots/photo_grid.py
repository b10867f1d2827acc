"""A grid of photos, each in a frame with words above it: right and wrong are told apart by a mark as well as by colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.data.images.decode import PhotoSource, open_photo
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, GREY, VERMILION, Picture, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LARGEST_SIDE = 480
_TALL = 2.8  # inches of a photo with up to two lines of words
_LINE = 0.2  # inches of every further line


@dataclass(frozen=True)
class Framed:
    """One photo of a grid.

    Attributes:
        photo: Any photo, or where to read it.
        title: The words above it.
        colour: Of words and frame.
        line: Of the frame, as matplotlib names styles.
    """

    photo: PhotoSource
    title: str
    colour: str
    line: Any

    @classmethod
    def right(cls, photo: PhotoSource, answer: str) -> Framed:
        """An answer that is right."""
        return cls(photo, f"✓ {answer}", BLUE, "-")

    @classmethod
    def wrong(cls, photo: PhotoSource, answer: str) -> Framed:
        """An answer that is wrong, with what is right."""
        return cls(photo, f"✗ {answer}", VERMILION, (0, (3, 2.5)))

    @classmethod
    def unjudged(cls, photo: PhotoSource, answer: str) -> Framed:
        """An answer of which nobody says whether it is right."""
        return cls(photo, answer, GREY, "-")

    @classmethod
    def unsure(cls, photo: PhotoSource, answer: str) -> Framed:
        """An answer that should not be used."""
        return cls(photo, f"? {answer}", GREY, (0, (1, 2)))


def draw_grid(photos: Sequence[Framed], columns: int) -> Picture:
    """The photos, row by row; within :func:`tsugiki.reporting.plots.fonts.legible`.

    Raises:
        RequestError: When there is no photo.
    """
    if not photos:
        raise RequestError(tr("There is no photo to draw."))
    wide = min(columns, len(photos))
    rows = -(-len(photos) // wide)
    lines = max(photo.title.count("\n") + 1 for photo in photos)
    figure = picture(2.5 * wide, (_TALL + _LINE * max(0, lines - 2)) * rows + 0.3)
    if lines > 2:
        figure.set_layout_engine(
            "constrained", h_pad=0.1
        )  # titles of three lines are laid out a little lower than they are tall
    grid = figure.subplots(rows, wide, squeeze=False).ravel()
    for axes, photo in zip(grid, photos, strict=False):
        show_photo(axes, open_photo(photo.photo))
        _frame(axes, photo)
    for axes in grid[len(photos) :]:
        axes.set_axis_off()
    return figure


def _frame(axes: Axes, photo: Framed) -> None:
    axes.set_title(photo.title, color=photo.colour, fontsize=10)
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    for edge in axes.spines.values():
        edge.set(color=photo.colour, linewidth=3, linestyle=photo.line)


def show_photo(axes: Axes, photo: Image.Image) -> None:
    """Draw one photo, not larger than it has to be."""
    small = photo.copy()
    small.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    axes.imshow(small)
    axes.set_axis_off()
