"""The formulas by which rows of the op table are computed in the words of a kernel; `lowering` says what those are.

Each function is the row of its name: it gives what the row's own function gives.  Imports `ops`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, nan
from typing import Any

from ..ops import TABLE
from ..ops.activations import PHI_0, ROOT_2
from ..ops.powers import _log_terms

Kernel = Any  # an object with the words of `lowering` and the attribute `exact`
Lowering = Callable[..., Any]


def constant(x: Any) -> bool:
    """Whether an argument is a constant."""
    return x.__class__ is float


# -- pieces -----------------------------------------------------------------------------------------------------------


def zero(k: Kernel, x: Any) -> Any:
    return k.select(k.eq(x, x), 0.0, nan)


def comparison(name: str) -> Lowering:
    return lambda k, x, y: k.number(getattr(k, name)(x, y))


def where(k: Kernel, c: Any, a: Any, b: Any) -> Any:
    if constant(c):
        return a if c else b
    return k.select(k.truth(c), a, b)


def sign(k: Kernel, x: Any) -> Any:
    return k.select(k.gt(x, 0.0), 1.0, k.select(k.lt(x, 0.0), -1.0, k.add(x, 0.0)))


def heaviside(k: Kernel, x: Any, at_zero: Any) -> Any:
    if constant(at_zero) and at_zero.hex() == "0x0.0p+0":
        return k.select(k.gt(x, 0.0), 1.0, k.select(k.le(x, 0.0), 0.0, nan))
    return k.select(k.gt(x, 0.0), 1.0, k.select(k.lt(x, 0.0), 0.0, k.select(k.eq(x, 0.0), at_zero, nan)))


def whole(name: str) -> Lowering:
    """A rounding to whole numbers; Python's go through int, which has no -0: adding 0 does the same."""
    return lambda k, x: k.add(getattr(k, name)(x), 0.0)


def round_(k: Kernel, x: Any, digits: Any) -> Any:
    if constant(digits) and -1.0 < digits < 1.0:
        return k.rint(x)
    return k.call(TABLE["round"], x, digits)


def difference(k: Kernel, x: Any, y: Any) -> Any:
    return k.select(k.eq(x, y), 0.0, k.sub(x, y))


def maximum(k: Kernel, x: Any, y: Any) -> Any:
    if constant(x) and x == x:
        return k.select(k.gt(x, y), x, y)
    if constant(y) and y == y:
        return k.select(k.le(x, y), y, x)
    return k.select(k.gt(x, y), x, k.select(k.ge(y, x), y, nan))


def minimum(k: Kernel, x: Any, y: Any) -> Any:
    if constant(x) and x == x:
        return k.select(k.lt(x, y), x, y)
    if constant(y) and y == y:
        return k.select(k.ge(x, y), y, x)
    return k.select(k.lt(x, y), x, k.select(k.le(y, x), y, nan))


def clamp(k: Kernel, x: Any, low: Any, high: Any) -> Any:
    above, inside = k.gt(x, high), k.select(k.lt(x, low), low, x)
    if constant(low) and constant(high) and low <= high:
        return k.select(above, high, inside)  # a nan passes every comparison
    numbers = k.both(k.eq(x, x), k.both(k.eq(low, low), k.eq(high, high)))
    return k.select(numbers, k.select(k.either(above, k.gt(low, high)), high, inside), nan)


# -- arithmetic -------------------------------------------------------------------------------------------------------


def muldiv(k: Kernel, x: Any, y: Any, z: Any) -> Any:
    if constant(y):
        return k.div(k.mul(x, y), z) if -1.0 < y < 1.0 else k.mul(k.div(x, z), y)
    small = k.both(k.gt(y, -1.0), k.lt(y, 1.0))
    quotient = k.div(k.select(small, k.mul(x, y), x), z)
    return k.select(small, quotient, k.mul(quotient, y))


def opposite(k: Kernel, x: Any, y: Any) -> Any:
    """Whether just one of two is below 0."""
    below_x, below_y = k.lt(x, 0.0), k.lt(y, 0.0)
    return k.both(k.either(below_x, below_y), k.negate(k.both(below_x, below_y)))


def mod(k: Kernel, x: Any, y: Any) -> Any:
    """As Python's: C's remainder, moved by y where its sign is not y's."""
    rest = k.fmod(x, y)
    return k.select(k.eq(rest, 0.0), k.copysign(0.0, y), k.select(opposite(k, rest, y), k.add(rest, y), rest))


