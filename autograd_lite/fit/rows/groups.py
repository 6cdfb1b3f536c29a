"""Weights that are one for each group: which of the weights belong to a row, and least squares in blocks.

A row depends on the weights that all rows share and on those of its own group alone.  Derivatives are taken by these few; the
rows of each cell (the rows that share all their groups) are reduced to a triangle of their own, and the triangles, put in
their columns, make up that of all weights.  Needs NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise

from ...arrays import Array, Indices, np
from ...functional import value_and_grad
from ...interrupt import no_pause
from ...tree import Number, Tree
from ..methods.triangle import Reduction, leaf_rows, stacked, upper
from ..model import Model
from ..rows import AnyRows, Column, Columns
from . import Rows
from .objective import entries
from .residuals import ByRows, OverRows, pieces


class Places:
    """Where the weights of a row are among the free ones.

    Args:
        model: its formula and the words of its columns.
        names: the free weights.
        fixed: those that are held.
    """

    def __init__(self, model: Model, names: Sequence[str], fixed: Mapping[str, float] | None = None) -> None:
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

    def words(self, columns: Mapping[str, Column]) -> list[Array]:
        """For each family the place of each row's word."""
        return [np.asarray(columns[name]).astype(int) for name in self.columns]

    def alike(self, units: Array) -> Array:
        """Units in which the weights of a family have the largest of theirs."""
        found = np.array(units)
        for at in self.at:
            if (at >= 0).any():
                found[at[at >= 0]] = found[at[at >= 0]].max()
        return found

    def own(self, leaves: Sequence[Number], columns: Mapping[str, Column]) -> dict[str, Column]:
        """The columns, with one more for each family: the weight of each row's group."""
        found = dict(columns)
        for s, at, values, words in zip(self.spelled, self.at, self.values, self.words(columns), strict=True):
            all_of_them = np.where(at >= 0, np.asarray(leaves)[at], values)
            found[s] = all_of_them[words]
        return found

    def taking(self, f: Callable[[Mapping[str, Number], Mapping[str, Number]], Number]) -> Callable[..., Number]:
        """``f(weights, row)`` as a function of the list of the row's own weights, shared ones first, and the row."""
        shared, spelled, held = self.shared, self.spelled, self.held

        def of(mine: Sequence[Number], row: Mapping[str, Number]) -> Number:
            given = dict(zip([*shared, *spelled], mine, strict=True))
            return f({**held, **given}, {n: x for n, x in row.items() if n not in spelled})

        return of

    def mine(self, leaves: Sequence[Number], row: Mapping[str, Number]) -> list[Number]:
        """The row's own weights, out of the shared ones and a row of `own`."""
        return [*leaves, *(row[s] for s in self.spelled)]

    def by_rows(self, f: Callable[..., Tree], names: Sequence[str], count: int, threads: int | None = None) -> ByRows:
        """A function of the row's own weights and a row, over blocks of rows that `own` gave."""

        def one(leaves: Sequence[Number], row: Mapping[str, Number]) -> Tree:
            return f(self.mine(leaves, row), row)

        return self.by_rows_of(one, names, count, threads)

    def by_rows_of(self, f: Callable[..., Tree], names: Sequence[str], count: int, threads: int | None = None) -> ByRows:
        """The same of a function of the shared weights and a row."""
        every = [*names, *self.spelled]
        return ByRows(f, lambda columns: (dict(zip(every, columns, strict=True)),), count, threads)

    def called(
        self, by_rows: ByRows, leaves: Sequence[Number], columns: Mapping[str, Column], more: Sequence[float] = ()
    ) -> list[Array]:
        """What such a function gives for each row of a block; `more` stands behind the shared weights."""
        shared = np.asarray(leaves, dtype=float)[self.shared_at].tolist()
        return by_rows([*shared, *more], list(self.own(leaves, columns).values()))

    def rows_of_cells(self, columns: Mapping[str, Column]) -> Iterator[tuple[tuple[int, ...], Indices, Indices]]:
        """For each cell of a block its key, its rows, and the places of the row's own weights, families first."""
        words = np.stack(self.words(columns)) if self.spelled else np.zeros((1, length(columns)), dtype=int)
        order = np.lexsort(words[::-1])
        sorted_words = words[:, order]
        starts = np.r_[order.size > 0, (sorted_words[:, 1:] != sorted_words[:, :-1]).any(axis=0), True]
        for start, end in pairwise(np.flatnonzero(starts).tolist()):
            key = tuple(sorted_words[:, start].tolist()) if self.spelled else ()
            yield key, order[start:end], self.of_cell(key)

    def of_cell(self, key: tuple[int, ...]) -> Indices:
        """The places of the own weights of a cell's rows, families first."""
        at = np.array([places[k] for places, k in zip(self.at, key, strict=True)], dtype=int)
        return np.concatenate([at, self.shared_at])


