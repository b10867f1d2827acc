"""A moving average of the weights: steadier than the last step's (Polyak and Juditsky, 1992)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

Tensors = Mapping[str, torch.Tensor]


class Ema:
    """Averages of tensors by name.

    The average remembers about ``1 / (1 - decay)`` steps; while there are fewer, it remembers all of them, so that it does not
    hang on where it began.

    Args:
        tensors: What to average: the network's own, which change in place.
        decay: 0 keeps no average: the network's own tensors are what :meth:`in_place` shows.
    """

    def __init__(self, tensors: Tensors, decay: float) -> None:
        self._tensors, self.decay, self.steps = dict(tensors), decay, 0
        self.average = {name: tensor.detach().clone() for name, tensor in tensors.items()} if decay else {}

    @classmethod
    def fixed(cls, tensors: Tensors, values: Tensors) -> Ema:
        """Given ``values`` in the place of an average of ``tensors``."""
        made = cls(tensors, 0.0)
        made.average = dict(values)
        return made

    @torch.no_grad()
    def update(self) -> None:
        """Take the tensors' values after one more step in."""
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        pairs = [(average, self._tensors[name].detach()) for name, average in self.average.items()]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        if floats:
            torch._foreach_lerp_([a for a, _ in floats], [t for _, t in floats], weight)
        for average, tensor in pairs:
            if not average.is_floating_point():
                average.copy_(tensor)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this block the network holds the average; afterwards exactly what it held before."""
        own = {name: self._tensors[name].detach().clone() for name in self.average}
        _copy(self.average, self._tensors)
        try:
            yield
        finally:
            _copy(own, self._tensors)

    def values(self) -> dict[str, torch.Tensor]:
        """A copy of the averages, or of the network's own tensors where there is no average."""
        return {name: tensor.detach().clone() for name, tensor in (self.average or self._tensors).items()}

    def state(self) -> dict[str, object]:
        """Everything to continue from."""
        return {"steps": self.steps, "average": self.average}

    def load(self, steps: int, average: Tensors) -> None:
        """Continue from a :meth:`state`."""
        self.steps = steps
        _copy(average, self.average)


@torch.no_grad()
def _copy(source: Tensors, target: Tensors) -> None:
    for name, tensor in source.items():
        target[name].detach().copy_(tensor)
