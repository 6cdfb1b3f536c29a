"""Parquet, by pyarrow.  Imports `table`, `choice` and `errors`."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import InputValueError, MissingPackageError
from .choice import FILL, Pick, filled, places
from .table import CELLS, Block, Table


def read(path: str, pick: Pick, blank: frozenset[str], drop: bool, memory: int) -> Table:
    """The table in a Parquet file."""
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
        names, _ = places(path, schema.names, pick)
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
    return filled(path, table, dropped[0])


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
