"""Lines of text in which nothing is unusual, many at once: by pyarrow's reader of CSV, or by NumPy's."""

from __future__ import annotations

import re
from array import array
from itertools import compress
from typing import Any

from ..arrays import numpy
from .arrow import taken
from .cells import MISSING, Cells, is_missing
from .choice import Wanted
from .dialect import BLANKS
from .table import Block

ROOM = 2**26  # bytes: what pyarrow may need for itself, so that it is not asked where numbers may have less
SPELLED = sorted({spelling for word in MISSING for spelling in (word, word.upper(), word.capitalize())} | {"NaN", "-NaN"})
_ODD = re.compile(r"[\"\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")  # what NumPy reads in its own way


class Plain:
    """The columns of lines, where either reader takes them as `Cells` and the csv module do; None wherever that is in doubt."""

    def __init__(self, sep: str, width: int, names: list[str], places: list[int], cells: Cells, wanted: Wanted) -> None:
        self.sep, self.width, self.names, self.places, self.wanted = sep, width, names, places, wanted
        words = any(name in wanted.levels for name in names)
        sign = re.escape(sep)
        self._quoted = re.compile(rf'"(?<![^{sign}\r\n]")[^"\r\n]*"(?=[{sign}\r\n]|\Z)')  # a whole cell in quotes
        self._columns = list(map(str, range(width)))
        self._decimal = cells.dialect.decimal
        apart = width > 1 or not words  # a line of one blank cell is no row
        readable = apart and sep != BLANKS and sep.isascii() and cells.dialect.thousands is None
        self._csv: Any = _arrow() if readable and wanted.memory >= ROOM else None
        self._numpy = numpy() if cells.as_python and not words and width > 1 else None

    def read(self, text: str, lines: list[str]) -> tuple[Block, list[str]] | None:
        """The columns wanted in some lines of text, and those of the lines that are kept."""
        if not self.places:
            return None
        try:
            if self._csv is not None:
                return self._by_arrow(text, lines)
            return self._by_numpy(lines)
        except ValueError:  # of either reader
            return None
        except Exception:  # pyarrow's own, where it has no room for its threads
            if self._csv is None:
                raise
            self._csv = None
            return self.read(text, lines)

    def _by_arrow(self, text: str, lines: list[str]) -> tuple[Block, list[str]] | None:
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
        import pyarrow.compute as pc  # type: ignore[import-untyped,import-not-found,unused-ignore]

        if '"' in text and text.count('"') != 2 * len(self._quoted.findall(text)):
            return None
        data = text.encode("utf-8", "surrogateescape")
        columns = [self._columns[place] for place in self.places]
        kinds = [pa.string() if name in self.wanted.levels else pa.float64() for name in self.names]
        found = self._csv.read_csv(
            pa.BufferReader(data),
            self._csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=self._columns),
            self._csv.ParseOptions(delimiter=self.sep),
            self._csv.ConvertOptions(
                column_types=dict(zip(columns, kinds, strict=True)), include_columns=columns, null_values=SPELLED,
                strings_can_be_null=True, decimal_point=self._decimal,
            ),
        )  # fmt: skip
        if len(found) != len(lines):
            return None
        given = []
        for column, kind in zip(found.columns, kinds, strict=True):
            column = column.combine_chunks()
            if kind == pa.string():
                column = column.dictionary_encode()
                gaps = [i for i, word in enumerate(column.dictionary.to_pylist()) if is_missing(word)]
                column = pc.if_else(pc.is_in(column.indices, pa.array(gaps, pa.int32())), None, column) if gaps else column
            elif pc.any(pc.is_nan(column)).as_py():
                return None
            given.append(column)
        keep, block = taken(given, self.names, self.wanted, lambda place, name, number: ValueError(name))
        return block, lines if keep is None else list(compress(lines, keep.to_pylist()))

    def _by_numpy(self, lines: list[str]) -> tuple[Block, list[str]] | None:
        if self._numpy is None or any(map(_ODD.search, lines)):
            return None
        if self.sep == BLANKS:
            widths = {len(line.split()) for line in lines}
        else:
            widths = {line.count(self.sep) + 1 for line in lines}
        if widths != {self.width}:
            return None
        sep = None if self.sep == BLANKS else self.sep
        found = self._numpy.loadtxt(lines, delimiter=sep, comments=None, usecols=self.places, ndmin=2).T
        return ([array("d", column.tobytes()) for column in found], lines) if self._numpy.isfinite(found).all() else None


def _arrow() -> Any:
    """The reader of CSV in pyarrow, or None where that is not installed."""
    try:
        import pyarrow.csv as csv  # type: ignore[import-untyped,import-not-found,unused-ignore]
    except (ImportError, OSError, MemoryError):  # the latter where there is no room for it
        return None
    return csv
