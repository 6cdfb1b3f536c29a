"""Adding up in one fixed order, wherever the parts are: a binary tree over their numbers.

Part i is a leaf, and node (level, index) is all leaves from number index * 2**level on.  Whoever has some neighbouring leaves
adds up the nodes that are whole in them, and whoever gets such nodes adds up the rest: the same sums, in the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

T = TypeVar("T")
Subtotal = tuple[int, int, T | None]  # level, index, what its leaves add up to; None for leaves without rows


class Pairs(Generic[T]):
    """Leaves and nodes in their order, each two neighbours added up as soon as both are there.

    >>> def nodes(first, leaves):
    ...     pairs = Pairs(lambda a, b: f"({a}{b})", first)
    ...     for leaf in leaves:
    ...         pairs.leaf(leaf)
    ...     return pairs.nodes
    >>> nodes(3, "defg")
    [(0, 3, 'd'), (1, 2, '(ef)'), (0, 6, 'g')]
    >>> Pairs(lambda a, b: f"({a}{b})").take([*nodes(3, "defg"), *nodes(0, "abc")]).root()
    '(((ab)(cd))((ef)g))'

    Args:
        both: what two neighbours add up to.
        first: the number of the first leaf.
    """

    def __init__(self, both: Callable[[T, T], T], first: int = 0) -> None:
        self._add, self._next = both, first
        self.nodes: list[Subtotal[T]] = []

    def leaf(self, found: T | None) -> None:
        """The next leaf; None adds nothing, as a file without rows does."""
        self._push(0, self._next, found)
        self._next += 1

    def take(self, nodes: Iterable[Subtotal[T]]) -> Pairs[T]:
        """Nodes that others made, in any order."""
        for level, index, found in sorted(nodes, key=lambda node: (node[1] << node[0], -node[0])):
            self._push(level, index, found)
        return self

    def root(self) -> T | None:
        """All leaves added up, which begin at number 0 and have no gap; None where none has rows."""
        end, total = 0, None
        for level, index, _ in self.nodes:
            if index << level != end:
                raise ValueError(f"leaf {end} is missing")
            end += 1 << level
        for _, _, found in reversed(self.nodes):
            total = self._both(found, total)
        return total

    def _push(self, level: int, index: int, found: T | None) -> None:
        while index % 2 and self.nodes and self.nodes[-1][:2] == (level, index - 1):
            found = self._both(self.nodes.pop()[2], found)
            level, index = level + 1, index // 2
        self.nodes.append((level, index, found))

    def _both(self, a: T | None, b: T | None) -> T | None:
        return b if a is None else a if b is None else self._add(a, b)
