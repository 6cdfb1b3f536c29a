"""What a core may say beside rows: functions with the special values of C, and conditions joined.

A backend has these words as it has rows such as exp, which are computed by no others; on floats they are functions too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan

from .row import Op

WORDS: list[Op] = []


def word(name: str, forward: Callable[..., float], arity: int = 1) -> Op:
    """A word of its own: what a backend calls `name` is no row's."""
    op = Op(name, forward, (nan,) * arity)
    WORDS.append(op)
    return op


def _rounded_as_c(rounding: Callable[[float], int]) -> Callable[[float], float]:
    """As C's: -0.5 rounds to -0."""
    return lambda x: math.copysign(float(rounding(x)), x) if -inf < x < inf else x


c_sqrt = word("sqrt", lambda x: math.sqrt(x) if x >= 0.0 else nan)
c_floor = word("floor", _rounded_as_c(math.floor))
c_ceil = word("ceil", _rounded_as_c(math.ceil))
c_trunc = word("trunc", _rounded_as_c(math.trunc))
rint = word("rint", _rounded_as_c(round))

# of conditions, numbers that are not 0 or nan
both = word("both", lambda c, d: 1.0 if c and d else 0.0, 2)
either = word("either", lambda c, d: 1.0 if c or d else 0.0, 2)
negate = word("negate", lambda c: 0.0 if c else 1.0)


def constant(x: object) -> bool:
    """Whether an argument of a core is a constant, of which Python may decide."""
    return x.__class__ is float
