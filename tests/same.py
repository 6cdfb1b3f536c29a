"""When two numbers of a test are the same; one nan is as good as another."""

from __future__ import annotations

import math


def same(x: float, y: float, rel: float = 0.0) -> bool:
    """Equal, infinities and nan included, or within a relative error."""
    return x == y or (x != x and y != y) or (rel > 0.0 and math.isclose(x, y, rel_tol=rel, abs_tol=0.0))


def same_bits(x: float, y: float) -> bool:
    """The same double, zeros of two signs told apart."""
    return (x != x and y != y) or (x == y and math.copysign(1.0, x) == math.copysign(1.0, y))
