"""One way to predict for every kind of photo: file, folder, picture, array, tensor.

All of them end as pixels of the reference path and float32 features, the same that held-out photos are scored with, so the same
photo has the same answer wherever it is asked for.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``H`` x ``W`` pixels.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from tsugiki.classifier.answer import AnswerHead, Floats, Prediction
from tsugiki.core.errors import RequestError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.preprocess import Preprocess
from tsugiki.data.sources.folders import photos_in
from tsugiki.data.sources.listing import LeftOut
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.backbones.backbone import Backbone
    from tsugiki.features.engines.engine import EngineChoice

_BATCH = 32


class Predictor(Protocol):
    """What can be asked: photos to features, and features to answers. A classifier is one, its engine another."""

    @property
    def preprocess(self) -> Preprocess:
        """From a photo to the network's input."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the ``K`` classes, in the order of the logits."""

    @property
    def notes(self) -> dict[str, Any]:
        """How the classifier was trained, plain values."""

    @property
    def network(self) -> Backbone | EngineChoice:
        """What :func:`tsugiki.features.extract.extract` computes features with."""

    @property
    def answer_head(self) -> AnswerHead:
        """What turns features into answers."""

    @property
    def estimated_temperature(self) -> float | None:
        """The temperature, or ``None`` where none could be estimated in training."""

    def features_of_files(self, paths: Sequence[Path]) -> tuple[Floats, dict[int, str]]:
        """Exact features ``[B, D]`` of files, and the problems, by position, of those that cannot be read."""

    def features_of_pixels(self, pixels: npt.NDArray[np.uint8]) -> Floats:
        """Features ``[B, D]`` of photos at the network's size, uint8 ``[B, 3, H, W]``."""

    def features_of_inputs(self, inputs: Any) -> Floats:
        """Features ``[B, D]`` of preprocessed photos: a tensor ``[B, 3, H, W]``, or several ``[3, H, W]``."""


def predict(predictor: Predictor, photos: Any, *, top: int = 3) -> Prediction | list[Prediction]:
    """What :meth:`tsugiki.Classifier.predict` promises.

    Raises:
        RequestError: When there is no such file or folder, or ``photos`` is something else.
        UnreadablePhoto: When the one photo that was given cannot be read.
    """
    if isinstance(photos, str | os.PathLike):
        if photos == "":  # which Path would take for the current folder
            raise no_photo("''")
        return _predict_path(predictor, Path(photos), top)
    if _is_tensor(photos):
        return _predict_tensor(predictor, photos, top)
    if isinstance(photos, Sequence) and not isinstance(photos, bytes | bytearray):
        if all(isinstance(photo, str | os.PathLike) for photo in photos):
            return predict_files(predictor, [Path(photo) for photo in photos], top=top)
        return _predict_pictures(predictor, photos, top)
    pixels = _inputs_or_problem(predictor, photos)
    if isinstance(pixels, UnreadablePhoto):
        raise pixels
    return predictor.answer_head.answer(_features_of_arrays(predictor, [pixels]), [""], top=top)[0]


def predict_files(
    predictor: Predictor, paths: Sequence[Path], left_out: Sequence[LeftOut] = (), *, top: int = 3
) -> list[Prediction]:
    """Answer for files, in order, and then for those left out; what cannot be read is answered with its problem."""
    vectors, problems = predictor.features_of_files(paths)
    good = [position for position in range(len(paths)) if position not in problems]
    answers = predictor.answer_head.answer(vectors[good], [str(paths[row]) for row in good], top=top)
    answered = dict(zip(good, answers, strict=True))
    read = [answered.get(position) or unreadable(str(path), problems[position]) for position, path in enumerate(paths)]
    return [*read, *(unreadable(entry.name, entry.reason) for entry in left_out)]


def _is_tensor(photos: Any) -> bool:
    torch = sys.modules.get("torch")  # who has no torch has no tensor
    return torch is not None and isinstance(photos, torch.Tensor)


def unreadable(name: str, problem: str) -> Prediction:
    """The answer for a photo that cannot be read."""
    return Prediction("", 0.0, name=name, known=False, problem=problem)


def no_photo(path: str | Path) -> RequestError:
    """What to raise where there is nothing at ``path``; an address and a pattern are told as what they are."""
    # A path has one slash where an address has two.
    written = re.sub(r"^(\w[\w+.-]+):/(?=[^/])", r"\1://", str(path))
    cure = ""
    if "://" in written:
        cure = tr("addresses are not fetched: save the photo, and name its file")
    elif set(written) & set("*?["):
        cure = tr("leave the quotes out, so that the shell finds the files, or name their folder")
    return RequestError(tr("There is no photo {path}.", path=written), allowed=tr("a photo, or a folder of photos"), cure=cure)


