"""Photos with what a model says about them, right and wrong told apart by a mark as well as by colour.

Letters: ``K`` classes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from PIL import Image

from tsugiki.core.errors import RequestError
from tsugiki.data.images.decode import PhotoSource, open_photo
from tsugiki.data.label_sets import joined
from tsugiki.locale.messages import listed, tr
from tsugiki.reporting.plots.figures import Picture, picture, present
from tsugiki.reporting.plots.fonts import drawn_names, legible
from tsugiki.reporting.plots.photo_grid import Framed, draw_grid, show_photo

if TYPE_CHECKING:
    import torch
    from torch import nn

    Transform: TypeAlias = Callable[[Image.Image], torch.Tensor]


@dataclass(frozen=True)
class Tile:
    """One photo of a grid.

    Attributes:
        photo: Any photo, or where to read it.
        predicted: The class that the model names.
        probability: How sure it is, 0 to 1.
        label: The photo's own class, or ``None`` where nobody knows it.
        known: Whether the photo is like the training photos; otherwise the answer is a guess, and is drawn as one.
    """

    photo: PhotoSource
    predicted: str
    probability: float
    label: str | None = None
    known: bool = True


def pred_and_plot_image(
    model: nn.Module,
    image_path: PhotoSource,
    class_names: Sequence[str],
    image_size: tuple[int, int] = (224, 224),
    transform: Transform | None = None,
    device: torch.device | str | None = None,
) -> Picture:
    """Predict one photo, and draw and show it with the predicted class and its probability.

    The photo is opened as in training: turned as its camera noted, transparency laid over white, RGB. The model predicts in
    eval mode and is left in the mode it was found in.

    Args:
        model: Photos ``[1, 3, H, W]`` to logits ``[1, K]``.
        image_path: The photo.
        class_names: ``K`` names in the order of the logits.
        image_size: Height and width that the photo is resized to; counts only without ``transform``.
        transform: What the photos of the training went through, such as ``weights.transforms()``; ``None`` resizes to
            ``image_size`` and normalises with ImageNet's mean and deviation.
        device: Where to compute, the model is moved there; ``None``: where the model is.

    Raises:
        UnreadablePhoto: With the reason.
        RequestError: When the model knows another number of classes.
    """
    photo = open_photo(image_path)
    probabilities = _probabilities(model, photo, class_names, transform or _article_transform(image_size), device)
    probability = max(probabilities)
    predicted = class_names[probabilities.index(probability)]
    with legible(class_names):
        figure = picture(4.5, 4.5 * min(max(photo.height / photo.width, 0.4), 1.6) + 0.4)
        axes = figure.subplots()
        show_photo(axes, photo)
        name = drawn_names(class_names, 24)[predicted]
        axes.set_title(tr("Prediction: {name} | Probability: {probability}", name=name, probability=f"{probability:.3f}"))
    return present(figure)


def plot_predictions(
    model: nn.Module, dataloader: Any, *, count: int = 9, seed: int | None = None, device: torch.device | str | None = None
) -> Picture:
    """Predict random photos of a loader, and draw and show them in a grid with their predicted and true classes.

    Args:
        model: Photos ``[1, 3, H, W]`` to logits ``[1, K]``.
        dataloader: From :func:`tsugiki.create_dataloaders`, or any loader over a torchvision ``ImageFolder``.
        count: How many photos.
        seed: The same seed picks the same photos; ``None`` picks others each time.
        device: Where to compute, the model is moved there; ``None``: where the model is.
    """
    photos = dataloader.dataset
    picked = random.Random(seed).sample(photos.samples, k=min(count, len(photos.samples)))  # noqa: S311 (no secret)
    tiles = []
    for path, label in picked:
        probabilities = _probabilities(model, open_photo(path), photos.classes, photos.transform, device, one=_is_one(label))
        tiles.append(_answered(path, probabilities, photos.classes, label))
    return present(draw_predictions(tiles))


def _is_one(label: Any) -> bool:
    """Whether a label is one class, and no tensor ``[K]`` of 1 and 0."""
    return not getattr(label, "ndim", 0)


def _answered(path: str, probabilities: Sequence[float], classes: Sequence[str], label: Any) -> Tile:
    """A photo with its true class and the most probable one; or with all its labels and those of one half or more."""
    most = max(probabilities)
    if _is_one(label):
        return Tile(path, classes[probabilities.index(most)], most, classes[label])
    names = [
        joined(name for name, cell in zip(classes, cells, strict=True) if cell >= 0.5) or tr("none of the classes")
        for cells in (probabilities, label.tolist())
    ]
    return Tile(path, names[0], most, names[1])


def draw_predictions(tiles: Sequence[Tile], *, columns: int = 3) -> Picture:
    """A grid of photos, each under its predicted class and probability; wrong ones also say what they are.

    Raises:
        RequestError: When there is no photo.
    """
    said = [name for tile in tiles for name in (tile.predicted, tile.label) if name is not None]
    with legible(said):
        names = drawn_names(said, 18)
        return draw_grid([_framed_tile(tile, names) for tile in tiles], columns)


def _framed_tile(tile: Tile, names: Mapping[str, str]) -> Framed:
    answer = f"{names[tile.predicted]} {tile.probability:.0%}"
    if not tile.known:
        return Framed.unsure(tile.photo, f"{answer}\n{_doubt(tile, names)}")
    if tile.label is None:
        return Framed.unjudged(tile.photo, answer)
    if tile.label == tile.predicted:
        return Framed.right(tile.photo, answer)
    return Framed.wrong(tile.photo, f"{answer}\n{tr('is: {name}', name=names[tile.label])}")


def _doubt(tile: Tile, names: Mapping[str, str]) -> str:
    unsure = tr("not sure")
    return unsure if tile.label is None else listed((unsure, tr("is: {name}", name=names[tile.label])))


def _probabilities(
    model: nn.Module,
    photo: Image.Image,
    class_names: Sequence[str],
    transform: Transform,
    device: torch.device | str | None,
    *,
    one: bool = True,
) -> list[float]:
    """``K`` probabilities, of ``one`` class among all or of each on its own."""
    import torch

    from tsugiki.backbones.freezing import mode_kept
    from tsugiki.core.devices import pick_device
    from tsugiki.training.article_loop import logits_of

    place = next(model.parameters()).device if device is None else pick_device(device)
    model.to(place)
    with mode_kept(model), torch.inference_mode():
        model.eval()
        logits = logits_of(model(transform(photo).unsqueeze(0).to(place)))[0]  # [K]
    if len(logits) != len(class_names):
        raise RequestError(
            tr("The model and the list of class names do not belong together."),
            allowed=tr("{n} class names, one per output of the model", n=len(logits)),
            got=", ".join(class_names),
        )
    probabilities: list[float] = (logits.softmax(dim=0) if one else logits.sigmoid()).tolist()
    return probabilities


def _article_transform(image_size: tuple[int, int]) -> Transform:
    """Resize, to tensor, normalise: the transform that the articles write by hand."""
    from torchvision import transforms

    from tsugiki.data.preprocess import IMAGENET_MEAN, IMAGENET_STD

    steps = [transforms.Resize(image_size), transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    composed: Transform = transforms.Compose(steps)
    return composed
