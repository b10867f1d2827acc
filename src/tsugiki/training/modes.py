"""Train and eval mode, where frozen parts and single photos need more than ``model.train()``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


def set_training_mode(model: nn.Module) -> None:
    """Put ``model`` into training mode, except the parts that are wholly frozen: those go into eval mode.

    ``requires_grad=False`` alone does not stop BatchNorm from moving its running statistics, nor dropout from dropping.
    """
    model.train()
    for module in model.modules():
        frozen = [not parameter.requires_grad for parameter in module.parameters()]
        if frozen and all(frozen):
            module.eval()


@contextmanager
def lone_photo(model: nn.Module, photos: int) -> Iterator[None]:
    """While a batch of one photo is learned from, BatchNorm layers use the statistics they already have."""
    norms = [module for module in model.modules() if photos == 1 and isinstance(module, nn.modules.batchnorm._BatchNorm)]  # noqa: SLF001
    learning = [norm for norm in norms if norm.training]
    for norm in learning:
        norm.eval()
    try:
        yield
    finally:
        for norm in learning:
            norm.train()
