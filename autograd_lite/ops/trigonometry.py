"""Rows of circular and hyperbolic functions, their inverses, and lengths and angles.

``unit(x, y) = x / hypot(x, y)`` carries hypot, atan2, asinh and the second derivative of atan: it neither overflows at
1e200 nor loses the digits of 1 - u*u, because du = w (w dx - u dy) / h.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from math import inf, nan

from ..errors import InputValueError
from .arithmetic import add, div, mul, sub
from .choice import eq, gt, identity, lt, where, zero
from .columns import INDEX, MANY, Interval, Number
from .numerics import guarded
from .piecewise import abs, copysign, sign
from .powers import exp, inverse, sqrt, square
from .row import Op, composed, helper, publish, row
from .words import c_sqrt

UNIT = Interval(-1.0, 1.0)


# -- circular ---------------------------------------------------------------------------------------------------------

sin = row(
    "sin", guarded(math.sin), lambda x, z: cos(x), latex=r"\sin {0}", edges="cos(x)", pins=[((inf,), nan, (nan,))],
    exact="sin", tame=True, waves=True,
    doc="The sine of x radians.\n\n>>> sin(0.0)\n0.0",
)  # fmt: skip
cos: Op = row(
    "cos", guarded(math.cos), lambda x, z: -sin(x), latex=r"\cos {0}", edges="-sin(x)", pins=[((inf,), nan, (nan,))],
    exact="cos", tame=True, waves=True,
    doc="The cosine of x radians.\n\n>>> cos(0.0)\n1.0",
)  # fmt: skip
tan = row(
    "tan", guarded(math.tan), lambda x, z: 1.0 + z * z, latex=r"\tan {0}", edges="1 + out**2",
    kinks="x = π/2 + kπ",
    exact="tan", tame=True,
    doc="The tangent of x radians.\n\n>>> tan(0.0)\n0.0",
)  # fmt: skip
# (1-x)(1+x), whose derivative -2x would be lost in the difference of the two factors' slopes
co_square = helper(
    "co_square", lambda x: (1.0 - x) * (1.0 + x), lambda x, z: -2.0 * x, core=lambda x: (1.0 - x) * (1.0 + x),
    text="1 - x**2",
    edges="-2*x",
    exact=lambda mp, at, x: 1 - x * x, tame=True,
    doc="1 - x*x, exact near 1.\n\n>>> co_square(0.5)\n0.75",
)  # fmt: skip
asin = row(
    "asin", guarded(math.asin), lambda x, z: div(1.0, sqrt(co_square(x))), latex=r"\arcsin {0}", domain=(UNIT,),
    kinks=("x = -1", "x = 1"), edges="1/sqrt(1 - x**2)", pins=[((1.0,), math.pi / 2, (inf,)), ((2.0,), nan, (nan,))],
    exact="asin",
    doc="The angle in [-π/2, π/2] whose sine is x.\n\n>>> asin(0.0)\n0.0",
)  # fmt: skip
acos = row(
    "acos", guarded(math.acos), lambda x, z: div(-1.0, sqrt(co_square(x))), latex=r"\arccos {0}", domain=(UNIT,),
    kinks=("x = -1", "x = 1"), edges="-1/sqrt(1 - x**2)", pins=[((1.0,), 0.0, (-inf,)), ((2.0,), nan, (nan,))],
    exact="acos",
    doc="The angle in [0, π] whose cosine is x.\n\n>>> acos(1.0)\n0.0",
)  # fmt: skip


def _atan_derivative(x: float) -> float:
    return 1.0 / (1.0 + x * x) if -1e150 < x < 1e150 else 1.0 / x / x


def _atan_derivative_core(x: Number) -> Number:
    return where(lt(abs(x), 1e150), 1.0 / (1.0 + x * x), 1.0 / x / x)


atan_derivative = helper(
    "atan_derivative", _atan_derivative, core=_atan_derivative_core,
    partials=lambda x, z: -2.0 * z * (unit(x, 1.0) * unit(1.0, x)),
    text="1/(1 + x**2)", edges="-2*x/(1 + x**2)**2", pins=[((inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: 1 / (1 + x * x), tame=True,
    doc="1 / (1 + x*x), the derivative of atan.\n\n>>> atan_derivative(1.0)\n0.5",
)  # fmt: skip
atan = row(
    "atan", math.atan, lambda x, z: atan_derivative(x), latex=r"\arctan {0}", edges="1/(1 + x**2)",
    pins=[((inf,), math.pi / 2, (0.0,)), ((-inf,), -math.pi / 2, (0.0,))],
    exact="atan", tame=True,
    doc="The angle in [-π/2, π/2] whose tangent is x.\n\n>>> atan(0.0)\n0.0",
)  # fmt: skip

# -- lengths and angles -----------------------------------------------------------------------------------------------


def _directions(items: Sequence[float]) -> list[float]:
    """Each item over the length of all."""
    if any(x != x for x in items):
        return [nan] * len(items)
    infinite = sum(map(math.isinf, items))
    if infinite:
        return [0.0 if not math.isinf(x) else math.copysign(1.0, x) if infinite == 1 else nan for x in items]
    largest = max(map(math.fabs, items))
    if not largest:
        return [0.0] * len(items)
    scale = -math.frexp(largest)[1]  # a power of two: exact, and the length neither overflows nor turns denormal
    scaled = [math.ldexp(x, scale) for x in items]
    squares = (x * x for x in scaled)  # to the bits of what is compiled, which the built-in sum has not as of CPython 3.12
    length = math.sqrt(reduce(operator.add, squares)) if 2 < len(scaled) <= MANY else math.hypot(*scaled)
    return [x / length for x in scaled]


def _unit(x: float, y: float) -> float:
    return _directions((x, y))[0]


def _all_directions(items: Sequence[Number]) -> list[Number]:
    """The partials of hypot: of two items, or of more that share their length."""
    if len(items) == 2:
        x, y = items
        return [unit(x, y), unit(y, x)]
    if all(x.__class__ is float for x in items):
        return _directions(items)
    if len(items) > MANY:
        return _many_directions(items)
    return [direction(float(i), *items) for i in range(len(items))]


# the value of one, the slopes of another
_with_slopes = Op("with_slopes", lambda value, slopes: value, (0.0, 1.0), text="{0}", latex="{0}", edges=("0", "1"))
_with_slopes.plain = identity


def _many_directions(items: Sequence[Number]) -> list[Number]:
    """The same, n of them in n nodes: by ``x/h`` for all but the largest item, and for that by the ratios of the others to it,
    as its ``1 - (x/h)²`` would cancel.
    """
    largest = _largest(items)
    scaled = [x * scale for scale in (_scale_of(largest),) for x in items]
    top, size, lead = scaled[0], abs(scaled[0]), 0.0
    for i, x in enumerate(scaled[1:], 1):
        higher = gt(abs(x), size)
        top, size, lead = where(higher, x, top), where(higher, abs(x), size), where(higher, float(i), lead)
    h, is_lead = hypot(*scaled), [eq(lead, float(i)) for i in range(len(items))]
    ratios = [where(is_top, zero(x), div(x, top)) for is_top, x in zip(is_lead, scaled, strict=True)]
    slopes = div(sign(top), sqrt(reduce(add, [r * r for r in ratios], 1.0)))
    of_top = _with_slopes(div(top, h), slopes)
    inside, alone = lt(largest, inf), eq(reduce(add, [eq(abs(x), inf) for x in items]), 1.0)
    nothing = reduce(add, map(zero, items))
    at_inf = [where(eq(abs(x), inf), where(alone, sign(x), nan), 0.0) + nothing for x in items]
    found = [where(is_top, of_top, div(x, h)) for is_top, x in zip(is_lead, scaled, strict=True)]
    found = [where(gt(h, 0.0), d, _with_slopes(nothing, div(x, h))) for d, x in zip(found, scaled, strict=True)]
    return [where(inside, d, far) for d, far in zip(found, at_inf, strict=True)]


def _turn(items: Sequence[Number], i: int, out: Number) -> list[Number]:
    """The partials of item i over the length; 0 at infinity, and nan at the origin, where they have no limit."""
    h = hypot(*items)
    inside, nothing, opposite = lt(h, inf), zero(out), -out
    found = _all_directions(items)
    # each slope before its second factor, whose square may underflow; all that many items share is there once
    over = [where(inside, div(w, h), nothing) for w in found]
    squares = [d * w for d, w in zip(over, found, strict=True)]
    own = [reduce(add, part) for part in (squares[:i], squares[:i:-1]) if part]
    return [where(inside, reduce(add, own, 0.0), nothing) if j == i else d * opposite for j, d in enumerate(over)]


_FAR, _SCALE = 2.0**500, 2.0**600  # beyond 2^+-500 squares come near the ends of the range


def _scaled_squares(args: Sequence[Number]) -> tuple[Number, Number, Number]:
    """The largest size (nan passed over), a power of two that brings it near 1, and the sum of the scaled squares."""
    largest = _largest(args)
    scale = _scale_of(largest)
    scaled = [v * scale for v in args]
    return largest, scale, reduce(operator.add, [v * v for v in scaled])


def _scale_of(largest: Number) -> Number:
    return where(gt(largest, _FAR), 1.0 / _SCALE, where(lt(largest, 1.0 / _FAR), _SCALE, 1.0))


def _largest(args: Sequence[Number]) -> Number:
    return reduce(lambda largest, size: where(gt(size, largest), size, largest), map(abs, args), 0.0)


def _length_parts(items: Sequence[Number]) -> tuple[Number, ...]:
    """What all directions of some items share: the largest size, a power of two, the sum of squares, how many are infinite."""
    return (*_scaled_squares(items), reduce(add, [eq(abs(v), inf) for v in items]))


def _direction_of(x: Number, largest: Number, scale: Number, squares: Number, infinite: Number) -> Number:
    """One item over the length of all, by their `_length_parts`."""
    far = gt(largest, _FAR)  # scaled down only after the division, or a small x would be lost
    ratio = div(x * where(far, 1.0, scale), sqrt(squares)) * where(far, scale, 1.0)
    at_inf = where(lt(abs(x), inf), 0.0, where(eq(infinite, 1.0), copysign(1.0, x), nan))
    return where(eq(squares, 0.0), 0.0, where(eq(squares, inf), at_inf, ratio))


def _direction_fast(index: float, *items: Number) -> Number:
    return _direction_of(items[int(index)], *_length_parts(items))


def _hypot_fast(*args: Number) -> Number:
    if len(args) <= 1:
        return abs(*args) if args else NotImplemented
    largest, scale, squares = _scaled_squares(args)
    return where(eq(largest, inf), inf, div(c_sqrt(squares), scale))


unit: Op = helper(
    "unit", _unit, (lambda x, y, z: _turn((x, y), 0, z)[0], lambda x, y, z: _turn((x, y), 0, z)[1]),
    fast=lambda x, y: _direction_fast(0.0, x, y), text="x/hypot(x, y)", kinks="all are 0",
    edges=("(1 - out**2)/hypot(x, y)", "-out*y/hypot(x, y)**2"),
    pins=[((inf, 1.0), 1.0, (0.0, 0.0)), ((1.0, inf), 0.0, (0.0, 0.0)), ((0.0, 0.0), 0.0, (nan, nan))],
    exact=lambda mp, at, x, y: x / mp.hypot(x, y), tame=True,
    doc="The first of two over the length of both: the partial of hypot.\n\n>>> unit(3.0, 4.0)\n0.6",
)  # fmt: skip
direction: Op = helper(
    "direction", lambda index, *items: _directions(items)[int(INDEX.checked(index, "a direction", len(items)))],
    partials=lambda args, out: [nan, *_turn(args[1:], int(args[0]), out)],
    fast=_direction_fast, settings={0: INDEX}, variadic=True, text="direction({rest})[{0}]",
    latex=r"\operatorname{{direction}}_{{{0}}}\left({rest}\right)", edges=(None, "(1 - out**2)/norm", "-out*item/norm**2"),
    kinks="all are 0",
    exact=lambda mp, at, index, *items: items[int(index)] / mp.sqrt(mp.fsum(v * v for v in items)), tame=True,
    doc="The item at the index given first over the length of all after it: the partial of hypot.\n\n"
    ">>> direction(1, 2.0, 3.0, 6.0) * 7.0\n3.0",
)  # fmt: skip
hypot = row(
    "hypot", math.hypot, lambda args, out: _all_directions(args), variadic=True,
    fast=_hypot_fast,
    latex=r"\sqrt{{{squares}}}", kinks="all are 0", edges="item/out",
    pins=[((0.0, 0.0), 0.0, (0.0, 0.0)), ((inf, 1.0), inf, (1.0, 0.0)), ((3e200, 4e200), 5e200, (0.6, 0.8)),
          ((3e-200, 4e-200), 5e-200, (0.6, 0.8))],
    exact=lambda mp, at, *args: mp.sqrt(mp.fsum(v * v for v in args)), tame=True,
    doc="The length of a vector given by its coordinates, any number of them; at 0 its slopes are 0 and theirs nan: for the\n"
    "square of a length write the sum of squares.\n\n>>> hypot(3.0, 4.0)\n5.0",
)  # fmt: skip
# as `co_square`: the slopes would be lost in the difference of the two factors' slopes
square_difference = helper(
    "square_difference", lambda x, y: (x - y) * (x + y), (lambda x, y, z: 2.0 * x, lambda x, y, z: -2.0 * y),
    core=lambda x, y: (x - y) * (x + y), text="x**2 - y**2", edges=("2*x", "-2*y"),
    exact=lambda mp, at, x, y: x * x - y * y, tame=True,
    doc="x*x - y*y, exact near x = y.\n\n>>> square_difference(3.0, 2.0)\n5.0",
)  # fmt: skip


def _over_length(g: Number, x: Number, y: Number) -> Number:
    """``g / (x^2 + y^2)`` in two steps: it overflows only where it must, and 0 stays 0."""
    h = hypot(x, y)
    return div(div(g, h), h)


# x/(x^2 + y^2), the partial of atan2
over_square: Op = helper(
    "over_square", lambda x, y: div.forward(_unit(x, y), math.hypot(x, y)),
    (lambda x, y, z: _over_length(square_difference(unit(y, x), unit(x, y)), x, y),
     lambda x, y, z: _over_length(-2.0 * unit(x, y) * unit(y, x), x, y)),
    core=lambda x, y: div(unit(x, y), hypot(x, y)), exact=lambda mp, at, x, y: x / (x * x + y * y), kinks="all are 0",
    text="x/(x**2 + y**2)",
    edges=("(y**2 - x**2)/(x**2 + y**2)**2", "-2*x*y/(x**2 + y**2)**2"), pins=[((1.0, inf), 0.0, (0.0, 0.0))],
    doc="x / (x*x + y*y), the partial of atan2.\n\n>>> over_square(3.0, 4.0)\n0.12",
)  # fmt: skip
atan2 = row(
    "atan2", math.atan2,
    (lambda y, x, z: over_square(x, y), lambda y, x, z: -over_square(y, x)),
    latex=r"\operatorname{{atan2}}\left({0}, {1}\right)", edges=("y/(x**2 + y**2)", "-x/(x**2 + y**2)"),
    kinks="y = 0 and x <= 0",
    pins=[((0.0, 0.0), 0.0, (nan, nan)), ((1e200, 1e200), math.pi / 4, (5e-201, -5e-201))],
    exact="atan2", tame=True,
    doc="The angle of the point (x, y), given y first as in math.\n\n>>> atan2(0.0, 1.0)\n0.0",
)  # fmt: skip


@composed
def degrees(x: Number) -> Number:
    """Radians to degrees: ``x * (180 / pi)``.

    >>> degrees(math.pi)
    180.0
    """
    return mul(x, 180.0 / math.pi)


@composed
def radians(x: Number) -> Number:
    """Degrees to radians: ``x * (pi / 180)``.

    >>> radians(180.0)
    3.141592653589793
    """
    return mul(x, math.pi / 180.0)


def _sinh(x: float) -> float:
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(inf, x)


def _sech2(x: float) -> float:
    e = math.exp(-2.0 * math.fabs(x))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


sinh = row(
    "sinh", _sinh, lambda x, z: cosh(x), latex=r"\sinh {0}", edges="cosh(x)", pins=[((-1000.0,), -inf, (inf,))],
    exact="sinh",
    doc="The hyperbolic sine.\n\n>>> sinh(0.0)\n0.0",
)  # fmt: skip
cosh: Op = row(
    "cosh", guarded(math.cosh, OverflowError, inf), lambda x, z: sinh(x), latex=r"\cosh {0}", edges="sinh(x)",
    pins=[((-1000.0,), inf, (-inf,))],
    exact="cosh",
    doc="The hyperbolic cosine.\n\n>>> cosh(0.0)\n1.0",
)  # fmt: skip


def _sech2_core(x: Number) -> Number:
    e = exp(-2.0 * abs(x))
    return div(4.0 * e, square(1.0 + e))


# tanh(x) = x + x^3 P(x^2)/Q(x^2) where |x| is below 5/8; Moshier, Cephes Math Library, tanh.c
_TANH_P = (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3)
_TANH_Q = (1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3)


def _horner(coefficients: Sequence[float], x: Number) -> Number:
    """By Horner's rule, the highest power first."""
    return reduce(lambda total, c: total * x + c if total != 1.0 else x + c, coefficients)


