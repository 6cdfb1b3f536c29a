"""Rows that neural networks bend with."""

from __future__ import annotations

import math
from math import inf, nan

from .arithmetic import _halves
from .choice import _chosen, _taken, eq, ge, gt, le, lt, where
from .columns import Interval, Number
from .piecewise import abs, heaviside
from .powers import _expm1, exp, expm1, inverse, log, log1p, square
from .row import Op, helper, publish, row
from .special import ERF_SLOPE, erfc, gaussian
from .trigonometry import atanh, tanh
from .words import both

ROOT_2 = math.sqrt(2.0)
ROOT_2_TAIL = -9.667293313452913e-17  # √2 - ROOT_2
ROOT_2_HALVES = _halves(ROOT_2)
PHI_0 = 1.0 / math.sqrt(2.0 * math.pi)  # the normal density at 0


def _sigmoid(x: float) -> float:
    e = math.exp(-math.fabs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def _sigmoid_derivative(x: float) -> float:
    e = math.exp(-math.fabs(x))
    return e / ((1.0 + e) * (1.0 + e))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-math.fabs(x))) if x == x else nan


def _decay(x: Number) -> Number:
    return exp(-abs(x))


def _sigmoid_core(x: Number) -> Number:
    e = _decay(x)
    return where(ge(x, 0.0), 1.0, e) / (1.0 + e)


def _sigmoid_derivative_core(x: Number) -> Number:
    e = _decay(x)
    return e / square(1.0 + e)


