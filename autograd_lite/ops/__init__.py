"""The op table: every primitive once, by family.  `row` says what a row holds; `TABLE` has them all by name.

    row  <-  piecewise  <-  arithmetic  <-  powers  <-  trigonometry  <-  special  <-  activations  <-  reductions
"""

from .activations import elu, gelu, leaky_relu, log_sigmoid, relu, sigmoid, silu, softplus
from .arithmetic import add, div, floordiv, fmod, mod, mul, neg, sub
from .piecewise import (
    abs,
    ceil,
    clamp,
    copysign,
    eq,
    floor,
    ge,
    gt,
    heaviside,
    identity,
    le,
    lt,
    maximum,
    minimum,
    ne,
    round_,
    sign,
    stop_gradient,
    trunc,
    where,
)
from .powers import cbrt, exp, exp2, expm1, log, log1p, log2, log10, pow, reciprocal, sqrt, square
from .reductions import dot, log_softmax, logaddexp, logsumexp, mean, prod, softmax, sum
from .row import REAL, TABLE, Interval, Kink, Op, Pin
from .special import digamma, erf, erfc, gamma, lgamma, polygamma, sinc
from .trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    degrees,
    hypot,
    radians,
    sin,
    sinh,
    tan,
    tanh,
)

FUNCTIONS = (
    "abs acos acosh add asin asinh atan atan2 atanh cbrt ceil clamp copysign cos cosh degrees digamma div dot elu eq erf erfc "
    "exp exp2 expm1 floor floordiv fmod gamma ge gelu gt heaviside hypot identity le leaky_relu lgamma log log10 log1p log2 "
    "log_sigmoid log_softmax logaddexp logsumexp lt maximum mean minimum mod mul ne neg polygamma pow prod radians "
    "reciprocal relu round_ sigmoid sign silu sin sinc sinh softmax softplus sqrt square stop_gradient sub sum tan tanh "
    "trunc where"
).split()

__all__ = [*FUNCTIONS, "FUNCTIONS", "REAL", "TABLE", "Interval", "Kink", "Op", "Pin"]  # noqa: PLE0604
