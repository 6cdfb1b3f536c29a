"""Tables as text: by pyarrow or NumPy where lines are plain, cell by cell where one is wrong."""

from __future__ import annotations

import codecs
import csv
import io
import math
import re
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import BinaryIO, TextIO

from ..errors import InputValueError, counted
from .cells import Cells, is_missing
from .choice import Wanted, header_of, places
from .dialect import SEPARATORS, Dialect, guessed, records
from .plain import Plain
from .table import CELLS, Block

SAMPLE = 64  # lines by which the separator is guessed
_ERROR = re.compile(r"\s*#(?:n/a|na|value!|div/0!|ref!|name\?|num!|null!)\s*(?:[,;|\t\r\n]|$)", re.IGNORECASE)
_SAYS = re.compile(r'"?sep=([^"\r\n])"?[\r\n]*')  # a first line that names the separator, as Excel takes it
_BREAK = re.compile("\r\n|\r|\n")  # inside a cell


def lines_of(binary: BinaryIO) -> io.TextIOWrapper:
    """The text of some bytes: UTF-8, or UTF-16 by its mark.  What is neither matters only in a cell that is needed."""
    first = binary.peek(2)[:2] if hasattr(binary, "peek") else b""
    if first in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):  # half a character there has no byte of its own to stand for it
        return io.TextIOWrapper(binary, encoding="utf-16", errors="replace", newline="")
    return io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")


