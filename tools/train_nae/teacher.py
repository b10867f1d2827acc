"""The teacher: a network with ImageNet weights whose soft answers are worth more than the labels alone.

It answers every photo once, without augmentation, and the answers are stored, so that its cost does not grow with the epochs
and a second run does not pay it again.

Letters: ``N`` photos, ``T`` classes of the teacher (1,000).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from tools.train_nae.photos import Photos
from tools.train_nae.student import normalise
from tsugiki.core.files import atomic_path, sha256_of

BATCH = 128


@dataclass(frozen=True)
class Teacher:
    """Which network teaches.

    Attributes:
        weights: A safetensors file with its classifying layer.
        architecture: timm's name for it.
        arguments: What ``timm.create_model`` needs beside the name.
        size: Pixels per side that the photos are enlarged to.
    """

    weights: Path
    architecture: str = "mobilenetv2_100"
    arguments: dict[str, Any] = field(default_factory=dict)
    size: int = 160

    def network(self) -> nn.Module:
        """The network, in evaluation mode."""
        network: nn.Module = timm.create_model(self.architecture, **self.arguments)
        network.load_state_dict(load_file(self.weights))
        return network.eval()


def soft_answers(teacher: Teacher, photos: Photos, folder: Path, device: torch.device) -> torch.Tensor:
    """The teacher's probabilities, ``[N, T]`` float16; read from ``folder`` where they were stored before."""
    path = folder / f"answers-{_fingerprint(teacher, photos)}.npy"
    if not path.exists():
        answers = _ask(teacher.network().to(device), photos, teacher.size, device)
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, answers.numpy())
    return torch.from_numpy(np.load(path))


@torch.inference_mode()
def _ask(network: nn.Module, photos: Photos, size: int, device: torch.device) -> torch.Tensor:
    answers = []
    for start in range(0, len(photos), BATCH):
        batch = photos.pixels[start : start + BATCH].to(device).float() / 255
        enlarged = nn.functional.interpolate(batch, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)
        answers.append(network(normalise(enlarged)).softmax(1).half().cpu())  # [B, T]
    return torch.cat(answers)


def _fingerprint(teacher: Teacher, photos: Photos) -> str:
    """Other weights, another size or other photos are other answers."""
    content = hashlib.sha256(photos.pixels.numpy().tobytes())
    content.update(f"{sha256_of(teacher.weights)} {teacher.architecture} {teacher.arguments} {teacher.size}".encode())
    return content.hexdigest()[:16]
