"""A whole classifier as one network: photos in, calibrated probabilities and the distance to the training photos out.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``M`` reference photos, ``H`` x ``W`` a photo's own size,
``h`` x ``w`` the network's input.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.backbones.joined import side_by_side
from tsugiki.classifier.answer import AnswerHead
from tsugiki.data.joined_preprocess import JoinedPreprocess
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.reference import Normalised
from tsugiki.publishing.photo_input import photo_input


class WholeClassifier(nn.Module):
    """Resizing, normalisation, backbone, head, calibration and distance in one graph.

    Args:
        backbone: On the CPU, in evaluation mode.
        preprocess: From a photo to the backbone's input.
        head: What turns features into answers.
        photos: Whether photos of any size are taken.
        frames: Whether frames that are ready are taken.
        dtype: What the backbone computes in.
    """

    def __init__(
        self,
        backbone: Backbone,
        preprocess: Preprocess,
        head: AnswerHead,
        *,
        photos: bool,
        frames: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        self.frames = compiled(photo_input(preprocess, frames_too=frames)) if photos else None
        self.size = preprocess.size
        self.features = _features(backbone, preprocess, dtype)
        self.dtype = dtype
        self.answer = Answer(head)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """The outputs of :class:`Answer` for uint8 photos ``[B, H, W, 3]`` or frames ``[B, 3, h, w]``."""
        frames = pixels if self.frames is None else self.frames(pixels).reshape(-1, 3, *self.size)  # [B, 3, h, w], sizes known
        answer: torch.Tensor | tuple[torch.Tensor, torch.Tensor] = self.answer(self.features(frames))
        return answer


class Answer(nn.Module):
    """What :class:`tsugiki.classifier.answer.AnswerHead` does, as part of a graph.

    Args:
        head: The reference.
    """

    def __init__(self, head: AnswerHead) -> None:
        super().__init__()
        weight, bias = calibrated_layer(head)
        self.weight = nn.Parameter(weight, requires_grad=False)  # [K, D]
        self.bias = nn.Parameter(bias, requires_grad=False)  # [K]
        self.several = head.multi_label is not None
        reference = None if head.unknown is None else torch.from_numpy(head.unknown.reference).float()  # [M, D]
        self.reference = None if reference is None else nn.Parameter(reference, requires_grad=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the outputs are called, in their order."""
        return ("probabilities",) if self.reference is None else ("probabilities", "distance")

    def forward(self, features: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Probabilities ``[B, K]``, and distances ``[B]`` where they are known, of features ``[B, D]``."""
        logits = features @ self.weight.T + self.bias
        probabilities = torch.sigmoid(logits) if self.several else torch.softmax(logits, dim=1)
        if self.reference is None:
            return probabilities
        length = features.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return probabilities, 1 - ((features / length) @ self.reference.T).max(dim=1).values


def calibrated_layer(head: AnswerHead) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight ``[K, D]`` and bias ``[K]`` of a layer whose softmax is calibrated: the temperature divides them.

    Of a classifier for several labels its sigmoid is: slope and offset of every class are in them.
    """
    if sets := head.multi_label:
        slope = sets.slope
        return torch.from_numpy(head.weight * slope[:, None]).float(), torch.from_numpy(head.bias * slope + sets.offset).float()
    weight, bias = (torch.from_numpy(values / head.temperature).float() for values in (head.weight, head.bias))
    return weight, bias


def compiled(module: nn.Module) -> torch.jit.ScriptModule:
    """A module whose own questions (``if``) stay part of a graph that is traced around it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated, as tracing is: docs/decisions/0011-photos-into-exported-files.md
        script: torch.jit.ScriptModule = torch.jit.script(module)
    return script


def _features(backbone: Backbone, preprocess: Preprocess, dtype: torch.dtype) -> nn.Module:
    """What computes features ``[B, D]`` of frames ``[B, 3, h, w]``, in a precision."""
    if isinstance(preprocess, JoinedPreprocess):
        pairs = zip(backbone.parts, preprocess.parts, strict=True)
        return _SideBySide([_features(part, rule, dtype) for part, rule in pairs], preprocess)
    network = Normalised(backbone, preprocess)
    if dtype != torch.float32:
        network.add_module("backbone", _Reduced(backbone, dtype))
    return network


class _SideBySide(nn.Module):
    """The features of several networks, each of its own frame."""

    def __init__(self, parts: Sequence[nn.Module], preprocess: JoinedPreprocess) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.preprocess = preprocess

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return side_by_side([part(own) for part, own in zip(self.parts, self.preprocess.split(frames), strict=True)])


class _Reduced(nn.Module):
    """A backbone that computes in 16 bits between float32 and float32; the backbone that it is made of stays as it is."""

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(backbone).to(dtype)
        self.dtype = dtype

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.backbone(frames.to(self.dtype))
        return features.float()
