"""The op table as a vocabulary for text that people type: `expression.parse(text, VOCABULARY)`.

Every public function of scalars under its own name, and ``abs max min pow round sum`` as Python spells them.  `pi` is the one
constant; Euler's number is ``exp(1)``, so that `e` stays free for a variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

from .. import ops
from ..ops import Op
from ..tree import Number, as_float
from .parsing import Function, Vocabulary

__all__ = ["ROWS", "VOCABULARY"]

SIGNS = (
    ops.add, ops.sub, ops.mul, ops.div, ops.floordiv, ops.mod, ops.pow, ops.lt, ops.le, ops.gt, ops.ge, ops.eq, ops.ne,
)  # fmt: skip
NOT_TYPED = {ops.identity, ops.stop_gradient, ops.dot, ops.modf}  # nothing to see; no use; of two lists; two results


def largest(*items: Number) -> Number:
    """The largest of two or more; ties share the slope as in `maximum`.

    >>> largest(1.0, 3.0, 2.0)
    3.0
    """
    return reduce(ops.maximum, items)


def smallest(*items: Number) -> Number:
    """The smallest of two or more; ties share the slope as in `minimum`.

    >>> smallest(3.0, 1.0, 2.0)
    1.0
    """
    return reduce(ops.minimum, items)


def _function(row: Op) -> Function:
    if row.arity is not None:
        return Function(row, row.arity - len(row.defaults), row.arity + row.optional)
    return Function(row, 1, None)


def _compositions() -> Iterator[tuple[Callable[..., Any], int]]:
    """The public functions of numbers that are no rows, such as `degrees`, and how many they take."""
    for function in ops.PUBLIC.values():
        if not isinstance(function, Op) and function not in NOT_TYPED:
            code = function.__code__
            names = code.co_varnames[: code.co_argcount]
            if set(names) <= {"x", "y", "z"}:
                yield function, len(names)


def _functions() -> dict[str, Function]:
    rows = [row for row in ops.PUBLIC.values() if isinstance(row, Op) and row not in NOT_TYPED]
    also: dict[str, Callable[..., Any]] = {"max": largest, "min": smallest}
    return (
        {row.name: _function(row) for row in rows}
        | {f.__name__: Function(f, count, count) for f, count in _compositions()}
        | {name: Function(f, 2, None) for name, f in also.items()}
        | {"ln": _function(ops.log)}
    )


VOCABULARY = Vocabulary(
    functions=_functions(),
    constants={"pi": ops.radians(180.0)},
    signs={row.symbol: row for row in SIGNS},
    negative=ops.neg,
    number=as_float,
)

# what a row's own formulas are written in: every row under its own name, and no constants
ROWS = VOCABULARY._replace(functions={name: _function(row) for name, row in ops.TABLE.items()}, constants={})
