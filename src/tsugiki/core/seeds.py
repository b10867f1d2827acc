"""Seeds: the same request gives the same answer."""

from __future__ import annotations

import random

from tsugiki.core.arguments import argument
from tsugiki.core.errors import RequestError
from tsugiki.locale.messages import tr

DEFAULT_SEED = 42
"""Used wherever nobody names a seed, so that every way of asking holds the same photos out."""


def set_seeds(seed: int = DEFAULT_SEED) -> None:
    """Seed Python, NumPy and PyTorch (every device).

    Args:
        seed: Any integer from 0 to 2**32 - 1.

    Raises:
        RequestError: When it is another number.
    """
    import numpy as np
    import torch

    check_seed(seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # also seeds CUDA and MPS


def check_seed(seed: int) -> None:
    """Refuse what no generator can be seeded with.

    Raises:
        RequestError: When it is no integer from 0 to 2**32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise RequestError(tr("This is no seed."), allowed="0 ... 4294967295", got=argument("seed", seed))
