"""What belongs together, found link by link: whatever is linked with the same third is linked, too (union-find)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Linked:
    """Rows ``0 .. count - 1``, each alone until it is linked.

    Args:
        count: How many rows.
    """

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, row: int) -> int:
        """The first of the rows that ``row`` belongs to."""
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def link(self, one: int, other: int) -> None:
        """From now on the two, and all that either belongs to, are together."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def link_alike(self, marks: Iterable[Hashable]) -> None:
        """Link the rows that have the same mark; an empty mark links nobody."""
        first: dict[Hashable, int] = {}
        for row, mark in enumerate(marks):
            if mark != "":
                self.link(first.setdefault(mark, row), row)

    def roots(self) -> list[int]:
        """:meth:`root` of every row."""
        return [self.root(row) for row in range(len(self._parent))]
