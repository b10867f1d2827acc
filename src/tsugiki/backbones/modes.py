"""Modes of a network: looked at in evaluation mode, left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within this block ``network`` is in evaluation mode; afterwards every module is in the mode it was found in."""
    found = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in found.items():
            module.training = training