def floordiv(k: Kernel, x: Any, y: Any) -> Any:
    """As Python's: the quotient less its remainder is whole but for its rounding, which must not cost a unit."""
    rest = k.fmod(x, y)
    quotient = k.div(k.sub(x, rest), y)
    quotient = k.select(k.both(k.ne(rest, 0.0), opposite(k, rest, y)), k.sub(quotient, 1.0), quotient)
    floor = k.floor(quotient)
    near = k.select(k.gt(k.sub(quotient, floor), 0.5), k.add(floor, 1.0), floor)
    ratio = k.div(x, y)
    result = k.select(k.eq(quotient, 0.0), k.copysign(0.0, ratio), near)
    return k.select(k.eq(y, 0.0), ratio, result)


# -- powers -----------------------------------------------------------------------------------------------------------


def pow(k: Kernel, x: Any, y: Any) -> Any:
    """Products for small whole exponents and roots for halves where the last bits are free; a square always is a product."""
    if constant(y):
        if y == 2.0:
            return k.mul(x, x)
        if not k.exact and y in _SHORT:
            return _SHORT[y](k, x)
        return k.pow(x, y)
    if not k.exact:
        return k.pow(x, y)
    return k.select(k.eq(y, 2.0), k.mul(x, x), k.pow(x, y))


def square(k: Kernel, x: Any) -> Any:
    return k.mul(x, x)


def _cubed(k: Kernel, x: Any) -> Any:
    return k.mul(k.mul(x, x), x)


def _inverted(power: Lowering) -> Lowering:
    """1/x first: the power of 1/x overflows and underflows just where the result does, to denormal numbers too."""
    return lambda k, x: power(k, k.div(1.0, x))


# C's pow has an infinite root of -inf, unlike sqrt, and one of +0 for -0
_SHORT: dict[float, Lowering] = {
    0.0: lambda k, x: 1.0,
    1.0: lambda k, x: x,
    3.0: _cubed,
    4.0: lambda k, x: square(k, square(k, x)),
    -1.0: lambda k, x: k.div(1.0, x),
    -2.0: _inverted(square),
    -3.0: _inverted(_cubed),
    -4.0: lambda k, x: square(k, k.div(1.0, square(k, x))),
    0.5: lambda k, x: k.select(k.eq(x, -inf), inf, sqrt(k, x)),
    -0.5: lambda k, x: k.select(k.eq(x, -inf), 0.0, k.div(1.0, sqrt(k, x))),
}


def pow_derivative(k: Kernel, x: Any, y: Any, n: Any, m: Any) -> Any:
    """d^n/dx^n d^m/dy^m x^y = x^(y-n) (c_0 + c_1 log x + ... + c_m log^m x)."""
    op = TABLE["pow_derivative"]
    if not constant(n) or not constant(m):
        return k.call(op, x, y, n, m)
    terms = _log_terms(y, int(n), int(m)) if constant(y) else _terms(k, y, int(n), int(m))
    power = y - n if constant(y) else k.sub(y, n)
    if m == 0.0:
        c = y if n == 1.0 else terms[0]
        if constant(c):
            return k.mul(c, pow(k, x, power)) if c else 0.0
        return k.select(k.truth(c), k.mul(c, pow(k, x, power)), 0.0)
    log, total = k.log(x), terms[-1]
    for c in terms[-2::-1]:
        total = k.add(k.mul(total, log), c)
    inside = k.mul(total, pow(k, x, power))
    if constant(y):
        at_zero, at_inf = op.forward(0.0, y, n, m), op.forward(inf, y, n, m)
    elif n == 0.0:
        at_zero = k.select(k.ge(y, 0.0), 0.0, nan)
        at_inf = k.select(k.ge(y, 0.0), inf, k.select(k.lt(y, 0.0), 0.0, nan))
    else:
        at_zero = _limit(k, k.gt(power, 0.0), power, terms, -inf)
        at_inf = _limit(k, k.lt(power, 0.0), power, terms, inf)
    return k.select(k.eq(x, 0.0), at_zero, k.select(k.eq(x, inf), at_inf, k.select(k.gt(x, 0.0), inside, nan)))


def _terms(k: Kernel, y: Any, n: int, m: int) -> list[Any]:
    """c_0 .. c_m where y is not a constant, by the same steps as for one."""
    terms: list[Any] = [0.0] * m + [1.0]
    for i in range(n):
        factor = k.sub(y, float(i))
        ups = [*terms[1:], 0.0]
        terms = [k.add(k.mul(factor, c), k.mul(float(j + 1), up)) for j, (c, up) in enumerate(zip(terms, ups, strict=True))]
    return terms


