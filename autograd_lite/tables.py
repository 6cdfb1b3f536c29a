"""Tables of numbers from CSV and Parquet files, read in blocks, so that a file may be larger than the memory.

`read_table` checks every cell of the columns asked for and says the line and the column of the first that is no number.  CSV
needs the standard library only and is read faster where NumPy is installed; Parquet needs pyarrow.  Imports `errors`.
"""

from __future__ import annotations

import csv
import io
import math
import os
import random
import re
import reprlib
import sys
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from itertools import chain, compress, islice
from typing import Any, BinaryIO, TextIO

from .errors import InputTypeError, InputValueError, MissingPackageError

__all__ = ["Table", "read_table"]

MEMORY = 2**28  # bytes of numbers a table keeps in memory before it moves to a temporary file
CELLS = 2**18  # how many cells of text are looked at in one go
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")  # compared in lower case, without blanks around
_BREAK = re.compile("\r\n|\r|\n")  # inside a cell
_FOREIGN = re.compile("[\0\udc80-\udcff]")  # what was not UTF-8, or is UTF-16 read as UTF-8
FILL = "fill it in, or leave such rows out with drop_missing (--drop-missing)"
MARKS = {";": "';'", "\t": "tabs", "|": "'|'"}  # what separates cells elsewhere
Pick = Callable[[list[str]], Iterable[str]]
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

    Raises InputValueError for names that repeat and for columns of different lengths.
    """

    def __init__(self, names: Sequence[str], blocks: Iterable[Sequence[Sequence[float]]], *, memory: int = MEMORY) -> None:
        self.names: tuple[str, ...] = tuple(names)
        self.rows = self.dropped = 0
        if len(set(self.names)) < len(self.names):
            raise InputValueError(f"names={list(self.names)} must be different: rename a column")
        self._columns = [array("d") for _ in self.names]
        self._files: list[BinaryIO] = []
        self._stack = ExitStack()
        weakref.finalize(self, self._stack.close)  # files that nobody closed go with the table
        try:
            for block in blocks:
                self._append(block, memory)
        except BaseException:
            self.close()
            raise

    def _append(self, block: Sequence[Sequence[float]], memory: int) -> None:
        lengths = [len(column) for column in block]
        if len(block) != len(self.names) or len(set(lengths)) > 1:
            raise InputValueError(f"a block of columns of {lengths} rows for {len(self.names)} names: fill it up")
        self.rows += lengths[0] if lengths else 0
        for column, more in zip(self._columns, block, strict=True):
            column.extend(more if isinstance(more, array) else array("d", more))
        if self._files or 8 * self.rows * len(self.names) > memory:
            self._files = self._files or [self._stack.enter_context(tempfile.TemporaryFile()) for _ in self.names]  # noqa: SIM115
            for file, column in zip(self._files, self._columns, strict=True):
                file.write(column)
                del column[:]

    def read(self, start: int, stop: int) -> dict[str, Any]:
        """The rows from `start` up to `stop`, each column as a memoryview of doubles, which NumPy takes without a copy."""
        if not 0 <= start <= stop <= self.rows:
            raise InputValueError(f"start={start}, stop={stop} must be rows of a table of {self.rows}, in order")
        if not self._files:
            return {n: memoryview(column)[start:stop] for n, column in zip(self.names, self._columns, strict=True)}
        found = {}
        for name, file in zip(self.names, self._files, strict=True):
            numbers = bytearray(8 * (stop - start))
            file.seek(8 * start)
            file.readinto(numbers)  # type: ignore[attr-defined]
            found[name] = memoryview(numbers).cast("d")
        return found

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
        self.rows, self._columns, self._files = 0, [array("d") for _ in self.names], []
        self._stack.close()

    def __repr__(self) -> str:
        return f"<Table of {self.rows} rows: {', '.join(self.names)}>"

    def __exit__(self, *_: object) -> None:
        self.close()


def read_table(
    path: str | os.PathLike[str],
    columns: Iterable[str] | Pick | None = None,
    *,
    blank: Iterable[str] = (),
    drop_missing: bool = False,
    memory: int = MEMORY,
) -> Table:
    """The numbers in a CSV or Parquet file, as a `Table`.

        table = read_table("cars.csv", ["pounds", "mpg"])
        read_table("-", lambda names: [n for n in names if n != "model"])

    Args:
        path: a file; a suffix .parquet or .pq says Parquet, anything else is CSV with a header; "-" is CSV from standard
            input.
        columns: the names wanted, or a function that picks them from those in the file; by default all.
        blank: names of columns in which such a cell, as drop_missing looks for, is nan and neither an error nor left out.
        drop_missing: leave out rows in which a wanted cell is empty, NA, N/A, nan, null, none or ?, in any case, and count
            them in ``table.dropped``; by default such a cell is an error.
        memory: as for `Table`.

    A number is written with digits, a point, a sign and an exponent: 3504, -1.5, 2e-3.  Raises InputValueError with the line
    and the column of the first cell that is not a finite number, of rows too short or too long, and for columns that are not
    there or there twice; OSError as `open` does; MissingPackageError for Parquet without pyarrow.
    """
    path = os.fspath(path)
    pick = columns if callable(columns) else _these(columns)
    parse = _parquet if path.lower().endswith((".parquet", ".pq")) else _csv
    return parse(path, pick, frozenset(blank), drop_missing, memory)


def _these(columns: Iterable[str] | None) -> Pick:
    if isinstance(columns, str):
        raise InputTypeError(f"columns={columns!r} is a str: put it in a list, [{columns!r}]")
    wanted = None if columns is None else list(columns)
    return lambda names: names if wanted is None else wanted


def _places(path: str, names: list[str], pick: Pick) -> tuple[list[str], list[int]]:
    """The wanted columns and where they stand in a row."""
    if not names:
        raise InputValueError(f"{path} is empty: give a header and rows")
    wanted = list(dict.fromkeys(pick(list(names))))
    listed = ", ".join(map(repr, names[:20])) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    for name in wanted:
        if name not in names and any(map(_FOREIGN.search, names)):
            raise InputValueError(f"the header of {path} is not UTF-8: save the table as UTF-8")
        if name not in names and len(names) == 1 and (found := [what for mark, what in MARKS.items() if mark in names[0]]):
            raise InputValueError(f"{path} has cells separated by {found[0]}: separate them by commas")
        if names.count(name) != 1:
            rule = "no column" if name not in names else f"{names.count(name)} columns called"
            repair = "choose one of them" if name not in names else "rename them"
            raise InputValueError(f"{path} has {rule} {name!r}; its columns are {listed}: {repair}")
    return wanted, [names.index(name) for name in wanted]


def _filled(path: str, table: Table, dropped: int) -> Table:
    table.dropped = dropped
    if not table.rows:
        table.close()
        rest = f" without a missing cell ({dropped} dropped)" if dropped else " below its header"
        raise InputValueError(f"{path} has no row{rest}: give at least one")
    return table


# -- CSV --------------------------------------------------------------------------------------------------------------


class _Csv:
    """The rows of a CSV file: by NumPy where lines are plain, by the csv module where not, cell by cell where one is wrong."""

    def __init__(self, path: str, file: TextIO, pick: Pick, blank: frozenset[str], drop: bool) -> None:
        self.path, self.file, self.blank, self.drop, self.dropped = path, file, blank, drop, 0
        self.line = 0  # how many lines were read
        header: list[str] = []
        while not header and (records := self._records([], 1)):
            header = [name.strip() for name in records[0]]
        self.width = len(header)
        self.names, self.places = _places(path, header, pick)
        self._numpy = numpy()  # which reads plain lines five times as fast

    def _records(self, lines: list[str], count: int = 0) -> list[list[str]]:
        """The records on these lines, of which the last may go on below, or the next `count`; a blank line has no cells."""
        reader = csv.reader(chain(lines, self.file), strict=True)
        try:
            records = list(islice(reader, count))
            while reader.line_num < len(lines):
                records.append(next(reader))
        except csv.Error as error:
            what = f"{self.path} line {self.line + reader.line_num}: {error}"
            raise InputValueError(f"{what}; close every quote, and double those inside a cell") from None
        self.line += reader.line_num
        return records

    def blocks(self) -> Iterator[Block]:
        """The columns wanted, some rows at a time."""
        count = max(64, CELLS // max(1, self.width))
        while lines := list(islice(self.file, count)):
            columns = self._plain(lines)
            if columns is None:
                before = self.line
                records = self._records(lines)
                columns = self._block(records) or self._checked(records, before)
            else:
                self.line += len(lines)
            yield columns

    def _plain(self, lines: list[str]) -> Block | None:
        """The columns by NumPy, if no line has quotes, all have as many cells as the header, and all wanted are finite."""
        if self._numpy is None or self.width < 2 or not self.places:
            return None
        if {line.count(",") for line in lines} != {self.width - 1} or any('"' in line for line in lines):
            return None
        try:
            found = self._numpy.loadtxt(lines, delimiter=",", comments=None, usecols=self.places, ndmin=2).T
        except ValueError:
            return None
        return [array("d", column.tobytes()) for column in found] if self._numpy.isfinite(found).all() else None

    def _block(self, records: list[list[str]]) -> Block | None:
        """The columns of some records, if all are as long as the header and all cells wanted are numbers."""
        try:
            columns = list(zip(*records, strict=True))
            return [_numbers(columns[place]) for place in self.places] if len(columns) == self.width else None
        except ValueError:
            return None

    def _checked(self, records: list[list[str]], line: int) -> Block:
        """The columns of records in which something is wrong or missing, below `line`, or the error that says where."""
        columns = [array("d") for _ in self.places]
        for record in records:
            where = f"{self.path} line {line + 1}"
            line += 1 + sum(len(_BREAK.findall(cell)) for cell in record)
            if record and len(record) != self.width:
                rule = f"{where} has {len(record)} cells and the header {self.width}"
                raise InputValueError(f"{rule}: separate cells by single commas, and quote those with commas inside")
            cells = [record[place] for place in self.places] if record else []
            named = list(zip(self.names, cells, strict=False))  # no cells in a blank line
            if self.drop and any(_is_missing(cell) and name not in self.blank for name, cell in named):
                self.dropped += 1
                continue
            for column, (name, cell) in zip(columns, named, strict=False):
                known = name not in self.blank or not _is_missing(cell)
                column.append(_number(cell, f"{where}, column {name!r}") if known else math.nan)
        return columns


def numpy() -> Any:
    """The module NumPy, or None where it is not installed."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy


def _csv(path: str, pick: Pick, blank: frozenset[str], drop: bool, memory: int) -> Table:
    # what is not UTF-8 matters only in a cell that is needed: in the others it passes through
    with ExitStack() as stack:
        if path == "-" and sys.stdin is None:
            raise InputValueError("standard input is closed: give a file, or write to it through a pipe")
        binary = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
        file = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        stack.callback(file.detach)
        source = _Csv("standard input" if path == "-" else path, file, pick, blank, drop)
        table = Table(source.names, source.blocks(), memory=memory)
    return _filled(source.path, table, source.dropped)


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def _numbers(cells: Sequence[str]) -> array[float]:
    """Many cells at once; ValueError where one of them may be something else."""
    text = "".join(cells)
    if "_" in text or not text.isascii():  # float() also reads 1_000 and the digits of other scripts
        raise ValueError
    numbers = array("d", map(float, cells))
    if not math.isfinite(sum(numbers)):
        raise ValueError
    return numbers


def _number(cell: str, where: str) -> float:
    """One cell, or an error that says what is the matter with it."""
    number = None
    with suppress(ValueError):
        number = float(cell) if "_" not in cell and cell.isascii() else None
    if number is not None and math.isfinite(number):
        return number
    if _FOREIGN.search(cell):
        raise InputValueError(f"{where} is not UTF-8: save the table as UTF-8")
    given, text = f"{where}: {reprlib.repr(cell)}", cell.strip()
    if _is_missing(cell):
        raise InputValueError(f"{given} is a missing cell; {FILL}")
    if re.fullmatch(r"[+-]?\d{1,3}([,' _]\d{3})+(\.\d*)?", text):
        raise InputValueError(f"{given} has separators between its digits; write {re.sub('[^-+.0-9]', '', text)}")
    if re.fullmatch(r"[+-]?\d+,\d+", text):
        raise InputValueError(f"{given} has a decimal comma; write {text.replace(',', '.')}")
    if number is not None:
        raise InputValueError(f"{given} is not finite; give numbers up to 1.8e308")
    raise InputValueError(f"{given} is not a number; the columns in use hold numbers only, such as 3504 or -1.5e3")


