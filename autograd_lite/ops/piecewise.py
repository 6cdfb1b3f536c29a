"""Rows made of pieces: comparisons and choice, signs and rounding, maximum and clamp, and the two that only pass on.

Imports `words`.  A choice (`_choice`) gives the operand that it does not take no gradient at all, and so does a flat
function, save that the gradient of nan is nan (the row `zero`).
"""

from __future__ import annotations

import math
from math import copysign as _copysign
from math import inf, nan
from typing import TYPE_CHECKING, Any, cast

from .. import context
from ..errors import InputTypeError
from ..tree import is_node
from .row import DIGITS, TABLE, Kink, Op, enter, helper, publish, row
from .words import both, c_ceil, c_floor, c_trunc, constant, either, rint

AT_ZERO = (Kink("x = 0", lambda x, *rest: x == 0.0),)
AT_TIE = (Kink("x = y", lambda x, y: x == y),)

# -- passing on -------------------------------------------------------------------------------------------------------

identity = row(
    "identity", lambda x: x, 1.0, core=lambda x: x, text="{0}", latex="{0}", edges="1",
    exact=lambda mp, at, x: x,
    doc="The argument itself, as a node of its own.\n\n>>> identity(2.0)\n2.0",
)  # fmt: skip
stop_gradient = row(
    "stop_gradient", lambda x: x, 0.0, core=lambda x: x, edges="0",
    exact=lambda mp, at, x: mp.mpf(at[0]),
    doc="The argument as a constant: no gradient passes (as in JAX).\n\n>>> stop_gradient(2.0)\n2.0",
)  # fmt: skip
zero: Op = helper(
    "zero", lambda x: 0.0 if x == x else nan, 0.0, core=lambda x: where(eq(x, x), 0.0, nan), text="0", latex="0", edges="0",
    exact=lambda mp, at, x: mp.mpf(0),
    doc="0 for every number, nan for nan: the derivative of a flat function.\n\n>>> zero(7.0)\n0.0",
)  # fmt: skip


def _chosen(g: Any, share: Any) -> Any:
    """`g` times the share of a choice that an operand has; where that is 0 nothing flows, whatever `g` is.

    >>> _chosen(5.0, 1.0), _chosen(5.0, 0.5), _chosen(inf, 0.0)
    (5.0, 2.5, None)
    """
    if share.__class__ is float:
        return g * share if share and share != 1.0 else g if share else None
    if context.active and (trace := context.trace()) is not None:  # it may come out either way
        return Masked(share, True, g * share, loose=trace.is_tame(g))
    return g * share if share._data and share._data != 1.0 else g if share._data else None


def _choice(name: str, forward: Any, *, partials: tuple[Any, ...], made: Any = row, **columns: Any) -> Any:
    """A row whose partials are an operand's share of a choice: 0 where it is not taken, or has no influence."""
    products = [(lambda g, *args, rule=rule: _chosen(g, rule(*args))) if callable(rule) else None for rule in partials]
    return made(name, forward, partials, products=products, **columns)


def _flat(name: str, forward: Any, **columns: Any) -> Op:
    """A row of one argument whose slope is 0 wherever its value is a number."""
    op: Op = _choice(name, forward, partials=(lambda x, z: zero(z),), edges="0", **columns)
    return op


# -- comparisons: 1.0 or 0.0 ------------------------------------------------------------------------------------------


def _comparison(name: str, sign: str, latex: str, forward: Any, doc: str) -> Op:
    return row(
        name, lambda x, y: 1.0 if forward(x, y) else 0.0, (0.0, 0.0), symbol=sign, kinks=AT_TIE, edges=("0", "0"),
        text=f"{{0}} {sign} {{1}}", latex=f"{{0}} {latex} {{1}}", doc=doc,
        exact=lambda mp, at, x, y: mp.mpf(forward(*at)),
    )  # fmt: skip


lt = _comparison("lt", "<", "<", lambda x, y: x < y, "1 where x < y, else 0.\n\n>>> lt(1.0, 2.0)\n1.0")
le = _comparison("le", "<=", r"\le", lambda x, y: x <= y, "1 where x <= y, else 0.\n\n>>> le(2.0, 2.0)\n1.0")
gt = _comparison("gt", ">", ">", lambda x, y: x > y, "1 where x > y, else 0.\n\n>>> gt(1.0, 2.0)\n0.0")
ge = _comparison("ge", ">=", r"\ge", lambda x, y: x >= y, "1 where x >= y, else 0.\n\n>>> ge(2.0, 2.0)\n1.0")
eq: Op = _comparison("eq", "==", "=", lambda x, y: x == y, "1 where x equals y, else 0.\n\n>>> eq(1.0, 2.0)\n0.0")
ne = _comparison("ne", "!=", r"\ne", lambda x, y: x != y, "1 where x and y differ, else 0.\n\n>>> ne(1.0, 2.0)\n1.0")

