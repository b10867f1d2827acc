"""Seeds: the same request gives the same answer."""

from __future__ import annotations

import random


def set_seeds(seed: int = 42) -> None:
    """Seed Python, NumPy and PyTorch (every device).

    Args:
        seed: Any integer from 0 to 2**32 - 1.
    """
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # also seeds CUDA and MPS