class GroupedResiduals(OverRows):
    """The residuals of a fit with weights that are one for each group, as `Residuals` is for others."""

    def __init__(
        self, residual: Callable[..., Number], places: Places, rows: AnyRows, block: int | None = None
    ) -> None:  # fmt: skip
        self.places, self.rows, self.count, self.each = places, rows, len(places.names), 1
        self.size = rows.count
        self.own = len(places.shared) + len(places.spelled)
        self.leaf_rows = leaf_rows(rows.count, self.own + 1)
        self.block = block
        self.names = list(rows.names or ())
        self._both = places.by_rows(value_and_grad(places.taking(residual)), self.names, rows.count, rows.threads)

    def _part(self, leaves: Sequence[Number], columns: Columns) -> tuple[dict[str, Column], Array]:
        """Of a block the derivatives by the row's own weights, families first, and the residual."""
        given = dict(zip(self.names, map(np.asarray, columns), strict=True))
        value, *slopes = self.places.called(self._both, leaves, given)
        p = len(self.places.shared)
        return given, np.stack([*slopes[p:], *slopes[:p], value], axis=1)

    def matrix(self, leaves: Sequence[Number], columns: Columns) -> Array:
        """[J r] of a block, all weights in their columns."""
        given, part = self._part(leaves, columns)
        matrix = np.zeros((len(part), self.count + 1))
        for _, rows, at in self.places.rows_of_cells(given):
            use = np.flatnonzero(at >= 0)
            matrix[np.ix_(rows, at[use])] = part[np.ix_(rows, use)]
        matrix[:, -1] = part[:, -1]
        return matrix

    def leaf(self, leaves: Sequence[Number], columns: Columns) -> dict[tuple[int, ...], Array]:
        """For each cell of a block its triangle."""
        trees: dict[tuple[int, ...], Reduction] = {}
        for piece in pieces(columns, self.block, self.leaf_rows):
            given, part = self._part(leaves, piece)
            for key, rows, _ in self.places.rows_of_cells(given):
                if key not in trees:
                    trees[key] = Reduction(self.own + 1, self.leaf_rows)
                trees[key].add(part[rows])
        return {key: tree.root() for key, tree in trees.items()}

    @staticmethod
    def both(a: dict[tuple[int, ...], Array], b: dict[tuple[int, ...], Array]) -> dict[tuple[int, ...], Array]:
        """For each cell of two blocks its triangle."""
        return {**a, **{key: stacked(a[key], root) if key in a else root for key, root in b.items()}}

    def triangle(self, leaves: Sequence[Number], pause: Callable[[], None] = no_pause) -> Array | None:
        """R of [J r] = Q R over all rows; None where a residual or a derivative is not finite."""
        with np.errstate(all="ignore"):
            cells = self.rows.total(self, leaves, pause)
            if not all(np.isfinite(root).all() for root in cells.values()):
                return None
            root = self._assembled([(cells[key], self.places.of_cell(key)) for key in sorted(cells)])
        return root if np.isfinite(root).all() else None

    def _assembled(self, cells: Sequence[tuple[Array, Indices]]) -> Array:
        """One triangle out of those of the cells: what families have no part in is reduced first, the rest is stacked."""
        m, q = self.count, len(self.places.spelled)
        bottom = Reduction(self.own + 1 - q, max(self.leaf_rows, 4 * (self.own + 1)))
        stack = np.zeros((q * len(cells), m + 1))
        for i, (root, at) in enumerate(cells):
            use = np.flatnonzero(at >= 0)
            stack[i * q : (i + 1) * q, at[use]] = root[:q, use]
            stack[i * q : (i + 1) * q, -1] = root[:q, -1]
            bottom.add(root[q:, q:])
        last = np.zeros((self.own + 1 - q, m + 1))
        last[:, [*self.places.shared_at, m]] = bottom.root()
        whole = np.concatenate([stack, last])
        if len(whole) > m + 1:
            return upper(whole)
        return np.concatenate([whole, np.zeros((m + 1 - len(whole), m + 1))])

    def residuals(self, leaves: Sequence[Number], columns: Columns) -> Array:
        """The residuals of a block."""
        return self._part(leaves, columns)[1][:, -1]


def sampled(rows: Rows, places: Sequence[int]) -> Rows:
    """Some rows by their numbers."""
    return Rows(dict(zip(rows.names or (), rows.take([(i, i + 1) for i in places]), strict=True)))


def first_row(rows: Rows) -> dict[str, float]:
    """The first row as floats."""
    return dict(zip(rows.names or (), [float(entries(c)[0]) for c in rows.read(0, 1)], strict=True))


def length(columns: Mapping[str, Column]) -> int:
    """How many rows columns have; 1 where there is none."""
    return len(next(iter(columns.values()))) if columns else 1
