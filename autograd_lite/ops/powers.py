"""Rows of powers, roots, exponentials and logarithms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, nan
from types import ModuleType

from .. import context
from ..tree import as_float, is_node
from .arithmetic import _div, div, mul
from .choice import Masked, eq, ge, gt, lt, ne, where
from .columns import ORDER, POSITIVE, Interval, Number
from .numerics import guarded
from .piecewise import abs
from .row import Op, composed, enter, helper, publish, row
from .words import both, c_sqrt, constant, either, word

NONNEGATIVE = Interval(0.0, inf)
LN_2 = math.log(2.0)
LOG2_E = 1.0 / math.log(2.0)
LOG10_E = 1.0 / math.log(10.0)

# -- powers -----------------------------------------------------------------------------------------------------------


def _pow(x: float, y: float) -> float:
    if y == 2.0:  # correctly rounded, and what compiled code does
        return x * x
    try:
        return math.pow(x, y)
    except OverflowError:
        return -inf if x < 0.0 and y % 2.0 == 1.0 else inf
    except ValueError:  # zero to a negative power, or a negative number to a fraction
        if x == 0.0:
            return -inf if math.copysign(1.0, x) < 0.0 and y % 2.0 == 1.0 else inf
        return nan


def _log_terms(y: Number, n: int, k: int) -> tuple[Number, ...]:
    """c_0 .. c_k with  d^n/dx^n [x^y L^k] = x^(y-n) (c_0 + c_1 L + ... + c_k L^k),  L = log x."""
    terms = [0.0] * k + [1.0]
    for i in range(n):
        terms = [(y - float(i)) * c + float(m + 1) * up for m, (c, up) in enumerate(zip(terms, [*terms[1:], 0.0], strict=True))]
    return tuple(terms)


def _is_small(y: Number) -> Number:
    """Whether y - 1 loses so much of an exponent that ``x**y / x`` is the better power, which overflows only where it must."""
    return both(lt(abs(y), 0.125), y)


def _pow_derivative(x: float, y: float, n: float, k: float) -> Number:
    if k == 0.0:
        c = 1.0
        for i in range(int(n)):  # as `_log_terms` has it
            c = (y - i) * c + 0.0
        if n and 0.0 < math.fabs(y) < 0.125 and 0.0 < math.fabs(x) < inf:  # `_is_small`
            return reduce(_div, (x,) * int(n), c * _pow(x, y))
        power = _pow(x, y - n)
        return c * power if c and (power or -inf < c < inf) else 0.0  # a power that is 0 outweighs an infinite c
    if n == 0.0 and x == 0.0:
        return 0.0 if y >= 0.0 else nan  # the convention for 0**y, at every order in y
    if not x >= 0.0:
        return nan
    terms = _log_terms(y, int(n), int(k))
    power = y - n
    if 0.0 < x < inf:
        log, total = math.log(x), 0.0
        for c in reversed(terms):
            total = total * log + c
        if n and 0.0 < math.fabs(y) < 0.125:
            return reduce(_div, (x,) * int(n), total * _pow(x, y))
        powered = _pow(x, power)
        if powered == inf and math.fabs(total) < 1.0:  # the product need not overflow
            powered = _pow(x, 0.5 * power)
            total *= powered
        return total * powered if powered or -inf < total < inf else 0.0
    if y != y:
        return nan
    # at 0 and at inf the limit: the power decides, and where it does not, the highest log that is left
    if (power and (power > 0.0) == (x == 0.0)) or not any(terms):
        return 0.0
    m = max(m for m, c in enumerate(terms) if c)
    return terms[m] * (-inf if x == 0.0 and m % 2 else inf) if m or power else terms[0]


def _pow_derivative_core(x: Number, y: Number, n: float, k: float) -> Number:
    terms, power = _log_terms(y, int(n), int(k)), y - n
    if k == 0.0:
        c, powered, small = terms[0], pow(x, power), _is_small(y)
        if constant(c) and -inf < c < inf:
            result = where(c, c * powered, 0.0)
        else:
            result = where(both(c, either(powered, lt(abs(c), inf))), c * powered, 0.0)
        if n == 0.0 or (constant(small) and not small):
            return result
        inside = both(ne(x, 0.0), lt(abs(x), inf))
        return where(both(small, inside), reduce(div, (x,) * int(n), c * pow(x, y)), result)
    logarithm, total = log(x), terms[-1]
    for c in terms[-2::-1]:
        total = total * logarithm + c
    powered, small = pow(x, power), _is_small(y)
    root, late = pow(x, 0.5 * power), both(eq(powered, inf), lt(abs(total), 1.0))
    inside = where(late, total * root * root, where(either(powered, lt(abs(total), inf)), total * powered, 0.0))
    if n and not (constant(small) and not small):
        inside = where(small, reduce(div, (x,) * int(n), total * pow(x, y)), inside)
    if constant(y):
        at_zero, at_inf = _pow_derivative(0.0, y, n, k), _pow_derivative(inf, y, n, k)
    elif n == 0.0:
        at_zero = where(ge(y, 0.0), 0.0, nan)
        at_inf = where(ge(y, 0.0), inf, where(lt(y, 0.0), 0.0, nan))
    else:
        at_zero = _limit(gt(power, 0.0), power, terms, -inf)
        at_inf = _limit(lt(power, 0.0), power, terms, inf)
    return where(eq(x, 0.0), at_zero, where(eq(x, inf), at_inf, where(gt(x, 0.0), inside, nan)))


def _limit(vanishes: Number, power: Number, terms: Sequence[Number], logarithm: float) -> Number:
    """The limit where x is 0 or inf: 0 where the power says so, else that of the highest log that is left."""
    result: Number = 0.0
    for j, c in enumerate(terms):
        infinite = c * (logarithm**j if j else inf)
        result = where(c, infinite if j else where(power, infinite, c), result)
    return where(vanishes, 0.0, result)


def _pow_derivative_exact(mp: ModuleType, at: Number, x: Number, y: Number, n: Number, k: Number) -> Number:
    """By Leibniz's rule: y (y - 1) ... (y - n + 1) is a polynomial of y, and each derivative of x**y by y brings a log."""
    n, k = int(n), int(k)
    falling = [mp.mpf(1)]  # its coefficients, the lowest first
    for i in range(n):
        falling = [a - i * b for a, b in zip([0, *falling], [*falling, 0], strict=True)]
    total = mp.mpf(0)
    for j in range(k + 1):
        slope = mp.fsum(c * mp.ff(m, j) * y ** (m - j) for m, c in enumerate(falling) if m >= j)
        total += mp.binomial(k, j) * slope * (mp.log(x) ** (k - j) if k > j else 1)
    return total * x ** (y - n)


