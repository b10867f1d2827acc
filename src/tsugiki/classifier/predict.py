"""One way to predict for every kind of photo: file, folder, picture, array, tensor.

All of them end as pixels of the reference path and float32 features, the same that held-out photos are scored with, so the same
photo has the same answer wherever it is asked for.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``H`` x ``W`` pixels.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from tsugiki.backbones.freezing import evaluating
from tsugiki.classifier.answer import NOT_ESTIMATED
from tsugiki.classifier.prediction import Prediction
from tsugiki.core.devices import full_precision
from tsugiki.core.errors import RequestError, UnreadablePhoto
from tsugiki.data.images.decode import open_photo
from tsugiki.data.listing import LeftOut
from tsugiki.data.sources.folders import photos_in
from tsugiki.features.extract import features_of_files
from tsugiki.features.vectors import Floats
from tsugiki.locale.messages import tr

if TYPE_CHECKING:
    from tsugiki.classifier.classifier import Classifier

_BATCH = 32


def predict(classifier: Classifier, photos: Any, *, top: int = 3) -> Prediction | list[Prediction]:
    """What :meth:`tsugiki.Classifier.predict` promises."""
    if isinstance(photos, str | os.PathLike):
        return _predict_path(classifier, Path(photos), top)
    if isinstance(photos, torch.Tensor):
        return _predict_tensor(classifier, photos, top)
    if isinstance(photos, Sequence) and not isinstance(photos, bytes | bytearray):
        if all(isinstance(photo, str | os.PathLike) for photo in photos):
            return predict_files(classifier, [Path(photo) for photo in photos], top=top)
        return _predict_pictures(classifier, photos, top)
    prediction = _predict_pictures(classifier, [photos], top)[0]
    if prediction.problem:
        raise UnreadablePhoto(prediction.problem)
    return prediction


def predict_files(
    classifier: Classifier, paths: Sequence[Path], left_out: Sequence[LeftOut] = (), *, top: int = 3
) -> list[Prediction]:
    """Answer for files, in order, and then for those left out; what cannot be read is answered with its problem."""
    with evaluating(classifier):
        vectors, problems = features_of_files(classifier.backbone, classifier.preprocess, paths)
        good = [position for position in range(len(paths)) if position not in problems]
        answers = answer_features(classifier, torch.from_numpy(vectors[good]), [str(paths[row]) for row in good], top=top)
    answered = dict(zip(good, answers, strict=True))
    read = [answered.get(position) or _unreadable(str(path), problems[position]) for position, path in enumerate(paths)]
    return [*read, *(_unreadable(entry.name, entry.reason) for entry in left_out)]


def _unreadable(name: str, problem: str) -> Prediction:
    return Prediction("", 0.0, name=name, known=False, problem=problem)


def answer_features(classifier: Classifier, features: torch.Tensor, names: Sequence[str], *, top: int = 3) -> list[Prediction]:
    """Answers for photos whose features ``[B, D]`` are known already."""
    with torch.inference_mode():
        features = features.to(classifier.device)
        probabilities = classifier.probabilities(classifier.head(features)).cpu()  # [B, K]
        distances = None if classifier.unknown is None else classifier.unknown.distance(features).cpu()
    rows = []
    for row, name in enumerate(names):
        distance = None if distances is None else float(distances[row])
        rows.append(_answer(classifier, probabilities[row], distance, name, top))
    return rows


def _answer(classifier: Classifier, probabilities: torch.Tensor, distance: float | None, name: str, top: int) -> Prediction:
    best = probabilities.argsort(descending=True, stable=True)[: max(top, 1)].tolist()
    ranked = tuple((classifier.classes[index], float(probabilities[index])) for index in best)
    known = distance is None or classifier.unknown is None or distance <= classifier.unknown.threshold
    label, probability = ranked[0]
    return Prediction(
        label, probability, ranked, known=known, name=name, distance=distance, probabilities=tuple(probabilities.tolist())
    )


def _predict_path(classifier: Classifier, path: Path, top: int) -> Prediction | list[Prediction]:
    if path.is_dir():
        paths, left_out = photos_in(path)
        return predict_files(classifier, paths, left_out, top=top)
    if not path.exists():
        raise RequestError(tr("There is no photo {path}.", path=path), allowed=tr("a photo, or a folder of photos"))
    prediction = predict_files(classifier, [path], top=top)[0]
    if prediction.problem:
        raise UnreadablePhoto(tr("{path} cannot be read: {reason}", path=path, reason=prediction.problem))
    return prediction


def _predict_pictures(classifier: Classifier, pictures: Sequence[Any], top: int) -> list[Prediction]:
    """Answers for pictures of any kind but folders, a bounded part of them decoded at a time."""
    answers: list[Prediction] = []
    for start in range(0, len(pictures), _BATCH):
        part = pictures[start : start + _BATCH]
        names = [str(picture) if isinstance(picture, str | os.PathLike) else "" for picture in part]
        inputs = [_inputs_or_problem(classifier, picture) for picture in part]
        good = {at: found for at, found in enumerate(inputs) if isinstance(found, torch.Tensor)}
        answered: dict[int, Prediction] = {}
        if good:
            found = _predict_inputs(classifier, torch.stack([*good.values()]), [names[at] for at in good], top)
            answered = dict(zip(good, found, strict=True))
        answers += [answered.get(at) or _unreadable(names[at], str(inputs[at])) for at in range(len(part))]
    return answers


def _inputs_or_problem(classifier: Classifier, picture: Any) -> torch.Tensor | str:
    """One picture as the network's input ``[3, H, W]``, or why it cannot be read."""
    if isinstance(picture, torch.Tensor):
        return _checked_inputs(classifier, picture, dimensions=3)
    if not isinstance(picture, str | os.PathLike | Image.Image | np.ndarray | bytes) and not hasattr(picture, "read"):
        raise RequestError(
            tr("This is no photo."),
            allowed=tr("a path, a folder, a PIL image, an array, a tensor of preprocessed photos, or a list of them"),
            got=type(picture).__name__,
        )
    try:
        return classifier.preprocess(open_photo(picture))
    except UnreadablePhoto as fault:
        return fault.what