def _limit(k: Kernel, vanishes: Any, power: Any, terms: Sequence[Any], log: float) -> Any:
    """The limit where x is 0 or inf: 0 where the power says so, else that of the highest log that is left."""
    result: Any = 0.0
    for j, c in enumerate(terms):
        infinite = k.mul(c, log**j if j else inf)
        value = infinite if j else k.select(k.truth(power), infinite, c)
        result = k.select(k.truth(c), value, result)
    return k.select(vanishes, 0.0, result)


def sqrt(k: Kernel, x: Any) -> Any:
    """0 for -0, so that its slope is inf; by `abs`, as compilers drop the addition of 0."""
    return k.abs(k.sqrt(x))


def inverse(k: Kernel, x: Any) -> Any:
    return k.select(k.ge(x, 0.0), k.div(1.0, k.abs(x)), nan)


# -- special ----------------------------------------------------------------------------------------------------------


def gaussian(k: Kernel, x: Any, c: Any) -> Any:
    """exp(-c x^2) with the rounding error of x^2 made good: the square of the high part of x is exact."""
    spread = k.mul(134217729.0, x)
    high = k.sub(spread, k.sub(spread, x))
    minus = -c if constant(c) else k.neg(c)
    body, rest = k.exp(k.mul(k.mul(minus, high), high)), k.mul(k.mul(minus, k.sub(x, high)), k.add(x, high))
    if k.exact:
        tail = k.exp(rest)
    else:  # |rest| < 800 / 2^25 for c > 0: the series of exp does
        tail = k.add(1.0, k.mul(rest, k.add(1.0, k.mul(rest, k.add(0.5, k.mul(rest, 1.0 / 6.0))))))
        if not constant(c) or not c > 0.0:
            tail = k.select(k.gt(c, 0.0), tail, k.exp(rest))
    number = k.eq(x, x) if constant(c) and c == c else k.both(k.eq(x, x), k.eq(c, c))
    return k.select(k.lt(k.mul(k.mul(c, x), x), 800.0), k.mul(body, tail), k.select(number, 0.0, nan))


def sinc(k: Kernel, x: Any) -> Any:
    """sin(πx) / (πx) by the distance to the nearest whole number, which is exact."""
    nearest = k.rint(x)
    wave = k.sin(k.mul(math.pi, k.sub(x, nearest)))
    half = k.mul(nearest, 0.5)
    odd = k.ne(half, k.trunc(half))
    ratio = k.add(k.div(k.add(k.select(odd, k.neg(wave), wave), 0.0), k.mul(math.pi, x)), 0.0)
    return k.select(k.eq(k.abs(x), inf), 0.0, k.select(k.eq(x, 0.0), 1.0, ratio))


# -- trigonometry -----------------------------------------------------------------------------------------------------


def co_square(k: Kernel, x: Any) -> Any:
    return k.mul(k.sub(1.0, x), k.add(1.0, x))


def atan_derivative(k: Kernel, x: Any) -> Any:
    return k.div(1.0, k.add(1.0, k.mul(x, x)))


_FAR, _SCALE = 2.0**500, 2.0**600  # beyond 2^+-500 squares come near the ends of the range


def _scaled(k: Kernel, args: Sequence[Any]) -> tuple[Any, Any, Any]:
    """The largest size (nan passed over), a power of two that brings it near 1, and the sum of the scaled squares."""
    largest = _largest(k, args)
    scale = k.select(k.gt(largest, _FAR), 1.0 / _SCALE, k.select(k.lt(largest, 1.0 / _FAR), _SCALE, 1.0))
    scaled = [k.mul(v, scale) for v in args]
    return largest, scale, reduce(k.add, [k.mul(v, v) for v in scaled])


def _largest(k: Kernel, args: Sequence[Any]) -> Any:
    largest: Any = 0.0
    for size in map(k.abs, args):
        largest = k.select(k.gt(size, largest), size, largest)
    return largest


def hypot(k: Kernel, *args: Any) -> Any:
    if k.exact or not args:
        return k.call(TABLE["hypot"], *args)
    if len(args) == 1:
        return k.abs(args[0])
    largest, scale, squares = _scaled(k, args)
    return k.select(k.eq(largest, inf), inf, k.div(k.sqrt(squares), scale))


