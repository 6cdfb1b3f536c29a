"""`Table`: columns of doubles that move to the disk as they grow."""

from __future__ import annotations

import random
import tempfile
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from itertools import compress
from typing import Any, BinaryIO

from ..ends import interrupt_again
from ..errors import InputValueError
from .column import Column, aligned
from .raw import Raw

MEMORY = 2**28  # bytes of numbers a table keeps in memory before it moves to a temporary file
CELLS = 2**18  # how many cells are looked at in one go
Block = list["array[float]"]


class Table(AbstractContextManager["Table"]):
    """Columns of doubles under their names; in memory while they are small, beyond that in temporary files.

    >>> table = Table(["x", "y"], [([1.0, 2.0], [5.0, 6.0]), ([3.0], [7.0])])
    >>> table, {name: column.tolist() for name, column in table.read(1, 3).items()}
    (<Table of 3 rows: x, y>, {'x': [2.0, 3.0], 'y': [6.0, 7.0]})

    Args:
        names: the columns, each name once.
        blocks: rows in order, some at a time: for each block one sequence of floats for each column.
        memory: bytes of numbers that may stay in memory; more go to one temporary file for each column, which vanish
            with the table.
        raw: the rows as they stand in the file, which go with the table too.

    Raises InputValueError for names that repeat and for columns of different lengths.
    """

    def __init__(
        self, names: Sequence[str], blocks: Iterable[Sequence[Sequence[float]]], *, memory: int = MEMORY, raw: Raw | None = None
    ) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self.rows = self.dropped = self.left = 0  # left: by a condition
        self.notes: list[str] = []  # what was guessed about the file it was read from
        self.header: list[str] = list(self.names)  # all columns of that file
        self.ends: list[int] | None = None  # of many files, the rows up to the end of each
        self.levels: dict[str, list[str]] = {}  # of columns of words, the word behind each number
        if len(set(self.names)) < len(self.names):
            raise InputValueError(f"names={list(self.names)} must be different: rename a column")
        self.raw = raw
        self._columns = [*map(Column, range(len(self.names)))]
        self._files: list[BinaryIO] = []
        self._stack = ExitStack()
        self._end: Any = None  # what closes files that nobody has closed, when the table goes
        if raw is not None:
            self._stack.callback(raw.close)
            self._end = weakref.finalize(self, _closed, self._stack)
        try:
            for block in blocks:
                self._append(block, memory)
            for column in self._columns:
                column.settle()
        except BaseException:
            self.close()
            raise

    def _append(self, block: Sequence[Sequence[float]], memory: int) -> None:
        lengths = [len(column) for column in block]
        if len(block) != len(self.names) or len(set(lengths)) > 1:
            raise InputValueError(f"a block of columns of {lengths} rows for {len(self.names)} names: fill it up")
        self.rows += lengths[0] if lengths else 0
        for column, more in zip(self._columns, block, strict=True):
            column.extend(more)
        if self._files or 8 * self.rows * len(self.names) > memory:
            self._end = self._end or weakref.finalize(self, _closed, self._stack)
            self._files = self._files or [self._stack.enter_context(tempfile.TemporaryFile()) for _ in self.names]  # noqa: SIM115
            for file, column in zip(self._files, self._columns, strict=True):
                file.write(column.view())
                column.clear()

    def read(self, start: int, stop: int) -> dict[str, Any]:
        """The rows from `start` up to `stop`, each column as a memoryview of doubles, which NumPy takes without a copy."""
        if not 0 <= start <= stop <= self.rows:
            raise InputValueError(f"start={start}, stop={stop} must be rows of a table of {self.rows}, in order")
        if not self._files:
            return {n: column.view()[start:stop] for n, column in zip(self.names, self._columns, strict=True)}
        found = {}
        for place, (name, file) in enumerate(zip(self.names, self._files, strict=True)):
            found[name] = aligned(stop - start, place)
            file.seek(8 * start)
            file.readinto(found[name])  # type: ignore[attr-defined]
        return found

    @property
    def held(self) -> int:
        """Bytes of numbers in memory."""
        return 0 if self._files else 8 * self.rows * len(self.names)

    def split(self, fraction: float, *, seed: int = 0, memory: int = MEMORY) -> tuple[Table, Table]:
        """Two tables: the rows to keep, and ``round(fraction * rows)`` others picked by `seed`; both in their old order.

        >>> kept, held = Table(["x"], [[[float(i) for i in range(10)]]]).split(0.2)
        >>> kept.rows, held.rows
        (8, 2)

        Raises InputValueError unless both have a row.
        """
        if not 0 < fraction < 1 or not 0 < (count := round(fraction * self.rows)) < self.rows:
            rule = f"holdout={fraction!r} of {self.rows} rows must leave at least one row on each side"
            raise InputValueError(f"{rule}: give a part such as {0.2 if self.rows > 2 else 0.5}")
        kept, held = (
            Table(self.names, self._chosen(random.Random(seed), count, held), memory=memory) for held in (False, True)
        )
        return kept, held

    def _chosen(self, draw: random.Random, count: int, held: bool) -> Iterator[Block]:
        """The blocks of the rows drawn, or of the others: selection sampling, which needs one number a row and no list."""
        left = self.rows
        for start in range(0, self.rows, CELLS):
            block = self.read(start, min(start + CELLS, self.rows))
            marks = []
            for _ in range(min(CELLS, self.rows - start)):
                taken = draw.random() * left < count
                count, left = count - taken, left - 1
                marks.append(taken is held)
            yield [array("d", compress(column, marks)) for column in block.values()]

    def close(self) -> None:
        """Let go of the numbers and of the temporary files."""
        self.rows, self._columns, self._files = 0, [*map(Column, range(len(self.names)))], []
        self._stack.close()
        if self._end is not None:
            self._end.detach()

    def __repr__(self) -> str:
        return f"<Table of {self.rows} rows: {', '.join(self.names)}>"

    def __exit__(self, *_: object) -> None:
        self.close()


def _closed(stack: ExitStack) -> None:
    try:
        stack.close()
    except KeyboardInterrupt:  # an exception where an object goes reaches nobody
        interrupt_again()
