"""Where in a photo the evidence for a class lies.

Convolutional networks are asked by Grad-CAM (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via
Gradient-based Localization", ICCV 2017), all others by covering the photo part by part (Zeiler and Fergus, "Visualizing and
Understanding Convolutional Networks", ECCV 2014). Both are asked for the log-odds of the class, so that what speaks for every
class equally does not count. Where a photo may show any number of classes, those are the logit itself: each class is asked for
on its own.

Letters: ``B`` photos, ``C`` channels, ``K`` classes, ``H`` x ``W`` pixels, ``h`` x ``w`` cells of a map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.freezing import evaluating
from tsugiki.classifier.classifier import Classifier
from tsugiki.data.joined_preprocess import frames_in

Method = Literal["Grad-CAM", "occlusion"]

_LATE = 0.4  # of the layers: a map that more layers work on is no summary of what was seen
_COVER, _STEP = 4, 8  # a cover is a fourth of the photo wide and moves by an eighth of it
_BATCH = 16


@dataclass(frozen=True)
class Attribution:
    """What speaks for a class, and where.

    Attributes:
        heat: ``[h, w]`` float32 in 0..1, over the network's own frame of the photo (that of the first of several); zeros where
            nothing speaks for the class.
        label: The class, by index.
        method: How it was found.
    """

    heat: npt.NDArray[np.float32]
    label: int
    method: Method


def attribute(classifier: Classifier, inputs: torch.Tensor, label: int) -> Attribution:
    """What in one preprocessed photo ``[3, H, W]`` speaks for the class ``label``; the classifier is left as it was."""
    batch = inputs[None].to(classifier.device)
    frames = frames_in(classifier.preprocess, batch)
    with evaluating(classifier):
        layers = [last_map(part, frame) for part, frame in zip(classifier.backbone.parts, frames, strict=True)]
        # Maps of several networks add up, as what they say of the class does; where one has none, all are asked alike.
        maps = [_grad_cam(classifier, batch, label, layer) for layer in layers if layer]
        method: Method = "Grad-CAM" if len(maps) == len(layers) else "occlusion"
        if method == "occlusion":
            maps = [_occlusion(classifier, batch, label)]
    return Attribution(_stretched(maps, (frames[0].shape[2], frames[0].shape[3])), label, method)


def last_map(backbone: Backbone, batch: torch.Tensor) -> nn.Module | None:
    """The last layer of a backbone that gives a map ``[B, C, h, w]`` of convolutions, or ``None`` where there is none late.

    A transformer convolves too, but only to cut the photo into patches, long before its answer.
    """
    calls: list[tuple[nn.Module, tuple[int, ...]]] = []

    def note(module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            calls.append((module, tuple(output.shape)))

    with _hooked(backbone, note), torch.inference_mode():
        backbone.features(batch)
    convolved = [
        at
        for at, (module, shape) in enumerate(calls)
        if isinstance(module, nn.Conv2d) and len(shape) == 4 and min(shape[2:]) > 1
    ]
    if not convolved:
        return None
    size = calls[convolved[-1]][1][2:]
    last = max(at for at, (_, shape) in enumerate(calls) if at >= convolved[-1] and len(shape) == 4 and shape[2:] == size)
    learned = [at for at, (module, _) in enumerate(calls) if any(True for _ in module.parameters(recurse=False))]
    after = sum(at > last for at in learned)
    return calls[last][0] if after <= _LATE * len(learned) else None


@contextmanager
def _hooked(network: nn.Module, note: Any) -> Iterator[None]:
    handles = [module.register_forward_hook(note) for module in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _grad_cam(classifier: Classifier, batch: torch.Tensor, label: int, layer: nn.Module) -> torch.Tensor:
    """``[h, w]`` what each place of the map adds to the log-odds; what speaks against the class is cut off."""
    kept: list[torch.Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> torch.Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[-1].clone()  # layers that work in place must not overwrite what is asked about

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            odds = _odds(classifier, batch, label).sum()
            (slope,) = torch.autograd.grad(odds, kept[-1])
    finally:
        handle.remove()
    weight = slope.mean(dim=(2, 3), keepdim=True)  # [B, C, 1, 1]
    return (weight * kept[-1]).sum(dim=1)[0].clamp_min(0).detach()


def _occlusion(classifier: Classifier, batch: torch.Tensor, label: int) -> torch.Tensor:
    """``[8, 8]`` how far the log-odds fall when the place is covered with the mean colour."""
    places = [(row, column) for row in range(_STEP - _STEP // _COVER + 1) for column in range(_STEP - _STEP // _COVER + 1)]
    lost = torch.zeros(_STEP, _STEP, device=batch.device)
    seen = torch.zeros_like(lost)
    with torch.inference_mode():
        whole = _odds(classifier, batch, label)
        for start in range(0, len(places), _BATCH):
            part = places[start : start + _BATCH]
            covered = batch.repeat(len(part), 1, 1, 1)
            for at, (row, column) in enumerate(part):
                for frame in frames_in(classifier.preprocess, covered):
                    height, width = frame.shape[2:]
                    top, left = row * height // _STEP, column * width // _STEP
                    frame[at, :, top : top + height // _COVER, left : left + width // _COVER] = 0  # the mean colour, normalised
            for (row, column), fall in zip(part, whole - _odds(classifier, covered, label), strict=True):
                cells = slice(row, row + _STEP // _COVER), slice(column, column + _STEP // _COVER)
                lost[cells] += fall
                seen[cells] += 1
    return (lost / seen).clamp_min(0)


def _odds(classifier: Classifier, batch: torch.Tensor, label: int) -> torch.Tensor:
    """``[B]`` of photos ``[B, 3, H, W]``."""
    logits: torch.Tensor = classifier(batch)
    return logits[:, label] if classifier.task == "multi" else log_odds(logits, label)


def log_odds(logits: torch.Tensor, label: int) -> torch.Tensor:
    """``[B]`` the logarithm of the odds of a class: its logit against all others, of ``[B, K]``."""
    others = torch.cat([logits[:, :label], logits[:, label + 1 :]], dim=1)
    return logits[:, label] - others.logsumexp(dim=1)


def _stretched(maps: Sequence[torch.Tensor], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Maps of any number of cells as one ``[h, w]``, the largest value as 1; a cell says as much as there is of it."""
    each = [
        nn.functional.interpolate(cells[None, None].float(), size=size, mode="bilinear", align_corners=False) * cells.numel()
        for cells in maps
    ]
    smooth = torch.cat(each).sum(dim=0)[0]
    top = float(smooth.max())
    heat: npt.NDArray[np.float32] = (smooth / top if top > 0 else smooth).cpu().numpy()
    return heat
