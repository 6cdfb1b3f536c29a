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

import math
from collections.abc import Callable, Mapping, Sequence
from math import inf, nan
from typing import TYPE_CHECKING, Any, NamedTuple

from ...tree import Number

if TYPE_CHECKING:
    from .emit import Emitter

__all__ = ["ALIKE", "DOUBLE", "IN_SINGLE", "QUICKER", "ROWS", "SINGLE", "Precision"]

_hex = float.fromhex
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
# (log(1 + e) - e)/e² for e from 0 to 1, without a division
LOG_1_TO_2 = tuple(map(_hex, (
    "-0x1.80d9a3ccbf91fp-16", "0x1.162ed8469e3cap-12", "-0x1.7dec9249c0d60p-10", "0x1.4cfe8d6ef2506p-8",
    "-0x1.a1350510338a4p-7", "0x1.9467cbf5e4b32p-6", "-0x1.40832de4ea7f0p-5", "0x1.b401d10b0a3fbp-5",
    "-0x1.0a677de2654e4p-4", "0x1.30f090840e956p-4", "-0x1.522c60f86b9c8p-4", "0x1.7395166f619e2p-4",
    "-0x1.99730ed878462p-4", "0x1.c716c84fc063fp-4", "-0x1.ffff6260f5970p-4", "0x1.2492430c8c061p-3",
    "-0x1.5555550459f81p-3", "0x1.999999970365cp-3", "-0x1.fffffffff4bedp-3", "0x1.55555555554b9p-2",
    "-0x1.0000000000000p-1",
)))  # fmt: skip
# erf(x)/x in x² for |x| up to 0.65
ERF = tuple(map(_hex, (
    "-0x1.2279132b1b1b6p-23", "0x1.b3448d1801828p-20", "-0x1.f46a48c32acfap-17", "0x1.f99f44fc0ef2ap-14",
    "-0x1.c02d9cf546005p-11", "0x1.565bccbaf184cp-8", "-0x1.b82ce3112ca24p-6", "0x1.ce2f21a03fdbap-4",
    "-0x1.812746b0379c1p-2", "0x1.20dd750429b6dp+0",
)))  # fmt: skip
# exp(a²) erfc(a) in (a - 2)/(a + 2) for a from 0.65 to 6, to the error that times exp(-a²) matters beside 1
SHORT_TAIL = tuple(map(_hex, (
    "-0x1.b6f9de12bc197p-19", "-0x1.1e3be705df09cp-16", "-0x1.e03f08d573823p-16", "0x1.ccd6a0b1e0effp-16",
    "0x1.6dd7a18154aadp-13", "0x1.6d9c6419145c7p-15", "-0x1.016b3d98d9f0cp-10", "-0x1.bc25be01fae67p-11",
    "0x1.ca95ecb3b6139p-8", "0x1.e94715931e356p-9", "-0x1.437f0b68a881cp-4", "0x1.eeea7dc8a843cp-3",
    "-0x1.b57034efd3f8bp-2", "0x1.058671b52c774p-2",
)))  # fmt: skip
# ((1 + 2 a) exp(a²) erfc(a) - 1)/w in w - 1, for w = 2 a/(a + 4) and a from 0 to 28
TAIL = tuple(map(_hex, (
    "-0x1.70d8aaf293595p-29", "-0x1.d2175e819b085p-27", "0x1.91a5310403ff2p-28", "0x1.f304a15699065p-24",
    "-0x1.a8587ab77be52p-25", "-0x1.a9a56c7498cfcp-21", "0x1.23f0876080274p-20", "0x1.36fe5820b4cc9p-18",
    "-0x1.09fc0e5c8b74ep-16", "-0x1.1ee6a434d94f1p-17", "0x1.4dcdee9f40fecp-13", "-0x1.77d62f1bd9974p-12",
    "-0x1.a2bee405e8545p-12", "0x1.63f25fe4c8169p-8", "-0x1.625ed096a5aefp-6", "0x1.e1a95644571d9p-5",
    "-0x1.00428c8febbaap-3", "0x1.c0398cb6eda4ep-3", "-0x1.47938f4c730aap-2", "0x1.8d4ecb405c699p-2",
    "-0x1.7d8f1c4524743p-2", "0x1.dd2c8b74febf5p-3",
)))  # fmt: skip
# bits of 1, √½ and 2^52, and where a double has its fraction and its exponent
ONE, ROOT_HALF_BITS, TOP, FRACTION, EXPONENT = 0x3FF << 52, 0x3FE6A09E667F3BCD, 0x433 << 52, (1 << 52) - 1, 0xFFF << 52
LEAST = 2.0**-1022  # below, a double has fewer bits


