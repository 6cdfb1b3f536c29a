"""`Truth`: what a comparison of Values gives, a bool whose ``& | ^ ~`` are the words and, or, not.

Python's own bool is an int in these: ``~True`` is -2, which is true, and ``2 & True`` is 0.  A comparison over a batch is a
node under the same rules (`compiler.trace.TracedCondition`), so that a loss means the same for one row and for many.
"""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable
from typing import Any

from . import ops
from .errors import InputTypeError
from .tree import Number, an, as_float, is_node


def side(other: Number, sign: str) -> bool:
    """The other side of `sign` as a bool: of a condition, a bool, or the number 0 or 1.

    Raises InputTypeError for anything else, which `sign` would read by its bits or not at all.
    """
    try:
        number = -1.0 if is_node(other) else as_float(other)
    except (InputTypeError, OverflowError):
        number = -1.0
    if number not in (0.0, 1.0):
        raise InputTypeError(
            f"{sign} joins conditions, and {other!r} is {an(other)}: compare it, as in (x > 0) {sign} (y != 0), "
            f"with parentheses around each comparison"
        )
    return number == 1.0


def _connective(sign: str, join: Callable[[bool, bool], bool]) -> Callable[[Truth, Number], Number]:
    def method(self: Truth, other: Number) -> Number:
        if getattr(other, "shape", ()) != () or hasattr(type(other), "_joins"):  # an array, a condition over a batch
            return NotImplemented
        return TRUE if join(bool(self), side(other, sign)) else FALSE

    return method


def _operator_pair(
    apply: Callable[[Number, Number], Number],
) -> tuple[Callable[[Truth, Number], Number], Callable[[Truth, Number], Number]]:
    """An operator between a condition, as the number 0 or 1, and another; and with the two exchanged."""

    def method(self: Truth, other: Number) -> Number:
        return NotImplemented if is_node(other) else apply(int(self), int(other) if isinstance(other, Truth) else other)

    def reflected(self: Truth, other: Number) -> Number:
        return apply(other, int(self))

    return method, reflected


def _comparison(apply: Callable[[Number, Number], Number]) -> Callable[[Truth, Number], Number]:
    def method(self: Truth, other: Number) -> Number:
        if isinstance(other, Truth):
            other = int(other)
        elif not isinstance(other, numbers.Real):
            return NotImplemented
        return TRUE if apply(int(self), other) else FALSE

    return method


class Truth:
    """The outcome of a comparison, true or false; ``& | ^ ~`` join and turn it.

    >>> from autograd_lite import Value
    >>> x = Value(3.0)
    >>> ~(x > 2), (x > 2) & (x < 9), (x > 2) ^ True
    (False, True, False)

    As a number it is 1 or 0, as a bool is: ``sum(x > 0 for x in values)`` counts, ``rows[x > 0]`` picks, and NumPy makes
    arrays of bool of it.  Raises InputTypeError where the other side of one of the four is no condition.
    """

    __slots__ = ("_true",)

    _true: bool

    def __bool__(self) -> bool:
        return self._true

    def __int__(self) -> int:
        return 1 if self._true else 0

    __index__ = __trunc__ = __floor__ = __ceil__ = __pos__ = __abs__ = __int__

    def __float__(self) -> float:
        return 1.0 if self._true else 0.0

    def __neg__(self) -> int:
        return -int(self)

    def __round__(self, digits: int | None = None) -> int:
        return round(int(self), digits)

    def __hash__(self) -> int:
        return hash(self._true)

    def __repr__(self) -> str:
        return repr(self._true)

    def __format__(self, spec: str) -> str:
        return format(self._true, spec)

    def __getitem__(self, key: tuple[()]) -> Truth:
        """Itself: as a number of NumPy's, which its functions take out of an array of no axes by ``[()]``."""
        if key != ():
            raise InputTypeError(f"{self!r}[{key!r}]: a condition has no items")
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        import numpy as np  # which asks, so it is there

        return np.array(self._true, dtype)

    def __reduce__(self) -> str:
        return "TRUE" if self._true else "FALSE"

    def __invert__(self) -> Truth:
        return FALSE if self._true else TRUE

    __and__ = __rand__ = _connective("&", operator.and_)
    __or__ = __ror__ = _connective("|", operator.or_)
    __xor__ = __rxor__ = _connective("^", operator.xor)

    __add__, __radd__ = _operator_pair(operator.add)
    __sub__, __rsub__ = _operator_pair(operator.sub)
    __mul__, __rmul__ = _operator_pair(operator.mul)
    # where they meet a 0 as every number here: 1 / (x > 0) is inf
    __truediv__, __rtruediv__ = _operator_pair(ops.div)
    __floordiv__, __rfloordiv__ = _operator_pair(ops.floordiv)
    __mod__, __rmod__ = _operator_pair(ops.mod)
    __pow__, __rpow__ = _operator_pair(ops.pow)
    __lt__ = _comparison(operator.lt)
    __le__ = _comparison(operator.le)
    __gt__ = _comparison(operator.gt)
    __ge__ = _comparison(operator.ge)
    __eq__ = _comparison(operator.eq)
    __ne__ = _comparison(operator.ne)


def _made(outcome: bool) -> Truth:
    truth = object.__new__(Truth)
    truth._true = outcome
    return truth


numbers.Integral.register(Truth)
TRUE, FALSE = _made(True), _made(False)
