"""Tables of numbers from text, Parquet, Feather and Excel files, read in blocks, so that a file may be larger than the memory.

`read_table` checks every cell of the columns asked for and says the line and the column of the first that is no number.  Text
needs the standard library only, and is read faster where pyarrow or NumPy is installed; Parquet and Feather need pyarrow, Excel
openpyxl.

source  dialect          what a file holds, by its first bytes, unpacked; how a text is written
text  plain  cells       text, many plain lines at once, cell by cell where one is wrong
arrow  excel             the other kinds
choice                   which columns are read, and what becomes of cells and rows
table  column  raw       what comes of it: columns that move to the disk as they grow, and rows as they stand
parts                    many files that are one table
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack

from ..files import JsonData
from . import arrow, excel
from . import text as texts
from .choice import Pick, Wanted, coded, filled, selector
from .dialect import COMMENT, Dialect
from .parts import Joined, Part, Parts
from .raw import Raw
from .source import opened
from .table import MEMORY, Table

__all__ = ["MEMORY", "Dialect", "Joined", "Part", "Parts", "Table", "read_table"]


def read_table(
    path: str | os.PathLike[str],
    columns: Iterable[str] | Pick | None = None,
    *,
    blank: Iterable[str] = (),
    text: Iterable[str] | Mapping[str, Iterable[str]] = (),
    drop_missing: bool = False,
    sep: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    header: bool = True,
    comment: str | None = COMMENT,
    raw: bool = False,
    memory: int = MEMORY,
) -> Table:
    """The numbers in a file, as a `Table`.

        table = read_table("cars.csv", ["pounds", "mpg"])
        read_table("-", lambda names: [n for n in names if n != "model"])

    Args:
        path: a file; "-" is standard input.  What it is, its first bytes say: Parquet, Feather, an Excel workbook (its first
            sheet), or text; each also packed by gzip, bzip2, xz or alone in a zip file.
        columns: the names wanted, or a function that picks them from those in the file; by default all.
        blank: names of columns in which such a cell, as drop_missing looks for, is nan and neither an error nor left out.
        text: names of columns that hold words: the numbers are their places in ``table.levels[name]``.  A mapping of such names
            gives words that come first there.
        drop_missing: leave out rows in which a wanted cell is empty, NA, N/A, #N/A, <NA>, nan, null, none or ?, in any case,
            and count them in ``table.dropped``; by default such a cell is an error.
        sep: what separates the cells of text: ``, ; |``, a tab or a blank (any run of them); None guesses.
        decimal, thousands: the signs in its numbers: ``decimal=",", thousands="."`` reads 7.661,5.
        header: whether its first row names the columns; without, they are c1, c2, ...
        comment: what begins a line that is no row; None for nothing.
        raw: whether ``table.raw`` has every row that is kept as it stands, with all columns, as `predict` writes it.
        memory: as for `Table`.

    A number is written with digits, a point, a sign and an exponent: 3504, -1.5, 2e-3; true and false are 1 and 0.  What was
    guessed is said in ``table.notes``.  Raises InputValueError with the line and the column of the first cell that is not a
    finite number, of rows too short or too long, and for columns that are not there or there twice; OSError as `open` does;
    MissingPackageError where the package that reads such a file is not installed.
    """
    path = os.fspath(path)
    name = "standard input" if path == "-" else path
    pick = columns if callable(columns) else selector(columns)
    levels = coded(text if isinstance(text, Mapping) else dict.fromkeys(text, ()))
    rows = Raw(memory) if raw else None
    wanted = Wanted(pick, frozenset(blank), drop_missing, levels, rows, memory=memory)
    try:
        return filled(name, _read_part(path, wanted, _dialect(sep, decimal, thousands, header, comment), memory))
    except BaseException:
        if rows is not None:
            rows.close()
        raise


def read_part(
    path: str, columns: list[str], *, rows: tuple[int, int] | None = None, levels: Mapping[str, Sequence[str]] | None = None,
    blank: Iterable[str] = (), drop_missing: bool = False, memory: int = MEMORY, **dialect: JsonData,
) -> Table:  # fmt: skip
    """As `read_table`, of a file that is one of many: it may have no row, and the numbers of words are given.

    Args:
        rows: of a Parquet file those from the first of these numbers up to the second.
        levels: the words of columns of words, in the order of their numbers, over all the files.
    """
    wanted = Wanted(selector(columns), frozenset(blank), drop_missing, coded(levels or {}), rows=rows, memory=memory)
    return _read_part(path, wanted, _dialect(**dialect), memory)


def read_head(path: str, **options: JsonData) -> tuple[list[str], int | None]:
    """The columns of a file and, of a Parquet file, how many rows it has."""
    dialect = {name: options[name] for name in ("sep", "decimal", "thousands", "header", "comment") if name in options}
    with ExitStack() as stack:
        source = _opened(path, Wanted(lambda names: []), _dialect(**dialect), stack)  # columns of any kind
        return list(source.header), getattr(source, "rows", None)


def _dialect(
    sep: str | None = None, decimal: str = ".", thousands: str | None = None, header: bool = True, comment: str | None = COMMENT
) -> Dialect:
    return Dialect(sep, decimal, thousands, header, comment or None)


def _opened(path: str, wanted: Wanted, dialect: JsonData, stack: ExitStack) -> texts.TextRows | arrow.Arrow | excel.Sheet:
    """Whatever reads the rows of a file of that kind."""
    binary, kind = opened(path, stack)
    name = "standard input" if path == "-" else path
    if kind == "text":
        file = texts.lines_of(binary)
        stack.callback(file.detach)
        return texts.TextRows(name, file, dialect, wanted)
    return (excel.Sheet if kind == "excel" else arrow.Arrow)(name, binary, kind, wanted)


def _read_part(path: str, wanted: Wanted, dialect: JsonData, memory: int) -> Table:
    with ExitStack() as stack:
        source = _opened(path, wanted, dialect, stack)
        table = Table(source.names, source.blocks(), memory=memory, raw=wanted.raw)
    table.notes, table.header, table.dropped = source.notes, source.header, source.dropped
    table.levels = {name: list(words) for name, words in wanted.levels.items()}
    return table
