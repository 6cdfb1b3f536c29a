"""The first sheet of an Excel workbook, by openpyxl."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..errors import InputValueError
from .cells import Cells, is_missing
from .choice import FILL, Wanted, header_of, places
from .dialect import Dialect
from .source import package
from .table import CELLS, Block


class Sheet:
    """The rows of a sheet: its first row that is not empty names the columns."""

    def __init__(self, path: str, binary: BinaryIO, kind: str, wanted: Wanted) -> None:
        openpyxl = package("openpyxl", path, "excel")
        self.path, self.wanted, self.dropped = path, wanted, 0
        try:
            book: Any = openpyxl.load_workbook(binary, read_only=True, data_only=True)
            sheet = book.worksheets[0]
        except Exception as error:  # whatever a damaged workbook makes of its reader
            raise InputValueError(f"{path} is a workbook that cannot be read ({error}): save it again, or as CSV") from None
        others = len(book.worksheets) - 1
        self.notes = [f"{path} is read from its first sheet, {sheet.title!r}, of {others + 1}"] if others else []
        self.rows: Iterator[tuple[int, tuple[Any, ...]]] = enumerate(sheet.iter_rows(values_only=True), 1)
        self.header: list[str] = []
        for _, row in self.rows:
            if any(cell is not None for cell in row):
                width = max(i for i, cell in enumerate(row, 1) if cell is not None)
                self.header = header_of("" if cell is None else str(cell) for cell in row[:width])
                break
        self.names, self.places = places(path, self.header, wanted.pick)
        self.cells = Cells(Dialect())
        if wanted.raw is not None:
            wanted.raw.begin(self.header, None, ",", "\n")

    def blocks(self) -> Iterator[Block]:
        """The columns wanted, some rows at a time."""
        block: Block = [array("d") for _ in self.places]
        for number, row in self.rows:
            if all(cell is None for cell in row):
                continue
            cells = [row[place] if place < len(row) else None for place in self.places]
            named = list(zip(self.names, cells, strict=True))
            if self.wanted.drop and any(_is_missing(cell) and name not in self.wanted.blank for name, cell in named):
                self.dropped += 1
                continue
            for column, (name, cell) in zip(block, named, strict=True):
                column.append(self._number(cell, name, number))
            if self.wanted.raw is not None:
                kept = (*row, *(None,) * (len(self.header) - len(row)))[: len(self.header)]
                self.wanted.raw.add_cells([["" if cell is None else str(cell) for cell in kept]])
            if len(block[0] if block else ()) * len(block) >= CELLS:
                yield block
                block = [array("d") for _ in self.places]
        yield block

    def _number(self, cell: object, name: str, row: int) -> float:
        where = f"{self.path} row {row}, column {name!r}"
        if _is_missing(cell):
            if name in self.wanted.blank:
                return math.nan
            raise InputValueError(f"{where}: {cell!r} is a missing cell; {FILL}")
        if name in self.wanted.levels:
            return self.wanted.code(name, cell)
        if isinstance(cell, (bool, int, float)) and math.isfinite(cell):
            return float(cell)
        return self.cells.checked(str(cell), where)


def _is_missing(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and is_missing(cell))
