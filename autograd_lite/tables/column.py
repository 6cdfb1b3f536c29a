"""Memory for columns of doubles, which begins where vectors are loaded fastest.

That is at a multiple of 64 bytes, a line of the processor's cache; and each column at a place of its own modulo 4,096, as lines
of the same place modulo 4,096 drive one another out of the cache.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

_PAGE = 4096
_APART = 5 * 64  # bytes from where one column begins in a page to where the next does
_MAPPED = 16  # where in a page large blocks begin, as allocators of C hand them out
_SMALL = 512  # numbers below which it does not matter


def _skipped(at: int, place: int) -> int:
    """How many doubles lie between an address and the next place to begin at."""
    return (_APART * place - at) % _PAGE // 8


def aligned(count: int, place: int = 0) -> memoryview:
    """Memory for so many doubles, for the column of that place among others.

    >>> aligned(3).tolist()
    [0.0, 0.0, 0.0]
    """
    room = _PAGE // 8 if count >= _SMALL else 0
    numbers = array("d", [0.0]) * (count + room)
    first = _skipped(numbers.buffer_info()[0], place) if room else 0
    return memoryview(numbers)[first : first + count]


class Column:
    """Doubles that grow at the end.

    Args:
        place: which of several columns it is.
    """

    def __init__(self, place: int) -> None:
        self.place, self._numbers, self._first, self._last = place, array("d"), 0, 0

    def extend(self, more: Sequence[float]) -> None:
        """Put numbers behind those that are there."""
        if not self._numbers and len(more) >= _SMALL:  # so that nothing need be moved in the end
            self._first = _skipped(_MAPPED, self.place)
            self._numbers = array("d", [0.0]) * self._first
        self._numbers.extend(more if isinstance(more, array) else array("d", more))
        self._last = len(self._numbers)

    def settle(self) -> None:
        """Move the numbers to where they shall begin: no more will come."""
        count = self._last - self._first
        if count < _SMALL or self._first == _skipped(self._numbers.buffer_info()[0], self.place):
            return
        self._numbers.extend(array("d", [0.0]) * (_PAGE // 8))
        first = _skipped(self._numbers.buffer_info()[0], self.place)
        with memoryview(self._numbers) as all_of_it:
            all_of_it[first : first + count] = all_of_it[self._first : self._last]
        self._first, self._last = first, first + count  # taking the rest away could move them again

    def view(self) -> memoryview:
        """The numbers, without a copy; while somebody has the view none can be added."""
        return memoryview(self._numbers)[self._first : self._last]

    def clear(self) -> None:
        """Let go of all numbers."""
        self._numbers, self._first, self._last = array("d"), 0, 0
