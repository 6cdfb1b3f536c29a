"""The mean of a loss over rows, with its gradient: compiled for whole blocks, or row by row where the loss cannot be."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Sequence

from ... import frames
from ...arrays import np, numpy
from ...compiler import jit
from ...errors import AutogradError, InputTypeError, JitWarning, TraceError
from ...functional import value_and_grad
from ...tree import Number, Spec, Tree, an, called, unflatten
from ..rows import BLOCK, FEW, AnyRows, Column, Columns, Summed

HEAVY = 2**24  # instructions of a block from which on several threads are quicker than one


def entries(column: Column) -> Column:
    """A column's floats; of a column of rows object arrays of floats, which is what compiled code sees."""
    if getattr(column, "ndim", 1) > 1:
        return column.astype(object)
    return column.tolist() if hasattr(column, "tolist") else column


def flattened(loss: Callable[..., Number], spec: Spec) -> Callable[..., Number]:
    """A loss as a function of the flat list of weights and a row; what people get wrong about rows is said."""

    def flat(leaves: Sequence[Number], *row: Tree) -> Number:
        try:
            found = loss(unflatten(spec, leaves), *row)
        except TypeError as error:
            if row and not isinstance(error, AutogradError):
                error.add_note("minimize calls loss(params, *row) with the numbers of one row, not with columns.")
            raise
        if row and getattr(found, "shape", ()):
            raise InputTypeError(
                f"{called(loss)} gives {an(found)} of shape {found.shape} for one row: return one number; of a column of "
                f"shape (n, 1), in which each entry is an array, give column[:, 0]"
            )
        return found

    flat.__name__ = called(loss)
    return flat


def warn_of_rows(error: TraceError) -> None:
    """Say that a loss is not compiled over rows, and why."""
    how = "minimize runs the loss row by row, which takes many times as long"
    warnings.warn(f"{how}: {error}", JitWarning, stacklevel=frames.stacklevel())


class Objective:
    """The mean of a loss over rows, with its gradient; with no rows, the loss itself.

    As functions of the flat list of parameters that `spec` puts in their places: containers would cost more than many a step.
    """

    def __init__(self, loss: Callable[..., Number], spec: Spec, rows: AnyRows | None, batch_size: int | None = None) -> None:
        flat = flattened(loss, spec)
        self.rows = rows
        self._plain = value_and_grad(flat)
        self._row: Callable[..., Tree] = self._plain
        self._block: Callable[..., Tree] | None = None
        self._together = False
        if rows is not None:  # without, the loss may draw numbers of its own, which compiled code would freeze
            self._row = jit(self._plain)
            self._together = numpy() is not None and min(rows.count, batch_size or rows.count) >= FEW

    def whole(self, leaves: list[float], pause: Callable[[], None]) -> Summed:
        """Over all the data; `pause` is called between blocks."""
        if self.rows is None:
            found: Summed = self._plain(leaves)
            return found
        total, sums = self.rows.total(self, leaves, pause)
        return total / self.rows.count, [s / self.rows.count for s in sums]

    def batch(self, leaves: list[float], columns: Columns) -> Summed:
        """Over one mini-batch."""
        value, slopes = self.leaf(leaves, columns)
        count = len(columns[0])
        return value / count, [s / count for s in slopes]

    def both(self, a: Summed, b: Summed) -> Summed:
        """The sums over two neighbouring blocks together."""
        return a[0] + b[0], [x + y for x, y in zip(a[1], b[1], strict=True)]

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Summed:
        """The sums over the rows of a block."""
        assert self.rows is not None
        if self._together:
            given = self.rows.arguments(list(map(np.asarray, columns)))
            try:
                self._block = self._block or self._compiled(leaves, given)
                value, slopes = self._block(leaves, *given)
                return float(value), list(map(float, slopes))
            except TraceError as error:  # it branches, or needs the number itself: row by row it may
                self._together = False
                warn_of_rows(error)
        rows = zip(*map(entries, columns), strict=True)
        return _total(self._one(leaves, self.rows.arguments(list(row))) for row in rows)

    def _compiled(self, leaves: Sequence[float], given: tuple[Tree, ...]) -> Callable[..., Tree]:
        """The sum over the rows of a block; by all cores where that is worth waking them."""
        assert self.rows is not None
        block = jit(self._plain, batch=tuple(range(1, len(given) + 1)), reduce="sum")
        if self.rows.threads is None and len(block.program(leaves, *given)) * min(self.rows.count, BLOCK) > HEAVY:
            block.share(os.cpu_count() or 1)
        return block

    def _one(self, leaves: Sequence[float], row: tuple[Tree, ...]) -> Summed:
        try:
            found: Summed = self._row(leaves, *row)
        except TraceError:
            self._row = self._plain
            found = self._plain(leaves, *row)
        return found


def _total(parts: Iterable[Summed]) -> Summed:
    """Values and slopes added up in their order."""
    total, sums = 0.0, list[float]()
    for i, (value, slopes) in enumerate(parts):
        total += value
        sums = [a + b for a, b in zip(sums, slopes, strict=True)] if i else slopes
    return total, sums