class TextRows:
    """The rows of a table in text: plain lines many at once, others as records, cell by cell where one is wrong."""

    def __init__(self, path: str, file: TextIO, dialect: Dialect, wanted: Wanted) -> None:
        self.path, self.wanted, self.dropped = path, wanted, 0
        self.line = 0  # how many lines were read
        self.comments = 0  # how many of them below the header were comments
        self.notes: list[str] = []
        self.dialect = dialect.checked()
        self.cells = Cells(self.dialect)
        self.file: Iterator[str] = file
        self._texts: list[str] = []  # of the records read last, as they stand
        self._end = "\n"
        self.sep = self.dialect.sep or self._guess()
        self.header = self._header()
        self.names, self.places = places(path, self.header, wanted.pick)
        self.coded = [name for name in self.names if name in wanted.levels]
        if wanted.raw is not None:
            first = self._texts.pop() if self._texts else ""
            wanted.raw.begin(self.header, first or None, self.sep, self._end)

    def _is_comment(self, line: str) -> bool:
        """Whether a line, or its first cell, begins as comments do and not as what a spreadsheet writes for an error."""
        sign = self.dialect.comment
        return bool(sign) and line.lstrip().startswith(str(sign)) and not _ERROR.match(line)

    def _guess(self) -> str:
        """The separator that the first lines speak for; they are read again afterwards."""
        first = list(islice(self.file, SAMPLE))
        if first and (said := _SAYS.fullmatch(first[0])):
            self.file, self.line = chain(first[1:], self.file), 1
            return said[1]
        self.file = chain(first, self.file)
        whole = first if len(first) < SAMPLE else first[:-1]
        sep = guessed([line for line in whole if line.strip() and not self._is_comment(line)], self._is_number)
        if sep != ",":
            self.notes.append(f"{self.path} has cells separated by {SEPARATORS[sep]}; --sep says otherwise")
        return sep

    def _is_number(self, cell: str) -> bool:
        return self.cells.number(cell) is not None or is_missing(cell)

    def _header(self) -> list[str]:
        """The names of the columns: the first row; the comment above it where that is all numbers; or c1, c2, ... by number."""
        above, header = "", [""]
        for line in self.file:
            self.line += 1
            if line.strip() and not self._is_comment(line):
                self.line -= 1
                self.file = chain([line], self.file)
                (header,) = self._records([], 1)
                break
            above = line.strip() and line.lstrip()[1:]
        else:
            return []
        self.width = len(header)
        self._end = "\r\n" if self._texts[-1].endswith("\r\n") else "\n"
        self._texts = [text.rstrip("\r\n") for text in self._texts]
        numbers = all(map(self._is_number, header))
        named: list[str] = []
        with suppress(csv.Error):  # a comment that is none of names
            named = [name for row in records([above], self.sep) for name in row] if above else []
        if self.dialect.header and not (numbers and len(named) == self.width):
            return header_of(header)
        self._texts.clear()
        self.file = chain([line], self.file)  # the first row is one of numbers
        self.line -= 1
        if self.dialect.header:
            self.notes.append(f"the names of the columns of {self.path} are from the comment above its first row")
            return header_of(named)
        last = f", c{self.width}" if self.width > 1 else ""
        shown = f"c1{', ...' * (self.width > 2)}{last}"
        self.notes.append(f"{self.path} is read without a header: its columns are {shown}")
        return [f"c{i}" for i in range(1, self.width + 1)]

    def _records(self, lines: list[str], count: int = 0) -> list[list[str]]:
        """The records on these lines, of which the last may go on below, or the next `count`; a blank line has no cells."""
        read, text = 0, list[str]()
        self._texts.clear()

        def counted() -> Iterator[str]:
            nonlocal read
            for line in chain(lines, self.file):
                read += 1
                text.append(line)
                yield line

        reader = records(counted(), self.sep)
        found: list[list[str]] = []
        try:
            with _cells_of_any_length():
                while len(found) < count or read < len(lines):
                    found.append(next(reader))
                    self._texts.append("".join(text))
                    text.clear()
        except csv.Error as error:
            what = f"{self.path} line {self.line + read}: {error}"
            raise InputValueError(f"{what}; close every quote, and double those inside a cell") from None
        self.line += read
        return found

    def blocks(self) -> Iterator[Block]:
        """The columns wanted, some rows at a time."""
        count = max(64, CELLS // max(1, self.width))
        quick = Plain(self.sep, self.width, self.names, self.places, self.cells, self.wanted)
        while lines := list(islice(self.file, count)):
            text = "".join(lines)
            commented = self.dialect.comment and self.dialect.comment in text and any(map(self._is_comment, lines))
            plain = None if commented else quick.read(text, lines)
            if plain is None:
                yield self._one_by_one(lines)
                continue
            columns, kept = plain
            self.line += len(lines)
            self.dropped += len(lines) - len(kept)
            self._keep(kept)
            yield columns
        if self.comments:
            met = "1 line that begins" if self.comments == 1 else f"{self.comments} lines that begin"
            passed = "was passed over as a comment" if self.comments == 1 else "were passed over as comments"
            self.notes.append(f"{met} with {self.dialect.comment} {passed}; --comment '' reads such lines as rows")

    def _one_by_one(self, lines: list[str]) -> Block:
        """The columns of lines of which some may be anything, by the csv module and, where a cell is wrong, cell by cell."""
        before = self.line
        found = self._records(lines)
        columns = self._block(found)
        if columns is None:
            return self._checked(found, before)
        self._keep(self._texts)
        return columns

    def _keep(self, texts: list[str]) -> None:
        if self.wanted.raw is not None:
            self.wanted.raw.add(text.rstrip("\r\n") for text in texts)

    def _block(self, found: list[list[str]]) -> Block | None:
        """The columns of some records, if all are as long as the header and all cells wanted are numbers."""
        if self.dialect.comment and any(row and self._is_comment(row[0]) for row in found):
            return None
        try:
            columns = list(zip(*found, strict=True))
            if len(columns) != self.width:
                return None
            given = {name: columns[place] for name, place in zip(self.names, self.places, strict=True)}
            if any(is_missing(cell) for name in self.coded for cell in given[name]):
                return None
            block = {name: self.cells.numbers(cells) for name, cells in given.items() if name not in self.coded}
            block |= {name: array("d", [self.wanted.code(name, cell) for cell in given[name]]) for name in self.coded}
            return [block[name] for name in self.names]
        except ValueError:
            return None

    def _checked(self, found: list[list[str]], line: int) -> Block:
        """The columns of records in which something is wrong or missing, below `line`, or the error that says where."""
        columns = [array("d") for _ in self.places]
        kept = []
        for record, text in zip(found, self._texts, strict=True):
            where = f"{self.path} line {line + 1}"
            if not text.strip():
                record = []
            line += 1 + sum(len(_BREAK.findall(cell)) for cell in record)
            if record and self._is_comment(record[0]):
                self.comments += 1
                continue
            if record and len(record) != self.width:
                rule = f"{where} has {counted(len(record), 'cell')} and the header {self.width}"
                sign = SEPARATORS.get(self.sep, repr(self.sep))
                repair = f"separate cells by single {sign}, and quote those with one inside"
                if self.width == 1:
                    repair = "take out lines above the header, or say what separates the cells (sep, --sep)"
                raise InputValueError(f"{rule}: {repair}")
            cells = [record[place] for place in self.places] if record else []
            named = list(zip(self.names, cells, strict=False))  # no cells in a blank line
            if self.wanted.drop and any(is_missing(cell) and name not in self.wanted.blank for name, cell in named):
                self.dropped += 1
                continue
            for column, (name, cell) in zip(columns, named, strict=False):
                missing = is_missing(cell)
                if missing and name in self.wanted.blank:
                    column.append(math.nan)
                elif name in self.wanted.levels and not missing:
                    column.append(self.wanted.code(name, cell))
                else:
                    column.append(self.cells.checked(cell, f"{where}, column {name!r}"))
            if record:
                kept.append(text)
        self._keep(kept)
        return columns


@contextmanager
def _cells_of_any_length() -> Iterator[None]:
    """The csv module's limit on a cell, which holds for the whole process, out of the way."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
