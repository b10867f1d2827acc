"""Feature vectors, wherever they are: in memory, or row by row in a file.

Letters: ``N`` photos, ``M`` rows, ``B`` photos of a part, ``D`` feature width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

STREAMED_BLOCK = 4096
"""Rows that are read together when streaming."""

_IN_MEMORY = 1 << 29  # bytes of vectors that may be held at once; more are streamed


@dataclass(frozen=True)
class VectorFile:
    """Vectors on disk that are indexed like an array ``[M, D]``.

    They are read, not mapped into memory: each touched page of a map brings its neighbours along, and a walk over a million
    rows would seem to hold them all.

    Attributes:
        path: The file, float32, row after row.
        shape: ``(M, D)``.
    """

    path: Path
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """A copy of some rows, ``[N, D]``, in the order asked for; neighbouring rows are read together."""
        order = np.argsort(rows, kind="stable")
        ordered = np.asarray(rows)[order]
        found = np.empty((len(rows), self.shape[1]), np.float32)
        starts = np.flatnonzero(np.diff(ordered, prepend=-2) != 1).tolist()
        if not starts:
            return found
        with self.path.open("rb", buffering=0) as stream:
            for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
                stream.seek(int(ordered[start]) * self.shape[1] * found.itemsize)
                part = found[start:end]
                if stream.readinto(part.data.cast("B")) != part.nbytes:
                    raise IndexError(f"{self.path} has no rows {ordered[start]} to {ordered[end - 1]}")
        if (order == np.arange(len(rows))).all():
            return found
        unordered = np.empty_like(found)
        unordered[order] = found
        return unordered


@dataclass(frozen=True)
class FeatureRows:
    """Feature vectors of ``N`` photos, wherever they are.

    Attributes:
        vectors: ``[M, D]`` float32, in memory or on disk.
        rows: ``[N]`` int64, each photo's row.
    """

    vectors: Floats | VectorFile
    rows: Ints

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """``D``."""
        return int(self.vectors.shape[1])

    def take(self, picked: Ints | slice) -> Floats:
        """Vectors ``[B, D]`` of some of the photos."""
        return np.asarray(self.vectors[self.rows[picked]], np.float32)

    @property
    def fits_memory(self) -> bool:
        """Whether all vectors may be held at once."""
        return len(self) * self.width * 4 <= _IN_MEMORY

    def blocks(self) -> Iterator[tuple[slice, Floats]]:
        """All vectors, a bounded part at a time."""
        for start in range(0, len(self), STREAMED_BLOCK):
            part = slice(start, start + STREAMED_BLOCK)
            yield part, self.take(part)
