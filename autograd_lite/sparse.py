"""Sparse matrices of derivatives: where something flows, and the numbers there.

A matrix has a row for each result and a column for each input, both in the order of their leaves.  Inputs and results are
nodes of a graph here, and a result may be a plain number.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence, Set
from itertools import accumulate, chain
from typing import Any, NamedTuple

from . import context, sweeps
from .arrays import Indices, np
from .graph import Node
from .tree import Number, is_node

Entries = dict[int, Any]  # of one row, by column


class Pattern(NamedTuple):
    """Where a matrix has entries: for each row in order its columns in order, and where each row begins."""

    shape: tuple[int, int]
    columns: tuple[int, ...]
    starts: tuple[int, ...]  # of each row among the columns, and their number

    @classmethod
    def of(cls, rows: Sequence[Entries], width: int) -> Pattern:
        """That of rows given as entries by column.

        >>> Pattern.of([{2: 7.0, 0: 1.0}, {}], 3)
        Pattern(shape=(2, 3), columns=(0, 2), starts=(0, 2, 2))
        """
        columns = [sorted(row) for row in rows]
        return cls((len(rows), width), tuple(chain(*columns)), (0, *accumulate(map(len, columns))))

    def rows(self) -> list[int]:
        """The row of each entry."""
        counts = zip(self.starts, self.starts[1:], strict=False)
        return [i for i, (start, end) in enumerate(counts) for _ in range(start, end)]

    def matrix(self, values: Sequence[Number]) -> Number:
        """The matrix with these entries: SciPy's ``csr_array`` where it is installed, else `Coordinates`."""
        made = _scipy()
        if made is None:
            return Coordinates(self, list(values))
        columns, starts = _indices(self)
        return made((np.asarray(values, float), columns.copy(), starts.copy()), shape=self.shape)


class Coordinates:
    """A matrix by its entries: `values`, of which number k stands in row ``rows[k]`` and column ``columns[k]``.

    It is a tree, whose leaves are the values.
    """

    def __init__(self, pattern: Pattern, values: list[Number]) -> None:
        self.pattern, self.values = pattern, values

    @property
    def shape(self) -> tuple[int, int]:
        """How many rows and columns it has."""
        return self.pattern.shape

    @property
    def rows(self) -> list[int]:
        """The row of each value."""
        return self.pattern.rows()

    @property
    def columns(self) -> list[int]:
        """The column of each value."""
        return list(self.pattern.columns)

    def __repr__(self) -> str:
        return f"Coordinates(shape={self.shape}, rows={self.rows}, columns={self.columns}, values={self.values})"

    def tree_flatten(self) -> tuple[list[Number], Pattern]:
        """The values, and where they stand."""
        return self.values, self.pattern

    @classmethod
    def tree_unflatten(cls, pattern: Pattern, values: list[Number]) -> Number:
        """The matrix again: SciPy's, which is no tree, where all values are floats and no function is being traced."""
        plain = all(x.__class__ is float for x in values) and context.trace() is None
        return pattern.matrix(values) if plain else cls(pattern, values)


@functools.cache
def _scipy() -> Callable[..., Number] | None:
    """SciPy's compressed rows."""
    try:
        from scipy.sparse import csr_array  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return None
    made: Callable[..., Number] = csr_array
    return made


@functools.lru_cache(maxsize=64)
def _indices(pattern: Pattern) -> tuple[Indices, Indices]:
    return np.array(pattern.columns, np.int32), np.array(pattern.starts, np.int32)


def colours(rows: Sequence[Set[int]], width: int) -> list[list[int]]:
    """The columns in groups, of which no two have an entry in one row, so that one sweep serves a group.

    Each column in order goes to the first group that has room.  Source: Curtis, Powell and Reid (1974).

    >>> colours([{0, 1}, {1, 2}, {2, 3}], 4)
    [[0, 2], [1, 3]]
    """
    met: list[list[int]] = [[] for _ in range(width)]
    for i, row in enumerate(rows):
        for j in row:
            met[j].append(i)
    taken: list[set[int]] = [set() for _ in rows]  # the groups that have an entry in each row
    groups: list[list[int]] = []
    for j, column in enumerate(met):
        used = set[int]().union(*[taken[i] for i in column])
        number = next(k for k in range(len(groups) + 1) if k not in used)
        if number == len(groups):
            groups.append([])
        groups[number].append(j)
        for i in column:
            taken[i].add(number)
    return groups


def entries(form: sweeps.LinearForm, inputs: Sequence[Node], outs: Sequence[Number]) -> list[Entries]:
    """The Jacobian of results by inputs, row by row: an entry wherever something flows, also where that is 0.

    One sweep back from each result over what it depends on; where there are fewer inputs than results, one forward from each
    group of inputs that share no result.
    """
    number = {x: j for j, x in enumerate(inputs)}
    nodes = [out if is_node(out) else None for out in outs]
    if len(inputs) < len(outs):
        reach = _dependences(form, number)
        rows = [reach.get(out, frozenset()) for out in nodes]
        found: list[Entries] = [{} for _ in outs]
        for group in colours(rows, len(inputs)):
            moved = sweeps.push(form, {inputs[j]: 1.0 for j in group})
            members = set(group)
            for row, out, entry in zip(rows, nodes, found, strict=True):
                entry.update((j, moved[out]) for j in row & members if out in moved)
        return found
    return sweeps.pulls(form, number, nodes)


def _dependences(form: sweeps.LinearForm, number: Mapping[Node, int]) -> dict[Node, frozenset[int]]:
    """The inputs, by number, that lead to each node."""
    reach = {x: frozenset({j}) for x, j in number.items()}
    nothing = frozenset[int]()
    for node, edges in reversed(form):
        several = {reach[a] for a, _ in edges if a in reach}
        reach[node] = nothing.union(*several) if len(several) > 1 else several.pop() if several else nothing
    return reach