# -- choice -----------------------------------------------------------------------------------------------------------


class _Where(Op):
    """`where` with a plain condition is decided at once: the chosen operand itself, and no node."""

    def __call__(self, *args: Any) -> Any:
        if len(args) != 3 or is_node(args[0]):
            return super().__call__(*args)
        if args[0].__class__ is int and args[0] in (-1, -2):
            raise InputTypeError(
                f"condition={args[0]} of where() is what ~ makes of Python's {args[0] == -2}: "
                f"write where(not c, a, b), or where(c, b, a)"
            )
        chosen = 1 if self.number(args[0], 0) else 2
        return args[chosen] if is_node(args[chosen]) else self.number(args[chosen], chosen)


def _taken(g: Any, c: Any, wanted: bool) -> Any:
    """`g` where the condition is as wanted, else nothing; while a program is traced, what may flow."""
    if context.active and is_node(c) and context.trace() is not None:
        return Masked(c, wanted, g)
    return g if bool(c) is wanted else None


class Masked:
    """An adjoint or tangent that flows only where condition `c` is as `wanted`, and elsewhere is not there at all.

    It stands for a number in sweeps while a program is traced, where the condition may come out either way: what an edge makes
    of the number keeps the mask (`over`), sums choose.  A mask of 0 times inf would be nan; nothing is multiplied here, only
    chosen.  Where the number is 0 anyway when nothing flows (`loose`), and was multiplied by finite numbers only, the mask
    costs nothing: only a partial that may be infinite needs it.
    """

    __slots__ = ("c", "g", "loose", "wanted")

    c: Any
    wanted: bool
    g: Any
    loose: bool

    def __init__(self, c: Any, wanted: bool, g: Any, loose: bool = False) -> None:
        if isinstance(g, Masked):  # both must hold
            c, wanted, g, loose = where(_truth(c, wanted), _truth(g.c, g.wanted), 0.0), True, g.g, loose and g.loose
        self.c, self.wanted, self.g, self.loose = c, wanted, g, loose

    def over(self, d: Any) -> Masked:
        """What an edge made of the number, under the same mask."""
        trace = context.trace()
        loose = self.loose and (isinstance(d, Masked) or (trace is not None and trace.is_tame(d)))
        return Masked(self.c, self.wanted, d, loose)

    def chosen(self, otherwise: Any) -> Any:
        """The number where it flows, `otherwise` elsewhere."""
        if self.loose and otherwise == 0.0:
            return self.g
        return where(self.c, self.g, otherwise) if self.wanted else where(self.c, otherwise, self.g)

    def resolved(self) -> Any:
        """The gradient it stands for in the end: 0 where nothing flows."""
        return self.chosen(0.0)

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, Masked):
            return self.chosen(-0.0) + other  # -0.0 + x is x to the bit
        if self.c is other.c:
            if self.wanted is other.wanted:
                return Masked(self.c, self.wanted, self.g + other.g, self.loose and other.loose)
            return where(self.c, self.g, other.g) if self.wanted else where(self.c, other.g, self.g)
        either = where(_truth(self.c, self.wanted), 1.0, _truth(other.c, other.wanted))
        return Masked(either, True, self.chosen(-0.0) + other.chosen(-0.0), self.loose and other.loose)

    def __radd__(self, other: Any) -> Any:
        return other + self.chosen(-0.0)


def _truth(c: Any, wanted: bool) -> Any:
    return c if wanted else eq(c, 0.0)