pow_derivative: Op = helper(
    "pow_derivative", _pow_derivative, core=_pow_derivative_core, settings={2: ORDER, 3: ORDER}, partials=
    (lambda x, y, n, k, z: pow_derivative.apply(x, y, n + 1.0, k), lambda x, y, n, k, z: pow_derivative.apply(x, y, n, k + 1.0),
     nan, nan),
    latex=r"\partial_x^{{{2}}} \partial_y^{{{3}}} {0}^{{{1}}}", symbol="**'",
    domain=(POSITIVE, Interval(), NONNEGATIVE, NONNEGATIVE), kinks="x <= 0",
    edges=("pow_derivative(x, y, z + 1, u)", "pow_derivative(x, y, z, u + 1)", None, None),
    exact=_pow_derivative_exact,
    doc="The derivative of x**y, n times in x and k times in y, all orders in one row.\n\n"
    ">>> pow_derivative(2.0, 3.0, 1.0, 0.0)\n12.0",
)  # fmt: skip
c_pow = word("pow", _pow, 2)


def _pow_core(x: Number, y: Number) -> Number:
    if constant(y):
        return x * x if y == 2.0 else c_pow(x, y)
    return where(eq(y, 2.0), x * x, c_pow(x, y))


def _pow_exact(mp: ModuleType, at: Number, x: Number, y: Number) -> Number:
    if x == 0 and y == 0:
        return mp.mpf(1)
    return x ** int(y) if y == mp.floor(y) and abs(at[1]) < 1e6 else x**y


