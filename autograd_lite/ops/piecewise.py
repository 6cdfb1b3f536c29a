"""Rows made of pieces: signs and steps, rounding, the larger, the smaller, the clamped."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import copysign as _copysign
from math import inf, nan
from typing import TYPE_CHECKING, cast, overload

from .. import context
from .choice import _choice, _flat, eq, ge, gt, le, lt, where, zero
from .columns import DIGITS, Kink, Number
from .row import TABLE, Op, composed, enter, helper, publish, row
from .words import both, c_ceil, c_floor, c_trunc, constant, either, rint

if TYPE_CHECKING:
    from ..value import Value

# -- signs and steps --------------------------------------------------------------------------------------------------


def _sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x + 0.0  # 0 for either zero, nan for nan


sign = _flat(
    "sign", _sign, core=lambda x: where(gt(x, 0.0), 1.0, where(lt(x, 0.0), -1.0, x + 0.0)), kinks="x = 0",
    latex=r"\operatorname{{sgn}} {0}",
    pins=[((0.0,), 0.0, (0.0,)), ((nan,), nan, (nan,))],
    exact=lambda mp, at, x: mp.sign(at[0]),
    doc="-1, 0 or 1 with the sign of x, as in NumPy.\n\n>>> sign(-2.5)\n-1.0",
)  # fmt: skip


def _heaviside(x: float, at_zero: float) -> float:
    return 1.0 if x > 0.0 else 0.0 if x < 0.0 else at_zero if x == 0.0 else nan


def _heaviside_core(x: Number, at_zero: Number) -> Number:
    if constant(at_zero) and at_zero.hex() == "0x0.0p+0":
        return where(gt(x, 0.0), 1.0, where(le(x, 0.0), 0.0, nan))
    return where(gt(x, 0.0), 1.0, where(lt(x, 0.0), 0.0, where(eq(x, 0.0), at_zero, nan)))


heaviside = _choice(
    "heaviside", _heaviside, core=_heaviside_core, partials= (lambda x, h, z: zero(x), lambda x, h, z: eq(x, 0.0)),
    kinks="x = 0", edges=("0", "x == 0"),
    pins=[((0.0, 0.5), 0.5, (0.0, 1.0)), ((nan, 0.5), nan, (nan, 0.0))],
    exact=lambda mp, at, x, h: mp.mpf(at[0] > 0) if at[0] else h, tame=True,
    doc="0 left of 0, 1 right of it, `at_zero` there, as in NumPy.\n\n"
    ">>> heaviside(-1.0, 0.5), heaviside(0.0, 0.5)\n(0.0, 0.5)",
)  # fmt: skip
abs = row(
    "abs", math.fabs, lambda x, z: sign(x), kinks="x = 0", text="|{0}|", latex=r"\left|{0}\right|", edges="sign(x)",
    pins=[((0.0,), 0.0, (0.0,)), ((-0.0,), 0.0, (0.0,)), ((nan,), nan, (nan,)), ((-inf,), inf, (-1.0,))],
    exact=lambda mp, at, x: x * mp.sign(at[0]), tame=True,
    doc="Absolute value; slope 0 at the kink, and so is every slope of that slope: at 0 the second derivative of abs(x)**2 is "
    "0, and that of x**2 is 2.\n\n>>> abs(-2.0)\n2.0",
)  # fmt: skip
copysign: Op = row(
    "copysign", _copysign, (lambda x, y, z: sign(x) * copysign(1.0, y), 0.0),
    kinks=("x = 0", "y = 0"),
    edges=("sign(x)*copysign(1, y)", "0"), pins=[((0.0, -3.0), -0.0, (0.0, 0.0)), ((2.0, -3.0), -2.0, (-1.0, 0.0))],
    exact=lambda mp, at, x, y: mp.sign(at[0]) * x * (1 if _copysign(1.0, at[1]) > 0 else -1), tame=True,
    doc="The size of x with the sign of y, as in math.\n\n>>> copysign(2.0, -3.0)\n-2.0",
)  # fmt: skip

# -- rounding ---------------------------------------------------------------------------------------------------------


def _rounded(rounding: Callable[[float], int]) -> Callable[[float], float]:
    """Python's roundings go through int, which has no -0."""

    def forward(x: float) -> float:
        return float(rounding(x)) if -inf < x < inf else x

    return forward


