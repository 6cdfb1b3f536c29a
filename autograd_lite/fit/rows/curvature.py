"""A loss summed over rows with its exact derivatives: value, gradient and, at order 2, the Hessian.

What a Newton step or a quasi-Newton step needs, and the second look at where least squares ended.  Compiled over rows where
possible.  Needs NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import mul
from typing import Any, NamedTuple

from ... import ops
from ...arrays import Array, np
from ...compiler import jit
from ...errors import TraceError
from ...functional import hessian, value_and_grad
from ...interrupt import no_pause
from ...tree import Number, Tree
from ..rows import AnyRows, Columns
from . import FEW
from .groups import Places
from .objective import entries, warn_of_rows
from .residuals import MACHINE, threads_for


class Sums(NamedTuple):
    """The loss over rows, the sum of its absolute values (which its rounding is measured by), gradient and Hessian."""

    value: float
    size: float
    gradient: Array
    hessian: Any

    def finite(self) -> bool:
        """Whether every number is."""
        return all(bool(np.isfinite(part).all()) for part in self if part is not None)


def derivatives(f: Callable[[Sequence[Number]], Number], x: Sequence[Number], order: int) -> list[Number]:
    """The value, its size, the gradient and the lower half of the Hessian, in one list."""
    value, slopes = value_and_grad(f)(list(x))
    found = [value, ops.abs(value), *slopes]
    if order == 2:
        found += [entry for i, row in enumerate(hessian(f)(list(x))) for entry in row[: i + 1]]
    return found


def filled(flat: Iterable[Number], weights: int, order: int) -> Sums:
    """`Sums` out of such a list."""
    numbers = np.array([float(x) for x in flat])
    table = None
    if order == 2:
        table = np.zeros((weights, weights))
        table[np.tril_indices(weights)] = numbers[2 + weights :]
        table = table + np.tril(table, -1).T
    return Sums(float(numbers[0]), float(numbers[1]), numbers[2 : 2 + weights], table)


class Curvature:
    """The sum over rows of ``loss([x[0]*unit[0], ..., *more], *row)``, with derivatives by x.

    The units, powers of two, keep the numbers near 1 whatever the weights are measured in.

    Args:
        loss: of the flat list of weights, which more numbers may follow, and a row.
        rows: the data; None where the loss is the whole.
        weights: how many there are.
        order: 1 for the gradient, 2 for the Hessian too.
    """

    def __init__(self, loss: Callable[..., Number], rows: AnyRows | None, weights: int, order: int = 2) -> None:
        self.loss, self.rows, self.weights, self.order = loss, rows, weights, order
        self._fast: Callable[..., Tree] | None = None
        self._together = rows is not None and rows.count >= FEW

    def at(
        self, x: Sequence[float], units: Sequence[float] | None = None, more: Sequence[float] = (),
        pause: Callable[[], None] = no_pause,
    ) -> Sums:  # fmt: skip
        """Over all rows."""
        leaves = [*x, *([1.0] * self.weights if units is None else units), *more]
        with np.errstate(all="ignore"):
            if self.rows is None:
                return filled(self._one(leaves), self.weights, self.order)
            found: Sums = self.rows.total(self, leaves, pause)
            return found

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Sums:
        """Over the rows of a block."""
        assert self.rows is not None
        if self._together:
            given = self.rows.arguments([np.asarray(column) for column in columns])
            try:
                self._fast = self._fast or self._compiled(leaves, list(map(np.asarray, columns)))
                return filled(self._fast(list(leaves), *given), self.weights, self.order)
            except TraceError as error:
                self._together = False
                warn_of_rows(error)
        total: Number = 0.0
        for row in zip(*map(entries, columns), strict=True):
            total = total + np.array([float(x) for x in self._one(leaves, *self.rows.arguments(list(row)))])
        return filled(total, self.weights, self.order)

    @staticmethod
    def both(a: Sums, b: Sums) -> Sums:
        """Over two blocks together."""
        hessian_ = None if a.hessian is None else a.hessian + b.hessian
        return Sums(a.value + b.value, a.size + b.size, a.gradient + b.gradient, hessian_)

    def _one(self, leaves: Sequence[Number], *row: Tree) -> list[Number]:
        m = self.weights
        units, more = leaves[m : 2 * m], leaves[2 * m :]
        return derivatives(lambda x: self.loss([*map(mul, x, units), *more], *row), leaves[:m], self.order)

    def _compiled(self, leaves: Sequence[float], columns: Columns) -> Callable[..., Tree]:
        assert self.rows is not None
        given = self.rows.arguments(columns)
        batch = tuple(range(1, len(given) + 1))
        few: Any = jit(self._one, batch=batch, reduce="sum", backend="numpy")
        work = self.rows.count * max(1, len(few.program(list(leaves), *given)))
        if work <= MACHINE:
            return few  # type: ignore[no-any-return]
        made: Callable[..., Tree] = jit(self._one, batch=batch, reduce="sum", threads=threads_for(work, self.rows.threads))
        return made


class GroupedCurvature:
    """The same of a formula with weights that are one for each group: derivatives by a row's own weights, put in their places.

    Args:
        loss: ``loss(weights, row, *more)`` of the weights by name.
        places: where a row's own weights are.
        rows, order: as of `Curvature`.
    """

    def __init__(
        self, loss: Callable[..., Number], places: Places, rows: AnyRows, order: int = 2
    ) -> None:  # fmt: skip
        self.places, self.rows, self.order = places, rows, order
        p, own = len(places.shared), len(places.shared) + len(places.spelled)
        self.own = own

        def one(leaves: Sequence[Number], row: Tree) -> list[Number]:
            units, more = leaves[p : p + own], leaves[p + own :]
            taking = places.taking(lambda weights, plain: loss(weights, plain, *more))
            return derivatives(lambda x: taking([*map(mul, x, units)], row), places.mine(leaves[:p], row), order)

        self._each = places.by_rows_of(one, list(rows.names or ()), rows.count, rows.threads)

    def at(
        self, x: Sequence[float], units: Sequence[float] | None = None, more: Sequence[float] = (),
        pause: Callable[[], None] = no_pause,
    ) -> Sums:  # fmt: skip
        """Over all rows; the weights of a family have one unit."""
        m = len(self.places.names)
        units = [1.0] * m if units is None else units
        firsts = [*self.places.shared_at.tolist(), *(int(at.max()) for at in self.places.at)]
        with np.errstate(all="ignore"):
            found: Sums = self.rows.total(self, [*x, *(units[i] for i in firsts), *more], pause)
            return found

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Sums:
        """Over the rows of a block."""
        m, p = len(self.places.names), len(self.places.shared)
        given = dict(zip(self.rows.names or (), map(np.asarray, columns), strict=True))
        each = np.stack(self.places.called(self._each, leaves[:m], given, leaves[m:]))
        gradient = np.zeros(m)
        table = np.zeros((m, m)) if self.order == 2 else None
        for _, rows, at in self.places.rows_of_cells(given):
            sums = filled(each[:, rows].sum(axis=1), self.own, self.order)
            at = np.concatenate([at[len(at) - p :], at[: len(at) - p]])  # shared first, as the derivatives are
            use = np.flatnonzero(at >= 0)
            gradient[at[use]] += sums.gradient[use]
            if table is not None:
                table[np.ix_(at[use], at[use])] += sums.hessian[np.ix_(use, use)]
        return Sums(float(each[0].sum()), float(each[1].sum()), gradient, table)

    both = staticmethod(Curvature.both)
