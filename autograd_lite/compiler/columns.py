"""The arguments of a batch as columns: 1-D arrays of one number for each row; and results as arrays.  Imports `tree`, `errors`.

An argument is an array whose first axis is the rows, or a container of such arrays.  A row of shape () reaches the function
as one number, a row of any other shape as an array of numbers, as ``X[i]`` would be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ..errors import InputTypeError, StructureError
from ..tree import LEAF, Spec, an, array_of, kind_of, rebuild, size
from . import shapes


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
            return Spec(*kind_of(arg), tuple(self._taken(f"{what}[{key!r}]", arg[key]) for key in arg))
        if isinstance(arg, (list, tuple)) and any(map(_holds_array, arg)):
            return Spec(*kind_of(arg), tuple(self._taken(f"{what}[{i}]", item) for i, item in enumerate(arg)))
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
        cast = ", as array.astype(float) makes them" if array.dtype == object and array.ndim else ""
        raise InputTypeError(f"{what} is {kind}: give numbers{cast}, an array whose first axis is the rows")
    if array.ndim == 0:
        raise InputTypeError(f"{what}={arg!r} is one number: give an array of n rows, or leave the argument out of batch")
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":
        raise InputTypeError(f"{what} is an array of {array.dtype}: convert it with .astype(float), which rounds")
    return array if array.dtype == np.float64 else array.astype(np.float64)


def packing(spec: Spec, reduced: bool, names: dict[str, Any]) -> str:
    """The expression that puts the results together from ``out``: numbers if `reduced`, else one row for each output.

    Arrays become arrays, with the rows as their first axis; what it needs is entered in `names`.
    """
    if reduced:
        return shapes.packing(spec, items(size(spec)), names, part)
    names["rows_first"] = rows_first
    leaves = [f"out[{i}]" for i in range(size(spec))]
    return shapes.packing(
        spec, leaves, names, lambda first, spec: f"rows_first(out[{first}:{first + len(spec.children)}], {spec.detail})"
    )


def items(count: int) -> list[str]:
    """Expressions of the numbers of ``out``, as floats."""
    return [f"out.item({i})" for i in range(count)]


def part(first: int, spec: Spec) -> str:
    """The expression of an array that is a part of ``out``."""
    taken = f"out[{first}:{first + len(spec.children)}]"
    return taken if len(spec.detail) == 1 else f"{taken}.reshape({spec.detail})"


def rows_first(out: Any, shape: tuple[int, ...]) -> Any:
    """One row for each number of an array, as an array for each row."""
    return out.T.reshape(out.shape[1], *shape)