def _pow_fast(x: Number, y: Number) -> Number:
    return _SHORT[y](x) if constant(y) and y in _SHORT else c_pow(x, y)


def _inverted(power: Callable[[Number], Number]) -> Callable[[Number], Number]:
    """1/x first: the power of 1/x overflows and underflows just where the result does, to denormal numbers too."""
    return lambda x: power(1.0 / x)


def _cubed(x: Number) -> Number:
    return x * x * x


# products for small whole exponents and roots for halves; C's pow has an infinite root of -inf, unlike sqrt, and +0 for -0
_SHORT: dict[float, Callable[[Number], Number]] = {
    0.0: lambda x: 1.0,
    1.0: lambda x: x,
    2.0: lambda x: x * x,
    3.0: _cubed,
    4.0: lambda x: square(x * x),
    -1.0: lambda x: 1.0 / x,
    -2.0: _inverted(lambda x: x * x),
    -3.0: _inverted(_cubed),
    -4.0: lambda x: square(1.0 / (x * x)),
    0.5: lambda x: where(eq(x, -inf), inf, sqrt(x)),
    -0.5: lambda x: where(eq(x, -inf), 0.0, 1.0 / sqrt(x)),
}


def _base_product(g: Number, x: Number, y: Number, z: Number) -> Number:
    if y.__class__ is float and y == 0.0:
        return None  # x**0 is 1, whatever x is
    if x.__class__ is float is y.__class__:
        return g * _pow_derivative(x, y, 1.0, 0.0)
    d = g * pow_derivative.apply(x, y, 1.0, 0.0)
    if not is_node(y):
        return d
    if (trace := context.trace()) is not None:
        return Masked(y, True, d, loose=trace.is_tame(g), varies=not trace.is_plain(y))
    return Masked(y, True, d, varies=True) if y._data == 0.0 else d


pow: Op = row(
    "pow", _pow, core=_pow_core, fast=_pow_fast,
    partials=(lambda x, y, z: pow_derivative.apply(x, y, 1.0, 0.0), lambda x, y, z: pow_derivative.apply(x, y, 0.0, 1.0)),
    products=(_base_product, lambda g, x, y, z: g * pow_derivative.apply(x, y, 0.0, 1.0)),
    symbol="**", domain=(POSITIVE, Interval()), roles=("base", "exponent"),
    kinks="x = 0 and y is not 0, 1, 2, ...",
    edges=("y*x**(y - 1)", "out*log(x)"),
    pins=[
        ((5.0, 0.0), 1.0, (0.0, math.log(5.0))), ((0.0, 0.0), 1.0, (0.0, 0.0)), ((0.0, 0.5), 0.0, (inf, 0.0)),
        ((0.0, 1.0), 0.0, (1.0, 0.0)), ((0.0, 2.0), 0.0, (0.0, 0.0)), ((0.0, -1.0), inf, (-inf, nan)),
        ((-2.0, 3.0), -8.0, (12.0, nan)), ((-2.0, 0.5), nan, (nan, nan)), ((-8.0, 1 / 3), nan, (nan, nan)),
        ((1.0, nan), 1.0, (nan, 0.0)), ((nan, 0.0), 1.0, (0.0, nan)), ((-3.0, 2.0), 9.0, (-6.0, nan)),
        ((10.0, 400.0), inf, (inf, inf)),
    ],
    exact=_pow_exact,
    doc="x to the power y; nan where Python's ** would turn complex.\n\n>>> pow(2.0, 10.0), pow(-8.0, 1 / 3)\n(1024.0, nan)",
)  # fmt: skip
square: Op = row(
    "square", lambda x: x * x, lambda x, z: 2.0 * x, core=lambda x: x * x, text="x**2", edges="2*x",
    exact=lambda mp, at, x: x * x, tame=True,
    doc="x times x.\n\n>>> square(3.0)\n9.0",
)  # fmt: skip