_STEP_PINS = [((1.0,), 1.0, (0.0,)), ((inf,), inf, (0.0,)), ((nan,), nan, (nan,))]
floor = _flat(
    "floor", _rounded(math.floor), core=lambda x: c_floor(x) + 0.0, kinks="x is whole",
    latex=r"\lfloor {0} \rfloor", pins=_STEP_PINS,
    exact=lambda mp, at, x: mp.floor(at[0]),
    doc="The largest whole number not above x, as a float.\n\n>>> floor(-0.5)\n-1.0",
)  # fmt: skip
ceil = _flat(
    "ceil", _rounded(math.ceil), core=lambda x: c_ceil(x) + 0.0, kinks="x is whole", latex=r"\lceil {0} \rceil",
    pins=_STEP_PINS,
    exact=lambda mp, at, x: mp.ceil(at[0]),
    doc="The smallest whole number not below x, as a float.\n\n>>> ceil(1.5)\n2.0",
)  # fmt: skip
trunc = _flat(
    "trunc", _rounded(math.trunc), core=lambda x: c_trunc(x) + 0.0, kinks="x is whole", pins=_STEP_PINS,
    exact=lambda mp, at, x: mp.sign(at[0]) * mp.floor(abs(at[0])),
    doc="The whole part of x, toward 0, as a float.\n\n>>> trunc(-1.5)\n-1.0",
)  # fmt: skip


def _round(x: float, digits: float) -> float:
    if not -inf < digits < inf:
        return nan if digits != digits else x if digits > 0.0 else 0.0 * x
    try:
        return float(round(x, int(digits))) if -inf < x < inf else x
    except OverflowError:  # Python's word for a result beyond the largest float
        return _copysign(inf, x)


round_ = _choice(
    "round", _round, partials=(lambda x, n, z: zero(z), 0.0), defaults=(0.0,),
    settings={1: DIGITS}, core=lambda x, n: rint(x) if constant(n) and -1.0 < n < 1.0 else NotImplemented,
    kinks=(Kink("x is half way", lambda x, n: abs(n) < 300.0 and abs((x * 10.0**n) % 1.0 - 0.5) < 1e-9),), edges=("0", None),
    pins=[((0.5, 0.0), 0.0, (0.0, 0.0)), ((nan, 0.0), nan, (nan, 0.0))],
    exact=lambda mp, at, x, n: mp.nint(at[0] * mp.mpf(10) ** n) / mp.mpf(10) ** n, tame=True,
    doc="x to n decimals, halves to even, as Python's round.\n\n>>> round_(2.5), round_(2.675, 1)\n(2.0, 2.7)",
)  # fmt: skip

# -- the larger, the smaller, the clamped -----------------------------------------------------------------------------


def _difference(x: float, y: float) -> float:
    return 0.0 if x == y else x - y


difference = helper(
    "difference", _difference, (1.0, -1.0), core=lambda x, y: where(eq(x, y), 0.0, x - y), symbol="-", text="x - y",
    edges=("1", "-1"),
    pins=[((inf, inf), 0.0, (1.0, -1.0))],
    exact=lambda mp, at, x, y: x - y, tame=True,
    doc="x - y, and 0 where they are equal, infinities too.\n\n>>> difference(5.0, 3.0)\n2.0",
)  # fmt: skip


def _maximum(x: float, y: float) -> float:
    return x if x > y else y if y >= x else nan


def _minimum(x: float, y: float) -> float:
    return x if x < y else y if y <= x else nan


def _extreme_core(beyond: Op, at_least: Op, x: Number, y: Number) -> Number:
    """The one that lies beyond the other, by the relation and its weak form; nan where either is."""
    if constant(x) and x == x:
        return where(beyond(x, y), x, y)
    if constant(y) and y == y:
        return where(at_least(y, x), y, x)
    return where(beyond(x, y), x, where(at_least(y, x), y, nan))


class _Extreme(Op):
    """`maximum` and `minimum`, which know how many items tie in an operand that is one of them already: all share equally."""

    tied: Op

    if not TYPE_CHECKING:

        def __call__(self, *args: Number) -> Number:  # its types are those of `Op`
            if len(args) == 2:
                traced = context.trace() is not None
                m, n = self._items(args[0], traced), self._items(args[1], traced)
                if m.__class__ is not float or n.__class__ is not float or m + n > 2.0:
                    return self.tied(*args, m, n)
            return super().__call__(*args)

        def _items(self, a: Number, traced: bool) -> Number:
            """How many items tie in an operand; a node while a program is traced, where they may or may not."""
            op = getattr(a, "op", None)
            if op is self:
                return 1.0 + (eq(a._a, a._b) if traced else eq.forward(a._x, a._y))
            if op is not self.tied:
                return 1.0
            x, y, m, n = a._a if traced else a._x
            first, second = (heaviside(d, 1.0) for d in (difference(x, y), difference(y, x)))
            return m * first + n * second if self is maximum else m * second + n * first


def _tied(extreme: Op, sign: float) -> Op:
    """The row of an extreme of two that stand for m and n items which tie: at a tie each item has the same share."""
    exact = cast(Callable[..., Number], extreme.exact)

    def share(x: Number, y: Number, m: Number, n: Number) -> Number:
        return heaviside(sign * difference(x, y), TABLE["div"](m, m + n))  # `arithmetic` comes after this module

    tied = _choice(
        extreme.name, lambda x, y, m, n: extreme.forward(x, y),
        partials=(lambda x, y, m, n, z: share(x, y, m, n), lambda x, y, m, n, z: share(y, x, n, m), 0.0, 0.0),
        made=Op, symbol=extreme.symbol, text=extreme.text, latex=extreme.latex, edges=(*extreme.edges, None, None),
        kinks="x = y", tame=True,
        exact=lambda mp, at, x, y, m, n: (m * x + n * y) / (m + n) if at[0] == at[1] else exact(mp, at[:2], x, y),
    )  # fmt: skip
    tied.plain = extreme
    return tied


