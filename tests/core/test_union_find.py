"""Rows that are linked through others are together, in whatever order the links come."""

import numpy as np
import pytest

from tsugiki.core.union_find import UnionFind


@pytest.mark.parametrize("seed", range(20))
def test_it_finds_what_spreading_marks_finds(seed):
    dice = np.random.default_rng(seed)
    links = dice.integers(0, 30, (int(dice.integers(0, 40)), 2)).tolist()
    sets = UnionFind(30)
    for one, other in links:
        sets.union(one, other)
    mark = list(range(30))
    for _ in range(30):
        for one, other in links:
            mark[one] = mark[other] = min(mark[one], mark[other])
    assert sets.roots() == mark


def test_alike_marks_are_linked_and_empty_ones_are_not():
    sets = UnionFind(6)
    sets.union_equal(["a", "", "b", "a", "", "b"])
    assert sets.roots() == [0, 1, 2, 0, 4, 2]
    sets.union_equal([1, 2, 2, 0, 3, 0])
    assert sets.roots() == [0, 0, 0, 0, 4, 0]
