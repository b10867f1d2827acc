"""Seeds: the same request gives the same answer."""

from __future__ import annotations

import random

from tsugiki.core.errors import RequestError
from tsugiki.core.messages import tr


def set_seeds(seed: int = 42) -> None:
    """Seed Python, NumPy and PyTorch (every device).

    Args:
        seed: Any integer from 0 to 2**32 - 1.

    Raises:
        RequestError: When it is another number.
    """
    import numpy as np
    import torch

    if not 0 <= seed < 2**32:
        raise RequestError(tr("This is no seed."), allowed="0 ... 4294967295", got=repr(seed))

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # also seeds CUDA and MPS
