"""Features of several networks side by side.

Letters: ``N`` photos, ``V`` views, ``D`` feature width of all parts together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tsugiki.evaluation.metrics import unit_rows
from tsugiki.features.store import FeatureRows
from tsugiki.features.table import FeatureTable


def joined(tables: Sequence[FeatureTable]) -> FeatureTable:
    """One table of the same photos: each part's vector ``[D]`` scaled to unit length per photo, then side by side."""
    if len(tables) == 1:
        return tables[0]
    train = np.hstack([unit_rows(table.train.take(slice(None))) for table in tables])
    return replace(
        tables[0],
        train=FeatureRows(train, np.arange(len(train))),
        val=np.hstack([unit_rows(table.val) for table in tables]),
        held_out=np.hstack([unit_rows(table.held_out) for table in tables]),
        memory=None,
        pairs=None if tables[0].duplicates is None else tuple(tables[0].duplicates),
        looks=any(table.looks for table in tables),
    )
