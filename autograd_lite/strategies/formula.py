"""`Expression`: a formula with a point at which it is well conditioned, callable and printable.  Imports `arguments`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .. import ops as rows
from ..errors import InputTypeError, InputValueError
from ..ops import Op
from .arguments import grouped, name_of

INFIX = {rows.add: "+", rows.sub: "-", rows.mul: "*", rows.div: "/", rows.floordiv: "//", rows.mod: "%", rows.pow: "**"}


class Step(NamedTuple):
    """One op of an expression: its operands are floats, or ints that count the names and then the steps before."""

    op: Op
    operands: tuple[int | float, ...]


class Truth(NamedTuple):
    """Value, gradient and second derivatives of an expression at its point, or how far rounding may move each of them."""

    value: Any
    gradient: dict[str, Any]
    hessian: dict[str, dict[str, Any]]


class Expression:
    """A formula in named variables with a point at which it is well conditioned.

    It is callable on numbers and Values, by position in the order of its names or by one dict.  ``str`` is its formula,
    ``repr`` also has the point; both are Python to be pasted after ``from autograd_lite import *``.

    >>> from autograd_lite import mul, sin
    >>> product = Expression(("x", "y"), [Step(mul, (0, 1)), Step(sin, (2,))], {"x": 0.5, "y": 3.0})
    >>> product
    (lambda x, y: sin(x * y))(x=0.5, y=3.0)
    >>> product(0.5, 3.0) == product({"x": 0.5, "y": 3.0}) == sin(1.5)
    True

    Args:
        names: of the variables, in the order of positional arguments.
        steps: the ops in the order of evaluation; the last is the result.
        point: a float for each name.
        box: for each name an interval around its point, all over which the expression is smooth and finite.
        truth: value and derivatives at the point in high precision (mpmath numbers).
        allowance: for each of them, what errors of half an ulp in every operand on the way add up to.
    """

    __slots__ = ("allowance", "box", "names", "point", "steps", "truth")

    def __init__(
        self,
        names: Sequence[str],
        steps: Sequence[Step],
        point: Mapping[str, float],
        box: Mapping[str, tuple[float, float]] | None = None,
        truth: Truth | None = None,
        allowance: Truth | None = None,
    ) -> None:
        self.names = tuple(names)
        self.steps = tuple(steps)
        self.point = dict(point)
        self.box = dict(box) if box is not None else {name: (x, x) for name, x in self.point.items()}
        self.truth = truth
        self.allowance = allowance

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops in the order of evaluation, repeats kept."""
        return tuple(step.op for step in self.steps)

    @property
    def at(self) -> tuple[float, ...]:
        """The point as positional arguments."""
        return tuple(self.point[name] for name in self.names)

    @property
    def __name__(self) -> str:
        return str(self)

    def __call__(self, *args: Any) -> Any:
        if len(args) == 1 and isinstance(args[0], Mapping):
            if set(args[0]) != set(self.names):
                raise InputValueError(f"names {sorted(args[0])} given to {self}: it has {sorted(self.names)}")
            args = tuple(args[0][name] for name in self.names)
        if len(args) != len(self.names):
            raise InputTypeError(f"{len(args)} arguments given to {self}: it takes {', '.join(self.names)}, or a dict of them")
        known = list(args)
        for op, operands in self.steps:
            known.append(op(*grouped(op, [known[a] if a.__class__ is int else a for a in operands])))
        return known[-1]

    def __str__(self) -> str:
        """The formula; a result used again is named where it first stands, ``(v1 := sin(x)) * v1``."""
        n = len(self.names)
        uses = [0] * (n + len(self.steps))
        for _, operands in self.steps:
            for a in operands:
                if a.__class__ is int:
                    uses[a] += 1
        fresh = (v for v in (f"v{i}" for i in range(1, len(uses) + n + 2)) if v not in self.names)
        named: dict[int, str] = dict(enumerate(self.names))
        out: list[str] = []
        todo: list[Any] = [(n + len(self.steps) - 1, True)]
        while todo:
            piece = todo.pop()
            if isinstance(piece, str):
                out.append(piece)
                continue
            a, bare = piece  # bare: where nothing binds to it from left or right
            if a.__class__ is float:
                out.append(repr(a) if bare or math.copysign(1.0, a) > 0 else f"({a!r})")
            elif a in named:
                out.append(named[a])
            elif uses[a] > 1:
                named[a] = next(fresh)
                todo += reversed([f"({named[a]} := ", *_written(self.steps[a - n], True), ")"])
            else:
                todo += reversed(_written(self.steps[a - n], bare))
        return "".join(out)

    def __repr__(self) -> str:
        point = ", ".join(f"{name}={self.point[name]!r}" for name in self.names)
        return f"(lambda {', '.join(self.names)}: {self})({point})"


def _written(step: Step, bare: bool) -> list[Any]:
    """The pieces of one op in Python: text, and operands as (operand, whether it may stand without parentheses)."""
    op, operands = step
    if op in INFIX or op is rows.neg:
        left, right = [(a, False) for a in (*operands, 0.0)[:2]]
        pieces = ["-", left] if op is rows.neg else [left, f" {INFIX[op]} ", right]
        return pieces if bare else ["(", *pieces, ")"]
    pieces = [f"{name_of(op)}("]
    for i, group in enumerate(grouped(op, operands)):
        pieces.append(", " if i else "")
        if isinstance(group, list):
            pieces.append("[")
            for j, a in enumerate(group):
                pieces += [", " if j else "", (a, True)]
            pieces.append("]")
        else:
            pieces.append((group, True))
    return [*pieces, ")"]
