"""The data of a fit as blocks and mini-batches of rows.

A block is a list of columns, each a sequence of as many numbers (or rows of numbers) as the block has rows.  Sums are taken
block by block in the order of the rows, so data in memory and data streamed from a file give the same bits.

data, words   what people hand in, as numbers; `where` keeps some of the rows
objective, curvature, residuals   a loss, or residuals, over the rows with exact derivatives; `groups`: each with its own
spread, order, near   the targets' mean and spread, the middle of many numbers, and the rows whose residuals are near zero
pairs         adding up in one order, wherever the rows are
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from ...arrays import np, numpy
from ...compiler.arguments import doubles
from ...errors import InputTypeError, InputValueError, StructureError
from ...interrupt import no_pause
from ...tables.column import aligned
from ...tables.parts import Joined, Parts
from ...tree import Tree, an, as_float, flatten
from .pairs import Pairs

SHOWN = 2000  # rows that a picture or a page shows
FEW = 50  # rows below which one call for each costs less than a call for all
BLOCK = 2**16  # rows that are read, summed and shuffled together

Column = Any  # one number, or one row of numbers, for each row: an array or another sequence
Columns = list[Column]
Data = Any  # what rows can be made of: see `Rows`, `data.columns_of` and `cluster.rows_of`
Summed = tuple[float, list[float]]
T = TypeVar("T")


class Work(Protocol[T]):
    """What is done with each block of rows, at some weights, and how two neighbours' results become one."""

    def leaf(self, leaves: Sequence[float], columns: Columns) -> T:
        """What one block comes to."""

    def both(self, a: T, b: T) -> T:
        """What two neighbours come to together."""


class AnyRows:
    """Rows of data, here (`Rows`) or on workers (`cluster.ClusterRows`): what a fit asks of them."""

    names: list[str] | None
    count: int
    threads: int | None = 1  # cores that share the rows; None is as many as it is worth, and the bits are the same for any

    def refuse_none(self) -> None:
        """InputValueError where there are no rows."""
        if not self.count:
            raise InputValueError("data has no rows, and their mean loss no value: give at least one row")

    def total(self, work: Work[T], leaves: Sequence[float], pause: Callable[[], None] = no_pause) -> T:
        """What the work finds in all blocks, added up in the order of the rows; `pause` is called between blocks."""
        raise NotImplementedError

    def take(self, ranges: Sequence[tuple[int, int]]) -> Columns:
        """The rows of several ranges, one after the other."""
        return _concatenated([self.read(start, stop) for start, stop in ranges])

    def read(self, start: int, stop: int) -> Columns:
        """The rows from `start` up to `stop`."""
        return self.take([(start, stop)])

    def arguments(self, columns: Columns) -> tuple[Tree, ...]:
        """What the loss is called with beside the parameters: the columns, or one dict of them."""
        return tuple(columns) if self.names is None else (dict(zip(self.names, columns, strict=True)),)

    def blocks(self) -> Iterator[Columns]:
        """All rows in order."""
        for start in range(0, self.count, BLOCK):
            yield self.read(start, min(start + BLOCK, self.count))

    def fingerprint(self) -> str:
        """A digest of the names and of every number."""
        return Digest.finished(self.names, self.count, self.total(Digest(), ()))


