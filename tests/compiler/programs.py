"""For the tests of `jit`: functions run eagerly, results compared to the bit, random programs, a count of steps.

Used by the tests of the jit's core; `reference(f)(...)` is what every compiled call is held against.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from math import inf, nan
from types import FrameType
from typing import Any

from hypothesis import strategies as st

from autograd_lite import Value, ops
from autograd_lite.compiler import Instruction, Program
from autograd_lite.ops import TABLE
from autograd_lite.tree import flatten, unflatten

# -- eager, and compared ----------------------------------------------------------------------------------------------


def lifted(tree: Any) -> Any:
    """An argument as the transforms pass it: each number a node over a leaf of its own."""
    leaves, spec = flatten(tree)
    return unflatten(spec, [ops.identity(Value(leaf)) for leaf in leaves])


def lowered(tree: Any) -> Any:
    """A result with numbers in place of Values."""
    leaves, spec = flatten(tree)
    return unflatten(spec, [leaf.data if isinstance(leaf, Value) else leaf for leaf in leaves])


def reference(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function run on Values by the eager engine, its results as numbers: what `jit` promises to give."""
    return lambda *args, **kwargs: lowered(f(*map(lifted, args), **{k: lifted(v) for k, v in kwargs.items()}))


def same(got: Any, wanted: Any) -> bool:
    """The same structure of the same doubles: nan is as good as nan, zeros of two signs are one zero."""
    (a, one), (b, other) = flatten(got), flatten(wanted)
    return one == other and all(type(x) is type(y) and (x == y or (x != x and y != y)) for x, y in zip(a, b, strict=True))


def has(package: str) -> bool:
    """Whether a package is installed."""
    return importlib.util.find_spec(package) is not None


# -- random programs --------------------------------------------------------------------------------------------------

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0, -3.0, 0.1, 8.0, -0.25, 5e-324, 1e-300, 1.7e308, inf, -inf, nan]
# what programs are drawn from: the rows that some rule speaks of, often, and all others of one to three numbers
SPOKEN_OF = [
    ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.pow, ops.square, ops.identity, ops.stop_gradient, ops.where,
    ops.eq, ops.ne, ops.lt, ops.gt, ops.maximum, ops.minimum, ops.sum, ops.mean, ops.dot, TABLE["pow_derivative"],
]  # fmt: skip
PLAIN = [op for op in TABLE.values() if op.arity is not None and op.name not in ("polygamma", "sinc_derivative", "round")]


def numbers() -> st.SearchStrategy[float]:
    """Doubles, the special ones often."""
    return st.one_of(st.sampled_from(SPECIAL), st.floats(-20.0, 20.0), st.floats())


# rows that are rounded once, or not at all: every backend gives the same double, rows of a batch too
EXACT = [
    ops.add, ops.sub, ops.mul, ops.div, ops.neg, ops.square, ops.where, ops.eq, ops.ne, ops.lt, ops.le, ops.gt, ops.ge, ops.abs,
    ops.maximum, ops.minimum, ops.clamp, ops.relu, ops.sqrt, ops.sign, ops.floor, ops.copysign, ops.sum, ops.dot,
]  # fmt: skip


@st.composite
def programs(draw: Any, most: int = 12, exact: bool = False) -> Program:
    """A random program of up to three inputs, whose instructions repeat operands, constants and each other often."""
    plain, spoken_of = (EXACT, EXACT) if exact else (PLAIN, SPOKEN_OF)
    inputs = draw(st.integers(0, 3))
    made: list[Instruction] = []

    def ref() -> Any:
        count = inputs + len(made)
        if count and draw(st.integers(0, 3)):
            return draw(st.integers(0, count - 1))
        return draw(st.sampled_from(SPECIAL))

    def order(constants: list[float]) -> Any:
        return draw(st.sampled_from(constants)) if draw(st.integers(0, 9)) or not inputs else 0

    for _ in range(draw(st.integers(0, most))):
        op = draw(st.one_of(st.sampled_from(spoken_of), st.sampled_from(spoken_of), st.sampled_from(plain)))
        if op.name == "pow_derivative":
            args: tuple[Any, ...] = (
                ref(),
                ref(),
                draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])),
                draw(st.sampled_from([0.0, 1.0])),
            )
        else:
            args = tuple(ref() for _ in range(op.arity if op.arity is not None else 2 * draw(st.integers(0, 2))))
        made.append(Instruction(op, args))
    outputs = tuple(ref() for _ in range(draw(st.integers(0, 3))))
    return Program(inputs, tuple(made), outputs)


def values(program: Program, inputs: list[float]) -> list[float]:
    """Every value of a program, inputs first."""
    return program.values(inputs, lambda op, *args: op.forward(*args))


def function(program: Program) -> Callable[..., list[Any]]:
    """A program as a function of its inputs, on numbers and on Values."""
    return lambda *inputs: program.run(inputs, ops.Op.apply)


# -- how long something takes, without a clock ------------------------------------------------------------------------


def steps(work: Callable[[], Any]) -> int:
    """How many lines and calls of Python run in it: the same number every time."""
    count = 0

    def seen(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += 1
        return seen

    before = sys.gettrace()
    sys.settrace(seen)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
