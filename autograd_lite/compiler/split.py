"""Cutting a program over shared inputs and columns into what is the same for every row and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .. import ops
from ..ops import Op
from ..program import Program, Ref, placed, renumbered
from .simplify import dead_code

NOTHING = -0.0  # x + -0.0 is x


class Split(NamedTuple):
    """A program in two: output i of the whole is ``row output i + addend i``.

    `uniform` takes the shared inputs and gives `given` values that rows need, then an addend for each output.  `row` takes
    the shared inputs, all outputs of `uniform`, then the columns.  `shared` and `columns` are the inputs' old numbers; `added`
    is whether any addend is one.
    """

    shared: tuple[int, ...]
    columns: tuple[int, ...]
    uniform: Program
    row: Program
    given: int
    added: bool


def split(program: Program, is_column: Sequence[bool], reduce: bool = False, fastmath: bool = False) -> Split:
    """Cut a program in two.

    With `reduce`, the rows of a ``product + uniform`` are added up apart from the n times uniform: a gradient, and that of
    a penalty on the weights.  The error of such a sum is in proportion to the larger of the two parts.  With `fastmath` any
    ``row + uniform`` is cut.

    >>> from autograd_lite import jit
    >>> program = jit(lambda w, x: (w * w) * x).program(2.0, 3.0)
    >>> cut = split(program, [False, True])
    >>> print(cut.uniform, cut.row, sep="; ")
    v1 = mul(v0, v0)
    return v1, -0.0; v4 = mul(v1, v3)
    return v4
    """
    first = program.inputs
    varies = program.varying(is_column)

    def depends(ref: Ref) -> bool:
        return ref.__class__ is int and varies[ref]

    def op_of(ref: Ref) -> Op | None:
        return program.ops[ref - first] if isinstance(ref, int) and ref >= first else None

    def cut(ref: Ref) -> tuple[Ref, Ref]:
        """What of an output varies, and what does not."""
        if not depends(ref):
            return NOTHING, ref
        if reduce and op_of(ref) is ops.add:
            args = program.args[int(ref) - first]
            if depends(args[0]) != depends(args[1]):
                row, uniform = args if depends(args[0]) else args[::-1]
                if fastmath or (op_of(row) is ops.mul and op_of(uniform) is not None):
                    return row, uniform
        return ref, NOTHING

    shared = tuple(i for i in range(first) if not is_column[i])
    columns = tuple(i for i in range(first) if is_column[i])
    parts = [cut(ref) for ref in program.outputs]

    needed = bytearray(len(varies))
    for row, _ in parts:
        if row.__class__ is int:
            needed[row] = 1
    uniform: list[int] = []
    rows: list[int] = []
    for number in range(len(varies) - 1, first - 1, -1):
        if not varies[number]:
            uniform.append(number)
        elif needed[number]:
            rows.append(number)
            for a in program.args[number - first]:
                if a.__class__ is int:
                    needed[a] = 1
    uniform.reverse()
    rows.reverse()
    given = [n for n in uniform if needed[n]]

    place: list[Any] = [-1] * len(varies)

    def moved(inputs: int, some: list[int], outputs: list[Ref]) -> Program:
        args = renumbered([program.args[number - first] for number in some], place)
        return Program.of(inputs, [program.ops[number - first] for number in some], args, placed(outputs, place))

    for new, old in enumerate((*shared, *uniform)):
        place[old] = new
    once = dead_code(moved(len(shared), uniform, [*given, *[same for _, same in parts]]))
    start = len(shared) + len(given) + len(parts)
    for new, old in (*enumerate((*shared, *given)), *enumerate((*columns, *rows), start)):
        place[old] = new
    by_row = moved(start + len(columns), rows, [row for row, _ in parts])
    added = any(same is not NOTHING for _, same in parts)
    return Split(shared, columns, once, by_row, len(given), added)
