"""What the model really sees: photos of a batch after resizing, cropping and augmentation, with the normalisation undone.

Letters: ``B`` photos of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tsugiki.core.errors import RequestError
from tsugiki.data.label_sets import joined
from tsugiki.locale.messages import tr
from tsugiki.reporting.plots.figures import Picture, picture, present
from tsugiki.reporting.plots.fonts import drawn_names, legible

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Normalisation = tuple[Sequence[float], Sequence[float]]
"""Mean and standard deviation per channel."""

_NONE: Normalisation = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def plot_batch(dataloader: Any, *, count: int = 12) -> Picture:
    """Draw and show the first photos of a batch as the model sees them.

    The loader's next epoch is what it would have been without this look: its random state is put back.

    Args:
        dataloader: From :func:`tsugiki.create_dataloaders`, or any loader that gives ``(photos, labels)``.
        count: How many photos at most.
    """
    photos, labels = _first_batch(dataloader)
    dataset = dataloader.dataset
    names = list(getattr(dataset, "classes", ()))
    known = [_named(label, names) for label in labels.tolist()[:count]]
    return present(draw_batch(photos[:count], known, normalisation_of(getattr(dataset, "transform", None))))


def _named(label: int | list[float], names: Sequence[str]) -> str:
    """The class, or the classes that a photo with several labels is known to show."""
    if isinstance(label, list):
        return joined(name for name, cell in zip(names, label, strict=False) if cell == 1)
    return names[label] if label < len(names) else str(label)


def draw_batch(photos: Tensor, labels: Sequence[str], normalisation: Normalisation = _NONE) -> Picture:
    """A grid of network inputs.

    Args:
        photos: ``[B, 3, H, W]`` float, normalised.
        labels: ``B`` titles.
        normalisation: Mean and deviation that were applied.

    Raises:
        RequestError: When these are no photos, or not as many as labels.
    """
    if not len(photos):
        raise RequestError(tr("There is no photo to draw."))
    wide = min(6, len(photos))
    rows = -(-len(photos) // wide)
    with legible(labels):
        figure = picture(1.6 * wide, 1.85 * rows + 0.4)
        figure.suptitle(tr("What the model sees ({width} x {height} px)", width=photos.shape[-1], height=photos.shape[-2]))
        grid = figure.subplots(rows, wide, squeeze=False).ravel()
        names = drawn_names(labels, 16)
        for axes, pixels, label in zip(grid, denormalised(photos, normalisation), labels, strict=False):
            axes.imshow(pixels)
            axes.set_title(names[label], fontsize=9)
        for axes in grid:
            axes.set_axis_off()
    return figure


def denormalised(photos: Tensor, normalisation: Normalisation) -> Any:
    """``[B, 3, H, W]`` as the network takes it to ``[B, H, W, 3]`` in [0, 1] as a person sees it, a NumPy array."""
    import torch

    mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in normalisation)
    return (photos.detach().cpu().to(torch.float32) * std + mean).clamp(0, 1).permute(0, 2, 3, 1).numpy()


def normalisation_of(transform: Any) -> Normalisation:
    """Mean and deviation in a transform: its own, or those of the last step that has some; none changes nothing."""
    mean, std = getattr(transform, "mean", None), getattr(transform, "std", None)
    if mean is not None and std is not None:
        return [float(value) for value in mean], [float(value) for value in std]
    for step in reversed(list(getattr(transform, "transforms", ()))):
        found = normalisation_of(step)
        if found is not _NONE:
            return found
    return _NONE


def _first_batch(dataloader: Any) -> tuple[Tensor, Tensor]:
    import torch

    generator: torch.Generator | None = getattr(dataloader, "generator", None)
    before = None if generator is None else generator.get_state()
    with torch.random.fork_rng(devices=[]):
        batch: tuple[Tensor, Tensor] | None = next(iter(dataloader), None)
    if generator is not None and before is not None:
        generator.set_state(before)
    if batch is None:
        raise RequestError(tr("There is no photo to draw."))
    return batch
