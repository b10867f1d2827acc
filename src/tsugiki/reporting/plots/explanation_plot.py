"""One picture that says why: what the model sees, which parts speak for its answer, and the training photos nearest to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.classifier.answer import Prediction
from tsugiki.classifier.classifier import Classifier
from tsugiki.classifier.predict import predict_files
from tsugiki.core.display.visible import visible
from tsugiki.core.errors import UnknownName
from tsugiki.data.images.decode import open_photo
from tsugiki.inspection.attribution import Attribution, attribute
from tsugiki.inspection.nearest_photos import NearPhoto, nearest_photos
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, VERMILION, Picture, check_picture, encoded, picture, save_picture
from tsugiki.reporting.plots.fonts import drawn, legible, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

_LARGEST_SIDE = 320


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a photo was answered as it was.

    Attributes:
        prediction: The answer.
        asked: The class that is explained: the answer's, or another one that was asked for.
        frame: ``[H, W, 3]`` uint8, the part of the photo that the network sees.
        attribution: Where in it the evidence lies.
        near: Nearest training photos, where the data set was given.
    """

    prediction: Prediction
    asked: str
    frame: npt.NDArray[np.uint8]
    attribution: Attribution
    near: tuple[NearPhoto, ...] = ()

    def __repr__(self) -> str:
        answer = f"{self.prediction.label} {self.prediction.probability:.1%}"
        return visible(f"<Explanation: {answer}; the evidence for {self.asked}, by {self.attribution.method}>", one_line=True)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """The picture, for a notebook."""
        kind, picture_bytes = encoded(draw_explanation(self))
        return {kind: picture_bytes, "text/plain": repr(self)}

    def save(self, path: str | Path) -> Path:
        """Write the picture in the format that the ending of ``path`` names; returns the path.

        Raises:
            RequestError: When its ending names no format, or a folder or the photo itself is there.
        """
        target = check_picture(Path(path), [Path(self.prediction.name)])
        save_picture(draw_explanation(self), target)
        return target

    def to_dict(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Plain values, for JSON; ``region`` holds nine tenths of the evidence: left, top, right, bottom as shares."""
        return {
            **self.prediction.to_dict(classes),
            "explained": self.asked,
            "method": self.attribution.method,
            "region": _region(self.attribution.heat),
            "nearest": [{"path": str(one.path), "label": one.label, "similarity": one.similarity} for one in self.near],
        }


def explain(
    classifier: Classifier, photo: str | Path, *, label: str | None = None, near: Sequence[NearPhoto] = ()
) -> Explanation:
    """Ask a classifier about one photo, and why.

    Args:
        classifier: Is left as it was.
        photo: A file.
        label: The class to explain; the answer's when left out.
        near: From :func:`tsugiki.inspection.nearest_photos.nearest_photos`.

    Raises:
        UnreadablePhoto: When the photo cannot be read.
        UnknownName: When there is no such class.
    """
    seen = classifier.preprocess.pixels(open_photo(photo))
    (prediction,) = predict_files(classifier, [Path(photo)])
    asked = prediction.label if label is None else label
    if asked not in classifier.classes:
        raise UnknownName(tr("The classifier has no class {name}.", name=repr(asked)), name=asked, known=classifier.classes)
    found = attribute(classifier, classifier.preprocess.normalise(seen), classifier.classes.index(asked))
    return Explanation(prediction, asked, seen.permute(1, 2, 0).numpy(), found, tuple(near))


def explain_with_neighbours(
    classifier: Classifier, photo: str | Path, *, label: str | None = None, data: Any = None
) -> Explanation:
    """What :meth:`tsugiki.Classifier.explain` promises.

    Args:
        classifier: Is left as it was.
        photo: A file.
        label: The class to explain; the answer's when left out.
        data: What the classifier was trained on: adds the training photos most like this one.
    """
    near = [] if data is None else nearest_photos(classifier, Path(photo), data)
    return explain(classifier, photo, label=label, near=near)


def draw_explanation(explanation: Explanation) -> Picture:
    """What the model sees, the same with its evidence lit up, and the nearest training photos below."""
    names = [explanation.asked, explanation.prediction.label, *(one.label for one in explanation.near)]
    near = explanation.near
    with legible(names):
        figure = picture(8, 4.6 + (1.9 if near else 0))
        if not near:
            _draw_attribution(figure, explanation)
            return figure
        above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(4.6, 1.9))).tolist()
        _draw_attribution(above, explanation)
        _draw_near(below, near, explanation.prediction.label)
    return figure


def _draw_attribution(part: FigureBase, explanation: Explanation) -> None:
    left, right = part.subplots(1, 2)
    heat = explanation.attribution.heat
    _show(left, explanation.frame, tr("What the model sees"))
    _show(right, _lit(explanation.frame, heat), _attribution_title(explanation))
    if heat.any():
        right.contour(heat, levels=[0.5], colors="white", linewidths=1.2)
    part.suptitle(_answer(explanation.prediction))


def _draw_near(part: FigureBase, near: Sequence[NearPhoto], answer: str) -> None:
    part.suptitle(tr("The training photos most like it"), fontsize=10)
    grid = np.ravel(part.subplots(1, max(5, len(near)), squeeze=False))
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, near, strict=False):
        _show_near(axes, one, answer)


def _answer(prediction: Prediction) -> str:
    name, chance = drawn(shorten(prediction.label, 28)), f"{prediction.probability:.1%}"
    if prediction.known:
        return tr("Answer: {name}, {chance}", name=name, chance=chance)
    return tr(
        "Not sure: less like the training photos than 95% of them (nearest class {name}, {chance})", name=name, chance=chance
    )


def _attribution_title(explanation: Explanation) -> str:
    name = drawn(shorten(explanation.asked, 24))
    if not explanation.attribution.heat.any():
        return tr("Nothing speaks for {name}", name=name)
    return tr("What speaks for {name} ({method})", name=name, method=explanation.attribution.method)


def _lit(frame: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """The photo in grey, its evidence in colour: dark to yellow, readable without telling red from green."""
    from matplotlib import colormaps

    grey = frame.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.75
    colour = colormaps["inferno"](0.25 + 0.7 * heat)[..., :3] * 255
    share = 0.7 * heat[..., None]
    return np.asarray(grey * (1 - share) + colour * share, np.uint8)


def _show(axes: Axes, pixels: npt.NDArray[np.uint8], title: str) -> None:
    axes.imshow(pixels)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _show_near(axes: Axes, one: NearPhoto, answer: str) -> None:
    photo = open_photo(one.path)
    photo.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BICUBIC)
    axes.imshow(photo)
    mark, colour = ("✓", BLUE) if one.label == answer else ("✗", VERMILION)
    axes.set_title(f"{mark} {drawn(shorten(one.label, 14))}\n{one.similarity:.2f}", fontsize=8, color=colour)


def _region(heat: npt.NDArray[np.float32]) -> list[float] | None:
    """The smallest upright box, cut evenly from all sides, that holds nine tenths of the evidence."""
    if not heat.any():
        return None
    ends = []
    for axis in (0, 1):
        part = np.cumsum(heat.sum(axis=axis, dtype=np.float64))
        inside = np.searchsorted(part / part[-1], [0.05, 0.95])
        ends.append((inside / len(part)).tolist())
    (left, right), (top, bottom) = ends
    return [round(value, 3) for value in (left, top, min(1.0, right), min(1.0, bottom))]
