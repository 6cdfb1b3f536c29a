"""Many rows reduced to one small triangle: the QR of a tall matrix, block by block in a fixed tree.

The rows of a least-squares problem are J, the derivatives of each residual, and r, the residuals.  Q R = [J r] has all that a
step needs: with R split like [J r], RᵀR = JᵀJ, its last column is Qᵀr, and the norm of that column is the norm of r.  No
product JᵀJ is ever formed, so that no condition number is squared.  Leaves of a fixed size are reduced each by itself, and
eight results at a time are stacked and reduced again: which rows meet where follows from their numbers alone, so that pieces
of any size, and any number of threads, give the same bits.  Needs NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from ...arrays import Array, Mask, np

LEAF, LARGE_LEAF = 50, 512  # rows of a leaf in small tables, and in large ones, where a call costs more than arithmetic
LARGE = 20_000  # rows from which on a table is large
ROOM = 4  # a leaf has at least so many times as many rows as columns
FAN = 8  # triangles that are stacked and reduced together


def leaf_rows(rows: int, columns: int) -> int:
    """How many rows a leaf has: 50 in small tables, 512 in large ones, doubled until there is room for the columns.

    >>> leaf_rows(200, 6), leaf_rows(10**6, 11), leaf_rows(200, 40)
    (50, 512, 200)
    """
    leaf = LEAF if rows < LARGE else LARGE_LEAF
    while leaf < ROOM * columns:
        leaf *= 2
    return leaf


def upper(rows: Array) -> Array:
    """R of rows = Q R, or of each of many such matrices: what ``numpy.linalg.qr(rows, mode="r")`` gives, in half its time.

    >>> import numpy as np
    >>> upper(np.array([[3.0, 1.0], [4.0, 2.0]])).tolist()
    [[-5.0, -2.2], [0.0, 0.3999999999999999]]
    """
    h = np.linalg.qr(rows, mode="raw")[0].swapaxes(-1, -2)
    return np.where(_above(min(h.shape[-2:]), h.shape[-1]), h[..., : h.shape[-1], :], 0.0)


@lru_cache(64)
def _above(rows: int, columns: int) -> Mask:
    """Where a matrix is not below its diagonal."""
    return np.arange(rows)[:, None] <= np.arange(columns)


def stacked(a: Array, b: Array) -> Array:
    """The triangle of two triangles' rows; of nan where either has one."""
    both = np.concatenate([a, b])
    return upper(both) if np.isfinite(both).all() else np.full_like(a, np.nan)


class Reduction:
    """The triangle of all rows given so far.

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(120, 3))
    >>> tree = Reduction(3, leaf=50)
    >>> tree.add(rows[:100]), tree.add(rows[100:])
    (None, None)
    >>> bool(np.allclose(tree.root().T @ tree.root(), rows.T @ rows))
    True

    Args:
        columns: how many the rows have.
        leaf: rows of a leaf.
    """

    def __init__(self, columns: int, leaf: int) -> None:
        self.columns, self.leaf = columns, leaf
        self._levels: list[list[Array]] = [[]]
        self._waiting: list[Array] = []  # rows that are no whole leaf yet

    def add(self, block: Array) -> None:
        """Take in a block of rows; the leaves are the same however the rows are cut up."""
        if self._waiting:
            block = np.concatenate([*self._waiting, block])
        whole = len(block) // self.leaf
        if whole:
            head = block[: whole * self.leaf].reshape(whole, self.leaf, self.columns)
            self._push(0, self._square(upper(head)))
        rest = block[whole * self.leaf :]
        self._waiting = [rest.copy()] if len(rest) else []

    def _square(self, found: Array) -> Array:
        """Triangles of fewer rows than columns filled up with zeros."""
        missing = self.columns - found.shape[1]
        return np.pad(found, ((0, 0), (0, missing), (0, 0))) if missing else found

    def _push(self, level: int, more: Array) -> None:
        """More triangles of one level, which go up in eights."""
        waiting = [*self._levels[level], *more]
        groups = len(waiting) // FAN
        if groups:
            if len(self._levels) == level + 1:
                self._levels.append([])
            stacked = np.array(waiting[: groups * FAN]).reshape(groups, FAN * self.columns, self.columns)
            self._push(level + 1, upper(stacked))
        self._levels[level] = waiting[groups * FAN :]

    def root(self) -> Array:
        """The triangle of all rows; zeros where there was none."""
        if self._waiting:
            self._push(0, self._square(upper(self._waiting[0])[None]))
            self._waiting = []
        rest: list[Array] = []
        for waiting in self._levels:
            rest = [*waiting, *rest]
            if len(rest) > 1:
                rest = [upper(np.concatenate(rest))]
        return rest[0] if rest else np.zeros((self.columns, self.columns))


def reduced(blocks: Iterable[Array], columns: int, leaf: int) -> Array:
    """The triangle of blocks of rows."""
    tree = Reduction(columns, leaf)
    for block in blocks:
        tree.add(block)
    return tree.root()