def _predict_path(predictor: Predictor, path: Path, top: int) -> Prediction | list[Prediction]:
    if path.is_dir():
        paths, left_out = photos_in(path)
        return predict_files(predictor, paths, left_out, top=top)
    if not path.exists():
        raise no_photo(path)
    prediction = predict_files(predictor, [path], top=top)[0]
    if prediction.problem:
        raise UnreadablePhoto(tr("{path} cannot be read: {reason}", path=path, reason=prediction.problem))
    return prediction


def _predict_pictures(predictor: Predictor, pictures: Sequence[Any], top: int) -> list[Prediction]:
    """Answers for pictures of any kind but folders, a bounded part of them decoded at a time."""
    answers: list[Prediction] = []
    for start in range(0, len(pictures), _BATCH):
        part = pictures[start : start + _BATCH]
        names = [str(picture) if isinstance(picture, str | os.PathLike) else "" for picture in part]
        found = [_inputs_or_problem(predictor, picture) for picture in part]
        pixels = {at: one for at, one in enumerate(found) if isinstance(one, np.ndarray)}
        inputs = {at: one for at, one in enumerate(found) if not isinstance(one, np.ndarray | UnreadablePhoto)}
        answered: dict[int, Prediction] = {}
        for rows, compute in ((pixels, _features_of_arrays), (inputs, _features_of_tensors)):
            if rows:
                features = compute(predictor, [*rows.values()])
                told = predictor.answer_head.answer(features, [names[at] for at in rows], top=top)
                answered |= dict(zip(rows, told, strict=True))
        answers += [answered.get(at) or unreadable(names[at], _in_one_line(found[at])) for at in range(len(part))]
    return answers


def _features_of_arrays(predictor: Predictor, pixels: list[Any]) -> Floats:
    return predictor.features_of_pixels(np.stack(pixels))


def _features_of_tensors(predictor: Predictor, inputs: list[Any]) -> Floats:
    return predictor.features_of_inputs(inputs)


def _inputs_or_problem(predictor: Predictor, picture: Any) -> Any:
    """One picture as pixels uint8 ``[3, H, W]``, or the tensor ``[3, H, W]`` that it is, or the :class:`UnreadablePhoto`."""
    if _is_tensor(picture):
        return _checked_inputs(predictor, picture, dimensions=3)
    if not isinstance(picture, str | os.PathLike | Image.Image | np.ndarray | bytes) and not hasattr(picture, "read"):
        raise RequestError(
            tr("This is no photo."),
            allowed=tr("a path, a folder, a PIL image, an array, a tensor of preprocessed photos, or a list of them"),
            got=type(picture).__name__,
        )
    try:
        return predictor.preprocess.array(open_photo(picture))
    except UnreadablePhoto as fault:
        return fault


def _in_one_line(fault: UnreadablePhoto) -> str:
    if not fault.allowed:
        return fault.what
    return tr("{what} (allowed: {allowed}; got: {got})", what=fault.what, allowed=fault.allowed, got=fault.got)


def _predict_tensor(predictor: Predictor, inputs: Any, top: int) -> Prediction | list[Prediction]:
    if inputs.ndim == 3:
        features = predictor.features_of_inputs(_checked_inputs(predictor, inputs, dimensions=3)[None])
        return predictor.answer_head.answer(features, [""], top=top)[0]
    features = predictor.features_of_inputs(_checked_inputs(predictor, inputs, dimensions=4))
    return predictor.answer_head.answer(features, [""] * len(inputs), top=top)


def _checked_inputs(predictor: Predictor, inputs: Any, *, dimensions: int) -> Any:
    height, width = predictor.preprocess.size
    if inputs.ndim != dimensions or inputs.shape[-3:] != (3, height, width) or not inputs.is_floating_point():
        raise RequestError(
            tr("This tensor holds no preprocessed photos."),
            allowed=f"float [B, 3, {height}, {width}]",
            got=f"{inputs.dtype} {list(inputs.shape)}",
            cure=tr("apply classifier.preprocess to each photo, or give the photos themselves"),
        )
    whole = inputs.isfinite().reshape(-1, 3 * height * width).all(dim=1).tolist()  # one look at a device for all photos
    broken = [row for row, finite in enumerate(whole) if not finite]
    if broken:
        raise RequestError(
            tr("This tensor holds values that are no finite numbers (NaN or infinity)."),
            got=tr("{count} photos: {rows}", count=len(broken), rows=", ".join(map(str, broken[:6]))),
            cure=tr("look at what made it: a division by zero, or a photo that could not be read"),
        )
    return inputs.float()
