"""The residuals of a fit over rows, with their exact derivatives, reduced to a triangle; and the sum of exact Hessians.

Compiled over rows where possible: by NumPy where rows are few, as machine code where they are many.  Needs NumPy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence

from ...arrays import Array, np
from ...compiler import jit, to_numpy
from ...errors import TraceError
from ...functional import jacobian, value_and_grad
from ...interrupt import no_pause
from ...tree import Number, Spec, Tree, called, flatten, unflatten
from ..methods.triangle import Reduction, leaf_rows, stacked
from ..rows import AnyRows, Columns
from . import first
from .objective import HEAVY, entries, warn_of_rows
from .order import Gathered

MACHINE = 2**21  # rows times instructions from which on machine code is compiled sooner than NumPy has done the work


Run = Callable[[Sequence[float], Columns], list[Array | float]]


class ByRows:
    """A function of weights and a row, over blocks of rows: arrays of what it gives for each.

    Args:
        f: a function of the list of weights and of what `arguments` gives.
        arguments: what it is called with beside the weights, out of the columns or the numbers of a row.
        count: how many rows there are in all.
        threads: how many cores share the rows.
    """

    def __init__(
        self, f: Callable[..., Tree], arguments: Callable[[Columns], tuple[Tree, ...]], count: int, threads: int | None = None
    ) -> None:
        self.f, self.arguments, self.count, self.threads = f, arguments, count, threads
        self._run: Run | None = None
        self._slow = False

    def __getstate__(self) -> dict[str, object]:
        """To where it is compiled anew."""
        return {**self.__dict__, "_run": None}

    def __call__(self, leaves: Sequence[float], columns: Columns) -> list[Array]:
        """For each output an array of as many numbers as there are rows."""
        count = len(columns[0])
        return [x if isinstance(x, np.ndarray) and x.ndim else np.full(count, float(x)) for x in self.outputs(leaves, columns)]

    def outputs(self, leaves: Sequence[float], columns: Columns) -> list[Array | float]:
        """The same, with one number for what is the same in all rows."""
        if not self._slow:
            try:
                columns = [np.asarray(column) for column in columns]
                self._run = self._run or self._compiled(leaves, columns)
                return self._run(leaves, columns)
            except TraceError as error:
                self._slow = True
                warn_of_rows(error)
        table = zip(*map(entries, columns), strict=True)
        by_row = [_listed(self.f(list(leaves), *self.arguments(list(row)))) for row in table]
        return [np.array(x, dtype=float) for x in zip(*by_row, strict=True)]

    def _compiled(
        self, leaves: Sequence[float], columns: Columns
    ) -> Run:  # fmt: skip
        """By NumPy or as machine code, by all cores where that is worth waking them."""
        row = self.arguments([entries(column[:1])[0] for column in columns])
        work = self.count * max(1, len(jit(self.f).program(list(leaves), *row)))
        threads = threads_for(work, self.threads)
        backend = "auto" if work > MACHINE else "numpy"
        made = jit(self.f, batch=tuple(range(1, len(row) + 1)), threads=threads, backend=backend)
        if backend == "numpy" and all(column.ndim == 1 for column in columns):
            program = made.program(list(leaves), *self.arguments(columns))
            if program.inputs == len(leaves) + len(columns):  # no Value is read: the program alone, without calls' overhead
                run = to_numpy.compile(program, [False] * len(leaves) + [True] * len(columns))
                return lambda leaves, columns: run([*leaves, *columns])
        return lambda leaves, columns: _listed(made(list(leaves), *self.arguments(columns)))


def threads_for(work: int, threads: int | None) -> int | None:
    """How many cores share so many instructions: as many as asked, or all where that is worth waking them."""
    return threads if threads is not None else (os.cpu_count() if work > HEAVY else None)


def pieces(columns: Columns, block: int | None, leaf: int) -> Iterator[Columns]:
    """A block of rows in pieces of `block` rows, rounded up to whole leaves; None is all of them."""
    size = len(columns[0])
    step = size if block is None else -(-block // leaf) * leaf
    for start in range(0, size, max(1, step)):
        yield [column[start : start + step] for column in columns]


def _listed(found: Tree) -> list[Number]:
    """The outputs, which the functions here give as flat tuples or lists."""
    return [x for part in found for x in (part if isinstance(part, (list, tuple)) else [part])]


class OverRows:
    """What has residuals and their derivatives for each block of `rows`, `each` of them a row."""

    rows: AnyRows
    each: int
    count: int  # weights
    size: int  # residuals in all

    def triangle(self, leaves: Sequence[float], pause: Callable[[], None] = no_pause) -> Array | None:
        """R of [J r] = Q R over all rows; None where a residual or a derivative is not finite."""
        raise NotImplementedError

    def matrix(self, leaves: Sequence[float], columns: Columns) -> Array:
        """[J r] of a block: the derivatives of each residual by each weight, and the residual."""
        raise NotImplementedError

    def residuals(self, leaves: Sequence[float], columns: Columns) -> Array:
        """The residuals of a block, those of a row beside each other."""
        raise NotImplementedError

    def root(self, leaves: Sequence[float]) -> Array:
        """The triangle, of nan where there is none."""
        found = self.triangle(leaves)
        return np.full((self.count + 1, self.count + 1), math.nan) if found is None else found

    def matrices(self, leaves: Sequence[float]) -> Array:
        """[J r] of all rows."""
        return self.rows.total(Gathered(self.matrix), leaves)

    def values(self, leaves: Sequence[float]) -> Array:
        """The residuals of all rows."""
        return self.rows.total(Gathered(self.residuals), leaves)

    def first_bad(self, leaves: Sequence[float]) -> tuple[int, str] | None:
        """The first row, from 1, whose residual or a derivative of it is not finite, and what is wrong."""

        def look(columns: Columns) -> tuple[int, str] | None:
            with np.errstate(all="ignore"):
                matrix = self.matrix(leaves, columns)
            fine = np.isfinite(matrix).all(axis=1)
            if fine.all():
                return None
            bad = int(np.argmin(fine))
            r = float(matrix[bad, -1])
            if not math.isfinite(r):
                return bad // self.each, f"the residual is {r}"
            return bad // self.each, f"a derivative of the residual is {float(matrix[bad][~np.isfinite(matrix[bad])][0])}"

        return first(self.rows, look)


class Residuals(OverRows):
    """Residuals, one or several for each row, as functions of the flat list of weights that `spec` puts in their places.

    Args:
        residual: ``residual(params, *row)``, a number or a container of several; the fit makes the sum of their squares small.
        spec: the structure of params.
        rows: the data.
        block: rows whose derivatives are in memory together, rounded up to whole leaves; the bits are the same for any.
    """

    def __init__(
        self, residual: Callable[..., Tree], spec: Spec, weights: int, rows: AnyRows, block: int | None = None
    ) -> None:  # fmt: skip
        def flat(leaves: Sequence[Number], *row: Tree) -> list[Number]:
            return flatten(residual(unflatten(spec, leaves), *row), f"result of {called(residual)}")[0]

        def one(leaves: Sequence[Number], *row: Tree) -> Number:
            return flat(leaves, *row)[0]

        def several(leaves: Sequence[Number], *row: Tree) -> Tree:
            return flat(leaves, *row), jacobian(lambda p: flat(p, *row))(leaves)

        self.rows, self.count = rows, weights
        self.each = len(flat([0.5] * weights, *rows.arguments([entries(column)[0] for column in rows.read(0, 1)])))
        self.size = rows.count * self.each
        self.leaf_rows, self.block = leaf_rows(rows.count, weights + 1), block
        both = (lambda p, *row: (several(p, *row)[0], *several(p, *row)[1])) if self.each > 1 else value_and_grad(one)
        self._both = ByRows(both, rows.arguments, rows.count, rows.threads)
        self._values = ByRows(flat, rows.arguments, rows.count, rows.threads)

    def matrix(self, leaves: Sequence[float], columns: Columns) -> Array:
        """[J r] of a block: the derivatives of each residual by each weight, and the residual."""
        m = self.count
        found = self._both.outputs(leaves, columns)
        matrix = np.empty((len(columns[0]), self.each, m + 1))
        for j in range(self.each):
            matrix[:, j, m] = found[j]
            for i in range(m):
                matrix[:, j, i] = found[self.each + j * m + i]
        return matrix.reshape(-1, m + 1)

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Array:
        """The triangle of a block; of nan where a number is not finite."""
        tree = Reduction(self.count + 1, self.leaf_rows * self.each)
        for piece in pieces(columns, self.block, self.leaf_rows):
            matrix = self.matrix(leaves, piece)
            if not math.isfinite(matrix.sum()) and not np.isfinite(matrix).all():
                return np.full((self.count + 1, self.count + 1), np.nan)
            tree.add(matrix)
        return tree.root()

    @staticmethod
    def both(a: Array, b: Array) -> Array:
        """The triangle of two blocks."""
        return stacked(a, b)

    def triangle(self, leaves: Sequence[float], pause: Callable[[], None] = no_pause) -> Array | None:
        """R of [J r] = Q R over all rows; None where a residual or a derivative is not finite."""
        with np.errstate(all="ignore"):
            root = self.rows.total(self, leaves, pause)
        return root if math.isfinite(abs(root).max()) else None

    def residuals(self, leaves: Sequence[float], columns: Columns) -> Array:
        """The residuals of a block, those of a row beside each other."""
        return np.stack(self._values(leaves, columns), axis=-1).ravel()
