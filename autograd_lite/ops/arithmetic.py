"""Rows of arithmetic: + - * / // % and fmod."""

from __future__ import annotations

import math
import operator
import sys
from math import inf, nan

from .choice import _choice, _taken, eq, ge, gt, le, lt, ne, where, zero
from .columns import Number, first, second
from .numerics import guarded_of_two
from .piecewise import abs, copysign, round_
from .row import Op, helper, publish, row
from .words import both, c_floor, constant, either, negate

add = row(
    "add", operator.add, (1.0, 1.0), symbol="+", edges=("1", "1"), roles=("first term", "second term"),
    exact=lambda mp, at, x, y: x + y, tame=True,
    doc="The sum of two.\n\n>>> add(1.0, 2.0)\n3.0",
)  # fmt: skip
sub = row(
    "sub", operator.sub, (1.0, -1.0), symbol="-", edges=("1", "-1"), roles=("first term", "second term"),
    exact=lambda mp, at, x, y: x - y, tame=True,
    doc="The difference of two.\n\n>>> sub(1.0, 2.0)\n-1.0",
)  # fmt: skip
mul = row(
    "mul", operator.mul, (second, first), symbol="*", edges=("y", "x"), roles=("first factor", "second factor"),
    exact=lambda mp, at, x, y: x * y, tame=True,
    doc="The product of two.\n\n>>> mul(2.0, 3.0)\n6.0",
)  # fmt: skip
neg = row(
    "neg", operator.neg, -1.0, symbol="-", edges="-1",
    exact=lambda mp, at, x: -x, tame=True,
    doc="The negative.\n\n>>> neg(2.0)\n-2.0",
)  # fmt: skip


def _div(x: float, y: float) -> float:
    try:
        return x / y
    except ZeroDivisionError:
        return nan if x == 0.0 or x != x else math.copysign(inf, x) * math.copysign(1.0, y)


_LEAST, _LARGEST = sys.float_info.min, sys.float_info.max


def _muldiv(x: float, y: float, z: float) -> float:
    product, size = x * y, math.fabs(x * y)
    first = size <= _LARGEST and (size >= _LEAST or math.fabs(x) >= 1.0 or y == 0.0)
    return _div(product, z) if first else _div(x, z) * y


def _muldiv_core(x: Number, y: Number, z: Number) -> Number:
    product, size = x * y, abs(x * y)
    if constant(y) and abs(y) in (0.0, 1.0):
        return div(product, z)
    kept = either(ge(size, _LEAST), ge(abs(x), 1.0))
    first = both(le(size, _LARGEST), kept if constant(y) else either(kept, eq(y, 0.0)))
    quotient = div(where(first, product, x), z)
    return where(first, quotient, quotient * y)


