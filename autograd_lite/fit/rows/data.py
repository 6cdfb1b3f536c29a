"""What people hand in as rows: a dict of columns, a DataFrame or a Table, with its words as numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ...errors import InputTypeError, InputValueError, listed
from ...tables.choice import column_name
from ...tables.parts import Parts, names_files
from ...tree import an
from ..model import Model
from ..rows import Column, Data
from .words import coded


def columns_of(data: Data) -> tuple[Data, list[str]]:
    """The data as a Table or a dict of columns, and the names of the columns.

    Raises InputTypeError for anything else.
    """
    if hasattr(data, "total") or (hasattr(data, "read") and hasattr(data, "rows")):
        return data, list(data.names)
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):  # a DataFrame of pandas or polars
        data = {str(name): data[name] for name in data.columns}
    if not isinstance(data, Mapping):
        raise InputTypeError(f"data is {an(data)}: give a dict of columns, a DataFrame or a Table")
    if not all(str(name).isascii() for name in data):
        data = {column_name(str(name)): column for name, column in data.items()}
    return data, [str(name) for name in data]


def narrowed(data: Data, described: Callable[[list[str]], Model]) -> Data:
    """Names of files as `Parts` that read no more than a model needs, a Dask DataFrame of those columns; other data as it is.

    Raises InputValueError for a column that is not there.
    """
    if is_collection(data) and hasattr(data, "columns"):
        names = [str(name) for name in data.columns]
        return data[_there(described(names).needed, names)]
    if isinstance(data, Parts) or not names_files(data):
        return data

    def needed(names: list[str]) -> list[str]:
        model = described(names)
        parts.text = tuple(model.text)
        return model.needed

    parts = Parts(data, needed)
    return parts


def as_rows(data: Data, model: Model, needed: Sequence[str] | None = None) -> Data:
    """The columns that a model needs, words as their places in its levels.

    Raises InputValueError for a column that is not there, and as `coded`.
    """
    data, names = columns_of(data)
    if not isinstance(data, Mapping):
        return data
    wanted = list(model.needed if needed is None else needed)
    _there(wanted, names)
    also = [n for n in (model.sigma, model.weighting) if n and n in names and n not in wanted]
    words, _ = coded(data, [n for n in wanted if n in model.text], model.levels)
    found = {n: words[n] if n in words else plain(data[n]) for n in (*wanted, *also)}
    if not found and names:  # a formula of no columns is the same in every row
        found = {names[0]: [0.0] * len(data[names[0]])}
    return found


def _there(wanted: list[str], names: Sequence[str]) -> list[str]:
    """The columns wanted, all of which must be there."""
    for name in wanted:
        if name not in names:
            raise InputValueError(f"data has no column {name!r}: its columns are {listed(list(names), 9)}")
    return wanted


def is_collection(data: Data) -> bool:
    """Whether it is a Dask DataFrame or bag; Dask is not imported for it."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "to_delayed")


def plain(column: Column) -> Column:
    """A column of a DataFrame as an array; others as they are."""
    return column.to_numpy() if hasattr(column, "to_numpy") else column