@composed
def reciprocal(x: Number) -> Number:
    """One over x: ``div(1.0, x)``.

    >>> reciprocal(4.0)
    0.25
    """
    return div(1.0, x)


@composed
def ldexp(x: Number, y: Number) -> Number:
    """x times a power of 2, for whole y exactly, as in math: ``x * 2**y``.

    >>> ldexp(0.75, 4)
    12.0
    """
    if is_node(y) or (y := as_float(y, "y of ldexp()")) % 1.0 != 0.0:
        return mul(x, exp2(y))
    left = int(min(max(y, -3000.0), 3000.0))
    while True:  # in steps whose factor is a double
        step = min(max(left, -1000), 1000)
        x, left = mul(x, 2.0**step), left - step
        if not left:
            return x


def _sqrt(x: float) -> float:
    return math.sqrt(x) + 0.0 if x >= 0.0 else nan  # + 0.0: the root of -0.0 is 0.0, so that its slope is +inf


def _sqrt_core(x: Number) -> Number:
    return abs(c_sqrt(x))  # by `abs`, as compilers drop the addition of 0


sqrt: Op = row(
    "sqrt", _sqrt, lambda x, z: div(0.5, z), products=(lambda g, x, z: div(0.5 * g, z),),
    core=_sqrt_core, text="√{0}", latex=r"\sqrt{{{0}}}", domain=(NONNEGATIVE,),
    kinks="x = 0", edges="1/(2*out)",
    pins=[((0.0,), 0.0, (inf,)), ((-0.0,), 0.0, (inf,)), ((-1.0,), nan, (nan,)), ((inf,), inf, (0.0,))],
    exact="sqrt",
    doc="The square root; nan below 0.\n\n>>> sqrt(9.0)\n3.0",
)  # fmt: skip
cbrt = row(
    "cbrt", math.cbrt, lambda x, z: div(1.0, 3.0 * (z * z)), products=(lambda g, x, z: div(g, 3.0 * (z * z)),),
    text="∛{0}", latex=r"\sqrt[3]{{{0}}}",
    kinks="x = 0", edges="1/(3*out**2)",
    pins=[((0.0,), 0.0, (inf,)), ((-8.0,), -2.0, (1 / 12,))],
    exact=lambda mp, at, x: mp.sign(x) * mp.cbrt(mp.fabs(x)), tame=True,
    doc="The real cube root.\n\n>>> cbrt(-8.0)\n-2.0",
)  # fmt: skip

# -- exponentials -----------------------------------------------------------------------------------------------------


_exp = guarded(math.exp, OverflowError, inf)
_exp2 = guarded(math.exp2, OverflowError, inf)
_expm1 = guarded(math.expm1, OverflowError, inf)

exp = row(
    "exp", _exp, lambda x, z: z, latex="e^{{{0}}}", edges="out",
    pins=[((1000.0,), inf, (inf,)), ((-inf,), 0.0, (0.0,))],
    exact="exp",
    doc="e to the x.\n\n>>> exp(0.0)\n1.0",
)  # fmt: skip
exp2: Op = row(  # its derivative is a double a little longer than itself
    "exp2", _exp2, lambda x, z: where(lt(z, inf), z * LN_2, (2.0 * LN_2) * exp2(x - 1.0)),
    latex="2^{{{0}}}", edges="out*log(2)",
    pins=[((2000.0,), inf, (inf,))],
    exact=lambda mp, at, x: mp.mpf(2) ** x,
    doc="2 to the x.\n\n>>> exp2(3.0)\n8.0",
)  # fmt: skip
expm1 = row(
    "expm1", _expm1, lambda x, z: exp(x), latex="e^{{{0}}} - 1", edges="exp(x)", pins=[((1000.0,), inf, (inf,))],
    exact="expm1",
    doc="e to the x, less 1, exact near 0.\n\n>>> expm1(0.0)\n0.0",
)  # fmt: skip

# -- logarithms -------------------------------------------------------------------------------------------------------


