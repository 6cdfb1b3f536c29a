"""Tables of numbers from CSV and Parquet files, read in blocks, so that a file may be larger than the memory.

`read_table` checks every cell of the columns asked for and says the line and the column of the first that is no number.  CSV
needs the standard library only and is read faster where NumPy is installed; Parquet needs pyarrow.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from . import arrow, text
from .choice import Pick, picking
from .table import MEMORY, Table

__all__ = ["MEMORY", "Table", "read_table"]


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
    pick = columns if callable(columns) else picking(columns)
    parse = arrow.read if path.lower().endswith((".parquet", ".pq")) else text.read
    return parse(path, pick, frozenset(blank), drop_missing, memory)
