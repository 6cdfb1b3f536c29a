"""Parquet and Feather, by pyarrow."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any, BinaryIO

from ..errors import InputValueError
from .choice import FILL, Wanted, header_of, places
from .source import OLD_FEATHER, package
from .table import CELLS, Block

PIECE = 2**20  # bytes of a column that are read at once


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
            self.header: list[str] = header_of(schema.names)
        except InputValueError:
            raise
        except self._damage as error:
            raise self._damaged(error) from None
        self.names, found = places(path, self.header, wanted.pick)
        self.own = [schema.names[place] for place in found]  # as the file has them
        self.words = [name in wanted.levels for name in self.names]
        if wanted.raw is not None:
            wanted.raw.begin(schema.names, None, ",", "\n")
        for name, own, is_text in zip(self.names, self.own, self.words, strict=True):
            kind = schema.field(own).type
            if not (is_text or pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
                    or pa.types.is_boolean(kind) or (name in wanted.blank and pa.types.is_null(kind))):  # fmt: skip
                raise InputValueError(f"{path}, column {name!r} holds {kind}, not numbers: convert it, or choose another")

    def _damaged(self, error: BaseException) -> InputValueError:
        return InputValueError(f"{self.path} is damaged ({error}): write it again")

    def blocks(self) -> Iterator[Block]:
        """The columns wanted, some rows at a time."""
        row = 1 + (self.wanted.rows or (0, 0))[0]
        try:
            for batch in self._batches(CELLS // max(1, len(self.names)) + 1, None if self.wanted.raw is not None else self.own):
                yield self._block(batch, row)
                row += len(batch)
        except InputValueError:
            raise
        except self._damage as error:
            raise self._damaged(error) from None

    def _block(self, batch: Any, row: int) -> Block:
        def wrong(place: int, name: str, number: float | None) -> InputValueError:
            cell = f"{self.path} row {row + place}, column {name!r}: {number}"
            return InputValueError(f"{cell} is not a finite number; {FILL}")

        given = [batch.column(batch.schema.get_field_index(name)) for name in self.own]
        keep, block = taken(given, self.names, self.wanted, wrong)
        kept = batch if keep is None else batch.filter(keep)
        self.dropped += len(batch) - len(kept)
        if self.wanted.raw is not None:
            self.wanted.raw.add_cells(zip(*map(_texts, kept.columns), strict=True))
        return block


def taken(
    columns: list[Any], names: list[str], wanted: Wanted, wrong: Callable[[int, str, float | None], Exception]
) -> tuple[Any, Block]:
    """Which rows are kept, None for all, and the numbers in them; raises what `wrong` gives for one missing or not finite."""
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]
    import pyarrow.compute as pc  # type: ignore[import-untyped,import-not-found,unused-ignore]

    keep = None
    if wanted.drop:
        for name, column in zip(names, columns, strict=True):
            if name not in wanted.blank:
                here = pc.invert(pc.is_null(column, nan_is_null=True))
                keep = here if keep is None else pc.and_(keep, here)
        keep = None if keep is None or keep.true_count == len(keep) else keep
    columns = columns if keep is None else [column.filter(keep) for column in columns]
    for i, (name, column) in enumerate(zip(names, columns, strict=True)):
        fine = pc.invert(pc.is_null(column, nan_is_null=True))
        if name not in wanted.levels:
            column = columns[i] = column.cast(pa.float64(), safe=False)
            fine = pc.fill_null(pc.is_finite(column), False)
        if name in wanted.blank:
            fine = pc.or_(fine, pc.is_null(column, nan_is_null=True))
        if fine.true_count < len(fine):
            place = fine.index(False).as_py()
            given = column[place].as_py()
            raise wrong(place if keep is None else pc.indices_nonzero(keep)[place].as_py(), name, given)
    numbers = [
        _coded(column, name, wanted) if name in wanted.levels else column for name, column in zip(names, columns, strict=True)
    ]
    return keep, [_doubles(column) for column in numbers]


def _coded(column: Any, name: str, wanted: Wanted) -> Any:
    """A column of words as their numbers, which follow the order of the rows."""
    import pyarrow as pa  # type: ignore[import-untyped,import-not-found,unused-ignore]

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    elif pa.types.is_nested(column.type):
        column = pa.array([None if word is None else str(word) for word in column.to_pylist()], pa.string())
    words = column.dictionary_encode()
    codes = [wanted.code(name, word) for word in words.dictionary.to_pylist()]
    return pa.array(codes, pa.float64()).take(words.indices)


def _doubles(column: Any) -> array[float]:
    """A column of doubles as an array, nan where there is none."""
    column = column.fill_null(math.nan)
    numbers = memoryview(column.buffers()[1])[8 * column.offset : 8 * (column.offset + len(column))]
    return array("d", numbers.tobytes())


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

    # page by page, where else the whole of a file is taken into memory first; checksums are those of a file that has them
    file = pa_parquet.ParquetFile(binary, pre_buffer=False, buffer_size=PIECE, page_checksum_verification=True)
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
