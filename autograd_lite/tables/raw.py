"""The rows of a file as they stand, beside the numbers read from them: what `predict` adds its columns to."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from math import inf
from typing import IO

from .dialect import BLANKS


class Raw:
    """Rows as text, in memory while they are small and beyond that in a temporary file.

    >>> raw = Raw(memory=100)
    >>> raw.begin(["x", "a name"], None, ",", "\\n")
    >>> raw.add(["1, A "])
    >>> raw.add(['2,"two\\nlines"'])
    >>> raw.header, list(raw.blocks())
    ('x,a name', [['1, A '], ['2,"two\\nlines"']])
    >>> raw.close()

    `header` is the first row, `sep` what stands between cells and `end` what ends a line.
    """

    def __init__(self, memory: int) -> None:
        self.header, self.sep, self.end = "", ",", "\n"
        self._memory: float = memory
        self._file: IO[str] = StringIO()  # tempfile's own for this would lose a Ctrl-C while it is freed

    def begin(self, names: Sequence[str], header: str | None, sep: str, end: str) -> None:
        """Take in how the file is written, and its header where it has one."""
        self.sep, self.end = sep, end
        self.header = self.written(names) if header is None else header

    def add(self, rows: Iterable[str]) -> None:
        """Take in some rows, without what ends their lines."""
        self._file.write(json.dumps(list(rows)) + "\n")  # in ASCII, bytes that are not UTF-8 too
        if self._memory < inf and self._file.tell() > self._memory:
            kept, self._file, self._memory = self._file, tempfile.TemporaryFile("w+", encoding="ascii"), inf  # noqa: SIM115
            kept.seek(0)
            self._file.write(kept.read())

    def add_cells(self, rows: Iterable[Sequence[str]]) -> None:
        """Take in rows of a file that is no text."""
        self.add(map(self.written, rows))

    def written(self, cells: Iterable[str]) -> str:
        """Cells as a row."""
        return self.sep.join(map(self.cell, cells))

    def cell(self, text: str) -> str:
        """A cell, in quotes where it needs them."""
        odd = {*'"\r\n', self.sep, *("\t" if self.sep == BLANKS else "")}
        needs = not odd.isdisjoint(text) or (self.sep == BLANKS and not text)
        return '"' + text.replace('"', '""') + '"' if needs else text

    def blocks(self) -> Iterator[list[str]]:
        """The rows in order, some at a time."""
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def close(self) -> None:
        """Let go of the temporary file."""
        self._file.close()