# -- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(path: str, pick: Pick, blank: frozenset[str], drop: bool, memory: int) -> Table:
    try:
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
        import pyarrow.parquet as pa_parquet  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except ImportError as error:
        repair = "pip install 'autograd-lite[parquet]'"
        raise MissingPackageError(f"reading {path} needs pyarrow, which is not installed: {repair}") from error
    dropped = [0]
    with open(path, "rb") as binary:
        try:
            file = pa_parquet.ParquetFile(binary)
        except pa.ArrowException as error:
            raise InputValueError(f"{path} is not a Parquet file ({error}): give one, or CSV with another suffix") from None
        schema = file.schema_arrow
        names, _ = _places(path, schema.names, pick)
        for name in names:
            kind = schema.field(name).type
            if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
                    or pa.types.is_boolean(kind) or (name in blank and pa.types.is_null(kind))):  # fmt: skip
                raise InputValueError(f"{path}, column {name!r} holds {kind}, not numbers: convert it, or choose another")
        size = CELLS // max(1, len(names)) + 1
        batches = (batch.select(names) for batch in file.iter_batches(batch_size=size, columns=names))
        try:
            table = Table(names, _from_arrow(path, batches, blank, drop, dropped), memory=memory)
        except pa.ArrowException as error:
            raise InputValueError(f"{path} is damaged ({error}): write it again") from None
    return _filled(path, table, dropped[0])


