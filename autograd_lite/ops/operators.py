"""Python's operators, for what rows are recorded on beside `Value`: numbers of a backend, operands of a parser."""

from __future__ import annotations

from .arithmetic import add, div, mul, neg, sub
from .columns import Number
from .powers import pow


class Operators:
    """The operators as the rows they are; a class that has them says in ``_record`` what becomes of a row."""

    __slots__ = ()

    def __add__(self, other: Number) -> Number:
        return add(self, other)

    def __radd__(self, other: Number) -> Number:
        return add(other, self)

    def __sub__(self, other: Number) -> Number:
        return sub(self, other)

    def __rsub__(self, other: Number) -> Number:
        return sub(other, self)

    def __mul__(self, other: Number) -> Number:
        return mul(self, other)

    def __rmul__(self, other: Number) -> Number:
        return mul(other, self)

    def __truediv__(self, other: Number) -> Number:
        return div(self, other)

    def __rtruediv__(self, other: Number) -> Number:
        return div(other, self)

    def __pow__(self, other: Number) -> Number:
        return pow(self, other)

    def __rpow__(self, other: Number) -> Number:
        return pow(other, self)

    def __neg__(self) -> Number:
        return neg(self)
