"""A whole classifier as one network: pixels in, calibrated probabilities and the distance to the training photos out.

Letters: ``B`` photos, ``D`` feature width, ``K`` classes, ``M`` reference photos, ``H`` x ``W`` the network's input.
"""

from __future__ import annotations

import torch
from torch import nn

from tsugiki.backbones.backbone import Backbone
from tsugiki.classifier.answer import AnswerHead
from tsugiki.data.preprocess import Preprocess
from tsugiki.features.engines.reference import Normalised


class WholeClassifier(nn.Module):
    """Normalisation, backbone, head, calibration and distance in one graph.

    Args:
        backbone: On the CPU, in evaluation mode.
        preprocess: For mean and standard deviation.
        head: What turns features into answers.
    """

    def __init__(self, backbone: Backbone, preprocess: Preprocess, head: AnswerHead) -> None:
        super().__init__()
        self.features = Normalised(backbone, preprocess)
        # The temperature divides the weights, which is the same: logits are computed in float32 here, not in double.
        self.weight = nn.Parameter(torch.from_numpy(head.weight / head.temperature).float(), requires_grad=False)  # [K, D]
        self.bias = nn.Parameter(torch.from_numpy(head.bias / head.temperature).float(), requires_grad=False)  # [K]
        reference = None if head.unknown is None else torch.from_numpy(head.unknown.reference).float()  # [M, D]
        self.reference = None if reference is None else nn.Parameter(reference, requires_grad=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """What the outputs are called, in their order."""
        return ("probabilities",) if self.reference is None else ("probabilities", "distance")

    def forward(self, pixels: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """Probabilities ``[B, K]``, and distances ``[B]`` where they are known, of uint8 ``[B, 3, H, W]``."""
        features = self.features(pixels)
        probabilities = torch.softmax(features @ self.weight.T + self.bias, dim=1)
        if self.reference is None:
            return probabilities
        length = features.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return probabilities, 1 - ((features / length) @ self.reference.T).max(dim=1).values
