"""The rows that a condition keeps: a formula of columns that is neither 0 nor nan there."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import compress, pairwise

from ... import ops
from ...arrays import np, numpy
from ...compiler import jit
from ...errors import InputValueError, listed
from ...formula.expression import Expression, parse
from ...formula.vocabulary import VOCABULARY
from ...tables import Table
from ...tables.choice import SHOWN
from ...tables.table import CELLS, MEMORY
from ...tree import Number
from ..rows import Column, Columns


class Where:
    """A condition as typed, which travels as its text.

    >>> table = Table(["x", "y"], [([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])])
    >>> kept, left = Where("x > 1")(table)
    >>> kept.read(0, 2)["y"].tolist(), left
    ([5.0, 6.0], 1)
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.condition: Expression = parse(text, VOCABULARY)

    def __reduce__(self) -> tuple[object, ...]:
        return Where, (self.text,)

    def __call__(self, table: Table, memory: int = MEMORY) -> tuple[Table, int]:
        """The rows kept, which may be none, and how many others there were.

        Raises InputValueError for a name that is no column, and for a word that no row has.
        """
        marks_of = self._marks(table)
        ends = list[int]()

        def blocks() -> Iterator[Columns]:
            for first, last in pairwise([0, *(table.ends or [table.rows])]):
                count = ends[-1] if ends else 0
                for start in range(first, last, CELLS):
                    block = table.read(start, min(start + CELLS, last))
                    marks = marks_of(block)
                    count += sum(marks)
                    yield [array("d", compress(column, marks)) for column in block.values()]
                ends.append(count)

        found = Table(table.names, blocks(), memory=memory)
        found.header, found.notes, found.levels, found.dropped = table.header, table.notes, table.levels, table.dropped
        found.ends, found.left = (None if table.ends is None else ends), table.rows - found.rows
        return found, found.left

    def _marks(self, table: Table) -> Callable[[Mapping[str, Column]], list[bool]]:
        """Which rows of a block are kept."""
        condition = self.condition
        for name in condition.names:
            column, word = condition.indicators.get(name, (name, None))
            if column not in table.names:
                raise InputValueError(f"--where names {column!r}, which is no column: name columns only")
            if word is not None and table.rows and word not in table.levels[column]:
                raise InputValueError(
                    f"--where {condition}: no row of {column} is {word!r}; {_had(word, table.levels[column])}"
                )

        def value_of(row: Mapping[str, Number]) -> Number:
            given = {n: row[n] for n in condition.names if n not in condition.indicators}
            for spelled, (column, word) in condition.indicators.items():
                given[spelled] = ops.eq(row[column], float(table.levels[column].index(word)))
            return condition(given)

        fast = None if numpy() is None else jit(value_of, batch=0, backend="numpy")

        def marks(block: Mapping[str, Column]) -> list[bool]:
            count = len(next(iter(block.values())))
            if fast is None:
                rows = zip(*(column.tolist() for column in block.values()), strict=True)
                found = [float(value_of(dict(zip(block, row, strict=True)))) for row in rows]
            else:
                values = fast({n: np.asarray(c) for n, c in block.items()})
                found = np.broadcast_to(np.asarray(values, dtype=float), count).tolist()
            return [x == x and x != 0.0 for x in found]

        return marks


def without_lost_words(table: Table, memory: int = MEMORY) -> Table:
    """The table with the words taken out of `levels` that none of its rows has, and the numbers of the others."""
    places: dict[str, dict[float, float]] = {name: {} for name in table.levels}
    for start in range(0, table.rows, CELLS):
        block = table.read(start, min(start + CELLS, table.rows))
        for name, own in places.items():
            for place in block[name].tolist():
                own.setdefault(place, float(len(own)))
    if all(len(own) == len(table.levels[name]) for name, own in places.items()):
        return table

    def blocks() -> Iterator[Columns]:
        for start in range(0, table.rows, CELLS):
            block = table.read(start, min(start + CELLS, table.rows))
            yield [array("d", map(places[n].__getitem__, c)) if n in places else array("d", c) for n, c in block.items()]

    found = Table(table.names, blocks(), memory=memory)
    found.header, found.notes, found.dropped, found.left, found.ends = (
        table.header, table.notes, table.dropped, table.left, table.ends,
    )  # fmt: skip
    found.levels = {name: [table.levels[name][int(place)] for place in own] for name, own in places.items()}
    return found


def _had(word: str, words: Sequence[str]) -> str:
    """The words that there are, and the one that may be meant."""
    near = get_close_matches(word, words, 1)
    repair = f": did you mean {near[0]!r}?" if near else ""
    return f"they are {listed([repr(w) for w in words], SHOWN)}{repair}"
