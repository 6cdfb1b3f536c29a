"""Points of one op, ordinary and special, and calls of it there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from math import inf, nan
from typing import Any

from hypothesis import strategies as st

from ..errors import InputTypeError
from ..formula.printer import grouped, name_of
from ..ops import Interval, Op
from ..ops.columns import Setting
from ..tree import Number
from .arguments import NOT_DRAWN, PUBLIC, domain_of, row_of, usable

WIDE = 40.0  # points of an unbounded domain lie within this of 0, or of its end
ROUND = (2.0, 0.5, -0.5, -2.0, 3.0)


def ends(interval: Interval, wide: float = WIDE) -> tuple[float, float]:
    """The ends of the finite part of an interval that points are drawn from."""
    low = interval.low if interval.low > -inf else min(-wide, interval.high - wide)
    high = interval.high if interval.high < inf else max(wide, interval.low + wide)
    return low, high


def coordinates(interval: Interval) -> st.SearchStrategy[float]:
    """Points of an interval: small ones, moderate ones, tiny ones, and some close to its ends."""
    low, high = ends(interval)
    near, far = ends(interval, 3.0)
    kinds = [st.floats(max(low, near), min(high, far)), st.floats(low, high)]
    kinds.append(st.floats(1e-8, 1.0).map(lambda d: low + d if low == interval.low else d))
    kinds.append(st.floats(1e-8, 1.0).map(lambda d: high - d if high == interval.high else -d))
    return st.one_of(kinds).filter(lambda x: x in interval and (x == 0.0 or abs(x) > 1e-30))


def simple(interval: Interval) -> st.SearchStrategy[float]:
    """Points inside an interval, neither large nor tiny: an expression's box around 0 would be a point.

    The first to try, and the last that shrinking comes to, is a round number that is no end of any domain.
    """
    drawn = st.floats(*ends(interval, 4.0)).filter(lambda x: interval.low < x < interval.high and abs(x) > 1e-3)
    round_ones = [x for x in ROUND if interval.low < x < interval.high]
    return st.one_of(st.sampled_from(round_ones), drawn, drawn, drawn) if round_ones else drawn


def chosen(setting: Setting) -> st.SearchStrategy[float]:
    """What an argument that selects a function is drawn from."""
    return st.sampled_from(setting.examples)


def points(op: Op | str) -> st.SearchStrategy[tuple[float, ...]]:
    """Points of an op's domain that are on none of its kinks, one float for each argument.

    Moderate, simple and tiny ones, and some close to the domain's ends, so that saturated regions are visited.

    >>> from hypothesis import find
    >>> find(points("log"), lambda at: at[0] > 2)
    (3.0,)

    Args:
        op: a row, built-in or your own, or the name of a built-in one.  A row of any number of arguments gets 3 or 4.

    Raises InputTypeError for what is not an op.
    """
    op = row_of(op)
    n = len(op.example)
    settings = op.settings
    each = [chosen(settings[i]) if i in settings else coordinates(d) for i, d in enumerate(domain_of(op, n))]
    return st.tuples(*each).filter(lambda at: usable(op, at))


def special_points(op: Op | str) -> st.SearchStrategy[tuple[float, ...]]:
    """Points where an op's conventions count: pins, kinks, ties, the domain's ends and beyond, nan, inf, signed zeros.

    >>> from hypothesis import find
    >>> find(special_points("sqrt"), lambda at: at[0] < 0)
    (-1.0,)

    Args and errors: as `points`.  No promise is made that the op is defined there.
    """
    op = row_of(op)
    n = len(op.example)
    settings, domain = op.settings, domain_of(op, n)
    each = [[*settings[i].examples] if i in settings else _special(d) for i, d in enumerate(domain)]
    pinned = [pin.at for pin in op.pins]
    likely = each if n < 3 else [[x for x in c if x in (0.0, 1.0, 2.0, -1.0)] for c in each]
    kinked = [at for at in product(*likely) if op.kinked(*at)]
    kinds: list[st.SearchStrategy[tuple[float, ...]]] = [st.sampled_from(some) for some in (kinked, pinned) if some]
    kinds.append(st.tuples(*map(st.sampled_from, each)))
    if n > 1:
        ordinary = [st.sampled_from(c) if i in settings else coordinates(domain[i]) for i, c in enumerate(each)]
        kinds += [
            st.tuples(*(st.sampled_from(each[i]) if i == j else ordinary[i] for i in range(n)))
            for j in range(n)
            if j not in settings
        ]
        if not settings:
            kinds.append(st.sampled_from(each[-1]).map(lambda x: (x,) * n))
    return st.one_of(kinds)


def _special(interval: Interval) -> list[float]:
    """Coordinates that are special to doubles or to an interval."""
    found = [0.0, -0.0, 1.0, -1.0, 2.0, 0.5, math.pi / 2, inf, -inf, nan, 5e-324, -5e-324, 1e308, -1e308]
    for end in (interval.low, interval.high):
        if -inf < end < inf:
            found += [end, math.nextafter(end, -inf), math.nextafter(end, inf), end - 1.0, end + 1.0]
    return list({math.copysign(1.0, x) * inf if math.isinf(x) else (x, math.copysign(1.0, x)): x for x in found}.values())


class Call:
    """One op with a point of its domain; callable as the function of its variables, the settings held.

    >>> from autograd_lite import polygamma
    >>> call = Call(polygamma, (1.0, 2.5))
    >>> call, call.at, call(2.5) == polygamma(1.0, 2.5)
    (polygamma(1.0, 2.5), (2.5,), True)

    Args:
        op: the row.
        args: all its arguments, one after another, also where the public call takes lists.
    """

    __slots__ = ("_variables", "args", "at", "op")

    def __init__(self, op: Op, args: Sequence[float]) -> None:
        self.op = op
        self.args = tuple(args)
        self._variables = [i for i in range(len(args)) if i not in op.settings]
        self.at = tuple(self.args[i] for i in self._variables)

    def __call__(self, *variables: Number) -> Number:
        if len(variables) != len(self.at):
            raise InputTypeError(f"{self!r} is a function of {len(self.at)} variables, got {len(variables)}")
        args: list[Any] = list(self.args)
        for i, x in zip(self._variables, variables, strict=True):
            args[i] = x
        return self.op(*grouped(self.op, args))

    @property
    def __name__(self) -> str:
        return self.op.name

    def __repr__(self) -> str:
        return f"{name_of(self.op)}({', '.join(map(repr, grouped(self.op, self.args)))})"


def calls(op: Op | str | None = None) -> st.SearchStrategy[Call]:
    """Calls of an op at points of its domain, for `check_grads(call, call.at)`; of any public row unless one is given.

    >>> from hypothesis import find
    >>> find(calls("atan2"), lambda call: call(*call.at) > 1)
    atan2(1.0, 0.0)

    Args and errors: as `points`.
    """
    if op is None:
        return st.sampled_from([op for op in PUBLIC if op not in NOT_DRAWN]).flatmap(calls)
    op = row_of(op)
    return points(op).map(lambda at: Call(op, at))
