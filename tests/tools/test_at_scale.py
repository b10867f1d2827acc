"""The sums on paper count what the program does."""

import math

import numpy as np

from benchmarks import at_scale
from tsugiki.core.console import quiet
from tsugiki.features import store
from tsugiki.features.store import FeatureRows, FeatureStore
from tsugiki.heads import linear
from tsugiki.heads.linear import Labelled, fit_linear_head


class _Counted:
    """Vectors that count how often rows are read."""

    def __init__(self, vectors):
        self.vectors, self.rows = vectors, 0

    @property
    def shape(self):
        return self.vectors.shape

    def __getitem__(self, rows):
        self.rows += len(rows)
        return self.vectors[rows]


def test_a_head_on_very_many_photos_reads_their_vectors_as_often_as_is_said(monkeypatch):
    count = 6000
    monkeypatch.setattr(store, "_IN_MEMORY", 0)
    monkeypatch.setattr(linear, "_EVERY_EPOCH_UP_TO", count - 1)
    monkeypatch.setattr(linear, "_MOST_TO_CHOOSE_ON", 20)
    monkeypatch.setattr(linear, "_USUAL_STEPS", 3)
    dice = np.random.default_rng(0)
    vectors, labels = _Counted(dice.normal(size=(count, 8)).astype(np.float32)), dice.integers(0, 3, count)
    with quiet():
        fit_linear_head(Labelled(FeatureRows(vectors, np.arange(count)), labels), 3)
    assert round(vectors.rows / count) == at_scale.PASSES


def test_the_store_is_as_large_as_is_said(tmp_path):
    def size(count):
        space = FeatureStore(tmp_path / str(count)).space({"synthetic": True}, 16)
        space.add([f"{row:064x}" for row in range(count)], np.zeros((count, 16), np.float32))
        return (tmp_path / str(count) / "1.f32").stat().st_size

    def needs(count):
        return at_scale.Needs(size(count), 0, 0, 0, 0)

    foretold = at_scale.foretell(1200, (100, needs(100)), (300, needs(300)))
    assert math.isclose(foretold.vectors, size(1200))