def unit(k: Kernel, x: Any, *others: Any) -> Any:
    if k.exact:
        return k.call(TABLE["unit"], x, *others)
    largest, scale, squares = _scaled(k, (x, *others))
    far = k.gt(largest, _FAR)  # scaled down only after the division, or a small x would be lost
    ratio = k.mul(k.div(k.mul(x, k.select(far, 1.0, scale)), k.sqrt(squares)), k.select(far, scale, 1.0))
    lonely = k.lt(_largest(k, others), inf)
    at_inf = k.select(k.lt(k.abs(x), inf), 0.0, k.select(lonely, k.copysign(1.0, x), nan))
    return k.select(k.eq(squares, 0.0), 0.0, k.select(k.eq(squares, inf), at_inf, ratio))


# tanh(x) = x + x^3 P(x^2)/Q(x^2) where |x| is below 5/8; Moshier, Cephes Math Library, tanh.c
_TANH_P = (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3)
_TANH_Q = (1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3)


def tanh(k: Kernel, x: Any) -> Any:
    """In vectors from the exponential that its slope needs as well, with one division and no call of its own."""
    if k.exact or not k.inline:
        return k.tanh(x)
    e, squared = _twofold_decay(k, x), square(k, x)
    small = k.lt(k.abs(x), 0.625)
    above = k.select(small, k.mul(k.mul(x, squared), _polynomial(k, _TANH_P, squared)), k.copysign(k.sub(1.0, e), x))
    quotient = k.div(above, k.select(small, _polynomial(k, _TANH_Q, squared), k.add(1.0, e)))
    return k.select(small, k.add(x, quotient), quotient)


def _polynomial(k: Kernel, coefficients: Sequence[float], x: Any) -> Any:
    """By Horner's rule, the highest power first."""
    return reduce(lambda total, c: k.add(k.mul(total, x), c) if total != 1.0 else k.add(x, c), coefficients)


def _twofold_decay(k: Kernel, x: Any) -> Any:
    return k.exp(k.mul(-2.0, k.abs(x)))


def sech2(k: Kernel, x: Any) -> Any:
    e = _twofold_decay(k, x)
    return k.div(k.mul(4.0, e), _square_plus_1(k, e))


def _square_plus_1(k: Kernel, e: Any) -> Any:
    return square(k, k.add(1.0, e))


# -- activations ------------------------------------------------------------------------------------------------------


def decay(k: Kernel, x: Any) -> Any:
    return k.exp(k.neg(k.abs(x)))


def sigmoid_derivative(k: Kernel, x: Any) -> Any:
    e = decay(k, x)
    return k.div(e, _square_plus_1(k, e))


def sigmoid(k: Kernel, x: Any) -> Any:
    e = decay(k, x)
    return k.div(k.select(k.ge(x, 0.0), 1.0, e), k.add(1.0, e))


def softplus(k: Kernel, x: Any) -> Any:
    return k.add(k.select(k.lt(x, 0.0), 0.0, x), k.log1p(decay(k, x)))


def log_sigmoid(k: Kernel, x: Any) -> Any:
    return k.neg(softplus(k, k.neg(x)))


def relu(k: Kernel, x: Any) -> Any:
    return k.select(k.le(x, 0.0), 0.0, x)


def leaky_relu(k: Kernel, x: Any, slope: Any) -> Any:
    return k.select(k.gt(x, 0.0), x, k.mul(slope, x))


def elu(k: Kernel, x: Any, alpha: Any) -> Any:
    return k.select(k.gt(x, 0.0), x, k.mul(alpha, k.expm1(x)))


def _normal_tail(k: Kernel, x: Any) -> Any:
    return k.erfc(k.div(k.neg(x), ROOT_2))


def gelu(k: Kernel, x: Any) -> Any:
    return k.select(k.eq(x, -inf), 0.0, k.mul(k.mul(0.5, x), _normal_tail(k, x)))


def gelu_derivative(k: Kernel, x: Any) -> Any:
    bell = gaussian(k, x, 0.5)
    slope = k.select(k.truth(bell), k.mul(k.mul(x, bell), PHI_0), 0.0)
    return k.add(k.mul(0.5, _normal_tail(k, x)), slope)


def silu(k: Kernel, x: Any) -> Any:
    return k.select(k.eq(x, -inf), 0.0, k.mul(x, sigmoid(k, x)))
