"""Rows of products with a logarithm, the error function, the gamma family and sinc."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan
from types import ModuleType

from . import numerics
from .arithmetic import _LARGEST, _LEAST, _div, div
from .choice import eq, ge, gt, le, lt, ne, where, zero
from .columns import ORDER, POSITIVE, REAL, Interval, Number
from .piecewise import abs
from .powers import _exp, _over, exp, inverse, log, log1p, square
from .row import Op, helper, publish, row
from .trigonometry import sin
from .words import both, c_trunc, constant, rint

NATURAL = Interval(0.0, inf)
ERF_SLOPE = 2.0 / math.sqrt(math.pi)

# -- products with a logarithm: 0 where the factor is 0, whatever the logarithm -----------------------------------------


def _times(x: float, y: float, f: Callable[[float], float]) -> float:
    return x * f(y) if x else 0.0 if y == y else nan


def _times_core(x: Number, y: Number, f: Callable[[Number], Number]) -> Number:
    return where(eq(x, 0.0), zero(y), x * f(y))


def _times_over(g: Number, x: Number, y: Number) -> Number:
    """``g*x/y`` in the order that keeps clear of overflow and underflow."""
    size = abs(g * x)
    return where(ge(size, _LEAST) * le(size, _LARGEST), xdivy(g * x, y), g * xdivy(x, y))


# x/y for y >= 0: the slope of a logarithm times x, at any order
xdivy: Op = helper(
    "xdivy", lambda x, y: (_div(x, math.fabs(y)) if y >= 0.0 else nan) if x else zero.forward(y),
    (lambda x, y, z: inverse(y), lambda x, y, z: -xdivy(z, y)),
    products=(lambda g, x, y, z: _over(g, y), lambda g, x, y, z: -_times_over(g, z, y)),
    core=lambda x, y: where(eq(x, 0.0), zero(y), where(ge(y, 0.0), div(x, abs(y)), nan)), exact=lambda mp, at, x, y: x / y,
    text="x/y", domain=(Interval(), POSITIVE), kinks="y = 0", edges=("1/y", "-out/y"),
    pins=[((0.0, 0.0), 0.0, (inf, 0.0)), ((0.0, nan), nan, (nan, nan)), ((1.0, -1.0), nan, (nan, nan))],
    doc="x/y for y >= 0, and 0 where x is 0.\n\n>>> xdivy(0.0, 0.0)\n0.0",
)  # fmt: skip
xlogy = row(
    "xlogy", lambda x, y: _times(x, y, log.forward), (lambda x, y, z: log(y), lambda x, y, z: xdivy(x, y)),
    products=(None, lambda g, x, y, z: _times_over(g, x, y)),
    core=lambda x, y: _times_core(x, y, log), exact=lambda mp, at, x, y: x * mp.log(y),
    latex=r"{0} \cdot \ln {1}", domain=(Interval(), POSITIVE), kinks="y = 0", edges=("log(y)", "x/y"),
    pins=[((0.0, 0.0), 0.0, (-inf, 0.0)), ((0.0, inf), 0.0, (inf, 0.0)), ((0.0, nan), nan, (nan, nan)),
          ((0.0, -1.0), 0.0, (nan, 0.0)), ((1.0, 0.0), -inf, (-inf, inf)), ((2.0, -1.0), nan, (nan, nan))],
    doc="x log(y), and 0 where x is 0 whatever y, as in SciPy: an entropy's term.\n\n"
    ">>> xlogy(0.0, 0.0), xlogy(2.0, 1.0)\n(0.0, 0.0)",
)  # fmt: skip
xlog1py = row(
    "xlog1py", lambda x, y: _times(x, y, log1p.forward), (lambda x, y, z: log1p(y), lambda x, y, z: xdivy(x, 1.0 + y)),
    products=(None, lambda g, x, y, z: _times_over(g, x, 1.0 + y)),
    core=lambda x, y: _times_core(x, y, log1p), exact=lambda mp, at, x, y: x * mp.log1p(y),
    latex=r"{0} \cdot \ln\left(1 + {1}\right)", domain=(Interval(), Interval(-1.0, inf, open=True)),
    kinks="y = -1", edges=("log1p(y)", "x/(1 + y)"),
    pins=[((0.0, -1.0), 0.0, (-inf, 0.0)), ((0.0, inf), 0.0, (inf, 0.0)), ((1.0, -1.0), -inf, (-inf, inf)),
          ((0.0, -2.0), 0.0, (nan, 0.0))],
    doc="x log(1 + y), exact near y = 0, and 0 where x is 0, as in SciPy.\n\n>>> xlog1py(0.0, -1.0)\n0.0",
)  # fmt: skip

# -- the error function --------------------------------------------------------------------------------------------------


def _gaussian(x: float, c: float) -> float:
    if not c * x * x < 800.0:  # underflow, or nan
        return nan if x != x or c != c else 0.0
    t = 134217729.0 * x  # Veltkamp's split: high * high is exact, so that the rounding of x * x is not blown up by exp
    high = t - (t - x)
    return _exp(-c * high * high) * _exp(-c * (x - high) * (x + high))


def _gaussian_core(x: Number, c: Number, tail: Callable[[Number], Number] = exp) -> Number:
    spread = 134217729.0 * x
    high = spread - (spread - x)
    body, rest = exp(-c * high * high), -c * (x - high) * (x + high)
    number = both(eq(x, x), eq(c, c))
    return where(lt(c * x * x, 800.0), body * tail(rest), where(number, 0.0, nan))


def _gaussian_fast(x: Number, c: Number) -> Number:
    """By the series of exp for what is left, which is below 800 / 2^25 for c > 0."""

    def tail(rest: Number) -> Number:
        series = 1.0 + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0)))
        return where(gt(c, 0.0), series, exp(rest)) if not (constant(c) and c > 0.0) else series

    return _gaussian_core(x, c, tail)


# exp(-c x^2), the bell under erf (c = 1) and gelu (c = 1/2).  `where` keeps the infinite x from meeting the 0
gaussian = helper(
    "gaussian", _gaussian, core=_gaussian_core, fast=_gaussian_fast, partials=
    (lambda x, c, z: -2.0 * where(z, c * x, 0.0) * z, lambda x, c, z: -square(where(z, x, 0.0)) * z),
    text="exp(-y*x**2)", domain=(REAL, Interval(0.0, inf, open=True)),
    edges=("-2*y*x*out", "-x**2*out"), pins=[((inf, 1.0), 0.0, (0.0, 0.0))],
    exact=lambda mp, at, x, c: mp.exp(-c * x * x), tame=True,
    doc="exp(-c * x**2).\n\n>>> gaussian(0.0, 1.0)\n1.0",
)  # fmt: skip
erf = row(
    "erf", math.erf, lambda x, z: ERF_SLOPE * gaussian(x, 1.0), latex=r"\operatorname{{erf}} {0}",
    edges="2/sqrt(pi)*exp(-x**2)", pins=[((inf,), 1.0, (0.0,)), ((-inf,), -1.0, (0.0,))],
    exact="erf", tame=True,
    doc="The error function.\n\n>>> erf(0.0)\n0.0",
)  # fmt: skip
erfc = row(
    "erfc", math.erfc, lambda x, z: -ERF_SLOPE * gaussian(x, 1.0), latex=r"\operatorname{{erfc}} {0}",
    edges="-2/sqrt(pi)*exp(-x**2)", pins=[((inf,), 0.0, (0.0,)), ((-inf,), 2.0, (0.0,))],
    exact="erfc", tame=True,
    doc="1 - erf(x), exact where that is tiny.\n\n>>> erfc(0.0)\n1.0",
)  # fmt: skip
gamma = row(
    "gamma", numerics.gamma, lambda x, z: z * digamma(x), kinks="x = 0, -1, -2, ...", latex=r"\Gamma\left({0}\right)",
    edges="out*digamma(x)", pins=[((-2.0,), nan, (nan,)), ((200.0,), inf, (inf,))],
    exact="gamma",
    doc="The gamma function: (x - 1)! for whole x.\n\n>>> gamma(5.0)\n24.0",
)  # fmt: skip
lgamma = row(
    "lgamma", numerics.lgamma, lambda x, z: digamma(x), kinks="x = 0, -1, -2, ...",
    latex=r"\ln\left|\Gamma\left({0}\right)\right|", edges="digamma(x)", pins=[((-2.0,), inf, (nan,))],
    exact=lambda mp, at, x: mp.log(mp.fabs(mp.gamma(x))),
    doc="The logarithm of |gamma(x)|.\n\n>>> lgamma(1.0)\n0.0",
)  # fmt: skip
digamma: Op = row(
    "digamma", numerics.digamma, lambda x, z: polygamma(1.0, x), kinks="x = 0, -1, -2, ...", latex=r"\psi\left({0}\right)",
    edges="polygamma(1, x)", pins=[((0.0,), -inf, (inf,)), ((-1.0,), nan, (inf,))],
    exact="digamma",
    doc="The derivative of lgamma.\n\n>>> round(digamma(1.0), 12)\n-0.577215664902",
)  # fmt: skip
polygamma: Op = row(
    "polygamma", numerics.polygamma, settings={0: ORDER}, partials=(nan, lambda n, x, z: polygamma(n + 1.0, x)),
    kinks="x = 0, -1, -2, ...", domain=(NATURAL, REAL),
    latex=r"\psi^{{({0})}}\left({1}\right)", edges=(None, "polygamma(x + 1, y)"),
    exact=lambda mp, at, n, x: mp.psi(int(n), x),
    doc="The n-th derivative of digamma; n is a whole constant.\n\n>>> round(polygamma(1, 1.0), 12)\n1.644934066848",
)  # fmt: skip


def _sinc_derivative_exact(mp: ModuleType, at: Number, n: Number, x: Number) -> Number:
    """By the series, term by term."""

    def term(k: Number) -> Number:
        k, powers = int(k), 2 * int(k) - int(n)
        if powers < 0:
            return mp.mpf(0)
        return (-1) ** k * mp.pi ** (2 * k) / mp.factorial(2 * k + 1) * mp.ff(2 * k, int(n)) * x**powers

    return mp.nsum(term, [0, 40 + 6 * int(mp.fabs(x))], method="d")


sinc_derivative: Op = helper(
    "sinc_derivative", numerics.sinc_derivative, settings={0: ORDER},
    partials=(nan, lambda n, x, z: sinc_derivative(n + 1.0, x)), domain=(NATURAL, REAL),
    latex=r"\operatorname{{sinc}}^{{({0})}} {1}", edges=(None, "sinc_derivative(x + 1, y)"),
    exact=_sinc_derivative_exact, tame=True, waves=True,
    doc="The n-th derivative of sinc; n is a whole constant.\n\n>>> sinc_derivative(1, 0.0)\n0.0",
)  # fmt: skip


def _sinc_core(x: Number) -> Number:
    """By the distance to the nearest whole number, which is exact."""
    nearest = rint(x)
    wave = sin(math.pi * (x - nearest))
    half = nearest * 0.5
    ratio = div(where(ne(half, c_trunc(half)), -wave, wave) + 0.0, math.pi * x) + 0.0
    return where(eq(abs(x), inf), 0.0, where(eq(x, 0.0), 1.0, ratio))


sinc = row(
    "sinc", numerics.sinc, core=_sinc_core, partials=lambda x, z: sinc_derivative(1.0, x), latex=r"\operatorname{{sinc}} {0}",
    edges="sinc_derivative(1, x)", pins=[((0.0,), 1.0, (0.0,)), ((1.0,), 0.0, (-1.0,))],
    exact=lambda mp, at, x: mp.sinc(mp.pi * x), tame=True, waves=True,
    doc="sin(πx) / (πx), and 1 at 0, as in NumPy.\n\n>>> sinc(0.0)\n1.0",
)  # fmt: skip

publish(globals())
