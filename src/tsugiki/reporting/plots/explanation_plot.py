"""One picture that says why: what the model sees, which parts speak for its answer, and the training photos nearest to it.

Where a photo may show any number of classes, each label has its own map. Letters: ``H`` x ``W`` pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
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
from tsugiki.data.joined_preprocess import frames_in
from tsugiki.data.label_sets import SEPARATOR, parted
from tsugiki.inspection.attribution import Attribution, attribute
from tsugiki.inspection.nearest_photos import NearPhoto, nearest_photos
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import BLUE, GREY, VERMILION, Picture, check_picture, encoded, picture, save_picture
from tsugiki.reporting.plots.fonts import drawn, legible, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

_LARGEST_SIDE = 320
_TOP = 3  # classes that are ranked in an answer
_MOST_LABELS = 4  # maps that one picture has room for
_MOST_LINES = 3  # labels above a training photo


@dataclass(frozen=True)
class Explained:
    """What speaks for one class.

    Attributes:
        label: The class.
        probability: Of it.
        attribution: Where in the photo the evidence lies.
    """

    label: str
    probability: float
    attribution: Attribution


@dataclass(frozen=True, repr=False)
class Explanation:
    """Why a photo was answered as it was.

    Attributes:
        prediction: The answer.
        explained: What speaks for the answer's class, or for another one that was asked for. Multi-label: for each label, the
            most probable first, four at most; where there is no label, for the most probable class.
        frame: ``[H, W, 3]`` uint8, the part of the photo that the network sees.
        near: Nearest training photos, where the data set was given.
    """

    prediction: Prediction
    explained: tuple[Explained, ...]
    frame: npt.NDArray[np.uint8]
    near: tuple[NearPhoto, ...] = ()

    @property
    def asked(self) -> str:
        """The class that is explained; the first of several."""
        return self.explained[0].label

    @property
    def attribution(self) -> Attribution:
        """Where the evidence for it lies."""
        return self.explained[0].attribution

    def __repr__(self) -> str:
        prediction = self.prediction
        answer = f"{prediction.label or 'none of the classes'} {prediction.probability:.1%}"
        asked = ", ".join(one.label for one in self.explained)
        return visible(f"<Explanation: {answer}; the evidence for {asked}, by {self.attribution.method}>", one_line=True)

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
        """Plain values, for JSON; ``region`` holds nine tenths of the evidence: left, top, right, bottom as shares.

        Multi-label: ``explained`` is a list of what is explained, each with its ``label`` and ``probability``.
        """
        return {
            **self.prediction.to_dict(classes),
            **self._explained(),
            "nearest": [{"path": str(one.path), "label": one.label, "similarity": one.similarity} for one in self.near],
        }

    def _explained(self) -> dict[str, Any]:
        found = [(one, {"method": one.attribution.method, "region": _region(one.attribution.heat)}) for one in self.explained]
        if self.prediction.labels is None:
            return {"explained": self.asked, **found[0][1]}
        return {"explained": [{"label": one.label, "probability": one.probability, **where} for one, where in found]}


def explain(
    classifier: Classifier, photo: str | Path, *, label: str | None = None, near: Sequence[NearPhoto] = ()
) -> Explanation:
    """Ask a classifier about one photo, and why.

    Args:
        classifier: Is left as it was.
        photo: A file.
        label: The class to explain; the answer's when left out, each of them where there are several.
        near: From :func:`tsugiki.inspection.nearest_photos.nearest_photos`.

    Raises:
        UnreadablePhoto: When the photo cannot be read.
        UnknownName: When there is no such class.
    """
    seen = classifier.preprocess.pixels(open_photo(photo))
    (prediction,) = predict_files(classifier, [Path(photo)], top=len(classifier.classes))
    # Every label has its percentage.
    prediction = replace(prediction, top=prediction.top[: max(_TOP, len(prediction.labels or ()))])
    if label is not None and label not in classifier.classes:
        raise UnknownName(tr("The classifier has no class {name}.", name=repr(label)), name=label, known=classifier.classes)
    inputs, explained = classifier.preprocess.normalise(seen), []
    for asked in _to_explain(prediction) if label is None else [label]:
        place = classifier.classes.index(asked)
        explained.append(Explained(asked, prediction.probabilities[place], attribute(classifier, inputs, place)))
    frame = frames_in(classifier.preprocess, seen)[0]
    return Explanation(prediction, tuple(explained), frame.permute(1, 2, 0).numpy(), tuple(near))


def _to_explain(prediction: Prediction) -> list[str]:
    """The answer's class; its labels; the most probable class where it has none."""
    if prediction.labels is None:
        return [prediction.label]
    return [*prediction.labels[:_MOST_LABELS]] or [prediction.top[0][0]]


def explain_with_neighbours(
    classifier: Classifier,
    photo: str | Path,
    *,
    label: str | None = None,
    data: Any = None,
    label_separator: str | None = None,
) -> Explanation:
    """What :meth:`tsugiki.Classifier.explain` promises.

    Args:
        classifier: Is left as it was.
        photo: A file.
        label: The class to explain; the answer's when left out, each of them where there are several.
        data: What the classifier was trained on: adds the training photos most like this one.
        label_separator: What stands between several labels of one photo there; what was said in training where it is left out.
    """
    near = [] if data is None else nearest_photos(classifier, Path(photo), data, label_separator=label_separator)
    return explain(classifier, photo, label=label, near=near)


