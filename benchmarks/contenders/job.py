"""What every contender is given, and the network that all of them train a head on."""

from __future__ import annotations

import json
from pathlib import Path

import timm
import torch
from safetensors.torch import load_file
from torch import nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pretrained(weights: Path) -> nn.Module:
    """MobileNetV2 with its 1,000-class head, from a local file."""
    model: nn.Module = timm.create_model("mobilenetv2_100", pad_type="same")
    model.load_state_dict(load_file(weights))
    return model


def report(correct: int, total: int) -> None:
    """The one line that a contender answers with."""
    print(json.dumps({"accuracy": correct / total, "n": total}))


def use_seed() -> None:
    """The same seed for everyone."""
    torch.manual_seed(42)
