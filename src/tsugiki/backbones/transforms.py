"""Transforms made by hand and those that belong to the weights, in the same words and side by side."""

from __future__ import annotations

from typing import Any

from rich.cells import cell_len, set_cell_size
from torchvision import transforms

from tsugiki.backbones.sources.torchvision_source import from_transforms
from tsugiki.core.errors import RequestError
from tsugiki.data.preprocess import Preprocess
from tsugiki.locale.messages import tr

MANUAL = Preprocess(size=(224, 224), fit="squash", interpolation="bilinear")
"""The transforms that the article writes by hand: ``Resize((224, 224))``, ``ToTensor()``, ``Normalize(...)`` of ImageNet."""


def as_preprocess(transform: Any) -> Preprocess:
    """What a torchvision transform does, as :class:`Preprocess`.

    Args:
        transform: A :class:`Preprocess` (given back as it is), ``weights.transforms()``, or a ``Compose`` of ``Resize``,
            ``CenterCrop``, ``ToTensor`` and ``Normalize``.

    Raises:
        RequestError: For anything else, such as random transforms.
    """
    if isinstance(transform, Preprocess):
        return transform
    if hasattr(transform, "crop_size") and hasattr(transform, "resize_size"):
        return from_transforms(transform)
    steps = {type(step): step for step in getattr(transform, "transforms", ())}
    resize, normalize = steps.pop(transforms.Resize, None), steps.pop(transforms.Normalize, None)
    crop = steps.pop(transforms.CenterCrop, None)
    steps.pop(transforms.ToTensor, None)
    if steps or resize is None or (crop is None and isinstance(resize.size, int)):
        raise RequestError(
            tr("These transforms are not a fixed preprocessing."),
            allowed="weights.transforms(), Compose([Resize, CenterCrop, ToTensor, Normalize])",
            got=", ".join(kind.__name__ for kind in steps) or type(transform).__name__,
        )
    return Preprocess(
        **_geometry(resize.size, crop.size if crop else None),
        interpolation=resize.interpolation.value,
        mean=tuple(normalize.mean) if normalize else (0.0, 0.0, 0.0),
        std=tuple(normalize.std) if normalize else (1.0, 1.0, 1.0),
    )


def _geometry(resize: Any, crop: Any) -> dict[str, Any]:
    if crop is None:
        return {"size": tuple(resize), "fit": "squash"}
    size = (crop, crop) if isinstance(crop, int) else tuple(crop)
    return (
        {"size": size, "resize": resize}
        if isinstance(resize, int)
        else {"size": size, "resize": tuple(resize), "fit": "squash"}
    )


def transforms_side_by_side(manual: Any, automatic: Any) -> str:
    """A table of both, setting by setting, with a mark where they differ.

    Args:
        manual: Made by hand, for instance :data:`MANUAL`; whatever :func:`as_preprocess` takes.
        automatic: Made from the weights, likewise.
    """
    left, right = _settings(as_preprocess(manual)), _settings(as_preprocess(automatic))
    titles = ("", tr("by hand"), tr("from the weights"), "")
    rows = [titles, *((key, left[key], right[key], "" if left[key] == right[key] else "<>") for key in left)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(map(set_cell_size, row, widths)).rstrip() for row in rows]
    different = [key for key in left if left[key] != right[key]]
    return "\n".join(
        [*lines, tr("they differ in: {names}", names=", ".join(different)) if different else tr("they are the same")]
    )


def _settings(preprocess: Preprocess) -> dict[str, str]:
    height, width = preprocess.size
    return {
        "size": f"{height} x {width} px",
        "fit": preprocess.describe_fit(),
        "interpolation": preprocess.interpolation,
        "mean": " ".join(f"{value:g}" for value in preprocess.mean),
        "std": " ".join(f"{value:g}" for value in preprocess.std),
    }
