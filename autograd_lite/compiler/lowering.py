"""How every row of the op table is computed by a backend that works on arrays or vectors: one decomposition for all of them.

`LOWERINGS` maps the name of each row to ``f(k, *args)``, written with the vocabulary of a backend's kernel object `k`.  An
argument is a handle of that backend or a plain float, a constant: orders and indices are taken in Python where constant.
The result is a handle too, or a float where it does not depend on any handle.  A kernel offers, on handles and floats alike,

- the functions `FUNCTIONS` and `PAIRS`, with the special values of C (IEEE 754): ``div(1.0, 0.0)`` is inf, ``log(-1.0)`` nan;
- conditions from `COMPARISONS` (nan compares false, but ``ne`` true), ``truth(a)``, which is a != 0 (true for nan), joined by
  ``both(c, d)``, ``either(c, d)`` and ``negate(c)``; ``select(c, a, b)`` and ``number(c)``, 1.0 or 0.0;
- ``call(op, *args)``: the row's own Python function, item by item;
- ``exact``: whether the result must have the bits of the row's own function, given the C library's functions.  Otherwise
  it may be a few units in the last place away, where that avoids a call; special values are the same ones;
- ``inline``: whether ten operations cost less than a call.

``select`` evaluates both sides, which in IEEE arithmetic is harmless: the side not taken is never multiplied by 0.
Imports `formulas` and `ops`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, nan
from typing import Any

from ..ops import TABLE, Op
from . import formulas as rows
from .formulas import Kernel, Lowering, constant, difference

__all__ = ["COMPARISONS", "CONTROL", "FUNCTIONS", "LOWERINGS", "PAIRS", "Kernel", "lower"]

FUNCTIONS = (
    "neg", "abs", "sqrt", "floor", "ceil", "trunc", "rint", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p",
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "cbrt", "erf", "erfc",
)  # fmt: skip
PAIRS = ("add", "sub", "mul", "div", "pow", "fmod", "atan2", "copysign")
COMPARISONS = ("lt", "le", "gt", "ge", "eq", "ne")
CONTROL = ("both", "either", "negate", "select", "truth", "number", "call")


def lower(op: Op) -> Lowering:
    """The lowering of a row; one without a formula, a user's own op too, is called back.

    >>> from autograd_lite import ops
    >>> lower(ops.square) is LOWERINGS["square"]
    True
    """
    formula = LOWERINGS.get(op.name) if TABLE.get(op.name) is op else None
    return formula or (lambda k, *args: k.call(op, *args))


# -- reductions -------------------------------------------------------------------------------------------------------


def plus(k: Kernel, *items: Any) -> Any:
    """The sum from left to right, from 0 as the row's own: a sum of -0 alone is 0."""
    return reduce(k.add, items, 0.0) if items else 0.0


def prod(k: Kernel, *items: Any) -> Any:
    return reduce(k.mul, items) if items else 1.0


def mean(k: Kernel, *items: Any) -> Any:
    return k.div(plus(k, *items), float(len(items))) if items else nan


def dot(k: Kernel, *args: Any) -> Any:
    return plus(k, *map(k.mul, args, args[len(args) // 2 :]))


def _top(k: Kernel, items: Sequence[Any]) -> Any:
    """The largest; where some item is nan its difference, and with it every sum below, is nan whatever this gives."""
    return reduce(lambda top, x: k.select(k.gt(x, top), x, top), items)


def _shares(k: Kernel, items: Sequence[Any]) -> list[Any]:
    """exp of the items less the largest."""
    top = _top(k, items)
    return [k.exp(difference(k, x, top)) for x in items]


def _others(k: Kernel, items: Sequence[Any], own: int | None = None) -> tuple[Any, Any]:
    """The largest item, and log1p of the shares of all the others.

    Of several largest the one at `own` is left out, or the first; a share of 0 in its place does not change a bit.
    """
    top = _top(k, items)
    largest = [k.eq(x, top) for x in items]
    found = None if own is None else largest[own]
    shares: list[Any] = []
    for i, (x, is_top) in enumerate(zip(items, largest, strict=True)):
        left_out = is_top if i == own or found is None else k.both(is_top, k.negate(found))
        if i != own:
            found = is_top if found is None else k.either(found, is_top)
        shares.append(k.select(left_out, 0.0, k.exp(difference(k, x, top))))
    return top, k.log1p(plus(k, *shares))


def logsumexp(k: Kernel, *items: Any) -> Any:
    if not items:
        return -inf
    top, others = _others(k, items)
    return k.add(top, others)


def logaddexp(k: Kernel, x: Any, y: Any) -> Any:
    apart = k.add(k.select(k.gt(y, x), y, x), k.log1p(rows.decay(k, k.sub(x, y))))
    return k.select(k.eq(x, y), k.add(x, math.log(2.0)), apart)


def _indexed(name: str, formula: Callable[[Kernel, int, Sequence[Any]], Any]) -> Lowering:
    """The lowering of a row whose first argument is an index, a constant in every program that a trace makes."""

    def lowering(k: Kernel, index: Any, *items: Any) -> Any:
        return formula(k, int(index), items) if constant(index) else k.call(TABLE[name], index, *items)

    return lowering


def _weight(k: Kernel, i: int, items: Sequence[Any]) -> Any:
    shares = _shares(k, items)
    return k.div(shares[i], plus(k, *shares))


def _rest(k: Kernel, i: int, items: Sequence[Any]) -> Any:
    shares = _shares(k, items)
    return k.div(plus(k, *shares[:i], *shares[i + 1 :]), plus(k, *shares))


def _log_weight(k: Kernel, i: int, items: Sequence[Any]) -> Any:
    top, others = _others(k, items, i)
    return k.sub(difference(k, items[i], top), others)


# -- the table --------------------------------------------------------------------------------------------------------


def same_word(name: str) -> Lowering:
    """The lowering of a row that a kernel has a word for."""
    return lambda k, *args: getattr(k, name)(*args)


_SAME = (
    "abs", "copysign", "add", "sub", "mul", "neg", "div", "fmod", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10",
    "log1p", "erf", "erfc", "sin", "cos", "tan", "asin", "acos", "atan", "atan2", "sinh", "cosh", "asinh", "acosh", "atanh",
)  # fmt: skip

# rows whose formula bears their name
_NAMED = (
    "zero", "where", "sign", "heaviside", "difference", "maximum", "minimum", "clamp", "muldiv", "mod", "floordiv", "pow",
    "pow_derivative", "square", "sqrt", "inverse", "gaussian", "sinc", "co_square", "atan_derivative", "hypot", "unit", "sech2",
    "tanh", "sigmoid_derivative", "sigmoid", "softplus", "log_sigmoid", "relu", "leaky_relu", "elu", "gelu", "gelu_derivative",
    "silu",
)  # fmt: skip

LOWERINGS: dict[str, Lowering] = {
    **{name: same_word(name) for name in _SAME},
    **{name: getattr(rows, name) for name in _NAMED},
    **{name: rows.comparison(name) for name in COMPARISONS},
    **{name: rows.whole(name) for name in ("floor", "ceil", "trunc")},
    "identity": lambda k, x: x,
    "stop_gradient": lambda k, x: x,
    "round": rows.round_,
    "sum": plus,
    "prod": prod,
    "mean": mean,
    "dot": dot,
    "logsumexp": logsumexp,
    "logaddexp": logaddexp,
    "softmax_weight": _indexed("softmax_weight", _weight),
    "softmax_rest": _indexed("softmax_rest", _rest),
    "log_softmax_weight": _indexed("log_softmax_weight", _log_weight),
}
