"""The shapes that this floor speaks in, and the few array operations that every part of it needs.

Letters: ``N`` photos, ``K`` classes, ``D`` feature width.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]

_TILE = 8_000_000
"""Numbers in one block of an ``N x N`` table that is never held as a whole: 32 MB of float32."""


def softmax(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """``[N, K]`` logits to probabilities, after division by ``temperature``."""
    return np.exp(log_softmax(logits, temperature))


def log_softmax(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """The natural logarithm of :func:`softmax`, without its underflow."""
    scaled = logits.astype(np.float64) / temperature
    shifted = scaled - scaled.max(axis=1, keepdims=True)
    logs: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def unit_rows(vectors: Floats) -> npt.NDArray[np.float32]:
    """``[N, D]`` with every row scaled to length one (a row of zeros stays as it is)."""
    rows = vectors.astype(np.float32)
    lengths = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
    rows /= np.where(lengths > 0, lengths, 1.0)
    return rows


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of ``rows`` such that a block of ``rows x columns`` numbers stays small."""
    step = max(1, _TILE // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))
