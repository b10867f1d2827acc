"""Modes of a network: looked at in evaluation mode, left as it was found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def mode_kept(network: nn.Module) -> Iterator[None]:
    """Whatever the block does, every module of ``network`` is afterwards in the mode (train or eval) it was in before."""
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Within this block ``network`` is in evaluation mode; afterwards every module is in the mode it was found in."""
    with mode_kept(network):
        network.eval()
        yield