# 1/x where x >= 0: the derivative of a logarithm, which has none where the logarithm itself is nan
inverse = helper(
    "inverse", lambda x: 1.0 / x if x > 0.0 else inf if x == 0.0 else nan,
    lambda x, z: -(z * z), products=(lambda g, x, z: -(g * z * z),),
    core=lambda x: where(ge(x, 0.0), 1.0 / abs(x), nan), text="1/x",
    domain=(POSITIVE,),
    kinks="x = 0", edges="-1/x**2", pins=[((0.0,), inf, (-inf,)), ((-1.0,), nan, (nan,))],
    exact=lambda mp, at, x: 1 / x,
    doc="1/x for x >= 0, nan below.\n\n>>> inverse(4.0)\n0.25",
)  # fmt: skip


def _over(g: Number, x: Number) -> Number:
    """``g * inverse(x)``, in one step where x > 0: at 1e-200 x log x has a second derivative, 1/x none that is a double."""
    if context.trace() is not None:
        return where(gt(x, 0.0), div(g, x), g * inverse(x))
    return div(g, x) if (x if x.__class__ is float else x._data) > 0.0 else g * inverse(x)


def _logarithm(log: Number, zero_at: float = 0.0) -> Number:
    def forward(x: float) -> float:
        return float(log(x)) if x > zero_at else -inf if x == zero_at else nan

    return forward


class _Log(Op):
    """`log` with a base: the quotient of two logarithms, as in math."""

    optional = 1

    def __call__(self, *args: Number) -> Number:
        if len(args) == 2:
            return div(super().__call__(args[0]), super().__call__(args[1]))
        return super().__call__(*args)


log = enter(_Log(
    "log", _logarithm(math.log), lambda x, z: inverse(x), products=(lambda g, x, z: _over(g, x),),
    domain=(POSITIVE,), kinks="x = 0", latex=r"\ln {0}",
    edges="1/x", pins=[((0.0,), -inf, (inf,)), ((-0.0,), -inf, (inf,)), ((-1.0,), nan, (nan,)),
          ((5e-324,), -744.4400719213812, (inf,))],
    exact="log",
    doc="The natural logarithm, or that to the base given second; -inf at 0, nan below.\n\n"
    ">>> log(1.0), log(8.0, 2.0)\n(0.0, 3.0)",
))  # fmt: skip
log2 = row(
    "log2", _logarithm(math.log2), lambda x, z: _over(LOG2_E, x), products=(lambda g, x, z: _over(g * LOG2_E, x),),
    domain=(POSITIVE,), kinks="x = 0", latex=r"\log_2 {0}", edges="1/(x*log(2))",
    pins=[((-1.0,), nan, (nan,)), ((0.0,), -inf, (inf,))],
    exact=lambda mp, at, x: mp.log(x, 2),
    doc="The logarithm to base 2.\n\n>>> log2(8.0)\n3.0",
)  # fmt: skip
log10 = row(
    "log10", _logarithm(math.log10), lambda x, z: _over(LOG10_E, x), products=(lambda g, x, z: _over(g * LOG10_E, x),),
    domain=(POSITIVE,), kinks="x = 0", latex=r"\log_{{10}} {0}", edges="1/(x*log(10))",
    pins=[((-1.0,), nan, (nan,)), ((0.0,), -inf, (inf,))],
    exact="log10",
    doc="The logarithm to base 10.\n\n>>> log10(100.0)\n2.0",
)  # fmt: skip
log1p = row(
    "log1p", _logarithm(math.log1p, -1.0), lambda x, z: inverse(1.0 + x),
    products=(lambda g, x, z: _over(g, 1.0 + x),),
    domain=(Interval(-1.0, inf, open=True),),
    kinks="x = -1", latex=r"\ln\left(1 + {0}\right)", edges="1/(1 + x)",
    pins=[((-1.0,), -inf, (inf,)), ((-2.0,), nan, (nan,))],
    exact="log1p",
    doc="The logarithm of 1 + x, exact near 0.\n\n>>> log1p(0.0)\n0.0",
)  # fmt: skip

publish(globals())
