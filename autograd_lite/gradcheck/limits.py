"""Derivatives at points without neighbours, infinite ones and poles: what the slopes on the way there tend to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from math import inf, isfinite, isinf

from ..numerical.derivative import numerical_derivative
from .subject import CheckedFunction, Vector
from .verdict import STRONG

FAR = (3, 5, 7, 9, 20, 60, 200, 500)  # exponents of two of what stands for an infinite argument, one after another
NEAR = (3, 6, 10, 15, 20, 30, 40, 100, 300, 500)  # and, negative, of distances from a pole, in units of the point
FINEST = 40  # of these, where the point itself is not 0
LARGE = 2.0**10  # a limit is 0 or infinite where slopes fall or grow by so much
ENOUGH = 3  # slopes that must agree


def agrees_in_the_limit(
    engine: float, subject: CheckedFunction, g: Callable[[tuple[float, ...]], float], direction: Vector, rtol: float
) -> str:
    """Why an engine's derivative of `g` along a direction is right at a point where `g` has no difference quotient.

    It is where the slopes at points on the way there tend to it; or it is nan, and those of the two sides to infinities of
    different sign; or it is 0, and `g` is a number where its argument is nan, so that it does not depend on it.  Empty where
    nothing can be said.  A limit that differs is no proof of a fault: the slopes may turn beyond what was looked at.
    """
    point = subject.point
    moving = [i for i, d in enumerate(direction) if d]
    if any(x != x for x in point):
        free = engine == 0.0 and all(point[i] != point[i] for i in moving) and _value(g, point) == _value(g, point)
        return "its value where the argument is nan is a number: it does not depend on it" if free else ""
    trust = STRONG * rtol * abs(engine) if engine and isfinite(engine) else inf
    paths = [_slopes_on_the_way(subject, g, direction, way, trust) for way in _ways(point, moving)]
    if engine != engine:
        return "its slopes tend to infinities of different sign" if {-inf, inf} == set(map(_infinite, paths)) else ""
    return "the slopes on the way there tend to it" if any(_tends(path, engine, trust) for path in paths) else ""


def _value(g: Callable[[tuple[float, ...]], float], point: tuple[float, ...]) -> float:
    try:
        return g(point)
    except (ArithmeticError, ValueError):
        return math.nan


def _ways(point: tuple[float, ...], moving: Sequence[int]) -> Iterator[list[tuple[float, ...]]]:
    """Ways to the point: with ever larger numbers for infinite ones, or toward a pole from either side."""
    if any(map(isinf, point)):
        yield [tuple(math.copysign(2.0**e, x) if isinf(x) else x for x in point) for e in FAR]
        return
    largest = max(abs(point[i]) for i in moving)
    steps = [2.0**-e * max(largest, 1.0) for e in NEAR if 2.0**-e * max(largest, 1.0) >= 2.0**-FINEST * largest]
    for side in (1.0, -1.0):
        yield [tuple(x + side * h if i in moving else x for i, x in enumerate(point)) for h in steps]


def _slopes_on_the_way(
    subject: CheckedFunction, g: Callable[[tuple[float, ...]], float], direction: Vector, way: Sequence[tuple[float, ...]],
    trust: float,
) -> list[float]:  # fmt: skip
    """The first slope on a way and the last few; those that the values of `g` show to within an error of `trust`."""

    def known(points: Iterable[tuple[float, ...]]) -> Iterator[float]:
        for at in points:
            found = numerical_derivative(*subject.along(g, direction, at), fast=any(map(isinf, subject.point)))
            if isfinite(found.value) and isfinite(found.error) and found.error <= trust:
                yield found.value

    last = list(islice(known(reversed(way)), ENOUGH))[::-1]
    return [*islice(known(way), 1), *last] if len(last) == ENOUGH else []


def _infinite(slopes: Sequence[float]) -> float:
    """The infinity that slopes tend to; 0 where it is none."""
    sizes = list(map(abs, slopes))
    if not slopes or sizes != sorted(sizes) or sizes[-1] <= LARGE * sizes[0]:
        return 0.0
    return inf if min(slopes) > 0.0 else -inf if max(slopes) < 0.0 else 0.0


def _tends(slopes: Sequence[float], engine: float, trust: float) -> bool:
    """Whether slopes tend to a number: to 0 they fall all the way, and at any other the last ones stand."""
    if isinf(engine) or not slopes:
        return isinf(engine) and _infinite(slopes) == engine
    if engine == 0.0:
        sizes = list(map(abs, slopes))
        return sizes == sorted(sizes, reverse=True) and LARGE * sizes[-1] <= sizes[0]
    return all(abs(slope - engine) <= 2.0 * trust for slope in slopes[1:])