# x*y/z in the order that keeps clear of overflow and underflow: the reverse rule of a quotient needs it, and so does its own.
muldiv: Op = helper(
    "muldiv", _muldiv, core=_muldiv_core, partials=
    (lambda x, y, z, out: div(y, z), lambda x, y, z, out: div(x, z), lambda x, y, z, out: -div(out, z)),
    products=(lambda g, x, y, z, out: muldiv(g, y, z), lambda g, x, y, z, out: muldiv(g, x, z),
              lambda g, x, y, z, out: -muldiv(g, out, z)),
    text="x*y/z", symbol="*/",
    kinks="z = 0", edges=("y/z", "x/z", "-out/z"),
    exact=lambda mp, at, x, y, z: x * y / z,
    doc="x * y / z without overflow on the way.\n\n>>> muldiv(1e300, 1e300, 1e300)\n1e+300",
)  # fmt: skip
share: Op = helper(
    "share", lambda w, s: w * s if w else 0.0 if s == s else nan, (lambda x, y, out: y, lambda x, y, out: x),
    products=(lambda g, w, s, out: g * s, lambda g, w, s, out: _taken(g * w, ne(w, 0.0) + lt(abs(s), inf), True)),
    core=lambda w, s: where(eq(w, 0.0), where(eq(s, s), 0.0, nan), w * s), edges=("y", "x"), text="x*y",
    kinks="x = 0 and y is not finite",
    exact=lambda mp, at, w, s: w * s, pins=[((0.0, -inf), 0.0, (-inf, 0.0)), ((0.0, nan), nan, (nan, 0.0))], tame=True,
    doc="w times a score s, and 0 where w is 0 though s is infinite: what is certain not to be costs nothing.\n\n"
    ">>> share(0.0, -math.inf)\n0.0",
)  # fmt: skip
div: Op = row(
    "div", _div, (lambda x, y, z: div(1.0, y), lambda x, y, z: -div(z, y)),
    products=(lambda g, x, y, z: div(g, y), lambda g, x, y, z: -muldiv(g, z, y)),
    symbol="/", kinks="y = 0", roles=("numerator", "denominator"),
    edges=("1/y", "-out/y"),
    pins=[((1.0, 0.0), inf, (inf, -inf)), ((1.0, -0.0), -inf, (-inf, -inf)), ((0.0, 0.0), nan, (inf, nan))],
    exact=lambda mp, at, x, y: x / y,
    doc="The quotient; 1/0 is inf and 0/0 is nan.\n\n>>> div(1.0, 0.0)\ninf",
)  # fmt: skip


_mod = guarded_of_two(operator.mod, ZeroDivisionError)


def _floordiv(x: float, y: float) -> float:
    try:
        return x // y
    except ZeroDivisionError:
        return _div(x, y)


_fmod = guarded_of_two(math.fmod, ValueError)


def _opposite(x: Number, y: Number) -> Number:
    """Whether just one of two is below 0."""
    below_x, below_y = lt(x, 0.0), lt(y, 0.0)
    return both(either(below_x, below_y), negate(both(below_x, below_y)))


def _mod_core(x: Number, y: Number) -> Number:
    """C's remainder, moved by y where its sign is not y's."""
    rest = fmod(x, y)
    return where(eq(rest, 0.0), copysign(0.0, y), where(_opposite(rest, y), rest + y, rest))


def _floordiv_core(x: Number, y: Number) -> Number:
    """The quotient less its remainder is whole but for its rounding, which must not cost a unit."""
    rest = fmod(x, y)
    quotient = div(x - rest, y)
    quotient = where(both(ne(rest, 0.0), _opposite(rest, y)), quotient - 1.0, quotient)
    floor = c_floor(quotient)
    near = where(gt(quotient - floor, 0.5), floor + 1.0, floor)
    ratio = div(x, y)
    result = where(eq(quotient, 0.0), copysign(0.0, ratio), near)
    return where(eq(y, 0.0), ratio, result)


floordiv: Op = _choice(
    "floordiv", _floordiv, core=_floordiv_core, partials=(lambda x, y, z: zero(z), lambda x, y, z: zero(z)),
    symbol="//", kinks="x/y is whole", edges=("0", "0"),
    pins=[((7.0, 2.0), 3.0, (0.0, 0.0)), ((1.0, 0.0), inf, (0.0, 0.0))],
    exact=lambda mp, at, x, y: mp.floor(mp.mpf(at[0]) / at[1]),
    doc="The quotient rounded down.\n\n>>> floordiv(-7.0, 2.0)\n-4.0",
)  # fmt: skip
mod: Op = _choice(
    "mod", _mod, core=_mod_core, partials=(lambda x, y, z: zero(z) + 1.0, lambda x, y, z: zero(z) - floordiv(x, y)), symbol="%",
    kinks="x/y is whole", edges=("1", "-(x // y)"), example=(7.5, 2.0),
    pins=[((1.0, 0.0), nan, (nan, nan)), ((-1.0, inf), inf, (1.0, 1.0)), ((7.5, 2.0), 1.5, (1.0, -3.0))],
    exact=lambda mp, at, x, y: x - y * mp.floor(mp.mpf(at[0]) / at[1]),
    doc="The remainder with the sign of y, as Python's %.\n\n>>> mod(-7.0, 3.0)\n2.0",
)  # fmt: skip
fmod = _choice(
    "fmod", _fmod, partials=(lambda x, y, z: zero(z) + 1.0, lambda x, y, z: -round_(div(x - z, y), 0.0)),
    kinks="x/y is whole", edges=("1", "-trunc(x/y)"), example=(7.5, 2.0),
    pins=[((-7.5, 2.0), -1.5, (1.0, 3.0)), ((1.0, 0.0), nan, (nan, nan)), ((1.0, inf), 1.0, (1.0, 0.0))],
    exact=lambda mp, at, x, y: x - y * mp.sign(mp.mpf(at[0]) / at[1]) * mp.floor(mp.fabs(mp.mpf(at[0]) / at[1])),
    doc="The remainder with the sign of x, as math.fmod.\n\n>>> fmod(-7.0, 3.0)\n-1.0",
)  # fmt: skip