def _tanh_fast(x: Number) -> Number:
    """From the exponential that its slope needs as well, with one division and no call of its own."""
    e, squared = exp(-2.0 * abs(x)), square(x)
    small = lt(abs(x), 0.625)
    above = where(small, x * squared * _horner(_TANH_P, squared), copysign(1.0 - e, x))
    quotient = div(above, where(small, _horner(_TANH_Q, squared), 1.0 + e))
    return where(small, x + quotient, quotient)


sech2 = helper(
    "sech2", _sech2, lambda x, z: -2.0 * tanh(x) * z, core=_sech2_core, text="sech²({0})", latex=r"\operatorname{{sech}}^2 {0}",
    edges="-2*tanh(x)*out", pins=[((inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: mp.sech(x) ** 2, tame=True,
    doc="1 - tanh(x)**2 without the cancellation: the derivative of tanh.\n\n>>> sech2(0.0)\n1.0",
)  # fmt: skip
tanh: Op = row(
    "tanh", math.tanh, lambda x, z: sech2(x), fast=_tanh_fast, latex=r"\tanh {0}", edges="1 - out**2",
    pins=[((inf,), 1.0, (0.0,)), ((-inf,), -1.0, (0.0,))],
    exact="tanh", tame=True,
    doc="The hyperbolic tangent.\n\n>>> tanh(0.0)\n0.0",
)  # fmt: skip
asinh = row(
    "asinh", math.asinh, lambda x, z: unit(1.0, x), latex=r"\operatorname{{arsinh}} {0}", edges="1/sqrt(x**2 + 1)",
    pins=[((inf,), inf, (0.0,))],
    exact="asinh", tame=True,
    doc="The inverse of sinh.\n\n>>> asinh(0.0)\n0.0",
)  # fmt: skip
acosh = row(
    "acosh", guarded(math.acosh), lambda x, z: div(div(1.0, sqrt(x - 1.0)), sqrt(x + 1.0)),
    latex=r"\operatorname{{arcosh}} {0}", domain=(Interval(1.0, inf),), kinks="x = 1",
    edges="1/sqrt(x**2 - 1)", pins=[((1.0,), 0.0, (inf,)), ((0.5,), nan, (nan,))],
    exact="acosh",
    doc="The inverse of cosh, for x >= 1.\n\n>>> acosh(1.0)\n0.0",
)  # fmt: skip


def _atanh(x: float) -> float:
    if -1.0 < x < 1.0:
        return math.atanh(x)
    return math.copysign(inf, x) if x in (-1.0, 1.0) else nan


atanh = row(
    "atanh", _atanh, lambda x, z: inverse(co_square(x)), latex=r"\operatorname{{artanh}} {0}",
    domain=(Interval(-1.0, 1.0, open=True),), kinks=("x = -1", "x = 1"), edges="1/(1 - x**2)",
    pins=[((1.0,), inf, (inf,)), ((-1.0,), -inf, (inf,)), ((2.0,), nan, (nan,))],
    exact="atanh",
    doc="The inverse of tanh, for |x| < 1.\n\n>>> atanh(0.0)\n0.0",
)  # fmt: skip


@composed
def dist(p: Iterable[Number], q: Iterable[Number]) -> Number:
    """The distance of two points given by their coordinates, as in math: ``hypot(p1 - q1, p2 - q2, ...)``.

    >>> dist([1.0, 2.0], [4.0, 6.0])
    5.0

    Raises InputValueError for points of several dimensions.
    """
    p, q = tuple(p), tuple(q)
    if len(p) != len(q):
        raise InputValueError(f"dist() of {len(p)} and {len(q)} coordinates: give both the same number")
    return hypot(*map(sub, p, q))


publish(globals())
