"""Which columns of a file are read, and what becomes of the rows.  Imports `table` and `errors`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..errors import InputTypeError, InputValueError, listed
from .table import Table

FOREIGN = re.compile("[\0\udc80-\udcff]")  # what was not UTF-8, or is UTF-16 read as UTF-8
FILL = "fill it in, or leave such rows out with drop_missing (--drop-missing)"
MARKS = {";": "';'", "\t": "tabs", "|": "'|'"}  # what separates cells elsewhere
# by their first bytes, the first of gzip taken for a blank
PACKED = {"\udc8b\x08": "compressed by gzip", "PK\x03\x04": "a zip file, as tables of Excel are"}
SHOWN = 20  # columns that a message names
Pick = Callable[[list[str]], Iterable[str]]


def picking(columns: Iterable[str] | None) -> Pick:
    """The function that picks these columns, or all."""
    if isinstance(columns, str):
        raise InputTypeError(f"columns={columns!r} is a str: put it in a list, [{columns!r}]")
    wanted = None if columns is None else list(columns)
    return lambda names: names if wanted is None else wanted


def places(path: str, names: list[str], pick: Pick) -> tuple[list[str], list[int]]:
    """The wanted columns and where they stand in a row."""
    if not names:
        raise InputValueError(f"{path} is empty: give a header and rows")
    wanted = list(dict.fromkeys(pick(list(names))))
    for name in wanted:
        if name not in names and (kind := [what for mark, what in PACKED.items() if names[0].startswith(mark)]):
            raise InputValueError(f"{path} is {kind[0]}: unpack it, or save the table as CSV")
        if name not in names and any(map(FOREIGN.search, names)):
            raise InputValueError(f"the header of {path} is not UTF-8: save the table as UTF-8")
        if name not in names and len(names) == 1 and (found := [what for mark, what in MARKS.items() if mark in names[0]]):
            raise InputValueError(f"{path} has cells separated by {found[0]}: separate them by commas")
        if names.count(name) != 1:
            rule = "no column" if name not in names else f"{names.count(name)} columns called"
            repair = "choose one of them" if name not in names else "rename them"
            raise InputValueError(f"{path} has {rule} {name!r}; its columns are {listed([*map(repr, names)], SHOWN)}: {repair}")
    return wanted, [names.index(name) for name in wanted]


def filled(path: str, table: Table, dropped: int) -> Table:
    """The table, if it has a row."""
    table.dropped = dropped
    if not table.rows:
        table.close()
        rest = f" without a missing cell ({dropped} dropped)" if dropped else " below its header"
        raise InputValueError(f"{path} has no row{rest}: give at least one")
    return table
