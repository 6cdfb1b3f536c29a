"""Memory of results that a batch keeps row by row, used again once the results before are gone.

The system clears each page of new memory when it is first written to, which takes a third of the time of a call that prices a
million options.  So the largest results of late are remembered, and whoever asks for as much memory gets that of results that
nobody has any more.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from sys import getrefcount
from typing import Any

from ...accelerated import FREE_THREADED
from ...arrays import Array, np

# bytes: of less the C library keeps memory itself; and of all that is remembered
LEAST, MOST = 1 << 18, 0 if FREE_THREADED else 1 << 27
LINE = 64

_remembered: deque[Any] = deque()  # each popped by whoever looks at it, so that no two threads take the same


def matrix(outputs: int, rows: int, kind: Any) -> Array:
    """An array of so many outputs by rows that is yet to be filled; rows of whole lines of the cache begin at one.

    >>> import numpy as np
    >>> matrix(2, 3, np.dtype(float)).shape
    (2, 3)
    """
    size = outputs * rows * kind.itemsize
    if not LEAST <= size <= MOST:
        return np.empty((outputs, rows), kind)
    raw = _free(size + LINE)
    _remembered.append(raw)
    with suppress(IndexError):  # another thread has them
        while sum([other.nbytes for other in tuple(_remembered)]) > MOST:
            _remembered.popleft()
    return np.ndarray((outputs, rows), kind, raw, -raw.ctypes.data % LINE)  # its base is `raw`, and that of each of its parts


def _free(size: int) -> Any:
    """So many bytes that nobody uses: remembered ones, or new ones."""
    for _ in range(len(_remembered)):
        try:
            raw = _remembered.popleft()
        except IndexError:
            break
        mine = object()
        if raw.nbytes == size and raw.flags.writeable and getrefcount(raw) == getrefcount(mine):
            return raw
        _remembered.append(raw)
    return np.empty(size, np.uint8)
