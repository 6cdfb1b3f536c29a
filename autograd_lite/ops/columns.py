"""What the columns of a row are made of: the domain's intervals, pins, kinks, and the arguments that select a function."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from .. import tree
from ..errors import InputValueError

Number = tree.Number  # what rules and cores are written in
Rule = Callable[..., Number]  # (arguments..., out) -> partial; with any number of arguments: (args, out) -> all partials

PRODUCT, ANY_NUMBER, GENERAL, UNARY, BINARY, TIMES, SUM = -2, -1, 0, 1, 2, 3, 4  # how the reverse sweep takes a row


def first(x: Number, y: Number, out: Number) -> Number:
    """A partial that is the first of two operands; the sweeps know it and do not call it."""
    return x


def second(x: Number, y: Number, out: Number) -> Number:
    """A partial that is the second of two operands."""
    return y


def kind_of(partials: tuple[Rule | float, ...], products: tuple[Rule | None, ...] | None, plain: bool) -> int:
    """How the reverse sweep takes a row of these partials, none with any number of arguments, and products."""
    if plain and len(partials) == 2:
        x, y = partials
        return TIMES if x is second and y is first else SUM if x == y == 1.0 else BINARY
    if plain or not partials:
        return UNARY if partials else ANY_NUMBER
    return PRODUCT if len(partials) <= 2 and products is not None and None not in products else GENERAL


class Interval(NamedTuple):
    """The values an argument may take; an end belongs to the domain unless it is open (or infinite)."""

    low: float = -inf
    high: float = inf
    open: bool = False

    def __contains__(self, x: object) -> bool:
        assert isinstance(x, (float, int))
        return self.low < x < self.high if self.open else self.low <= x <= self.high

    def __str__(self) -> str:
        left = "(" if self.open or self.low == -inf else "["
        right = ")" if self.open or self.high == inf else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"


REAL = Interval()
ORDINARY = (0.4, 0.7, 0.3, 0.6)
LETTERS = "xyzuvw"  # what arguments are called in messages and formulas of a row
MANY = 12  # beyond so many items they share nodes, lest n rows of n items each be n² operands; up to then one node is one item
POSITIVE = Interval(0.0, inf, open=True)


class Pin(NamedTuple):
    """A value and partials fixed by convention at one special point; checked by the tests, offered to strategies."""

    at: tuple[float, ...]
    value: float
    partials: tuple[float, ...]


class Kink(NamedTuple):
    """Where the derivative does not exist or jumps: a kink, a jump or a pole."""

    text: str
    condition: Callable[..., bool]

    def holds(self, *at: float) -> bool:
        """Whether the arguments of the row are at such a place; not where the condition has no answer, as floor(inf)."""
        try:
            return bool(self.condition(*at))
        except (ArithmeticError, ValueError):
            return False


class Setting(NamedTuple):
    """What an argument is that selects a function rather than being a variable, and what it is tried with.

    It is a whole number: an order is not negative, an index is of the items after it, from their end if it is negative.
    """

    what: str
    examples: tuple[float, ...]

    def checked(self, number: float, where: str, items: int) -> float:
        """The number as the row takes it; InputValueError where it is none that selects."""
        if number % 1.0 != 0.0:  # nan and infinities too
            raise InputValueError(f"{self.what}={number!r} of {where} must be a whole number")
        if self is ORDER and number < 0.0:
            raise InputValueError(f"order={number:g} of {where} must be 0 or more: it counts derivatives")
        if self is not INDEX:
            return number
        if not -items <= number < items:
            raise InputValueError(f"index={number:g} of {where} with {items} items: give 0 to {items - 1}, or -{items} to -1")
        return number + items if number < 0.0 else number


ORDER = Setting("order", (0.0, 1.0, 2.0, 3.0))
INDEX = Setting("index", (0.0, 1.0, 2.0))
DIGITS = Setting("digits", (0.0, 1.0, 3.0, -1.0))