class Rows(AnyRows):
    """What `minimize` was given as data: a tuple of columns, a dict of them, or a source that reads blocks of them.

    A source has ``names``, ``rows`` and ``read(start, stop)``, a dict of columns, as `autograd_lite.tables.Table` has; `Parts`
    are many of them, one after the other.
    """

    def __init__(self, data: Data, threads: int | None = None) -> None:
        self.threads = threads
        self.names: list[str] | None = None
        self.source, self._columns = None, []
        self._ends: list[int] | None = None  # of files, the rows up to the end of each
        data = Joined(data) if isinstance(data, Parts) else data
        if hasattr(data, "read") and hasattr(data, "rows"):
            self.source, self.names, self.count = data, list(data.names), data.rows
            self._ends = getattr(data, "ends", None)
        elif isinstance(data, dict):
            self.names = list(data)
            self._columns = [_checked_column(column, f"data[{name!r}]", i) for i, (name, column) in enumerate(data.items())]
        elif isinstance(data, tuple):
            self._columns = [_checked_column(column, f"data[{i}]", i) for i, column in enumerate(data)]
        else:
            raise InputTypeError(f"data is {an(data)}: give a tuple of columns (x, y), a dict of them, or a Table")
        if self.names is None or self._columns:
            lengths = [len(column) for column in self._columns]
            if len(set(lengths)) > 1:
                raise StructureError(f"the columns of data have {lengths} rows: give each column one entry for each row")
            self.count = lengths[0] if lengths else 0
        self.refuse_none()

    @staticmethod
    def of(data: Data) -> Rows:
        """What is rows already, as it is; other data as rows."""
        return data if hasattr(data, "total") else Rows(data)

    def read(self, start: int, stop: int) -> Columns:
        if self.source is None:
            return [column[start:stop] for column in self._columns]
        block = self.source.read(start, stop)
        return [block[name] for name in self.names or ()]

    def total(self, work: Work[T], leaves: Sequence[float], pause: Callable[[], None] = no_pause) -> T:
        """Those of a file are added up in one fixed tree, and the files in another."""
        if self._ends is None and self.count <= BLOCK:
            found = work.leaf(leaves, self.read(0, self.count))
            pause()
            return found
        files: Pairs[T] = Pairs(work.both)
        ends = [self.count] if self._ends is None else self._ends
        for first, last in pairwise([0, *ends]):
            blocks: Pairs[T] = Pairs(work.both)
            for start in range(first, last, BLOCK):
                blocks.leaf(work.leaf(leaves, self.read(start, min(start + BLOCK, last))))
                pause()
            files.leaf(blocks.root())
        root = files.root()
        assert root is not None
        return root

    @property
    def levels(self) -> dict[str, list[str]]:
        """Of columns of words, the word behind each number."""
        found: dict[str, list[str]] = getattr(self.source, "levels", {})
        return found

    def batches(self, size: int, seed: int, first: int) -> Iterator[Columns]:
        """Mini-batches from number `first` on, for ever: each pass takes each row once, in an order of its own.

        Blocks come in shuffled order and each is shuffled in itself, so that a file is read block by block; a table of no
        more than 65,536 rows is shuffled as a whole.  The order follows from the seed and the number of the pass alone.
        """
        span = max(1, BLOCK // size) * size  # so that only the last rows of the table make a smaller batch
        starts = range(0, self.count, span)
        turn, skip = divmod(first, -(-self.count // size))
        while True:
            for place in shuffled(len(starts), f"{seed}/{turn}"):
                start, stop = starts[place], min(starts[place] + span, self.count)
                if skip >= (count := -(-(stop - start) // size)):
                    skip -= count
                    continue
                order = shuffled(stop - start, f"{seed}/{turn}/{place}")
                block = [_permuted(column, order) for column in self.read(start, stop)]
                for i in range(skip * size, stop - start, size):
                    yield [column[i : i + size] for column in block]
                skip = 0
            turn += 1


Looked = tuple[int, tuple[int, str] | None]


class First:
    """Work that finds the first row of which there is something to say, and what."""

    def __init__(self, look: Callable[[Columns], tuple[int, str] | None]) -> None:
        self.look = look

    def leaf(self, leaves: Sequence[float], columns: Columns) -> Looked:
        """How many rows a block has, and what it finds there."""
        return len(columns[0]), self.look(columns)

    @staticmethod
    def both(a: Looked, b: Looked) -> Looked:
        """Of two neighbouring blocks."""
        found = a[1] or (None if b[1] is None else (a[0] + b[1][0], b[1][1]))
        return a[0] + b[0], found


def first(rows: AnyRows, look: Callable[[Columns], tuple[int, str] | None]) -> tuple[int, str] | None:
    """The number, from 1, of the first row of which `look` has something to say, and that; None where there is none.

    >>> first(Rows(([1.0, 2.0, 3.0],)), lambda columns: (1, "here"))
    (2, 'here')

    Args:
        rows: `Rows`, or those on a cluster.
        look: of a block its place, from 0, and what there is to say.
    """
    work, before = First(look), 0
    if not isinstance(rows, Rows):
        found = rows.total(work, ())[1]
        return None if found is None else (found[0] + 1, found[1])
    for columns in rows.blocks():
        count, found = work.leaf((), columns)
        if found is not None:
            return before + found[0] + 1, found[1]
        before += count
    return None


class Sample(Rows):
    """Some of many rows, evenly spread, for pictures and pages.

    Attributes:
        whole: how many rows there are in all.
    """

    def __init__(self, rows: AnyRows, most: int = SHOWN) -> None:
        """At most so many of `Rows` or of those on a cluster."""
        self.whole = rows.count
        ends = [round(k * (self.whole - 1) / max(1, most - 1)) for k in range(most)]
        columns = rows.take([(i, i + 1) for i in ends]) if self.whole > most else rows.read(0, self.whole)
        names = rows.names
        super().__init__(tuple(columns) if names is None else dict(zip(names, columns, strict=True)))
        self.words = getattr(rows, "levels", {})


class Digest:
    """Digests of blocks, and of digests."""

    def leaf(self, leaves: Sequence[float], columns: Columns) -> bytes:
        """Of every number of a block."""
        digest = blake2b(digest_size=16)
        for column in columns:
            digest.update(column.tobytes() if hasattr(column, "tobytes") else array("d", flatten(column)[0]).tobytes())
        return digest.digest()

    def both(self, a: bytes, b: bytes) -> bytes:
        """Of two."""
        return blake2b(a + b, digest_size=16).digest()

    @staticmethod
    def finished(names: Sequence[str] | None, count: int, found: bytes) -> str:
        """With the names and the number of rows."""
        return blake2b(repr((names, count)).encode() + found, digest_size=16).hexdigest()


def _concatenated(blocks: Sequence[Columns]) -> Columns:
    if numpy() is not None:
        return [np.concatenate([np.asarray(column) for column in columns]) for columns in zip(*blocks, strict=True)]
    return [[x for column in columns for x in column] for columns in zip(*blocks, strict=True)]


def _checked_column(column: Column, what: str, place: int) -> Column:
    """A column of numbers or of rows of numbers: an array where NumPy is there, else a list."""
    bare = numpy() is None
    if bare and isinstance(column, Sequence) and not isinstance(column, (str, bytes)):
        return _floats(column, what)
    try:
        numbers = column if bare or isinstance(column, np.ndarray) else np.asarray(column)
    except ValueError:
        raise StructureError(f"{what} is ragged: give rows of one length, or a column for each of their numbers") from None
    if bare or not numbers.ndim:
        raise InputTypeError(f"{what} is {an(column)}: a column has one entry for each row, give a list or an array")
    if numbers.dtype.kind not in "fiub":  # text among them, or numbers of another kind
        numbers = np.array(_floats(column, what))
    found = np.ascontiguousarray(doubles(what, numbers))
    own = isinstance(column, (list, tuple)) and found.ndim == 1
    return np.concatenate([found], out=np.asarray(aligned(len(found), place))) if own else found


def _floats(column: Column, what: str) -> list[Any]:
    return [
        [as_float(x, f"{what}[{i}]") for x in entry]
        if hasattr(entry, "__iter__") and not isinstance(entry, (str, bytes))
        else as_float(entry, f"{what}[{i}]")
        for i, entry in enumerate(column)
    ]


def _permuted(column: Column, order: Column) -> Column:
    return [column[i] for i in order] if numpy() is None else np.asarray(column)[order]


def shuffled(count: int, key: str) -> Column:
    """The numbers below `count` in an order that follows from `key` alone: sorted by 64 random bits each."""
    keys = array("Q", random.Random(key).randbytes(8 * count))
    return sorted(range(count), key=keys.__getitem__) if numpy() is None else np.argsort(np.asarray(keys), kind="stable")