where: Op = enter(_Where(
    "where", lambda c, a, b: a if c else b,
    (0.0, lambda c, a, b, z: ne(c, 0.0), lambda c, a, b, z: eq(c, 0.0)),
    products=(lambda g, c, a, b, z: None, lambda g, c, a, b, z: _taken(g, c, True), lambda g, c, a, b, z: _taken(g, c, False)),
    text="where({0}, {1}, {2})", latex=r"\begin{{cases}}{1}&\text{{if }}{0}\\{2}&\text{{else}}\end{{cases}}",
    edges=("0", "[{0} ≠ 0]", "[{0} = 0]"),
    pins=[((1.0, 2.0, nan), 2.0, (0.0, 1.0, 0.0)), ((0.0, inf, 3.0), 3.0, (0.0, 0.0, 1.0))],
    exact=lambda mp, at, c, a, b: a if at[0] else b,
    doc="`a` where the condition is not 0, else `b`; the operand not taken gets no gradient at all, not even 0 times inf.\n"
    "\n>>> where(2 > 1, 10.0, 20.0)\n10.0",
))  # fmt: skip

# -- signs and steps --------------------------------------------------------------------------------------------------


def _sign(x: float) -> float:
    return 1.0 if x > 0.0 else -1.0 if x < 0.0 else x + 0.0  # 0 for either zero, nan for nan


sign = _flat(
    "sign", _sign, core=lambda x: where(gt(x, 0.0), 1.0, where(lt(x, 0.0), -1.0, x + 0.0)), kinks=AT_ZERO,
    latex=r"\operatorname{{sgn}} {0}",
    pins=[((0.0,), 0.0, (0.0,)), ((nan,), nan, (nan,))],
    exact=lambda mp, at, x: mp.sign(at[0]),
    doc="-1, 0 or 1 with the sign of x, as in NumPy.\n\n>>> sign(-2.5)\n-1.0",
)  # fmt: skip


def _heaviside(x: float, at_zero: float) -> float:
    return 1.0 if x > 0.0 else 0.0 if x < 0.0 else at_zero if x == 0.0 else nan


def _heaviside_core(x: Any, at_zero: Any) -> Any:
    if constant(at_zero) and at_zero.hex() == "0x0.0p+0":
        return where(gt(x, 0.0), 1.0, where(le(x, 0.0), 0.0, nan))
    return where(gt(x, 0.0), 1.0, where(lt(x, 0.0), 0.0, where(eq(x, 0.0), at_zero, nan)))


heaviside = _choice(
    "heaviside", _heaviside, core=_heaviside_core, partials= (lambda x, h, z: zero(x), lambda x, h, z: eq(x, 0.0)),
    kinks=AT_ZERO, edges=("0", "[{0} = 0]"),
    pins=[((0.0, 0.5), 0.5, (0.0, 1.0)), ((nan, 0.5), nan, (nan, 0.0))],
    exact=lambda mp, at, x, h: mp.mpf(at[0] > 0) if at[0] else h,
    doc="0 left of 0, 1 right of it, `at_zero` there, as in NumPy.\n\n"
    ">>> heaviside(-1.0, 0.5), heaviside(0.0, 0.5)\n(0.0, 0.5)",
)  # fmt: skip
abs = row(
    "abs", math.fabs, lambda x, z: sign(x), kinks=AT_ZERO, text="|{0}|", latex=r"\left|{0}\right|", edges="sign({0})",
    pins=[((0.0,), 0.0, (0.0,)), ((-0.0,), 0.0, (0.0,)), ((nan,), nan, (nan,)), ((-inf,), inf, (-1.0,))],
    exact=lambda mp, at, x: x * mp.sign(at[0]),
    doc="Absolute value; slope 0 at the kink.\n\n>>> abs(-2.0)\n2.0",
)  # fmt: skip
copysign: Op = row(
    "copysign", _copysign, (lambda x, y, z: sign(x) * copysign(1.0, y), 0.0),
    kinks=(Kink("x = 0", lambda x, y: x == 0.0), Kink("y = 0", lambda x, y: y == 0.0)),
    edges=("sign({0})·copysign(1, {1})", "0"), pins=[((0.0, -3.0), -0.0, (0.0, 0.0)), ((2.0, -3.0), -2.0, (-1.0, 0.0))],
    exact=lambda mp, at, x, y: mp.sign(at[0]) * x * (1 if _copysign(1.0, at[1]) > 0 else -1),
    doc="The size of x with the sign of y, as in math.\n\n>>> copysign(2.0, -3.0)\n-2.0",
)  # fmt: skip

# -- rounding ---------------------------------------------------------------------------------------------------------


def _whole(rounding: Any) -> Any:
    """Python's roundings go through int, which has no -0."""

    def forward(x: float) -> float:
        return float(rounding(x)) if -inf < x < inf else x

    return forward


