"""Random numbers that follow from the position alone, and generators that are afterwards the caller's again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from tsugiki.core.seeds import set_seeds


def seed_step(seed: int, epoch: int, step: int, process: int) -> None:
    """Seed every generator for one step of one process."""
    (number,) = np.random.SeedSequence([seed, epoch, step, process]).generate_state(1)
    set_seeds(int(number))


@contextmanager
def generators_kept() -> Iterator[None]:
    """Whatever the block draws, Python's, NumPy's and PyTorch's generators are afterwards what they were before."""
    python, arrays = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(range(torch.accelerator.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(arrays)
