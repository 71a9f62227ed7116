"""Sets that grow together (Galler and Fischer, 1964, with path halving)."""

from __future__ import annotations


class UnionFind:
    """`count` items, numbered from 0, each alone at first."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, item: int) -> int:
        """The number that all items of the item's set share."""
        parent = self._parent
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    def join(self, first: int, second: int) -> None:
        """Make one set of the two items' sets, named by the lower of their two numbers."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low