AT_WHOLE = (Kink("x is whole", lambda x: x % 1.0 == 0.0),)
_STEP_PINS = [((1.0,), 1.0, (0.0,)), ((inf,), inf, (0.0,)), ((nan,), nan, (nan,))]
floor = _flat(
    "floor", _whole(math.floor), core=lambda x: c_floor(x) + 0.0, kinks=AT_WHOLE, text="floor({0})",
    latex=r"\lfloor {0} \rfloor", pins=_STEP_PINS,
    exact=lambda mp, at, x: mp.floor(at[0]),
    doc="The largest whole number not above x, as a float.\n\n>>> floor(-0.5)\n-1.0",
)  # fmt: skip
ceil = _flat(
    "ceil", _whole(math.ceil), core=lambda x: c_ceil(x) + 0.0, kinks=AT_WHOLE, text="ceil({0})", latex=r"\lceil {0} \rceil",
    pins=_STEP_PINS,
    exact=lambda mp, at, x: mp.ceil(at[0]),
    doc="The smallest whole number not below x, as a float.\n\n>>> ceil(1.5)\n2.0",
)  # fmt: skip
trunc = _flat(
    "trunc", _whole(math.trunc), core=lambda x: c_trunc(x) + 0.0, kinks=AT_WHOLE, pins=_STEP_PINS,
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
    kinks=(Kink("x is half way", lambda x, n: abs(n) < 300.0 and abs((x * 10.0**n) % 1.0 - 0.5) < 1e-9),), edges=("0", "0"),
    pins=[((0.5, 0.0), 0.0, (0.0, 0.0)), ((nan, 0.0), nan, (nan, 0.0))],
    exact=lambda mp, at, x, n: mp.nint(at[0] * mp.mpf(10) ** n) / mp.mpf(10) ** n,
    doc="x to n decimals, halves to even, as Python's round.\n\n>>> round_(2.5), round_(2.675, 1)\n(2.0, 2.7)",
)  # fmt: skip

# -- the larger, the smaller, the clamped -----------------------------------------------------------------------------


def _difference(x: float, y: float) -> float:
    return 0.0 if x == y else x - y


difference = helper(
    "difference", _difference, (1.0, -1.0), core=lambda x, y: where(eq(x, y), 0.0, x - y), symbol="-", text="{0} - {1}",
    latex="{0} - {1}", edges=("1", "-1"),
    pins=[((inf, inf), 0.0, (1.0, -1.0))],
    exact=lambda mp, at, x, y: x - y,
    doc="x - y, and 0 where they are equal, infinities too.\n\n>>> difference(5.0, 3.0)\n2.0",
)  # fmt: skip


def _maximum(x: float, y: float) -> float:
    return x if x > y else y if y >= x else nan


def _minimum(x: float, y: float) -> float:
    return x if x < y else y if y <= x else nan


def _extreme(beyond: Op, at_least: Op, x: Any, y: Any) -> Any:
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

        def __call__(self, *args: Any) -> Any:  # its types are those of `Op`
            if len(args) == 2:
                traced = context.trace() is not None
                m, n = self._items(args[0], traced), self._items(args[1], traced)
                if m.__class__ is not float or n.__class__ is not float or m + n > 2.0:
                    return self.tied(*args, m, n)
            return super().__call__(*args)

        def _items(self, a: Any, traced: bool) -> Any:
            """How many items tie in an operand; a node while a program is traced, where they may or may not."""
            op = getattr(a, "op", None)
            if op is self:
                return 1.0 + (eq(a._a, a._b) if traced else eq.forward(a._x, a._y))
            if op is not self.tied:
                return 1.0
            x, y, m, n = a._a if traced else a._x
            first, second = (heaviside(d, 1.0) for d in (difference(x, y), difference(y, x)))
            return m * first + n * second if self is maximum else m * second + n * first


def _tied(extreme: Any, sign: float) -> Op:
    """The row of an extreme of two that stand for m and n items which tie: at a tie each item has the same share."""

    def share(x: Any, y: Any, m: Any, n: Any) -> Any:
        return heaviside(sign * difference(x, y), TABLE["div"](m, m + n))  # `arithmetic` comes after this module

    tied: Op = _choice(
        extreme.name, lambda x, y, m, n: extreme.forward(x, y),
        partials=(lambda x, y, m, n, z: share(x, y, m, n), lambda x, y, m, n, z: share(y, x, n, m), 0.0, 0.0),
        made=Op, symbol=extreme.symbol, text=extreme.text, latex=extreme.latex, edges=(*extreme.edges, "none", "none"),
        kinks=(Kink("x = y", lambda x, y, m, n: x == y),),
        exact=lambda mp, at, x, y, m, n: (m * x + n * y) / (m + n) if at[0] == at[1] else extreme.exact(mp, at[:2], x, y),
    )  # fmt: skip
    tied.plain = extreme
    return tied


