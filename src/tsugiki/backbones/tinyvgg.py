"""TinyVGG: the small network that both articles' course trains from scratch, to compare with."""

from __future__ import annotations

import torch
from torch import nn


class TinyVGG(nn.Module):
    """Two blocks of two convolutions each, and one linear layer.

    After the CNN Explainer of Wang et al., "CNN Explainer: Learning Convolutional Neural Networks with Interactive
    Visualization" (2020). With 10 hidden units and 3 classes it has 8,083 parameters.

    Letters: ``B`` photos, ``K`` classes.

    Args:
        input_shape: Colour channels of the input, which is 64 x 64 pixels.
        hidden_units: Channels of every convolution.
        output_shape: ``K``.
    """

    def __init__(self, input_shape: int = 3, hidden_units: int = 10, output_shape: int = 3) -> None:
        super().__init__()
        self.conv_block_1 = _block(input_shape, hidden_units)
        self.conv_block_2 = _block(hidden_units, hidden_units)
        # 64 px lose 2 in each unpadded convolution and half in each pooling: (64 - 4) / 2 = 30, (30 - 4) / 2 = 13.
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(hidden_units * 13 * 13, output_shape))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Photos ``[B, 3, 64, 64]`` to logits ``[B, K]``."""
        logits: torch.Tensor = self.classifier(self.conv_block_2(self.conv_block_1(x)))
        return logits


def _block(inputs: int, hidden_units: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, hidden_units, kernel_size=3),
        nn.ReLU(),
        nn.Conv2d(hidden_units, hidden_units, kernel_size=3),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2),
    )