def draw_explanation(explanation: Explanation) -> Picture:
    """What the model sees, the same with its evidence lit up, and the nearest training photos below."""
    prediction, near = explanation.prediction, explanation.near
    asked, shown = (one.label for one in explanation.explained), prediction.labels or ()
    names = [*asked, prediction.label, *shown, *(one.label for one in near)]
    rows, columns = _GRIDS[len(explanation.explained)]
    titles = 0.6 if prediction.labels is None else 0.7 + 0.3 * rows  # of two lines, and the answer may have two as well
    height = rows * 8 / columns + titles
    below = 1.9 if prediction.labels is None else 1.75 + 0.15 * max((len(_lines(one)) for one in near), default=0)
    with legible(names):
        figure = picture(8, height + (below if near else 0))
        if not near:
            _draw_attribution(figure, explanation)
            return figure
        above, below = np.asarray(figure.subfigures(2, 1, height_ratios=(height, below))).tolist()
        _draw_attribution(above, explanation)
        _draw_near(below, near, prediction)
    return figure


_GRIDS = {1: (1, 2), 2: (1, 3), 3: (2, 2), 4: (2, 3)}
"""Rows and columns of the photo and so many maps."""


def _draw_attribution(part: FigureBase, explanation: Explanation) -> None:
    first, *others = np.ravel(part.subplots(*_GRIDS[len(explanation.explained)])).tolist()
    _show(first, explanation.frame, tr("What the model sees"))
    for axes, one in zip_longest(others, explanation.explained):
        if one is None:
            axes.set_axis_off()
            continue
        heat = one.attribution.heat
        _show(axes, lit_up(explanation.frame, heat), _map_title(explanation.prediction, one))
        if heat.any():
            axes.contour(heat, levels=[0.5], colors="white", linewidths=1.2)
    part.suptitle(_answer(explanation.prediction))


def _draw_near(part: FigureBase, near: Sequence[NearPhoto], prediction: Prediction) -> None:
    part.suptitle(tr("The training photos most like it"), fontsize=10)
    grid = np.ravel(part.subplots(1, max(5, len(near)), squeeze=False))
    for axes in grid:
        axes.set_axis_off()
    for axes, one in zip(grid, near, strict=False):
        _show_near(axes, one, prediction)


def _answer(prediction: Prediction) -> str:
    if prediction.labels is not None:
        return _answer_of_sets(prediction)
    name, chance = drawn(shorten(prediction.label, 28)), f"{prediction.probability:.1%}"
    if prediction.known:
        return tr("Answer: {name}, {chance}", name=name, chance=chance)
    return tr(
        "Not sure: less like the training photos than 95% of them (nearest class {name}, {chance})", name=name, chance=chance
    )


def _answer_of_sets(prediction: Prediction) -> str:
    labels = prediction.labels or ()
    shown = [f"{drawn(shorten(name, 20))} {chance:.1%}" for name, chance in prediction.top if name in labels][:_MOST_LABELS]
    if len(labels) > _MOST_LABELS:
        shown.append("…")
    if not prediction.known:
        # Two lines: the names of several labels leave no room beside it.
        return "\n".join([tr("Not sure: less like the training photos than 95% of them"), ", ".join(shown)]).strip()
    if not shown:
        name, chance = prediction.top[0]
        return tr(
            "Answer: none of the classes (most probable: {name}, {chance})",
            name=drawn(shorten(name, 28)),
            chance=f"{chance:.1%}",
        )
    return tr("Answer: {labels}", labels=", ".join(shown))


def _map_title(prediction: Prediction, one: Explained) -> str:
    method, several = one.attribution.method, prediction.labels is not None
    name = drawn(shorten(one.label, 16 if several else 24))
    if not one.attribution.heat.any():
        title = tr("Nothing speaks for {name}", name=name)
    elif several:
        title = tr("What speaks for {name}", name=name)
    else:
        return tr("What speaks for {name} ({method})", name=name, method=method)
    if not several:
        return title
    chance = f"{one.probability:.1%}"
    if one.label not in (prediction.labels or ()):
        chance = tr("{chance}: not shown", chance=chance)
    return f"{title}\n{chance} ({method})"


def lit_up(frame: npt.NDArray[np.uint8], heat: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """A photo ``[H, W, 3]`` in grey, its evidence ``[H, W]`` in colour: dark to yellow, which the colour-blind can read."""
    from matplotlib import colormaps

    grey = frame.mean(axis=2, keepdims=True).repeat(3, axis=2) * 0.75
    colour = colormaps["inferno"](0.25 + 0.7 * heat)[..., :3] * 255
    share = 0.7 * heat[..., None]
    return np.asarray(grey * (1 - share) + colour * share, np.uint8)


def _show(axes: Axes, pixels: npt.NDArray[np.uint8], title: str) -> None:
    axes.imshow(pixels)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _show_near(axes: Axes, one: NearPhoto, prediction: Prediction) -> None:
    photo = open_photo(one.path)
    photo.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE), Image.Resampling.BICUBIC)
    axes.imshow(photo)
    mark, colour = _mark(one, prediction)
    label = drawn(shorten(one.label, 14)) if prediction.labels is None else "\n".join(_lines(one))
    axes.set_title(f"{mark} {label}\n{one.similarity:.2f}", fontsize=8, color=colour)


def _lines(one: NearPhoto) -> list[str]:
    """A photo's labels, one to a line; of many the first."""
    names = [drawn(shorten(name, 18)) for name in one.label.split(SEPARATOR) if name]
    return [*names[:_MOST_LINES], *(["…"] if len(names) > _MOST_LINES else [])] or [tr("none of the classes")]


def _mark(one: NearPhoto, prediction: Prediction) -> tuple[str, str]:
    """Whether a training photo has the answer's label; of several it may have some."""
    if one.label == prediction.label:
        return "✓", BLUE
    if prediction.labels is not None and parted(one.label).present & {*prediction.labels}:
        return "≈", GREY
    return "✗", VERMILION


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
