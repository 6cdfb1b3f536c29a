"""What the columns of a row are made of: the domain's intervals, pins, kinks, and the arguments that select a function."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

from .. import tree
from ..errors import InputTypeError, InputValueError

if TYPE_CHECKING:
    from ..value import Value

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


class Kink:
    """Where the derivative does not exist or jumps: a kink, a jump or a pole.  What is shown is what is tested.

    The text says of a row's arguments where they are, each by the name that the row's rules have for it: ``x = 0``, ``x <= 0``,
    ``x = y``, ``y is not finite``, ``x/y is whole``, ``x = 0, -1, -2, ...`` and what else `SETS` names; ``all are 0``; and
    several of these, joined by ``and``.

    >>> place = Kink("y = 0 and x is not 0, 1, 2, ...", ("x", "y"))
    >>> place.holds(-1.0, 0.0), place.holds(1.0, 0.0)
    (True, False)

    Args:
        text: the place.
        letters: the names of the arguments, in order; or, for a place that cannot be said so, a function of the arguments.
        first: the first of those that ``all`` speaks of.

    Raises InputValueError for a text that is none of these, InputTypeError for what is no text.
    """

    __slots__ = ("condition", "text")

    def __init__(self, text: str, letters: Sequence[str] | Callable[..., bool] = "xyzuvw", first: int = 0) -> None:
        if not isinstance(text, str):
            raise InputTypeError(f"kink {text!r} must be a text that says where it is, such as 'x = 0'")
        self.text = text
        if callable(letters):
            self.condition = letters
        else:
            clauses = [_clause(clause, letters, first) for clause in text.split(" and ")]
            self.condition = clauses[0] if len(clauses) == 1 else lambda *at: all(clause(*at) for clause in clauses)

    def holds(self, *at: float) -> bool:
        """Whether the arguments of the row are at such a place; not where the condition has no answer, as floor(inf)."""
        try:
            return bool(self.condition(*at))
        except (ArithmeticError, ValueError):
            return False

    @property
    def endless(self) -> bool:
        """Whether it lies here and there all along an axis."""
        return self.text.endswith(ENDLESS) and " is not " not in self.text

    @property
    def of_quotient(self) -> bool:
        """Whether it lies where one argument is so many times another."""
        return "/" in self.text.partition(" ")[0]


# where a number is, or a quotient by a unit
SETS: dict[str, Callable[[float, float], bool]] = {
    "whole": lambda x, unit: unit == 0.0 or math.fmod(x, unit) == 0.0,
    "half way": lambda x, unit: unit == 0.0 or math.fabs(math.remainder(x, unit)) == 0.5 * math.fabs(unit),
    "finite": lambda x, unit: math.isfinite(x),
    "0, 1, 2, ...": lambda x, unit: x >= 0.0 and x % 1.0 == 0.0,
    "0, -1, -2, ...": lambda x, unit: x <= 0.0 and x % 1.0 == 0.0,
    "π/2 + kπ": lambda x, unit: math.fabs(math.cos(x)) < 1e-15,
}
ENDLESS = ("whole", "half way", "...", "kπ")
RELATIONS = {"=": operator.eq, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def _clause(text: str, letters: Sequence[str], first: int) -> Callable[..., bool]:
    """One thing that is said of arguments."""
    if text == "all are 0":
        return lambda *at: not any(at[first:])
    subject, relation, what = (*text.split(" ", 2), "", "")[:3]
    name, _, by = subject.partition("/")
    wanted = not what.startswith("not ")
    member = SETS.get(what.removeprefix("not "))
    try:
        i = letters.index(name)
        if member is not None and relation in ("=", "is"):
            unit = letters.index(by) if by else None
            return lambda *at: member(at[i], 1.0 if unit is None else at[unit]) is wanted
        compare = RELATIONS[relation if not by else ""]
        if what in letters:
            other = letters.index(what)
            return lambda *at: compare(at[i], at[other])
        bound = float(what)
    except (KeyError, ValueError):
        raise InputValueError(
            f"{text!r} is no place among arguments {', '.join(letters)}: write one as 'x = 0', 'x <= y', 'x is whole' or "
            f"'all are 0', or give Kink(text, condition) with a function of the arguments"
        ) from None
    return lambda *at: compare(at[i], bound)


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


class OfLists(Protocol):
    """A function of a list that gives one: of floats floats, of Values Values."""

    @overload
    def __call__(self, items: Iterable[float]) -> list[float]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, items: Iterable[float | Value]) -> list[Value]: ...


def of_lists(function: Callable[[Iterable[Number]], list[Number]]) -> OfLists:
    """Such a function, as it is."""
    return function  # type: ignore[return-value]