def _from_arrow(path: str, batches: Iterable[Any], blank: frozenset[str], drop: bool, dropped: list[int]) -> Iterator[Block]:
    """Columns of doubles out of Arrow's record batches, whose rows are counted from 1."""
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,import-not-found,unused-ignore]

    row = 1
    for batch in batches:
        columns = [column.cast(pa.float64(), safe=False) for column in batch.columns]
        missing = pa.array([False] * len(batch))
        gaps = [pc.fill_null(pc.is_nan(column), True) for column in columns]
        for gap in (gap for name, gap in zip(batch.schema.names, gaps, strict=True) if name not in blank):
            missing = pc.or_(missing, gap)
        keep = pc.invert(missing) if drop else pa.array([True] * len(batch))
        dropped[0] += len(batch) - keep.true_count
        block = []
        for name, column, gap in zip(batch.schema.names, columns, gaps, strict=True):
            allowed = pc.or_(gap, pc.invert(keep)) if name in blank else pc.invert(keep)
            finite = pc.or_(pc.fill_null(pc.is_finite(column), False), allowed)
            if finite.true_count < len(column):
                place = finite.index(False).as_py()
                given = f"{path} row {row + place}, column {name!r}: {column[place].as_py()}"
                raise InputValueError(f"{given} is not a finite number; {FILL}")
            column = pc.fill_null(column, math.nan).filter(keep)
            numbers = memoryview(column.buffers()[1])[8 * column.offset : 8 * (column.offset + len(column))]
            block.append(array("d", numbers.tobytes()))
        row += len(batch)
        yield block
