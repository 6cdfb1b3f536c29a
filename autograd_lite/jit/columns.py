"""The arguments of a batch as columns: 1-D arrays of one number for each row; and results as arrays.  Imports `tree`, `errors`.

An argument is an array whose first axis is the rows, or a container of such arrays.  A row of shape () reaches the function
as one number, a row of any other shape as an array of numbers, as ``X[i]`` would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

from ..errors import InputTypeError, StructureError
from ..tree import LEAF, Spec, an, array_of, rebuild
from .shapes import is_array


class Columns:
    """The columns of some arguments.

    `specs`: the containers; `shapes`: of a row of each array; `arrays`: one 1-D array of doubles for each number of a row.
    """

    def __init__(self, args: Sequence[tuple[str, Any]]) -> None:
        self.rows = -1
        self.shapes: list[tuple[int, ...]] = []
        self.arrays: list[Any] = []
        self._first = ""
        self.specs = [self._taken(what, arg) for what, arg in args]
        self.count = len(self.arrays)
        if self.rows < 0:
            raise InputTypeError(f"{args[0][0]} holds no array: give one of n rows, or leave it out of batch")

    def _taken(self, what: str, arg: Any) -> Spec:
        if isinstance(arg, dict):
            return Spec(dict, tuple(arg), tuple(self._taken(f"{what}[{key!r}]", value) for key, value in arg.items()))
        if isinstance(arg, (list, tuple)) and any(map(_holds_array, arg)):
            return Spec(type(arg), None, tuple(self._taken(f"{what}[{i}]", item) for i, item in enumerate(arg)))
        self._array(what, doubles(what, arg))
        return LEAF

    def _array(self, what: str, array: Any) -> None:
        if self.rows not in (-1, len(array)):
            raise StructureError(f"{what} has {len(array)} rows, but {self._first} has {self.rows}: give all columns as many")
        self.rows, self._first = len(array), self._first or what
        self.shapes.append(array.shape[1:])
        flat = array if array.ndim == 1 else array.reshape(len(array), prod(array.shape[1:]))
        self.arrays += [flat] if array.ndim == 1 else [flat[:, j] for j in range(flat.shape[1])]

    def traced(self, new: Callable[[float], Any]) -> list[Any]:
        """The arguments for one row, each number made by `new`, which is given that of the first row."""
        return self._rows([new(float(array[0]) if self.rows else 0.0) for array in self.arrays])

    def row(self, number: int) -> list[Any]:
        """The arguments for one row, as numbers."""
        return self._rows([float(array[number]) for array in self.arrays])

    def _rows(self, numbers: list[Any]) -> list[Any]:
        supply = iter(numbers)
        shapes = iter(self.shapes)

        def build(spec: Spec) -> Any:
            if spec.kind is None:
                shape = next(shapes)
                return array_of([next(supply) for _ in range(prod(shape))], shape) if shape else next(supply)
            return rebuild(spec, [build(child) for child in spec.children])

        return [build(spec) for spec in self.specs]


def _holds_array(thing: Any) -> bool:
    """Whether it is an array with rows, or a container with one inside."""
    if isinstance(thing, dict):
        return True
    if isinstance(thing, (list, tuple)):
        return any(map(_holds_array, thing))
    return getattr(thing, "shape", ()) != ()


def doubles(what: str, arg: Any) -> Any:
    """An array of doubles, of one axis at least."""
    import numpy as np

    try:
        array = arg if isinstance(arg, np.ndarray) else np.asarray(arg)
    except ValueError:
        raise StructureError(f"{what} is ragged: give rows of one length, or an array for each column") from None
    if hasattr(array, "mask"):
        raise InputTypeError(f"{what} is a masked array: give a plain one, array.filled(nan), or leave the masked rows out")
    if array.dtype.kind not in "fiub":
        kind = f"an array of {array.dtype}" if array.ndim else an(arg)
        raise InputTypeError(f"{what} is {kind}: give numbers, an array whose first axis is the rows")
    if array.ndim == 0:
        raise InputTypeError(f"{what}={arg!r} is one number: give an array of n rows, or leave the argument out of batch")
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":
        raise InputTypeError(f"{what} is an array of {array.dtype}: convert it with .astype(float), which rounds")
    return array if array.dtype == np.float64 else array.astype(np.float64)


def take(spec: Spec, supply: Iterator[Any]) -> Any:
    """The tree of a structure, its leaves taken from `supply`, which may hold more."""
    return next(supply) if spec.kind is None else rebuild(spec, [take(child, supply) for child in spec.children])


def packing(spec: Spec, reduced: bool, names: dict[str, Any], literals: Mapping[int, str] | None = None) -> str:
    """The expression that puts the results together from ``out``: numbers if `reduced`, else one row for each output.

    Arrays become arrays, with the rows as their first axis; what it needs is entered in `names`.  `literals` are outputs that
    are written in another way.
    """
    place = 0
    literals = literals or {}

    def put_together(spec: Spec) -> str:
        nonlocal place
        if spec.kind is None:
            place += 1
            if place - 1 in literals:
                return literals[place - 1]
            return f"out.item({place - 1})" if reduced else f"out[{place - 1}]"
        if is_array(spec):
            first, place = place, place + len(spec.children)
            if reduced:
                return f"out[{first}:{place}]" + (f".reshape({spec.detail})" if len(spec.detail) != 1 else "")
            names["rows_first"] = rows_first
            return f"rows_first(out[{first}:{place}], {spec.detail})"
        inside = [put_together(child) for child in spec.children]
        if spec.kind is list:
            return f"[{', '.join(inside)}]"
        if spec.kind is tuple:
            return f"({', '.join(inside)}{',' * (len(inside) == 1)})"
        name = f"s{len(names)}"
        names[name], names["rebuild"] = spec, rebuild
        return f"rebuild({name}, [{', '.join(inside)}])"

    return put_together(spec)


def rows_first(out: Any, shape: tuple[int, ...]) -> Any:
    """One row for each number of an array, as an array for each row."""
    return out.T.reshape(out.shape[1], *shape)
