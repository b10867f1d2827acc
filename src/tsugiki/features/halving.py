"""As many photos at once as there is memory for.

Letters: ``B`` photos, ``D`` feature width.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from tsugiki.core.console import say
from tsugiki.core.devices import empty_cache, is_out_of_memory
from tsugiki.core.errors import TsugikiError
from tsugiki.features.engines.engine import FeatureBatch
from tsugiki.locale.messages import tr


class Halving:
    """Computes features, half as many photos at once whenever memory runs out; said the first time, and then remembered.

    Args:
        compute: ``B`` photos, whatever can be sliced, to ``[B, D]``.
    """

    def __init__(self, compute: Callable[[Any], FeatureBatch]) -> None:
        self._compute = compute
        self._most: int | None = None

    def __call__(self, photos: Any) -> FeatureBatch:
        """Features ``[B, D]`` of ``B`` photos, at least one.

        Raises:
            TsugikiError: When there is not enough memory for a single photo.
        """
        while True:
            at_once = min(self._most or len(photos), len(photos))
            try:
                parts = [self._compute(photos[start : start + at_once]) for start in range(0, len(photos), at_once)]
                return parts[0] if len(parts) == 1 else np.concatenate(parts)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Here, not inside: while the error is handled, it holds what did not fit.
            self._halve(at_once)

    def _halve(self, at_once: int) -> None:
        if at_once == 1:
            raise TsugikiError(
                tr("There is not enough memory to compute the features of one photo."),
                cure=tr("a smaller backbone, the processor as device, or end what else needs memory"),
            )
        if self._most is None:
            say(tr("Memory ran out at {count} photos at once: half as many are computed from now on.", count=at_once))
        self._most = at_once // 2
        gc.collect()
        torch = sys.modules.get("torch")  # an engine file answers without it
        if torch is not None and (device := torch.accelerator.current_accelerator(check_available=True)) is not None:
            empty_cache(device)
