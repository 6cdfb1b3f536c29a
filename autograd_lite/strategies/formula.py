"""`Expression`: a formula with a point at which it is well conditioned, callable and printable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import InputTypeError, InputValueError
from ..formula.expression import called
from ..formula.printer import PYTHON
from ..ops import Op
from ..program import Program
from ..tree import Number


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
    >>> from autograd_lite.program import Instruction, Program
    >>> program = Program(2, (Instruction(mul, (0, 1)), Instruction(sin, (2,))), (3,))
    >>> product = Expression(("x", "y"), program, {"x": 0.5, "y": 3.0})
    >>> product
    (lambda x, y: sin(x * y))(x=0.5, y=3.0)
    >>> product(0.5, 3.0) == product({"x": 0.5, "y": 3.0}) == sin(1.5)
    True

    Args:
        names: of the variables, in the order of positional arguments.
        program: the formula as a straight line; its inputs are the names.
        point: a float for each name.
        box: for each name an interval around its point, all over which the expression is smooth and finite.
        truth: value and derivatives at the point in high precision (mpmath numbers).
        allowance: for each of them, what errors of half an ulp in every operand on the way add up to.
    """

    __slots__ = ("allowance", "box", "names", "point", "program", "truth")

    def __init__(
        self,
        names: Sequence[str],
        program: Program,
        point: Mapping[str, float],
        box: Mapping[str, tuple[float, float]] | None = None,
        truth: Truth | None = None,
        allowance: Truth | None = None,
    ) -> None:
        self.names = tuple(names)
        self.program = program
        self.point = dict(point)
        self.box = dict(box) if box is not None else {name: (x, x) for name, x in self.point.items()}
        self.truth = truth
        self.allowance = allowance

    @property
    def ops(self) -> tuple[Op, ...]:
        """The ops in the order of evaluation, repeats kept."""
        return tuple(instruction.op for instruction in self.program.instructions)

    @property
    def at(self) -> tuple[float, ...]:
        """The point as positional arguments."""
        return tuple(self.point[name] for name in self.names)

    @property
    def __name__(self) -> str:
        return str(self)

    def __call__(self, *args: Number) -> Number:
        if len(args) == 1 and isinstance(args[0], Mapping):
            if set(args[0]) != set(self.names):
                raise InputValueError(f"names {sorted(args[0])} given to {self}: it has {sorted(self.names)}")
            args = tuple(args[0][name] for name in self.names)
        if len(args) != len(self.names):
            raise InputTypeError(f"{len(args)} arguments given to {self}: it takes {', '.join(self.names)}, or a dict of them")
        (result,) = self.program.run(args, called)
        return result

    def __str__(self) -> str:
        """The formula; a result used again is named where it first stands, ``(v1 := sin(x)) * v1``."""
        return PYTHON.program(self.program, self.names)

    def __repr__(self) -> str:
        point = ", ".join(f"{name}={self.point[name]!r}" for name in self.names)
        return f"(lambda {', '.join(self.names)}: {self})({point})"
