"""Features of more than a network's last layer: its stages, each averaged over the photo, beside the features themselves.

What a network sees halfway (texture, colour, edges) is lost in its last layer where the classes that it once learned did not
need it; materials and defects are told apart by just that (Evci et al., "Head2Toe: Utilizing Intermediate Representations for
Better Transfer Learning", ICML 2022). Each stage and the last features are scaled to length one, so that no stage counts for
more because its numbers are larger. One pass through the network gives all of them.

Letters: ``B`` photos, ``C`` channels of a stage, ``H`` x ``W`` pixels, ``h`` x ``w`` cells of a map, ``D`` their width.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

_Taken = dict[tuple[int, int], torch.Tensor]
"""Maps by thread and stage: a network may be asked by several threads at once."""


@dataclass(frozen=True)
class _Stage:
    """Where a map comes from.

    Attributes:
        path: The last layer that gives a map of its size.
        cells: Which of its dimensions are places: 2 and 3, or 1 and 2 where channels come last.
    """

    path: str
    cells: tuple[int, int]


class StagedBody(nn.Module):
    """A network that gives its features and, beside them, the mean of the last map of every size but the smallest.

    The smallest is what its own features are made of.

    Args:
        body: Maps ``[B, 3, H, W]`` to features.
        size: ``H`` and ``W``.

    Raises:
        RequestError: When it makes no maps of several sizes.
    """

    def __init__(self, body: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.body = body
        self._stages = _stages(body, size)
        self._taken: _Taken = {}
        for place, stage in enumerate(self._stages):
            body.get_submodule(stage.path).register_forward_hook(functools.partial(_take, self._taken, place))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features ``[B, D]`` of photos ``[B, 3, H, W]``."""
        features = [self.body(x).flatten(1)]
        thread = threading.get_ident()
        for place, stage in enumerate(self._stages):
            features.append(self._taken.pop((thread, place)).mean(dim=stage.cells))
        return torch.cat([nn.functional.normalize(part, dim=1) for part in features], dim=1)


def _take(taken: _Taken, place: int, _module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
    taken[threading.get_ident(), place] = output


def _stages(body: nn.Module, size: tuple[int, int]) -> list[_Stage]:
    """The last map of every size but the smallest, largest first."""
    height, width = size
    found: dict[int, _Stage] = {}

    def note(path: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if not isinstance(output, torch.Tensor) or output.dim() != 4:
            return
        for cells in ((2, 3), (1, 2)):
            high, wide = (output.shape[at] for at in cells)
            if min(high, wide) > 1 and abs(high * width - wide * height) <= max(height, width):  # of the photo's proportions
                found[high] = _Stage(path, cells)
                return

    handles = [part.register_forward_hook(functools.partial(note, path)) for path, part in body.named_modules() if path]
    try:
        with torch.inference_mode():
            body(torch.zeros(1, 3, height, width))
    finally:
        for handle in handles:
            handle.remove()
    if len(found) < 2:
        raise RequestError(
            tr("This network makes no maps of several sizes: its last features are all there is."),
            cure=tr("leave {suffix} out", suffix=":multi"),
        )
    return [found[high] for high in sorted(found, reverse=True)[:-1]]