class Precision(NamedTuple):
    """What depends on how many bits a number has; the names are those above."""

    shift: float  # x + shift has the whole number next to x in its last bits
    ln2: float
    ln2_rest: float
    exp: tuple[float, ...]
    log_1_to_2: tuple[float, ...]
    fraction: int  # bits
    one: int
    lowest: float  # exp is 0 and inf there
    highest: float


DOUBLE = Precision(1.5 * 2.0**52, LN2, LN2_REST, EXP, LOG_1_TO_2, 52, ONE, -760.0, 720.0)
SINGLE = Precision(
    1.5 * 2.0**23,
    0.693147182464599609375,
    -1.904654323148236e-09,
    (
        0.0013926250831497611, 0.008363232883682618, 0.04166655421298415, 0.16666576666119928, 0.5,
    ),
    (
        0.00280164199280335, -0.01718426698244871, 0.049309973434549695, -0.0913941377401492, 0.13033364238242814,
        -0.16365152869205535, 0.19956707952251837, -0.24996759908263924, 0.3333323734621399, -0.4999999952222377,
    ),
    23,
    0x7F << 23,
    -104.0,
    89.0,
)  # fmt: skip
END = {1.0: 28.0, 0.5: 40.0}  # exp(-c x²) is 0 from there on
ROOT_HALF, PHI_0 = math.sqrt(0.5), 1.0 / math.sqrt(2.0 * math.pi)


def _paired_polynomial(k: Emitter, coefficients: Sequence[float], x: Number, square: Number) -> Number:
    """By pairs of terms, which wait for each other less than one by one."""
    odd = len(coefficients) % 2
    total: Any = coefficients[0] if odd else k.fma(coefficients[0], x, coefficients[1])
    rest = coefficients[2 - odd :]
    for i in range(0, len(rest), 2):
        total = k.fma(total, square, k.fma(rest[i], x, rest[i + 1]))
    return total


def _at_least(k: Emitter, x: Number, low: float) -> Number:
    """x, or `low` where x is less; nan stays."""
    return k.select(k.lt(x, low), low, x)


def _at_most(k: Emitter, x: Number, high: float) -> Number:
    return k.select(k.gt(x, high), high, x)


def _two_to(k: Emitter, shifted: Number) -> Number:
    """2^n of ``n + SHIFT``, n from -1022 to 1023: its last bits become the exponent."""
    exponent = k.whole("shl", k.bits_of(shifted), k.precision.fraction)
    return k.number_of(k.whole("add", exponent, k.precision.one))


def _times_power(k: Emitter, x: Number, n: Number) -> Number:
    """x 2^n, rounded once, for x near 1 and n from -1150 to 1100: by one instruction, or by halves of n."""
    if k.scalef:
        return k.scaled(x, n)
    shift = k.precision.shift
    half = k.fma(n, 0.5, shift)
    rest = k.add(k.sub(n, k.sub(half, shift)), shift)
    return k.mul(k.mul(x, _two_to(k, half)), _two_to(k, rest))


def _exp_parts(k: Emitter, x: Number) -> tuple[Number, Number]:
    """p and n with ``exp(x) = 2^n (1 + p)``, for x from the lowest to the highest."""
    kind = k.precision
    n = k.sub(k.fma(x, LOG2_E, kind.shift), kind.shift)
    r = k.fma(n, -kind.ln2_rest, k.fma(n, -kind.ln2, x))
    square = k.mul(r, r)
    return k.fma(_paired_polynomial(k, kind.exp, r, square), square, r), n


def exp(k: Emitter, x: Number) -> Number:
    """e to the x."""
    p, n = _exp_parts(k, _at_most(k, _at_least(k, x, k.precision.lowest), k.precision.highest))
    return _times_power(k, k.add(1.0, p), n)


def _vector_decay(k: Emitter, x: Number) -> Number:
    """exp(-|x|)."""
    p, n = _exp_parts(k, _at_least(k, k.neg(k.abs(x)), k.precision.lowest))
    return _times_power(k, k.add(1.0, p), n)


def _one_over(k: Emitter, e: Number) -> Number:
    """1/(1 + e) for e from 0 to 1: over the rounded sum, then once more with what ``1 - over - over e`` is short of 0."""
    over = k.div(1.0, k.add(1.0, e))
    return k.fma(over, k.fma(k.neg(over), e, k.sub(1.0, over)), over)