def _predict_tensor(classifier: Classifier, inputs: torch.Tensor, top: int) -> Prediction | list[Prediction]:
    if inputs.ndim == 3:
        return _predict_inputs(classifier, _checked_inputs(classifier, inputs, dimensions=3)[None], [""], top)[0]
    return _predict_inputs(classifier, _checked_inputs(classifier, inputs, dimensions=4), [""] * len(inputs), top)


def _checked_inputs(classifier: Classifier, inputs: torch.Tensor, *, dimensions: int) -> torch.Tensor:
    height, width = classifier.preprocess.size
    if inputs.ndim != dimensions or inputs.shape[-3:] != (3, height, width) or not inputs.is_floating_point():
        raise RequestError(
            tr("This tensor holds no preprocessed photos."),
            allowed=f"float [B, 3, {height}, {width}]",
            got=f"{inputs.dtype} {list(inputs.shape)}",
            cure=tr("apply classifier.preprocess to each photo, or give the photos themselves"),
        )
    return inputs.to(torch.float32)


def _predict_inputs(classifier: Classifier, inputs: torch.Tensor, names: Sequence[str], top: int) -> list[Prediction]:
    with evaluating(classifier), torch.inference_mode(), full_precision():
        parts = [classifier.backbone.features(part.to(classifier.device)) for part in torch.split(inputs, _BATCH)]
        return answer_features(classifier, torch.cat(parts).float(), names, top=top)


def predict_features(classifier: Classifier, features: Floats) -> Floats:
    """Calibrated probabilities ``[N, K]`` of features ``[N, D]``."""
    with torch.inference_mode():
        logits = classifier.head(torch.from_numpy(features).to(classifier.device))
        probabilities: Floats = classifier.probabilities(logits).cpu().numpy()
    return probabilities


def temperature_of(classifier: Classifier) -> float | None:
    """The classifier's temperature, or ``None`` where none could be estimated in training."""
    return None if classifier.notes.get("calibration") == NOT_ESTIMATED else classifier.temperature
