"""Parquet and Feather, by pyarrow."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, BinaryIO

from ..errors import InputValueError
from .choice import FILL, Wanted, places
from .source import OLD_FEATHER, package
from .table import CELLS, Block


class Arrow:
    """The rows of a Parquet or Feather file, counted from 1."""

    def __init__(self, path: str, binary: BinaryIO, kind: str, wanted: Wanted) -> None:
        pa = package("pyarrow", path, "parquet")
        self.path, self.wanted, self.dropped = path, wanted, 0
        self.notes: list[str] = []
        self._damage = (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError, KeyError)
        try:
            if binary.read(len(OLD_FEATHER)) == OLD_FEATHER:
                raise InputValueError(f"{path} is Feather of version 1: write it again by today's pyarrow or pandas, or as CSV")
            binary.seek(0)
            schema, self._batches, self.rows = _parquet(binary, wanted.rows) if kind == "parquet" else _feather(binary)
            self.header: list[str] = list(schema.names)
        except InputValueError:
            raise
        except self._damage as error:
            raise self._damaged(error) from None
        self.names, _ = places(path, self.header, wanted.pick)
        self.words = [name in wanted.levels for name in self.names]
        if wanted.raw is not None:
            wanted.raw.begin(self.header, None, ",", "\n")
        for name, is_text in zip(self.names, self.words, strict=True):
            kind = schema.field(name).type
            if not (is_text or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
                    or pa.types.is_boolean(kind) or (name in wanted.blank and pa.types.is_null(kind))):  # fmt: skip
                raise InputValueError(f"{path}, column {name!r} holds {kind}, not numbers: convert it, or choose another")

    def _damaged(self, error: BaseException) -> InputValueError:
        return InputValueError(f"{self.path} is damaged ({error}): write it again")

    def blocks(self) -> Iterator[Block]:
        """The columns wanted, some rows at a time."""
        row = 1 + (self.wanted.rows or (0, 0))[0]
        try:
            for batch in self._batches(
                CELLS // max(1, len(self.names)) + 1, None if self.wanted.raw is not None else self.names
            ):
                yield self._block(batch, row)
                row += len(batch)
        except InputValueError:
            raise
        except self._damage as error:
            raise self._damaged(error) from None

    def _block(self, batch: Any, row: int) -> Block:
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
        import pyarrow.compute as pc  # type: ignore[import-untyped,import-not-found,unused-ignore]

        given = [batch.column(batch.schema.get_field_index(name)) for name in self.names]
        columns = [
            self._coded(column, name) if words else column.cast(pa.float64(), safe=False)
            for column, name, words in zip(given, self.names, self.words, strict=True)
        ]
        missing = pa.array([False] * len(batch))
        gaps = [pc.fill_null(pc.is_nan(column), True) for column in columns]
        for gap in (gap for name, gap in zip(self.names, gaps, strict=True) if name not in self.wanted.blank):
            missing = pc.or_(missing, gap)
        keep = pc.invert(missing) if self.wanted.drop else pa.array([True] * len(batch))
        self.dropped += len(batch) - keep.true_count
        block = []
        for name, column, gap in zip(self.names, columns, gaps, strict=True):
            allowed = pc.or_(gap, pc.invert(keep)) if name in self.wanted.blank else pc.invert(keep)
            finite = pc.or_(pc.fill_null(pc.is_finite(column), False), allowed)
            if finite.true_count < len(column):
                place = finite.index(False).as_py()
                cell = f"{self.path} row {row + place}, column {name!r}: {column[place].as_py()}"
                raise InputValueError(f"{cell} is not a finite number; {FILL}")
            column = pc.fill_null(column, math.nan).filter(keep)
            numbers = memoryview(column.buffers()[1])[8 * column.offset : 8 * (column.offset + len(column))]
            block.append(array("d", numbers.tobytes()))
        if self.wanted.raw is not None:
            self.wanted.raw.add_cells(zip(*map(_texts, batch.filter(keep).columns), strict=True))
        return block

    def _coded(self, column: Any, name: str) -> Any:
        """A column of words as their numbers."""
        import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

        codes = [None if word is None else self.wanted.code(name, word) for word in column.to_pylist()]
        return pa.array(codes, type=pa.float64())


def _texts(column: Any) -> list[str]:
    """The cells of a column as text."""
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

    try:
        cells = column.cast(pa.string()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # lists, structures, bytes that are no text
        cells = [None if cell is None else str(cell) for cell in column.to_pylist()]
    return ["" if cell is None else cell for cell in cells]


def _parquet(binary: BinaryIO, rows: tuple[int, int] | None) -> tuple[Any, Any, int | None]:
    """The schema, a function that gives batches, and how many rows there are; only the groups that hold `rows` are read."""
    import pyarrow.parquet as pa_parquet  # type: ignore[import-untyped,import-not-found,unused-ignore]

    file = pa_parquet.ParquetFile(binary)
    counts = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
    start, stop = rows or (0, file.metadata.num_rows)
    ends = list(accumulate(counts))
    groups = [i for i, (end, count) in enumerate(zip(ends, counts, strict=True)) if end > start and end - count < stop]

    def batches(size: int, names: Any) -> Iterator[Any]:
        at = ends[groups[0]] - counts[groups[0]] if groups else 0
        for batch in file.iter_batches(batch_size=size, columns=names, row_groups=groups) if groups else ():
            low, high = max(start, at), min(stop, at + len(batch))
            if low < high:
                yield batch.slice(low - at, high - low)
            at += len(batch)

    return file.schema_arrow, batches, file.metadata.num_rows


def _feather(binary: BinaryIO) -> tuple[Any, Any, None]:
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

    file = pa.ipc.open_file(binary)

    def batches(size: int, names: Any) -> Iterable[Any]:
        for i in range(file.num_record_batches):
            batch = file.get_batch(i)
            batch.validate(full=True)  # it is mapped as it stands, and lengths in it are believed
            yield from (batch.slice(start, size) for start in range(0, len(batch), size))

    return file.schema, batches, None