def _tanh_parts(k: Emitter, x: Number) -> tuple[Number, Number, Number]:
    """e, e - 1 and 1/(1 + e) for e = exp(-2 |x|)."""
    p, n = _exp_parts(k, _at_least(k, k.mul(k.abs(x), -2.0), k.precision.lowest))
    e, power = _times_power(k, k.add(1.0, p), n), _times_power(k, 1.0, n)
    return e, k.fma(power, p, k.sub(power, 1.0)), _one_over(k, e)


def tanh(k: Emitter, x: Number) -> Number:
    """(1 - e)/(1 + e)."""
    _, less, over = _tanh_parts(k, x)
    return k.copysign(k.mul(less, over), x)


def sech2(k: Emitter, x: Number) -> Number:
    """4 e/(1 + e)²."""
    e, _, over = _tanh_parts(k, x)
    return k.mul(k.mul(4.0, k.mul(e, over)), over)


def sigmoid(k: Emitter, x: Number) -> Number:
    """1/(1 + e) or e/(1 + e) for e = exp(-|x|)."""
    e = _vector_decay(k, x)
    over = _one_over(k, e)
    return k.select(k.ge(x, 0.0), over, k.mul(e, over))


def sigmoid_derivative(k: Emitter, x: Number) -> Number:
    """e/(1 + e)²."""
    e = _vector_decay(k, x)
    over = _one_over(k, e)
    return k.mul(k.mul(e, over), over)


def _split_exponent(k: Emitter, u: Number) -> tuple[Number, Number]:
    """Bits whose exponent is n + 1023 for ``u = 2^n m``, m from √½ to √2, and n; for a normal number above 0."""
    moved = k.whole("add", k.bits_of(u), ONE - ROOT_HALF_BITS)
    return moved, k.sub(k.number_of(k.whole("or", k.whole("lshr", moved, 52), TOP)), 2.0**52 + 1023.0)


def _fraction(k: Emitter, moved: Number) -> Number:
    """m - 1, exactly."""
    return k.sub(k.number_of(k.whole("add", k.whole("and", moved, FRACTION), ROOT_HALF_BITS)), 1.0)


def _log_of_near_one(k: Emitter, f: Number, rest: Number) -> Number:
    """log(1 + f) + rest, which is small: with s = f/(2 + f) it is f - f²/2 + s (f²/2 + s² P(s²)) + rest."""
    s, half = k.div(f, k.add(2.0, f)), k.mul(k.mul(0.5, f), f)
    square = k.mul(s, s)
    series = k.mul(square, _paired_polynomial(k, LOG, square, k.mul(square, square)))
    return k.sub(f, k.sub(half, k.fma(s, k.add(half, series), rest)))


def log(k: Emitter, x: Number) -> Number:
    """The natural logarithm."""
    tiny = k.lt(x, LEAST)
    moved, n = _split_exponent(k, k.select(tiny, k.mul(x, 2.0**54), x))
    n = k.sub(n, k.select(tiny, 54.0, 0.0))
    found = k.fma(n, LN2, _log_of_near_one(k, _fraction(k, moved), k.mul(n, LN2_REST)))
    return k.select(k.gt(x, 0.0), k.select(k.lt(x, inf), found, x), k.select(k.eq(x, 0.0), -inf, nan))


def log1p(k: Emitter, x: Number) -> Number:
    """The logarithm of 1 + x: of (1 + x)/2^n, of which 1 is taken away before it is rounded."""
    moved, n = _split_exponent(k, k.add(1.0, x))
    power = k.number_of(k.whole("sub", k.whole("and", moved, EXPONENT), 2 * ONE, swapped=True))
    f = k.select(k.lt(n, 64.0), k.fma(x, power, k.sub(power, 1.0)), _fraction(k, moved))
    found = k.fma(n, LN2, _log_of_near_one(k, f, k.mul(n, LN2_REST)))
    return k.select(k.gt(x, -1.0), k.select(k.lt(x, inf), found, x), k.select(k.eq(x, -1.0), -inf, nan))


def softplus(k: Emitter, x: Number) -> Number:
    """max(x, 0) + log(1 + e) for e = exp(-|x|)."""
    e = _vector_decay(k, x)
    square = k.mul(e, e)
    above = k.fma(square, _paired_polynomial(k, k.precision.log_1_to_2, e, square), e)
    return k.add(k.select(k.lt(x, 0.0), 0.0, x), above)