maximum = cast(_Extreme, enter(_choice(
    "maximum", _maximum, made=_Extreme, core=lambda x, y: _extreme_core(gt, ge, x, y), partials=
    (lambda x, y, z: heaviside(difference(x, y), 0.5), lambda x, y, z: heaviside(difference(y, x), 0.5)),
    symbol="max", kinks="x = y", text="max({0}, {1})", latex=r"\max\left({0}, {1}\right)",
    edges=("(x > y) + (x == y)/2", "(x < y) + (x == y)/2"),
    pins=[((2.0, 2.0), 2.0, (0.5, 0.5)), ((inf, inf), inf, (0.5, 0.5)), ((nan, 1.0), nan, (nan, nan)),
          ((1.0, nan), nan, (nan, nan))],
    exact=lambda mp, at, x, y: (x + y) / 2 if at[0] == at[1] else x if at[0] > at[1] else y, tame=True,
    doc="The larger of two; a tie shares the slope, 1/2 each.\n\n>>> maximum(1.0, 2.0)\n2.0",
)))  # fmt: skip
minimum = cast(_Extreme, enter(_choice(
    "minimum", _minimum, made=_Extreme, core=lambda x, y: _extreme_core(lt, le, x, y), partials=
    (lambda x, y, z: heaviside(difference(y, x), 0.5), lambda x, y, z: heaviside(difference(x, y), 0.5)),
    symbol="min", kinks="x = y", text="min({0}, {1})", latex=r"\min\left({0}, {1}\right)",
    edges=("(x < y) + (x == y)/2", "(x > y) + (x == y)/2"),
    pins=[((2.0, 2.0), 2.0, (0.5, 0.5)), ((nan, 1.0), nan, (nan, nan)), ((1.0, nan), nan, (nan, nan))],
    exact=lambda mp, at, x, y: (x + y) / 2 if at[0] == at[1] else x if at[0] < at[1] else y, tame=True,
    doc="The smaller of two; a tie shares the slope, 1/2 each.\n\n>>> minimum(1.0, 2.0)\n1.0",
)))  # fmt: skip
maximum.tied, minimum.tied = _tied(maximum, 1.0), _tied(minimum, -1.0)


def _clamp(x: float, low: float, high: float) -> float:
    if x != x or low != low or high != high:
        return nan
    return high if x > high else high if low > high else low if x < low else x


def _clamp_core(x: Number, low: Number, high: Number) -> Number:
    above, inside = gt(x, high), where(lt(x, low), low, x)
    if constant(low) and constant(high) and low <= high:
        return where(above, high, inside)  # a nan passes every comparison
    numbers = both(eq(x, x), both(eq(low, low), eq(high, high)))
    return where(numbers, where(either(above, gt(low, high)), high, inside), nan)


clamp = _choice(
    "clamp", _clamp, core=_clamp_core, partials=
    (lambda x, low, high, z: zero(z) + ge(x, low) * le(x, high),
     lambda x, low, high, z: zero(z) + lt(x, low) * le(low, high),
     lambda x, low, high, z: zero(z) + gt(maximum(x, low), high)),
    kinks=("x = low", "x = high", "low = high"),
    example=(0.5, 0.0, 1.0), edges=("(x >= y)*(x <= z)", "(x < y)*(y <= z)", "maximum(x, y) > z"),
    pins=[((0.0, 0.0, 1.0), 0.0, (1.0, 0.0, 0.0)), ((1.0, 0.0, 1.0), 1.0, (1.0, 0.0, 0.0)),
          ((-1.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)), ((2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
          ((nan, 0.0, 1.0), nan, (nan, nan, nan))],
    exact=lambda mp, at, x, low, high: high if at[1] > at[2] or at[0] > at[2] else low if at[0] < at[1] else x, tame=True,
    doc="x kept within [low, high]; slope 1 at a bound, so that a parameter there can move back.\n\n"
    ">>> clamp(7.0, 0.0, 1.0)\n1.0",
)  # fmt: skip


@composed
def fabs(x: Number) -> Number:
    """The absolute value, by the name it has in math: ``abs(x)``.

    >>> fabs(-2.0)
    2.0
    """
    return abs(x)


@overload
def modf(x: float) -> tuple[float, float]: ...
@overload
def modf(x: Value) -> tuple[Value, Value]: ...
def modf(x: Number) -> tuple[Number, Number]:
    """The fractional and the whole part of x, both with its sign, as in math.

    >>> modf(-2.5)
    (-0.5, -2.0)
    """
    whole = trunc(x)
    return difference(x, whole), whole


publish(globals())