_remainder = guarded_of_two(math.remainder, ValueError)


def _remainder_core(x: Number, y: Number) -> Number:
    """From the remainder of the sizes: that, its distance to y, or at half way the even one; each step is exact."""
    size, step = abs(x), abs(y)
    rest = fmod(size, step)
    left = step - rest
    half_way = rest - 2.0 * fmod(0.5 * (size - rest), step)
    return copysign(1.0, x) * where(lt(rest, left), rest, where(gt(rest, left), -left, half_way))


remainder: Op = _choice(
    "remainder", _remainder, core=_remainder_core, partials=
    (lambda x, y, z: zero(z) + 1.0, lambda x, y, z: -round_(div(x - z, y), 0.0)),
    kinks="x/y is half way",
    exact=lambda mp, at, x, y: x - y * mp.nint(mp.mpf(at[0]) / at[1]), edges=("1", "-round(x/y)"),
    example=(7.5, 2.0),
    pins=[((5.0, 2.0), 1.0, (1.0, -2.0)), ((1.0, 0.0), nan, (nan, nan)), ((1.0, inf), 1.0, (1.0, 0.0))],
    doc="x less the multiple of y nearest to it, as math.remainder.\n\n>>> remainder(8.0, 3.0)\n-1.0",
)  # fmt: skip


def _fma(x: float, y: float, z: float) -> float:
    product = x * y
    if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(z)):
        return product + z
    from fractions import Fraction  # slow to import

    total = Fraction(x) * Fraction(y) + Fraction(z)
    if not total:
        return product + z
    try:
        return float(total)
    except OverflowError:
        return inf if total > 0 else -inf


def _two_sum(x: Number, y: Number) -> tuple[Number, Number]:
    """A sum and what its rounding lost, exactly (Knuth)."""
    total = x + y
    of_y = total - x
    return total, (x - (total - of_y)) + (y - of_y)


def _halves(x: Number) -> tuple[Number, Number]:
    """The high and the low half of the digits (Veltkamp)."""
    spread = 134217729.0 * x
    high = spread - (spread - x)
    return high, x - high


def _two_product(x: Number, y: Number) -> tuple[Number, Number]:
    """A product and what its rounding lost, exactly (Dekker), where nothing on the way overflows."""
    product, (a, b), (c, d) = x * y, _halves(x), _halves(y)
    return product, (a * c - product) + a * d + b * c + b * d


def _fma_fast(x: Number, y: Number, z: Number) -> Number:
    product, rest = _two_product(x, y)
    total, lost = _two_sum(product, z)
    lost = lost + rest
    return where(lt(abs(lost), inf), total + lost, total)


fma = row(
    "fma", _fma, (lambda x, y, z, out: y, lambda x, y, z, out: x, 1.0), fast=_fma_fast, exact=lambda mp, at, x, y, z: x * y + z,
    text="x*y + z", edges=("y", "x", "1"), tame=True,
    doc="x y + z, rounded once, as math.fma.\n\n>>> fma(0.1, 10.0, -1.0)\n5.551115123125783e-17",
)  # fmt: skip

publish(globals())
