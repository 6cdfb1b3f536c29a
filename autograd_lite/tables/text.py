"""CSV: by NumPy where lines are plain, cell by cell where one is wrong.  Imports `table`, `choice` and `errors`."""

from __future__ import annotations

import csv
import io
import math
import re
import reprlib
import sys
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from itertools import chain, islice
from typing import TextIO

from ..errors import InputValueError
from .choice import FILL, FOREIGN, Pick, filled, places
from .table import CELLS, Block, Table, numpy

MISSING = ("", "na", "n/a", "nan", "null", "none", "?")  # compared in lower case, without blanks around
_BREAK = re.compile("\r\n|\r|\n")  # inside a cell


def read(path: str, pick: Pick, blank: frozenset[str], drop: bool, memory: int) -> Table:
    """The table in a CSV file; "-" is standard input."""
    # what is not UTF-8 matters only in a cell that is needed: in the others it passes through
    with ExitStack() as stack:
        if path == "-" and sys.stdin is None:
            raise InputValueError("standard input is closed: give a file, or write to it through a pipe")
        binary = sys.stdin.buffer if path == "-" else stack.enter_context(open(path, "rb"))
        file = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        stack.callback(file.detach)
        source = _Csv("standard input" if path == "-" else path, file, pick, blank, drop)
        table = Table(source.names, source.blocks(), memory=memory)
    return filled(source.path, table, source.dropped)


class _Csv:
    """The rows of a CSV file: by NumPy where lines are plain, by the csv module where not, cell by cell where one is wrong."""

    def __init__(self, path: str, file: TextIO, pick: Pick, blank: frozenset[str], drop: bool) -> None:
        self.path, self.file, self.blank, self.drop, self.dropped = path, file, blank, drop, 0
        self.line = 0  # how many lines were read
        header: list[str] = []
        while not header and (records := self._records([], 1)):
            header = [name.strip() for name in records[0]]
        self.width = len(header)
        self.names, self.places = places(path, header, pick)
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


# -- cells ---------------------------------------------------------------------------------------------------------------


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
    if FOREIGN.search(cell):
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
