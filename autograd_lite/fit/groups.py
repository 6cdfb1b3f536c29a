"""Weights that are one for each group: which of the weights belong to a row, and least squares in blocks.

A row depends on the weights that all rows share and on those of its own group alone.  Derivatives are taken by these few; the
rows of each cell (the rows that share all their groups) are reduced to a triangle of their own, and the triangles, put in
their columns, make up that of all weights.  Needs NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..functional import value_and_grad
from ..tables.table import numpy
from .model import Model
from .residuals import ByRows
from .rows import Rows, entries
from .triangle import Tree, block_rows, leaf_rows


class Places:
    """Where the weights of a row are among the free ones.

    Args:
        model: its formula and the words of its columns.
        names: the free weights.
        fixed: those that are held.
    """

    def __init__(self, model: Model, names: Sequence[str], fixed: Mapping[str, float] | None = None) -> None:
        np = numpy()
        self.model, self.names, held = model, list(names), dict(fixed or {})
        at = {name: i for i, name in enumerate(self.names)}
        self.spelled = list(model.grouped)
        families = {s: model.members(s) for s in self.spelled}
        members = {name for family in families.values() for name in family}
        self.shared = [n for n in self.names if n not in members]
        self.held = {n: x for n, x in held.items() if n not in members}
        self.shared_at = np.array([at[n] for n in self.shared], dtype=int)
        # of each family the place of each word's weight, -1 where that is held at the number beside it
        self.at = [np.array([at.get(n, -1) for n in families[s]], dtype=int) for s in self.spelled]
        self.values = [np.array([held.get(n, 0.0) for n in families[s]]) for s in self.spelled]
        self.columns = [model.grouped[s][1] for s in self.spelled]

    def words(self, columns: Mapping[str, Any]) -> list[Any]:
        """For each family the place of each row's word."""
        np = numpy()
        return [np.asarray(columns[name]).astype(int) for name in self.columns]

    def own(self, leaves: Any, columns: Mapping[str, Any]) -> dict[str, Any]:
        """The columns, with one more for each family: the weight of each row's group."""
        np = numpy()
        found = dict(columns)
        for s, at, values, words in zip(self.spelled, self.at, self.values, self.words(columns), strict=True):
            all_of_them = np.where(at >= 0, np.asarray(leaves)[at], values)
            found[s] = all_of_them[words]
        return found

    def taking(self, f: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]) -> Callable[..., Any]:
        """``f(weights, row)`` as a function of the list of the row's own weights, shared ones first, and the row."""
        shared, spelled, held = self.shared, self.spelled, self.held

        def of(mine: Sequence[Any], row: Mapping[str, Any]) -> Any:
            given = dict(zip([*shared, *spelled], mine, strict=True))
            return f({**held, **given}, {n: x for n, x in row.items() if n not in spelled})

        return of

    def mine(self, leaves: Sequence[Any], row: Mapping[str, Any]) -> list[Any]:
        """The row's own weights, out of the shared ones and a row of `own`."""
        return [*leaves, *(row[s] for s in self.spelled)]

    def by_rows(self, f: Callable[..., Any], names: Sequence[str], count: int, threads: int | None = None) -> ByRows:
        """A function of the row's own weights and a row, over blocks of rows that `own` gave."""
        every = [*names, *self.spelled]

        def one(leaves: Sequence[Any], row: Mapping[str, Any]) -> Any:
            return f(self.mine(leaves, row), row)

        return ByRows(one, lambda columns: (dict(zip(every, columns, strict=True)),), count, threads)

    def called(self, by_rows: ByRows, leaves: Any, columns: Mapping[str, Any]) -> list[Any]:
        """What such a function gives for each row of a block."""
        np = numpy()
        return by_rows(np.asarray(leaves)[self.shared_at].tolist(), list(self.own(leaves, columns).values()))

    def rows_of_cells(self, columns: Mapping[str, Any]) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
        """For each cell of a block its key, its rows, and the places of the row's own weights, families first."""
        np = numpy()
        words = np.stack(self.words(columns))
        keys, inverse = np.unique(words, axis=1, return_inverse=True)
        order = np.argsort(inverse.ravel(), kind="stable")
        ends = np.searchsorted(inverse.ravel()[order], np.arange(keys.shape[1] + 1))
        for j in range(keys.shape[1]):
            at = np.array([places[k] for places, k in zip(self.at, keys[:, j], strict=True)], dtype=int)
            yield tuple(keys[:, j].tolist()), order[ends[j] : ends[j + 1]], np.concatenate([at, self.shared_at])


