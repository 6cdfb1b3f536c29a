"""Entries of calls in the core in C, which takes the arguments, computes and makes the results in one call: of short programs
of arithmetic, and of batches in machine code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any

from .. import ops
from ..accelerated import loaded
from ..arrays import np
from ..program import Program
from ..tree import Number, Spec, Tree
from ..value import Value
from .arguments import Layout
from .shapes import MOST_LEAVES, is_array

if TYPE_CHECKING:
    from ..ops import Op
    from .paths import BatchPath, ScalarPath

# in the order of the codes in `_entry.h`
CODES = {
    op: code
    for code, op in enumerate(
        (
            ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.abs, ops.relu, ops.lt, ops.le, ops.gt, ops.ge, ops.eq, ops.ne,
            ops.maximum, ops.minimum, ops.TABLE["difference"], ops.where, ops.TABLE["zero"],
        )
    )
}  # fmt: skip
MOST_VALUES, MOST_AXES = 512, 8  # as in C
FLOAT, LIST, TUPLE, ARRAY, COLUMNS = -1, 0, 1, 2, 3
MADE, MADE_ARRAY = {list: 1, tuple: 2}, 3


class _Unsuited(Exception):  # noqa: N818
    """There is something in it that the core does not have."""


def entry(python: Callable[..., Tree], specs: Sequence[Spec], path: ScalarPath) -> Callable[..., Tree]:
    """What is called in place of `python`, the entry of a path: itself, or where the core can do it the core's.

    Args: `specs`, the structure of each argument; `path`, whose program has no guards and makes lists and tuples of numbers.
    """
    traced, program = path.traced, path.program
    if loaded is None or program.guards or traced.literals or traced.arrays or any(type(x) is not Value for x in path.captured):
        return python
    try:
        takes = [number for spec in specs for number in _takes(spec)]
        constants, steps, outputs = _coded(program)
        gives: list[int] = []
        _enter_result(traced.spec, iter(outputs), gives)
        if program.inputs + len(constants) + len(steps) // 4 > MOST_VALUES or len(gives) > 2 * MOST_VALUES:
            return python
    except _Unsuited:
        return python
    made: Callable[..., Tree] = loaded.entry(python, (*takes,), (*path.captured,), (*constants,), (*steps,), (*gives,))
    return made


def batch(
    python: Callable[..., Tree], layout: Layout, positions: Sequence[int], path: BatchPath, kind: Any
) -> Callable[..., Tree]:
    """What is called in place of `python`, the entry of a batch in machine code: itself, or the core's where it can do it.

    Args: `layout` of the arguments, of which those at `positions` hold columns of NumPy's `kind`; the `path` that is run.
    """
    from .llvm.kernel import CHUNK

    cut, kernel, specs, rows = path.cut, path.machine, iter(layout.specs), iter(layout.rows)
    reduced, outputs = kernel.reduce, len(cut.row.outputs)
    suited = loaded is not None and kernel.callbacks == 0 and not (cut.added and not reduced)
    if not suited or any(type(x) is not Value for x in path.captured):
        return python
    takes: list[int] = []
    gives: list[int] = []
    try:
        for i in range(layout.positional):
            if i in positions:
                shape = next(rows)
                takes += COLUMNS, prod(shape), 1 + len(shape), -1, *shape
            else:
                takes += _taken_or_array(next(specs))
        _enter_result(path.traced.spec, iter(range(outputs)), gives, arrays=reduced)
        if len(gives) > 2 * MOST_VALUES:
            return python
    except _Unsuited:
        return python
    numpy = getattr(np, "_core", None) or np.core
    names = numpy.multiarray._ARRAY_API, kind, np.dtype(np.float64)
    sizes = layout.positional, kernel.shared, kernel.columns, outputs, CHUNK, kind.itemsize, kernel.scratch, reduced
    found = loaded.batch(python, kernel.call, (*path.captured,), names, (*takes,), (*gives,), (*kernel.initial,), sizes)
    return python if found is None else found


def _taken_or_array(spec: Spec) -> tuple[int, ...]:
    """`_takes` of a structure that may be an array: its numbers, and its shape."""
    return (ARRAY, len(spec.children), *_axes(spec)) if is_array(spec) else _takes(spec)


def _axes(spec: Spec) -> tuple[int, ...]:
    """How many axes an array has, and how long they are."""
    if not 0 < len(spec.detail) <= MOST_AXES:
        raise _Unsuited
    return len(spec.detail), *spec.detail


def _takes(spec: Spec) -> tuple[int, int]:
    """How an argument comes, and of how many numbers."""
    if spec.kind is None:
        return FLOAT, 1
    if spec.kind not in MADE or any(child.kind is not None for child in spec.children) or len(spec.children) > MOST_LEAVES:
        raise _Unsuited
    return (LIST if spec.kind is list else TUPLE), len(spec.children)


def _enter_result(spec: Spec, outputs: Iterator[int], gives: list[int], arrays: bool = False) -> None:
    """Enter how a result is made, what is in a container before it."""
    if spec.kind is None:
        gives += 0, next(outputs)
    elif arrays and is_array(spec) and spec.children:
        first, *_ = [next(outputs) for _ in spec.children]
        gives += MADE_ARRAY, first, *_axes(spec)
    elif spec.kind in MADE:
        for child in spec.children:
            _enter_result(child, outputs, gives, arrays)
        gives += MADE[spec.kind], len(spec.children)
    else:
        raise _Unsuited


def _coded(program: Program) -> tuple[list[float], list[int], list[int]]:
    """The constants, four numbers for each step (its code and operands), and where the outputs stand."""
    used = [0.0, *[x for _, args in program.instructions for x in args], *program.outputs]
    used += [float(len(args)) for op, args in program.instructions if op is ops.mean]
    texts = dict.fromkeys(x.hex() for x in used if x.__class__ is float)
    places = {text: i for i, text in enumerate(texts, program.inputs)}
    constants = list(map(float.fromhex, texts))
    first = program.inputs + len(constants)
    steps: list[int] = []
    at = list(range(program.inputs))  # of each value of the program

    def place(x: Number) -> int:
        return places[x.hex()] if x.__class__ is float else at[x]

    def step(op: Op, *operands: int) -> int:
        if op not in CODES:
            raise _Unsuited
        steps.extend((CODES[op], *operands, *[0] * (3 - len(operands))))
        return first + len(steps) // 4 - 1

    for op, args in program.instructions:
        where = [place(x) for x in args]
        half = len(where) // 2
        if op in (ops.identity, ops.stop_gradient):
            at.append(where[0])
        elif op is ops.square:
            at.append(step(ops.mul, where[0], where[0]))
        elif op in (ops.sum, ops.mean, ops.dot) and where:
            terms = [step(ops.mul, a, b) for a, b in zip(where[:half], where[half:], strict=True)] if op is ops.dot else where
            total = reduce(lambda total, term: step(ops.add, total, term), terms, place(0.0))
            at.append(step(ops.div, total, place(float(len(where)))) if op is ops.mean else total)
        else:
            at.append(step(op, *where))
    return constants, steps, [place(x) for x in program.outputs]
