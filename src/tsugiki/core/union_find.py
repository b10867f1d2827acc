"""Union-find: which rows belong together, when whatever is joined with the same third is joined, too."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class UnionFind:
    """Sets of the rows ``0 .. count - 1``, each alone until it is joined.

    Args:
        count: How many rows.
    """

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, row: int) -> int:
        """The root of the set that ``row`` belongs to: the first of its rows."""
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def union(self, one: int, other: int) -> None:
        """Make one set of the two that ``one`` and ``other`` belong to."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first

    def union_equal(self, marks: Iterable[Hashable]) -> None:
        """Join the rows that have the same mark; an empty mark joins nobody."""
        first: dict[Hashable, int] = {}
        for row, mark in enumerate(marks):
            if mark != "":
                self.union(first.setdefault(mark, row), row)

    def roots(self) -> list[int]:
        """:meth:`find` of every row."""
        return [self.find(row) for row in range(len(self._parent))]
