"""PyTorch alone: ``model.pt``, which ``torch.jit.load`` reads in Python and C++, without this program and its libraries."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from tsugiki.backbones.freezing import evaluating
from tsugiki.features.engines.openvino_conversion import as_constants
from tsugiki.publishing.formats.format import Format, Order

MODEL = "model.pt"


def write(order: Order) -> dict[str, Any]:
    """See :class:`Format`."""
    backbone = order.classifier.backbone
    trace: Any = torch.jit.trace
    with warnings.catch_warnings(), evaluating(backbone), as_constants(backbone):
        warnings.simplefilter("ignore")  # docs/decisions/0011-photos-into-exported-files.md: why this and not torch.export
        traced = trace(order.network(), order.example, check_trace=False, strict=False)
        torch.jit.save(traced, str(order.folder / MODEL))
    return {}


FORMAT = Format("torch", (MODEL,), ("torch",), ("PyTorch",), ("fp32", "fp16", "bf16"), write, photos=MODEL)
