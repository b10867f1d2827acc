"""The training photos, in an order of which every beginning has its share of every class, and their features.

Letters: ``N`` photos.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tsugiki.core.console import progress, quiet, say
from tsugiki.core.display.visible import visible
from tsugiki.data.samples import Samples
from tsugiki.evaluation.duplicates import Pair
from tsugiki.features.executor import FAST, Way
from tsugiki.features.store import FeatureRows
from tsugiki.features.table import FeatureTable, Memory
from tsugiki.inspection.rank.contender import Contender
from tsugiki.inspection.rank.rank_settings import Clock
from tsugiki.locale.messages import tr

_AT_ONCE = 1.0  # seconds of work after which the clock is looked at


class PhotosChangedError(Exception):
    """Some photos cannot be read, and splits were drawn anew: all judgements are about other photos now."""


class TrainingPhotos:
    """The photos that networks are judged on.

    Args:
        samples: All photos; the held-out ones are not looked at.
        seed: Of the order.
    """

    def __init__(self, samples: Samples, seed: int) -> None:
        self.samples = samples
        self.seed = seed
        self.order = stratified_order(samples, seed)
        self._pairs: dict[int, tuple[Pair, ...] | None] = {}

    def __len__(self) -> int:
        return len(self.order)

    def first(self, count: int) -> Samples:
        """The first ``count`` photos of the order, as they stand in the samples."""
        return replace(self.samples.take(sorted(self.order[:count])), draw=None)

    def missing(self, contender: Contender, count: int) -> int:
        """How many of the first ``count`` a network has not seen."""
        return contender.extractor.missing(self.first(count), FAST)

    def table(self, contender: Contender, count: int) -> FeatureTable:
        """Features of the first ``count`` photos, which have been looked at.

        By the features of the first network that is asked about, near copies are known: folds are the same for all networks.
        """
        part = self.first(count)
        with quiet():
            found = contender.extractor(part, FAST)
        memory = Memory(contender.extractor.store, contender.extractor.about(part, found.precision))
        width = contender.engines.num_features
        table = FeatureTable(
            part,
            train=FeatureRows(found.space.vectors(), found.rows),
            val=np.empty((0, width), np.float32),
            held_out=np.empty((0, width), np.float32),
            facts=contender.extractor.store.facts(part.digests),
            computed=found.computed,
            memory=memory,
            looks=contender.extractor.looks,
        )
        if count not in self._pairs:
            self._pairs[count] = None if table.duplicates is None else tuple(table.duplicates)
        return self.with_own_pairs(table, count)

    def with_own_pairs(self, table: FeatureTable, count: int) -> FeatureTable:
        """A table of the first ``count`` photos with the near copies that all others have."""
        return replace(table, pairs=self._pairs[count])

    def look_at(self, contender: Contender, count: int, clock: Clock, *, share: float = 1.0) -> bool:
        """Compute what is missing of the first ``count`` photos; whether there was time enough.

        Raises:
            PhotosChangedError: When some cannot be read.
            DataError: When too few can.
            TsugikiError: When features cannot be computed, or the store cannot be used.
        """
        part = self.first(count)
        problems = look_at(contender, part, FAST, clock, share=share)
        if problems is None:
            return False
        if problems:
            self._leave_out(problems)
        return True

    def _leave_out(self, problems: dict[str, str]) -> None:
        reasons = {row: problems[name] for row, name in enumerate(self.samples.names) if name in problems}
        for row, reason in sorted(reasons.items()):
            say(tr("Left out: {name}: {reason}", name=visible(self.samples.names[row], one_line=True), reason=reason))
        self.samples = self.samples.without_unreadable(reasons)
        raise PhotosChangedError


def look_at(contender: Contender, part: Samples, way: Way, clock: Clock, *, share: float = 1.0) -> dict[str, str] | None:
    """Compute features that are not in the store yet, until the clock says stop.

    Returns:
        The reasons of photos that cannot be read, by name; ``None`` where the time was up before.
    """
    missing = contender.extractor.missing(part, way)
    if not missing:
        return {}
    problems: dict[str, str] = {}
    label = tr("{name}: looking at photos", name=visible(contender.name, one_line=True))
    with progress(label, missing) as tick:
        for rows in _pieces(len(part), contender, clock):
            if clock.left(share) <= 0:
                return None
            piece, begun = part.take(rows), time.monotonic()
            with quiet():
                found = contender.extractor(piece, way)
            problems |= {piece.names[at]: reason for at, reason in found.problems.items()}
            if found.computed:
                contender.note_pace(found.computed, time.monotonic() - begun)
                tick(found.computed, "")
    return problems


def _pieces(count: int, contender: Contender, clock: Clock) -> Sequence[Sequence[int]]:
    """As many at once as are looked at in a second; where nobody is in a hurry, in ten."""
    seconds = _AT_ONCE if clock.budget is not None else 10 * _AT_ONCE
    size = max(16, int(seconds / contender.seconds_per_photo))
    return [range(start, min(count, start + size)) for start in range(0, count, size)]


def stratified_order(samples: Samples, seed: int) -> list[int]:
    """Training rows such that among the first ``N`` every class (or combination of labels) has its share."""
    rows, dice = np.array(samples.train_rows), np.random.default_rng(seed)
    shuffled = rows[dice.permutation(len(rows))]
    place = np.empty(len(rows))
    labels = samples.labels[shuffled]
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[own] = (np.arange(len(own)) + dice.random(len(own))) / len(own)
    return [int(row) for row in shuffled[np.argsort(place, kind="stable")]]
