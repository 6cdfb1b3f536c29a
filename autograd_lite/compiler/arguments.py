"""The arguments of a call taken apart, and the results of a batch put together.

In a batch an argument is an array whose first axis is the rows, or a container of such arrays: columns, 1-D arrays of one
number for each row.  A row of shape () reaches the function as one number, a row of any other shape as an array of numbers, as
``X[i]`` would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import NamedTuple

from ..arrays import np
from ..errors import TOO_DEEP, InputTypeError, InputValueError, StructureError
from ..tree import (
    LEAF,
    Number,
    Spec,
    Tree,
    an,
    array_of,
    as_float,
    flatten,
    is_node,
    kind_of,
    rebuild,
    require_plain,
    size,
    take,
)
from ..value import Value
from . import shapes


class Layout(NamedTuple):
    """What a program is compiled for: calls alike in all of it."""

    positional: int  # how many arguments are
    keywords: tuple[str, ...]
    specs: tuple[Spec, ...]  # of the arguments that hold no rows
    containers: tuple[Spec, ...]  # of those that do
    rows: tuple[tuple[int, ...], ...]  # the shape of a row of each of their arrays
    fixed: list[Tree]  # what modules hold besides numbers

    def filled(
        self, batch: tuple[int, ...], shared: Iterable[Tree], columns: Sequence[Tree] = ()
    ) -> tuple[tuple[Tree, ...], dict[str, Tree]]:
        """Arguments of this layout: the leaves that are the same for all rows, and what stands for those that hold rows."""
        specs, supply = iter(self.specs), iter(shared)
        parts = {key: take(next(specs), supply) for key in (*range(self.positional), *self.keywords) if key not in batch}
        parts |= dict(zip(batch, columns, strict=True))
        return tuple([parts[i] for i in range(self.positional)]), {key: parts[key] for key in self.keywords}


class Arguments:
    """The arguments of one call: `leaves` that are the same for all rows, `columns`, and the `layout` of both.

    Args: the function's name for messages, its arguments, and which of them hold rows.
    """

    def __init__(self, name: str, args: tuple[Tree, ...], kwargs: dict[str, Tree], batch: tuple[int, ...] = ()) -> None:
        self.columns: Columns | None = columns_of(name, args, batch) if batch else None
        self.leaves: list[Tree] = []
        specs = []
        for key, arg in (*enumerate(args), *kwargs.items()):
            if key not in batch:
                more, spec = flatten(arg, f"argument {key} of {name}")
                self.leaves += more
                specs.append(spec)
        where = (tuple(self.columns.specs), tuple(self.columns.shapes)) if self.columns is not None else ((), ())
        fixed = [part for spec in specs for part in fixed_content(spec)]
        self.layout = Layout(len(args), tuple(kwargs), tuple(specs), *where, fixed)
        self.in_graph = any(leaf.__class__ is not float and is_node(leaf) for leaf in self.leaves)

    def floats(self, name: str) -> list[float]:
        """The leaves as floats, Values by their numbers."""
        return [as_float(x._data if isinstance(x, Value) else x, f"an argument of {name}") for x in self.leaves]


def fixed_content(spec: Spec) -> list[Tree]:
    """What modules in the arguments hold besides numbers: a program is for one such content."""
    found = [spec.detail.fixed()] if hasattr(spec.detail, "fixed") else []
    for child in spec.children:
        found += fixed_content(child)
    return found


def columns_of(name: str, args: tuple[Tree, ...], batch: tuple[int, ...]) -> Columns:
    """The columns of the arguments that hold rows."""
    if max(batch) >= len(args):
        raise InputValueError(
            f"batch={batch} of jit, but {name} was called with {len(args)} positional argument"
            f"{'s' * (len(args) != 1)}: pass the arguments that hold rows by position"
        )
    try:
        return Columns([(f"argument {i} of {name}", args[i]) for i in batch])
    except RecursionError:
        raise StructureError(f"an argument of {name} {TOO_DEEP}") from None


class Columns:
    """The columns of some arguments.

    `specs`: the containers; `shapes`: of a row of each array; `arrays`: one 1-D array of doubles for each number of a row.
    """

    def __init__(self, args: Sequence[tuple[str, Tree]]) -> None:
        self.rows = -1
        self.shapes: list[tuple[int, ...]] = []
        self.arrays: list[Tree] = []
        self._first = ""
        self.specs = [self._taken(what, arg) for what, arg in args]
        self.count = len(self.arrays)
        if self.rows < 0:
            raise InputTypeError(f"{args[0][0]} holds no array: give one of n rows, or leave it out of batch")

    def _taken(self, what: str, arg: Tree) -> Spec:
        if isinstance(arg, dict):
            return Spec(*kind_of(arg), tuple(self._taken(f"{what}[{key!r}]", arg[key]) for key in arg))
        if isinstance(arg, (list, tuple)) and any(map(_holds_array, arg)):
            return Spec(*kind_of(arg), tuple(self._taken(f"{what}[{i}]", item) for i, item in enumerate(arg)))
        self._array(what, doubles(what, arg))
        return LEAF

    def _array(self, what: str, array: Tree) -> None:
        if self.rows not in (-1, len(array)):
            raise StructureError(f"{what} has {len(array)} rows, but {self._first} has {self.rows}: give all columns as many")
        self.rows, self._first = len(array), self._first or what
        self.shapes.append(array.shape[1:])
        flat = array if array.ndim == 1 else array.reshape(len(array), prod(array.shape[1:]))
        self.arrays += [flat] if array.ndim == 1 else [flat[:, j] for j in range(flat.shape[1])]

    def traced(self, new: Callable[[float], Tree]) -> list[Tree]:
        """The arguments for one row, each number made by `new`, which is given that of the first row."""
        return self._rows([new(float(array[0]) if self.rows else 0.0) for array in self.arrays])

    def row(self, number: int) -> list[Tree]:
        """The arguments for one row, as numbers."""
        return self._rows([float(array[number]) for array in self.arrays])

    def _rows(self, numbers: list[Tree]) -> list[Tree]:
        supply = iter(numbers)
        leaves = iter([array_of([next(supply) for _ in range(prod(s))], s) if s else next(supply) for s in self.shapes])
        return [take(spec, leaves) for spec in self.specs]


def _holds_array(thing: object) -> bool:
    """Whether it is an array with rows, or a container with one inside."""
    if isinstance(thing, dict):
        return True
    if isinstance(thing, (list, tuple)):
        return any(map(_holds_array, thing))
    return getattr(thing, "shape", ()) != ()


def doubles(what: str, arg: Number) -> Number:
    """An array of doubles, of one axis at least."""
    try:
        array = arg if isinstance(arg, np.ndarray) else np.asarray(arg)
    except ValueError:
        raise StructureError(f"{what} is ragged: give rows of one length, or an array for each column") from None
    require_plain(array, what)
    if array.dtype.kind not in "fiub":
        kind = f"an array of {array.dtype}" if array.ndim else an(arg)
        cast = ", as array.astype(float) makes them" if array.dtype == object and array.ndim else ""
        raise InputTypeError(f"{what} is {kind}: give numbers{cast}, an array whose first axis is the rows")
    if array.ndim == 0:
        raise InputTypeError(f"{what}={arg!r} is one number: give an array of n rows, or leave the argument out of batch")
    if array.dtype.itemsize > 8 and array.dtype.kind == "f":
        raise InputTypeError(f"{what} is an array of {array.dtype}: convert it with .astype(float), which rounds")
    return array if array.dtype == np.float64 else array.astype(np.float64)


def batch_assembly(spec: Spec, reduced: bool, names: dict[str, object]) -> str:
    """The expression that puts the results together from ``out``: numbers if `reduced`, else one row for each output.

    Arrays become arrays, with the rows as their first axis; what it needs is entered in `names`.
    """
    if shapes.depth(spec) > shapes.DEEP and not reduced:
        names["spec"], names["by_rows"] = spec, by_rows
        return "by_rows(spec, iter(out), out.shape[1])"
    if reduced:
        leaves = [f"out.item({i})" for i in range(size(spec))]
        return shapes.assembly(
            spec, leaves, names, part, run=lambda first, last, as_list: f"out[{first}:{last}]{'.tolist()' * as_list}"
        )
    names["rows_first"] = rows_first
    leaves = [f"out[{i}]" for i in range(size(spec))]
    return shapes.assembly(
        spec, leaves, names, lambda first, spec: f"rows_first(out[{first}:{first + len(spec.children)}], {spec.detail})"
    )


def part(first: int, spec: Spec, count: int = -1) -> str:
    """The expression of an array that is a part of ``out``, or all of its `count` numbers."""
    taken = "out" if len(spec.children) == count else f"out[{first}:{first + len(spec.children)}]"
    return taken if len(spec.detail) == 1 else f"{taken}.reshape({spec.detail})"


def by_rows(spec: Spec, outputs: Iterator[Number], rows: int | None) -> Number:
    """What a function returns for one row, as that of all rows: each of its outputs an array of so many, or one number."""
    if spec.kind is None:
        return next(outputs)
    children = [by_rows(child, outputs, rows) for child in spec.children]
    if rows is not None and shapes.is_array(spec):
        return rows_first(np.stack(children) if children else np.empty((0, rows)), spec.detail)
    return rebuild(spec, children)


def rows_first(out: Number, shape: tuple[int, ...]) -> Number:
    """One row for each number of an array, as an array for each row."""
    return out.T.reshape(out.shape[1], *shape)