class GroupedResiduals:
    """The residuals of a fit with weights that are one for each group, as `Residuals` is for others."""

    def __init__(
        self, residual: Callable[..., Any], places: Places, rows: Rows, threads: int | None = None, block: int | None = None
    ) -> None:
        self.places, self.rows, self.count, self.each = places, rows, len(places.names), 1
        self.size = rows.count
        self.own = len(places.shared) + len(places.spelled)
        self.leaf = leaf_rows(rows.count, self.own + 1)
        self.block = block_rows(self.leaf) if block is None else -(-block // self.leaf) * self.leaf
        self.names = list(rows.names or ())
        self._both = places.by_rows(value_and_grad(places.taking(residual)), self.names, rows.count, threads)

    def blocks(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """All rows in order, with the number of the first of each block."""
        np = numpy()
        for start in range(0, self.rows.count, self.block):
            read = self.rows.read(start, min(start + self.block, self.rows.count))
            yield start, dict(zip(self.names, map(np.asarray, read), strict=True))

    def _parts(self, leaves: Any) -> Iterator[tuple[dict[str, Any], Any]]:
        """Of each block the derivatives by the row's own weights, families first, and the residual."""
        np = numpy()
        p = len(self.places.shared)
        for _, columns in self.blocks():
            value, *slopes = self.places.called(self._both, leaves, columns)
            yield columns, np.stack([*slopes[p:], *slopes[:p], value], axis=1)

    def matrices(self, leaves: Any, pause: Callable[[], None] | None = None) -> Iterator[Any]:
        """[J r] of each block, all weights in their columns."""
        np = numpy()
        for columns, part in self._parts(leaves):
            matrix = np.zeros((len(part), self.count + 1))
            for _, rows, at in self.places.rows_of_cells(columns):
                use = np.flatnonzero(at >= 0)
                matrix[np.ix_(rows, at[use])] = part[np.ix_(rows, use)]
            matrix[:, -1] = part[:, -1]
            yield matrix
            if pause:
                pause()

    def triangle(self, leaves: Any, pause: Callable[[], None] | None = None) -> Any:
        """R of [J r] = Q R over all rows; None where a residual or a derivative is not finite."""
        np = numpy()
        cells: dict[tuple[int, ...], tuple[Tree, Any]] = {}
        with np.errstate(all="ignore"):
            for columns, part in self._parts(leaves):
                if not np.isfinite(part).all():
                    return None
                for key, rows, at in self.places.rows_of_cells(columns):
                    if key not in cells:
                        cells[key] = (Tree(self.own + 1, self.leaf), at)
                    cells[key][0].add(part[rows])
                if pause:
                    pause()
            root = self._assembled([(tree.root(), at) for _, (tree, at) in sorted(cells.items())])
        return root if np.isfinite(root).all() else None

    def _assembled(self, cells: Sequence[tuple[Any, Any]]) -> Any:
        """One triangle out of those of the cells: what families have no part in is reduced first, the rest is stacked."""
        np = numpy()
        m, q = self.count, len(self.places.spelled)
        bottom = Tree(self.own + 1 - q, max(self.leaf, 4 * (self.own + 1)))
        stack = np.zeros((q * len(cells), m + 1))
        for i, (root, at) in enumerate(cells):
            use = np.flatnonzero(at >= 0)
            stack[np.ix_(range(i * q, (i + 1) * q), at[use])] = root[np.ix_(range(q), use)]
            stack[i * q : (i + 1) * q, -1] = root[:q, -1]
            bottom.add(root[q:, q:])
        last = np.zeros((self.own + 1 - q, m + 1))
        last[:, [*self.places.shared_at, m]] = bottom.root()
        whole = np.concatenate([stack, last])
        if len(whole) > m + 1:
            return np.linalg.qr(whole, mode="r")
        return np.concatenate([whole, np.zeros((m + 1 - len(whole), m + 1))])

    def values(self, leaves: Any) -> Iterator[Any]:
        """The residuals of each block."""
        for _, part in self._parts(leaves):
            yield part[:, -1:]

    def first_bad(self, leaves: Any) -> tuple[int, str] | None:
        """The first row, from 0, whose residual or a derivative of it is not finite, and what is wrong."""
        np = numpy()
        start = 0
        with np.errstate(all="ignore"):
            for _, part in self._parts(leaves):
                fine = np.isfinite(part).all(axis=1)
                if not fine.all():
                    bad = int(np.argmin(fine))
                    residual = float(part[bad, -1])
                    wrong = next(float(x) for x in part[bad] if not np.isfinite(x))
                    if not np.isfinite(residual):
                        return start + bad, f"the residual is {residual}"
                    return start + bad, f"a derivative of the residual is {wrong}"
                start += len(part)
        return None


def sampled(rows: Rows, places: Sequence[int]) -> Rows:
    """Some rows by their numbers."""
    np = numpy()
    picked = [rows.read(i, i + 1) for i in places]
    columns = [np.concatenate([np.asarray(block[j]) for block in picked]) for j in range(len(picked[0]))]
    return Rows(dict(zip(rows.names or (), columns, strict=True)))


def first_row(rows: Rows) -> dict[str, float]:
    """The first row as floats."""
    return dict(zip(rows.names or (), [float(entries(c)[0]) for c in rows.read(0, 1)], strict=True))