sigmoid_derivative = helper(
    "sigmoid_derivative", _sigmoid_derivative, core=_sigmoid_derivative_core, partials=lambda x, z: -z * tanh(0.5 * x),
    text="sigmoid'({0})",
    latex=r"\sigma'\left({0}\right)", edges="-out*tanh(x/2)", pins=[((inf,), 0.0, (0.0,)), ((-inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: 1 / ((1 + mp.exp(-x)) * (1 + mp.exp(x))), tame=True,
    doc="s(x) s(-x), the derivative of sigmoid.\n\n>>> sigmoid_derivative(0.0)\n0.25",
)  # fmt: skip
sigmoid = row(
    "sigmoid", _sigmoid, core=_sigmoid_core, partials=lambda x, z: sigmoid_derivative(x), latex=r"\sigma\left({0}\right)",
    edges="out*(1 - out)",
    pins=[((inf,), 1.0, (0.0,)), ((-inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: 1 / (1 + mp.exp(-x)), tame=True,
    doc="1 / (1 + exp(-x)).\n\n>>> sigmoid(0.0)\n0.5",
)  # fmt: skip
log_sigmoid = row(
    "log_sigmoid", lambda x: -_softplus(-x), core=lambda x: -softplus(-x), partials=lambda x, z: sigmoid(-x),
    latex=r"\ln \sigma\left({0}\right)",
    edges="sigmoid(-x)", pins=[((inf,), 0.0, (0.0,)), ((-inf,), -inf, (1.0,))],
    exact=lambda mp, at, x: -mp.log1p(mp.exp(-x)), tame=True,
    doc="The logarithm of sigmoid(x), without underflow.\n\n>>> log_sigmoid(-1000.0)\n-1000.0",
)  # fmt: skip
softplus: Op = row(
    "softplus", _softplus, core=lambda x: where(lt(x, 0.0), 0.0, x) + log1p(_decay(x)),
    partials=lambda x, z: sigmoid(x), latex=r"\operatorname{{softplus}} {0}",
    edges="sigmoid(x)",
    pins=[((inf,), inf, (1.0,)), ((-inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: mp.log1p(mp.exp(x)), tame=True,
    doc="log(1 + exp(x)), without overflow and with no threshold.\n\n>>> softplus(1000.0)\n1000.0",
)  # fmt: skip


def _logit(p: float) -> float:
    if 0.25 <= p <= 0.75:
        return 2.0 * math.atanh(2.0 * p - 1.0)
    return log.forward(p) - log1p.forward(-p)


def _logit_core(p: Number) -> Number:
    return where(both(ge(p, 0.25), le(p, 0.75)), 2.0 * atanh(2.0 * p - 1.0), log(p) - log1p(-p))


logit = row(
    "logit", _logit, lambda x, z: inverse(x) + inverse(1.0 - x), core=_logit_core,
    exact=lambda mp, at, p: mp.log(p) - mp.log1p(-p),
    domain=(Interval(0.0, 1.0, open=True),), kinks=("x = 0", "x = 1"),
    latex=r"\operatorname{{logit}} {0}", edges="1/(x*(1 - x))",
    pins=[((0.5,), 0.0, (4.0,)), ((0.0,), -inf, (inf,)), ((1.0,), inf, (inf,)), ((-0.5,), nan, (nan,)), ((2.0,), nan, (nan,))],
    doc="log(p / (1 - p)), the inverse of sigmoid, without the cancellation near 1/2.\n\n>>> logit(0.5)\n0.0",
)  # fmt: skip


def _relu_product(g: Number, x: Number, z: Number) -> Number:
    if x.__class__ is float:  # what `_chosen` comes to, in half the time: every neuron passes here
        return g if x > 0.0 else None if x <= 0.0 else x
    return _chosen(g, heaviside(x, 0.0))


relu = row(
    "relu", lambda x: 0.0 if x <= 0.0 else x, core=lambda x: where(le(x, 0.0), 0.0, x),
    partials=lambda x, z: heaviside(x, 0.0), products=(_relu_product,), symbol="ReLU", kinks="x = 0",
    latex=r"\operatorname{{relu}} {0}", edges="x > 0", pins=[((0.0,), 0.0, (0.0,)), ((nan,), nan, (nan,))],
    exact=lambda mp, at, x: x if at[0] > 0 else 0 * x, tame=True,
    doc="max(x, 0); slope 0 at the kink.\n\n>>> relu(-2.0), relu(3.0)\n(0.0, 3.0)",
)  # fmt: skip


leaky_relu = row(
    "leaky_relu", lambda x, slope: x if x > 0.0 else slope * x,
    core=lambda x, slope: where(gt(x, 0.0), x, slope * x), partials=
    (lambda x, slope, z: where(eq(x, x), where(gt(x, 0.0), 1.0, slope), x), lambda x, slope, z: where(gt(x, 0.0), 0.0, x)),
    products=(lambda g, x, slope, z: g * where(eq(x, x), where(gt(x, 0.0), 1.0, slope), x),
              lambda g, x, slope, z: _taken(g * x, gt(x, 0.0), False)),
    defaults=(0.01,), example=(-2.0, 0.5), kinks="x = 0", edges=("where(x > 0, 1, y)", "where(x > 0, 0, x)"),
    pins=[((0.0, 0.1), 0.0, (0.1, 0.0)), ((nan, 0.1), nan, (nan, nan))],
    exact=lambda mp, at, x, slope: x if at[0] > 0 else slope * x, tame=True,
    doc="x, and slope * x below 0; the slope is 0.01 unless given.\n\n>>> leaky_relu(-2.0, 0.5)\n-1.0",
)  # fmt: skip


elu = row(
    "elu", lambda x, alpha: x if x > 0.0 else alpha * _expm1(x),
    core=lambda x, alpha: where(gt(x, 0.0), x, alpha * expm1(x)), partials=
    (lambda x, alpha, z: where(gt(x, 0.0), 1.0, alpha * exp(x)), lambda x, alpha, z: where(gt(x, 0.0), 0.0, expm1(x))),
    products=(lambda g, x, alpha, z: g * where(gt(x, 0.0), 1.0, alpha * exp(x)),
              lambda g, x, alpha, z: _taken(g * expm1(x), gt(x, 0.0), False)),
    defaults=(1.0,), example=(-2.0, 0.5), kinks="x = 0",
    edges=("where(x > 0, 1, y*exp(x))", "where(x > 0, 0, exp(x) - 1)"),
    pins=[((0.0, 1.0), 0.0, (1.0, 0.0)), ((-inf, 1.0), -1.0, (0.0, -1.0)), ((nan, 1.0), nan, (nan, nan))],
    exact=lambda mp, at, x, alpha: x if at[0] > 0 else alpha * mp.expm1(x), tame=True,
    doc="x, and alpha * (exp(x) - 1) below 0; alpha is 1 unless given.\n\n>>> elu(2.0)\n2.0",
)  # fmt: skip


def _lost(x: Number, t: Number) -> Number:
    """What the rounding of -x/√2 to `t` lost, times the slope of erfc: 2/√π of the bell exp(-x²/2)."""
    (a, b), (c, d) = _halves(t), ROOT_2_HALVES
    product = t * ROOT_2
    rest = (-x - product) - ((a * c - product) + a * d + b * c + b * d) - t * ROOT_2_TAIL
    return rest * (ERF_SLOPE / ROOT_2)


def _tail(x: float, bell: float) -> float:
    """erfc(-x/√2) of the exact quotient: far out erfc multiplies its rounding by x² (gelu(-27) would lose 646 units)."""
    t = -x / ROOT_2
    return math.erfc(t) - (_lost(x, t) * bell if bell else 0.0)


def _gelu(x: float) -> float:
    return 0.0 if x == -inf else 0.5 * x * _tail(x, gaussian.forward(x, 0.5))


def _gelu_derivative(x: float) -> float:
    bell = gaussian.forward(x, 0.5)
    return 0.5 * _tail(x, bell) + (x * bell * PHI_0 if bell else 0.0)


def _tail_core(x: Number, bell: Number) -> Number:
    t = -x / ROOT_2
    return erfc(t) - where(bell, _lost(x, t) * bell, 0.0)


def _gelu_derivative_core(x: Number) -> Number:
    bell = gaussian(x, 0.5)
    return 0.5 * _tail_core(x, bell) + where(bell, x * bell * PHI_0, 0.0)


gelu_derivative = helper(
    "gelu_derivative", _gelu_derivative, core=_gelu_derivative_core, partials=
    lambda x, z: gaussian(x, 0.5) * (2.0 - square(where(gaussian(x, 0.5), x, 0.0))) * PHI_0,
    text="gelu'({0})", latex=r"\operatorname{{gelu}}'\left({0}\right)", edges="exp(-x**2/2)/sqrt(2*pi)*(2 - x**2)",
    pins=[((inf,), 1.0, (0.0,)), ((-inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: mp.ncdf(x) + x * mp.npdf(x), tame=True,
    doc="The derivative of gelu: Φ(x) + x φ(x).\n\n>>> gelu_derivative(0.0)\n0.5",
)  # fmt: skip
gelu = row(
    "gelu", _gelu, core=lambda x: where(eq(x, -inf), 0.0, 0.5 * x * _tail_core(x, gaussian(x, 0.5))),
    partials=lambda x, z: gelu_derivative(x), latex=r"\operatorname{{gelu}} {0}", edges="gelu_derivative(x)",
    pins=[((inf,), inf, (1.0,)), ((-inf,), 0.0, (0.0,))],
    exact=lambda mp, at, x: x * mp.ncdf(x), tame=True,
    doc="x Φ(x), the erf form: x/2 erfc(-x/√2).\n\n>>> gelu(0.0)\n0.0",
)  # fmt: skip
silu = row(
    "silu", lambda x: x * _sigmoid(x) if x > -inf else 0.0 if x == x else nan,
    core=lambda x: where(eq(x, -inf), 0.0, x * sigmoid(x)),
    partials=lambda x, z: sigmoid(x) + where(sigmoid_derivative(x), x, 0.0) * sigmoid_derivative(x),
    latex=r"\operatorname{{silu}} {0}", edges="sigmoid(x) + x*sigmoid_derivative(x)",
    pins=[((inf,), inf, (1.0,)), ((-inf,), 0.0, (0.0,)), ((nan,), nan, (nan,))],
    exact=lambda mp, at, x: x / (1 + mp.exp(-x)), tame=True,
    doc="x sigmoid(x).\n\n>>> silu(0.0)\n0.0",
)  # fmt: skip

publish(globals())
