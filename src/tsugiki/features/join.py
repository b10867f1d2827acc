"""The features of several networks side by side: what heads on joined backbones learn from.

Letters: ``P`` parts, ``N`` photos, ``M`` stored vectors, ``D`` width of all parts together, ``d`` of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tsugiki.evaluation.metrics import unit_rows
from tsugiki.features.store import FeatureRows, Floats, Ints

if TYPE_CHECKING:
    from tsugiki.features.table import FeatureTable


def side_by_side(parts: Sequence[Floats]) -> Floats:
    """``P`` parts' features ``[N, d]`` of the same photos as ``[N, D]``, each part's scaled to length one."""
    return np.concatenate([unit_rows(part) for part in parts], axis=1)


@dataclass(frozen=True)
class JoinedVectors:
    """Vectors of several parts that are indexed like one array ``[M, D]``; each part's are left where they are.

    Attributes:
        parts: ``P`` parts' vectors of the same ``M`` photos.
    """

    parts: tuple[FeatureRows, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """``(M, D)``."""
        return len(self.parts[0]), sum(part.width for part in self.parts)

    def __getitem__(self, rows: Ints) -> Floats:
        return side_by_side([part.take(rows) for part in self.parts])


def joined(tables: Sequence[FeatureTable]) -> FeatureTable:
    """The tables of several backbones as one.

    Args:
        tables: Of the same photos in the same splits, each with as many views.
    """
    last = tables[-1]
    train = JoinedVectors(tuple(table.train for table in tables))
    memory = last.memory and replace(last.memory, about=repr([table.memory and table.memory.about for table in tables]))
    return replace(
        last,
        train=FeatureRows(train, np.arange(train.shape[0])),
        val=side_by_side([table.val for table in tables]),
        held_out=side_by_side([table.held_out for table in tables]),
        computed=max(table.computed for table in tables),
        memory=memory,
        looks=any(table.looks for table in tables),
        pairs=None,
    )