def _bell(k: Emitter, a: Number, c: float) -> tuple[Number, Number]:
    """b and n with ``exp(-c a²) = 2^n b``: what the rounding of a² lost comes in by the slope."""
    square = k.mul(a, a)
    p, n = _exp_parts(k, k.mul(square, -c))
    body = k.add(1.0, p)
    return k.fma(body, k.mul(k.fma(a, a, k.neg(square)), -c), body), n


def _scaled_tail(k: Emitter, a: Number, unit: float) -> Number:
    """exp(b²) erfc(b) for ``b = a unit`` from 0 to 28."""
    w = k.div(k.mul(a, 2.0), k.add(a, 4.0 / unit))
    q = k.sub(w, 1.0)
    return k.div(k.fma(w, _paired_polynomial(k, TAIL, q, k.mul(q, q)), 1.0), k.fma(a, 2.0 * unit, 1.0))


def gaussian(k: Emitter, x: Number, c: Number) -> Number:
    """exp(-c x²), the bell under erf and gelu; by its formula for any other c."""
    if c not in END:
        return NotImplemented
    return _times_power(k, *_bell(k, _at_most(k, k.abs(x), END[c]), c))


def _erf_near(k: Emitter, x: Number) -> Number:
    """erf(x) for x from -0.65 to 0.65."""
    square = k.mul(x, x)
    return k.mul(x, _paired_polynomial(k, ERF, square, k.mul(square, square)))


def erf(k: Emitter, x: Number) -> Number:
    """The error function: 1 less its tail, which is a multiple of the bell that its slope is."""
    a = _at_most(k, k.abs(x), 6.0)
    q = k.sub(1.0, k.div(4.0, k.add(a, 2.0)))
    tail = _paired_polynomial(k, SHORT_TAIL, q, k.mul(q, q))
    far = k.copysign(k.fma(k.neg(tail), gaussian(k, x, 1.0), 1.0), x)
    return k.select(k.lt(a, 0.65), _erf_near(k, x), far)


def erfc(k: Emitter, x: Number) -> Number:
    """1 - erf(x)."""
    a = _at_most(k, k.abs(x), END[1.0])
    body, n = _bell(k, a, 1.0)
    tail = _times_power(k, k.mul(_scaled_tail(k, a, 1.0), body), n)
    far = k.select(k.lt(x, 0.0), k.sub(2.0, tail), tail)
    return k.select(k.lt(a, 0.5), k.sub(1.0, _erf_near(k, x)), far)


def _normal(k: Emitter, x: Number) -> tuple[Number, Number, Number, Number]:
    """|x|, no larger than matters; b and n with ``exp(-x²/2) = 2^n b``; and t with ``Φ(-|x|) = 2^n t``."""
    a = _at_most(k, k.abs(x), END[0.5])
    bell, n = _bell(k, a, 0.5)
    return a, bell, n, k.mul(k.mul(_scaled_tail(k, a, ROOT_HALF), bell), 0.5)


def gelu(k: Emitter, x: Number) -> Number:
    """x Φ(x), as max(x, 0) - |x| Φ(-|x|)."""
    a, _, n, tail = _normal(k, x)
    return k.sub(k.select(k.lt(x, 0.0), 0.0, x), _times_power(k, k.mul(a, tail), n))


def gelu_derivative(k: Emitter, x: Number) -> Number:
    """Φ(x) + x exp(-x²/2)/√(2π)."""
    a, bell, n, tail = _normal(k, x)
    low, slope = _times_power(k, tail, n), _times_power(k, k.mul(k.mul(a, PHI_0), bell), n)
    return k.select(k.lt(x, 0.0), k.sub(low, slope), k.add(k.sub(1.0, low), slope))


ROWS: Mapping[str, Callable[..., Any]] = {
    made.__name__: made
    for made in (
        exp, log, log1p, tanh, sech2, sigmoid, sigmoid_derivative, softplus, gaussian, erf, erfc, gelu, gelu_derivative,
    )
}  # fmt: skip
IN_SINGLE = {name: ROWS[name] for name in ("exp", "tanh", "sech2", "sigmoid", "sigmoid_derivative", "softplus")}
QUICKER = frozenset({"erf", "erfc"})  # in the vector library, where there is one
# rows that have most in common where their first argument is the same
ALIKE = {name: rows for rows in (
    ("tanh", "sech2"), ("sigmoid", "sigmoid_derivative", "softplus"), ("erf", "erfc", "gaussian"), ("gelu", "gelu_derivative"),
) for name in rows}  # fmt: skip
