"""Functions over rows as vector code: polynomials and the bits of doubles, in place of calls.

Each function here writes the lines of one row of the op table by the words of an `emit.Emitter` and gives the result.  A line
that is there already is not written again, so that what two functions have in common is computed once: tanh and its slope take
one exponential and one division.  All widths of vectors give the same bits.  They need a fused multiply-add; a processor
without one, and rows that are not here, call the vector library.

Coefficients are those of polynomials with the least largest error, found with mpmath to 200 bits.  The errors stand in
``tests/benchmarks/README.md``, and ``tests/benchmarks/functions.py`` finds them.

Sources of the reductions: Muller, Elementary Functions (exp by 2^n, log by the arc tangent's series); Shepherd and Laframboise,
Math. Comp. 36 (1981), for the tail of the normal distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf, nan
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .emit import Emitter

__all__ = ["ROWS"]

_hex = float.fromhex
SHIFT = 1.5 * 2.0**52  # x + SHIFT has the whole number next to x in its last bits
LOG2_E, LN2, LN2_REST = _hex("0x1.71547652b82fep+0"), _hex("0x1.62e42fee00000p-1"), _hex("0x1.a39ef35793c76p-33")
# (exp(r) - 1 - r) / r² for |r| up to log(2)/2, from the highest power down
EXP = tuple(map(_hex, (
    "0x1.af38a9b0ec855p-26", "0x1.289185613a3d6p-22", "0x1.71de0dae63bb3p-19", "0x1.a019b90d2ae7ap-16",
    "0x1.a01a01a7c41d5p-13", "0x1.6c16c1788bd90p-10", "0x1.11111111109b3p-7", "0x1.5555555553d63p-5",
    "0x1.5555555555556p-3", "0x1.0000000000001p-1",
)))  # fmt: skip
# (2 artanh(s) - 2 s) / s³ in s² for 1 + f = (1 + s)/(1 - s) from √½ to √2
LOG = tuple(map(_hex, (
    "0x1.2b5f68a50d903p-3", "0x1.39fdcceb4bb45p-3", "0x1.7462b91b8df65p-3", "0x1.c71c62d5e53e0p-3", "0x1.2492492dfd86cp-2",
    "0x1.9999999995273p-2", "0x1.5555555555558p-1",
)))  # fmt: skip
ONE, FRACTION, ROOT_HALF, TOP = 0x3FF << 52, (1 << 52) - 1, 0x3FE6A09E667F3BCD, 0x433 << 52  # bits; TOP is 2^52
LEAST = 2.0**-1022  # below, a double has fewer bits
LOWEST, HIGHEST = -760.0, 720.0  # exp is 0 and inf there


def _polynomial(k: Emitter, coefficients: Sequence[float], x: Any, square: Any) -> Any:
    """By pairs of terms, which wait for each other less than one by one."""
    if len(coefficients) % 2:
        total, rest = coefficients[0], coefficients[1:]
    else:
        total, rest = k.fma(coefficients[0], x, coefficients[1]), coefficients[2:]
    for i in range(0, len(rest), 2):
        total = k.fma(total, square, k.fma(rest[i], x, rest[i + 1]))
    return total


def _at_least(k: Emitter, x: Any, low: float) -> Any:
    """x, or `low` where x is less; nan stays."""
    return k.select(k.lt(x, low), low, x)


def _at_most(k: Emitter, x: Any, high: float) -> Any:
    return k.select(k.gt(x, high), high, x)


def _two_to(k: Emitter, shifted: Any) -> Any:
    """2^n of ``n + SHIFT``, n from -1022 to 1023: its last bits become the exponent."""
    return k.number_of(k.bits("add", k.bits("shl", k.bits_of(shifted), 52), ONE))


def _scaled(k: Emitter, x: Any, n: Any) -> Any:
    """x 2^n, rounded once, for x near 1 and n from -1150 to 1100: by one instruction, or by halves of n."""
    if k.scalef:
        return k.scaled(x, n)
    half = k.fma(n, 0.5, SHIFT)
    rest = k.add(k.sub(n, k.sub(half, SHIFT)), SHIFT)
    return k.mul(k.mul(x, _two_to(k, half)), _two_to(k, rest))


def _power(k: Emitter, x: Any) -> tuple[Any, Any]:
    """p and n with ``exp(x) = 2^n (1 + p)``, for x between -1000 and 1000."""
    n = k.sub(k.fma(x, LOG2_E, SHIFT), SHIFT)
    r = k.fma(n, -LN2_REST, k.fma(n, -LN2, x))
    square = k.mul(r, r)
    return k.fma(_polynomial(k, EXP, r, square), square, r), n


def exp(k: Emitter, x: Any) -> Any:
    """e to the x."""
    p, n = _power(k, _at_most(k, _at_least(k, x, LOWEST), HIGHEST))
    return _scaled(k, k.add(1.0, p), n)


def _decay(k: Emitter, x: Any) -> Any:
    """exp(-|x|)."""
    p, n = _power(k, _at_least(k, k.neg(k.abs(x)), LOWEST))
    return _scaled(k, k.add(1.0, p), n)


def _tanh_parts(k: Emitter, x: Any) -> tuple[Any, Any, Any]:
    """e, e - 1 and 1/(1 + e) for e = exp(-2 |x|)."""
    p, n = _power(k, _at_least(k, k.mul(k.abs(x), -2.0), LOWEST))
    e, power = _scaled(k, k.add(1.0, p), n), _scaled(k, 1.0, n)
    return e, k.fma(power, p, k.sub(power, 1.0)), k.div(1.0, k.add(1.0, e))


def tanh(k: Emitter, x: Any) -> Any:
    """(1 - e)/(1 + e)."""
    _, less, over = _tanh_parts(k, x)
    return k.copysign(k.mul(less, over), x)


def sech2(k: Emitter, x: Any) -> Any:
    """4 e/(1 + e)²."""
    e, _, over = _tanh_parts(k, x)
    return k.mul(k.mul(4.0, k.mul(e, over)), over)


def _over(k: Emitter, e: Any) -> Any:
    """1/(1 + e), also what log1p divides by."""
    return k.div(1.0, k.add(1.0, e))


def sigmoid(k: Emitter, x: Any) -> Any:
    """1/(1 + e) or e/(1 + e) for e = exp(-|x|)."""
    e = _decay(k, x)
    over = _over(k, e)
    return k.select(k.ge(x, 0.0), over, k.mul(e, over))


def sigmoid_derivative(k: Emitter, x: Any) -> Any:
    """e/(1 + e)²."""
    e = _decay(k, x)
    over = _over(k, e)
    return k.mul(k.mul(e, over), over)


def softplus(k: Emitter, x: Any) -> Any:
    """max(x, 0) + log(1 + e)."""
    return k.add(k.select(k.lt(x, 0.0), 0.0, x), _log_one_plus(k, _decay(k, x)))


def _reduced(k: Emitter, u: Any) -> tuple[Any, Any]:
    """f and n with ``u = 2^n (1 + f)`` and 1 + f from √½ to √2, for a normal number above 0."""
    moved = k.bits("add", k.bits_of(u), ONE - ROOT_HALF)
    f = k.sub(k.number_of(k.bits("add", k.bits("and", moved, FRACTION), ROOT_HALF)), 1.0)
    n = k.sub(k.number_of(k.bits("or", k.bits("lshr", moved, 52), TOP)), 2.0**52 + 1023.0)
    return f, n


def _logarithm(k: Emitter, f: Any, n: Any, rest: Any) -> Any:
    """n log(2) + log(1 + f) + rest: with s = f/(2 + f), log(1 + f) is f - f²/2 + s (f²/2 + s² P(s²))."""
    s, half = k.div(f, k.add(2.0, f)), k.mul(k.mul(0.5, f), f)
    square = k.mul(s, s)
    series = k.mul(square, _polynomial(k, LOG, square, k.mul(square, square)))
    small = k.fma(s, k.add(half, series), k.fma(n, LN2_REST, rest))
    return k.fma(n, LN2, k.sub(f, k.sub(half, small)))


def log(k: Emitter, x: Any) -> Any:
    """The natural logarithm."""
    tiny = k.lt(x, LEAST)
    f, n = _reduced(k, k.select(tiny, k.mul(x, 2.0**54), x))
    found = _logarithm(k, f, k.sub(n, k.select(tiny, 54.0, 0.0)), 0.0)
    return k.select(k.gt(x, 0.0), k.select(k.lt(x, inf), found, x), k.select(k.eq(x, 0.0), -inf, nan))


def _log_one_plus(k: Emitter, x: Any) -> Any:
    """log(1 + x) for finite x above -1: that of u, the rounded sum, and what the rounding lost over u."""
    u = k.add(1.0, x)
    f, n = _reduced(k, u)
    lost = k.select(k.lt(n, 2.0), k.sub(x, k.sub(u, 1.0)), k.sub(1.0, k.sub(u, x)))
    near = k.eq(n, 0.0)
    return _logarithm(k, k.select(near, x, f), n, k.select(near, 0.0, k.mul(lost, _over(k, x))))


def log1p(k: Emitter, x: Any) -> Any:
    """The logarithm of 1 + x."""
    found = k.select(k.lt(x, inf), _log_one_plus(k, x), x)
    return k.select(k.gt(x, -1.0), found, k.select(k.eq(x, -1.0), -inf, nan))


ROWS: Mapping[str, Callable[..., Any]] = {
    made.__name__: made for made in (exp, log, log1p, tanh, sech2, sigmoid, sigmoid_derivative, softplus)
}
