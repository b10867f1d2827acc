"""The student: nae itself, and the two heads that are thrown away in the end.

Letters: ``B`` photos, ``K`` classes of Tiny ImageNet, ``T`` classes of the teacher.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.functional import cross_entropy

from tsugiki.core.files import atomic_path
from tsugiki.data.preprocess import IMAGENET_MEAN, IMAGENET_STD

ARCHITECTURE = "resnet18"
WIDTHS = (32, 64, 128, 256)
ARGUMENTS: dict[str, Any] = {"channels": WIDTHS, "num_classes": 0}
LABEL_SMOOTHING = 0.1


class Student(nn.Module):
    """A backbone, a head for the labels and a head for the teacher's answers."""

    def __init__(self, classes: int, teacher_classes: int) -> None:
        super().__init__()
        self.backbone: nn.Module = timm.create_model(ARCHITECTURE, **ARGUMENTS)
        self.label_head = nn.Linear(WIDTHS[-1], classes)
        self.teacher_head = nn.Linear(WIDTHS[-1], teacher_classes)

    def forward(self, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """``[B, 3, R, R]`` in [0, 1] to logits ``[B, K]`` and ``[B, T]``."""
        features = self.backbone(normalise(views).contiguous(memory_format=torch.channels_last))
        return self.label_head(features), self.teacher_head(features)

    def loss(self, views: torch.Tensor, labels: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
        """Both cross-entropies, summed: to be right, and to answer as the teacher does."""
        by_label, by_teacher = self(views)
        right = cross_entropy(by_label, labels, label_smoothing=LABEL_SMOOTHING)
        alike = cross_entropy(by_teacher, answers.float())
        return right + alike

    def parameter_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Weights decay; biases and normalisation do not."""
        parameters = list(self.parameters())
        return [
            {"params": [one for one in parameters if one.ndim > 1], "weight_decay": weight_decay},
            {"params": [one for one in parameters if one.ndim <= 1], "weight_decay": 0.0},
        ]

    def save_backbone(self, path: Path) -> None:
        """Write the backbone without its heads, halves instead of floats."""
        state = {
            name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in self.backbone.state_dict().items()
        }
        about = {"arch": f"timm {ARCHITECTURE}", "model_args": json.dumps(ARGUMENTS), "license": "Apache-2.0"}
        with atomic_path(path) as temporary:
            save_file(state, temporary, metadata=about)


def normalise(views: torch.Tensor) -> torch.Tensor:
    """RGB in [0, 1] as networks with ImageNet weights expect it."""
    mean = torch.tensor(IMAGENET_MEAN, device=views.device).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=views.device).view(3, 1, 1)
    return (views - mean) / std