maximum = cast(_Extreme, enter(_choice(
    "maximum", _maximum, made=_Extreme, core=lambda x, y: _extreme(gt, ge, x, y), partials=
    (lambda x, y, z: heaviside(difference(x, y), 0.5), lambda x, y, z: heaviside(difference(y, x), 0.5)),
    symbol="max", kinks=AT_TIE, text="max({0}, {1})", latex=r"\max\left({0}, {1}\right)",
    edges=("[{0} > {1}] + [{0} = {1}]/2", "[{0} < {1}] + [{0} = {1}]/2"),
    pins=[((2.0, 2.0), 2.0, (0.5, 0.5)), ((inf, inf), inf, (0.5, 0.5)), ((nan, 1.0), nan, (nan, nan)),
          ((1.0, nan), nan, (nan, nan))],
    exact=lambda mp, at, x, y: (x + y) / 2 if at[0] == at[1] else x if at[0] > at[1] else y,
    doc="The larger of two; a tie shares the slope, 1/2 each.\n\n>>> maximum(1.0, 2.0)\n2.0",
)))  # fmt: skip
minimum = cast(_Extreme, enter(_choice(
    "minimum", _minimum, made=_Extreme, core=lambda x, y: _extreme(lt, le, x, y), partials=
    (lambda x, y, z: heaviside(difference(y, x), 0.5), lambda x, y, z: heaviside(difference(x, y), 0.5)),
    symbol="min", kinks=AT_TIE, text="min({0}, {1})", latex=r"\min\left({0}, {1}\right)",
    edges=("[{0} < {1}] + [{0} = {1}]/2", "[{0} > {1}] + [{0} = {1}]/2"),
    pins=[((2.0, 2.0), 2.0, (0.5, 0.5)), ((nan, 1.0), nan, (nan, nan)), ((1.0, nan), nan, (nan, nan))],
    exact=lambda mp, at, x, y: (x + y) / 2 if at[0] == at[1] else x if at[0] < at[1] else y,
    doc="The smaller of two; a tie shares the slope, 1/2 each.\n\n>>> minimum(1.0, 2.0)\n1.0",
)))  # fmt: skip
maximum.tied, minimum.tied = _tied(maximum, 1.0), _tied(minimum, -1.0)


def _clamp(x: float, low: float, high: float) -> float:
    if x != x or low != low or high != high:
        return nan
    return high if x > high else high if low > high else low if x < low else x


def _clamp_core(x: Any, low: Any, high: Any) -> Any:
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
    kinks=(Kink("x = low", lambda x, low, high: x == low), Kink("x = high", lambda x, low, high: x == high),
           Kink("low = high", lambda x, low, high: low == high)),
    edges=("[{1} ≤ {0} ≤ {2}]", "[{0} < {1} ≤ {2}]", "[max({0}, {1}) > {2}]"),
    pins=[((0.0, 0.0, 1.0), 0.0, (1.0, 0.0, 0.0)), ((1.0, 0.0, 1.0), 1.0, (1.0, 0.0, 0.0)),
          ((-1.0, 0.0, 1.0), 0.0, (0.0, 1.0, 0.0)), ((2.0, 0.0, 1.0), 1.0, (0.0, 0.0, 1.0)),
          ((nan, 0.0, 1.0), nan, (nan, nan, nan))],
    exact=lambda mp, at, x, low, high: high if at[1] > at[2] or at[0] > at[2] else low if at[0] < at[1] else x,
    doc="x kept within [low, high]; slope 1 at a bound, so that a parameter there can move back.\n\n"
    ">>> clamp(7.0, 0.0, 1.0)\n1.0",
)  # fmt: skip


def fabs(x: Any) -> Any:
    """The absolute value, by the name it has in math: ``abs(x)``.

    >>> fabs(-2.0)
    2.0
    """
    return abs(x)


def modf(x: Any) -> tuple[Any, Any]:
    """The fractional and the whole part of x, both with its sign, as in math.

    >>> modf(-2.5)
    (-0.5, -2.0)
    """
    whole = trunc(x)
    return difference(x, whole), whole


publish(globals())
