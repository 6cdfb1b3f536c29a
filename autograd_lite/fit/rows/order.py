"""Which of many numbers is in the middle, by passes over the rows: the numbers stay where the rows are.

Numbers that are few are brought together and sorted.  Of many, each pass counts how many begin with which bits, sixteen further
bits at a time: after four passes the number is known, the same that sorting all of them would find.  Needs NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...arrays import Array, np
from ..rows import AnyRows, Columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW = 2**16  # numbers that are brought together
BITS = 16

Numbers = Callable[[Sequence[float], Columns], Array]


class Gathered:
    """Work that brings numbers together: those of each block, by a function of weights and columns."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Array:
        """Those of a block."""
        return self.numbers(leaves, columns)

    @staticmethod
    def both(a: Array, b: Array) -> Array:
        """Those of two blocks, one after the other."""
        return np.concatenate([a, b])


class Summed(Gathered):
    """Work that adds numbers up."""

    @staticmethod
    def both(a: Array, b: Array) -> Array:
        """Those of two blocks together."""
        return a + b


class Greatest(Gathered):
    """Work that finds the greatest of numbers."""

    @staticmethod
    def both(a: Array, b: Array) -> Array:
        """The greater of two."""
        found: Array = np.maximum(a, b)
        return found


class Counts(Summed):
    """Work that counts, of the numbers whose first bits are `begun`, how many go on with each of 16 further bits."""

    def __init__(self, numbers: Numbers, begun: int, depth: int) -> None:
        super().__init__(numbers)
        self.begun, self.depth = begun, depth

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Array:
        """In a block."""
        keys = _keys(self.numbers(leaves, columns))
        left = 64 - BITS * self.depth
        if self.depth:
            keys = keys[keys >> np.uint64(left) == np.uint64(self.begun)]
        further = (keys >> np.uint64(left - BITS)) & np.uint64(2**BITS - 1)
        return np.bincount(further.astype(np.int64), minlength=2**BITS).astype(float)


def _keys(numbers: Array) -> NDArray[np.uint64]:
    """Doubles as whole numbers in the same order."""
    bits = np.ascontiguousarray(numbers, dtype=float).view(np.uint64)
    top = np.uint64(2**63)
    return np.where(bits & top, ~bits, bits | top)


def _double(key: int) -> float:
    bits = key ^ 2**63 if key >> 63 else key ^ (2**64 - 1)
    return float(np.array([bits], dtype=np.uint64).view(float)[0])


def ranked(rows: AnyRows, numbers: Numbers, leaves: Sequence[float], count: int, ranks: Sequence[int]) -> list[float]:
    """The numbers that stand at some places, from 0, when all of them are sorted.

    Args:
        rows: what the numbers are of; `count` of them in all.
        numbers: those of a block, by weights and columns, as an array.
        leaves: the weights.
        ranks: the places.
    """
    if count <= FEW:
        ordered = np.sort(rows.total(Gathered(numbers), leaves))
        return [float(ordered[k]) for k in ranks]
    known: dict[int, Array] = {}

    def one(rank: int) -> float:
        begun = 0
        for depth in range(64 // BITS):
            if (at := (depth << 64) | begun) not in known:
                known[at] = np.cumsum(rows.total(Counts(numbers, begun, depth), leaves))
            sums = known[at]
            digit = int(np.searchsorted(sums, rank, side="right"))
            rank -= int(sums[digit - 1]) if digit else 0
            begun = begun << BITS | digit
        return _double(begun)

    return [one(rank) for rank in ranks]


def quantiles(rows: AnyRows, numbers: Numbers, leaves: Sequence[float], count: int, parts: Sequence[float]) -> list[float]:
    """The quantiles of numbers, between two by the line through them, as ``numpy.quantile`` has them.

    >>> from autograd_lite.fit.rows import Rows
    >>> quantiles(Rows(([4.0, 1.0, 3.0, 2.0],)), lambda leaves, columns: columns[0], (), 4, [0.5, 0.25])
    [2.5, 1.75]
    """
    places = [part * (count - 1) for part in parts]
    ends = [min(k, count - 1) for place in places for k in (math.floor(place), math.floor(place) + 1)]
    found = iter(ranked(rows, numbers, leaves, count, ends))
    return [low + (place - math.floor(place)) * (next(found) - low) for place, low in ((p, next(found)) for p in places)]
