"""Special functions that Python's :mod:`math` lacks, or answers with an exception, or rounds poorly.

Float in, float out; nothing here raises a math exception: a pole or an overflow answers ``inf`` or
``-inf``, a point where the function has no value answers ``nan``.

Sources: NIST Digital Library of Mathematical Functions (DLMF, https://dlmf.nist.gov) 2.10, 3.6, 5.4,
5.5, 5.7, 5.11, 5.15, 25.11; Abramowitz & Stegun, Handbook of Mathematical Functions (A&S), 6.1.33, 6.3, 6.4, 23.2.

Worst error found against mpmath, in units in the last place over the condition number max(1, |x f'(x)/f(x)|), at
thousands of random points in each of ten ranges: digamma 3.0 (3.2, undivided, within 1/2 of its positive root),
polygamma 2.5, sinc 1.8, sinc_derivative 3.5, gamma 6.3, lgamma 6.7; the last two are those of math's own functions.
"""

import functools
import math
from collections.abc import Callable

# B(2j), j = 1..11: the Bernoulli numbers of the Euler-Maclaurin correction (DLMF 24.2(iv)).
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6,
              -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138)  # fmt: skip
_SHIFT = 10.0  # from s + 10 up those eleven terms reach double precision
_NEGLIGIBLE = 1e-20  # a term this far below a sum of order one no longer changes it
_PI_TAIL = 1.2246467991473532e-16  # pi - math.pi
_PSI_2 = 0.42278433509846714  # digamma(2) = 1 - Euler's constant (DLMF 5.4.14)
_ROOT, _ROOT_TAIL = 1.4616321449683622, 9.549995429965697e-17  # digamma's positive root (DLMF 5.4(iii)) in two parts


def guarded(
    f: Callable[[float], float], error: type[Exception] = ValueError, value: float = math.nan
) -> Callable[[float], float]:
    """A function of `math` that answers with a value where it would raise.

    >>> guarded(math.exp, OverflowError, math.inf)(1000.0)
    inf
    """

    def forward(x: float) -> float:
        try:
            return f(x)
        except error:
            return value

    return forward


def guarded_of_two(f: Callable[[float, float], float], error: type[Exception]) -> Callable[[float, float], float]:
    """The same of a function of two, which answers nan."""

    def forward(x: float, y: float) -> float:
        try:
            return f(x, y)
        except error:
            return math.nan

    return forward


def _is_pole(x: float) -> bool:
    """Whether x is zero or a negative integer, the poles of gamma; false for nan and both infinities."""
    return -math.inf < x <= 0 and x == math.floor(x)


def _is_order(n: float) -> bool:
    """Whether n is a non-negative integer; false for nan and inf, whose remainder is nan."""
    return n >= 0 and n % 1.0 == 0.0


def _sincospi(x: float) -> tuple[float, float]:
    """sin(pi x) and cos(pi x) of a finite x, each exactly 0 where it should be."""
    r = math.remainder(x, 1.0)  # exact, in [-1/2, 1/2], which pi * x would not be
    sign = -1.0 if math.fmod(x - r, 2.0) else 1.0  # an odd number of half turns away
    # Beyond a quarter the cosine is the sine of the complement, so that its zero is exact too.
    cosine = math.sin(math.pi * (0.5 - abs(r))) if abs(r) > 0.25 else math.cos(math.pi * r)
    return sign * math.sin(math.pi * r) + 0.0, sign * cosine + 0.0  # + 0.0: no negative zeros


def _correction(s: float, a: float) -> float:
    """1/2 + sum over j of B(2j)/(2j)! s (s+1)...(s+2j-2) a^(1-2j): Euler-Maclaurin's (DLMF 25.11.7, 2.10.1)."""
    terms, factor = [0.5], s / a / 2
    for j, bernoulli in enumerate(_BERNOULLI, start=1):
        terms.append(bernoulli * factor)
        factor *= (s + 2 * j - 1) / a * ((s + 2 * j) / a) / ((2 * j + 1) * (2 * j + 2))
    return math.fsum(terms)


def _zeta(s: float, x: float, unit: float) -> float:
    """unit^s times the Hurwitz zeta function: the sum over k >= 0 of (unit/(x+k))^s, for 0 < unit <= x, s > 1."""
    terms: list[float] = []
    a = x
    while a < s + _SHIFT:  # long only if the terms fall slowly: some fifty passes at most for any s
        terms.append((unit / a) ** s)
        if terms[-1] < _NEGLIGIBLE or a + 1 == a:  # at such an a < s the last bit of a moves the result as much
            return math.fsum(terms)
        a = x + len(terms)
    terms.append((unit / a) ** s * (a / (s - 1) + _correction(s, a)))
    return math.fsum(terms)


@functools.cache
def _digamma_taylor(center: float) -> tuple[float, ...]:
    """digamma^(k)(center)/k! = (-1)^(k+1) zeta(k+1, center) for k = 1..40 (DLMF 25.11.12)."""
    return tuple((-1) ** (k + 1) * _zeta(k + 1.0, center, center) / center ** (k + 1) for k in range(1, 41))


def digamma(x: float) -> float:
    """The logarithmic derivative of gamma, at every real x.

    gamma'(x)/gamma(x) = log(x) - 1/(2x) - sum over j of B(2j)/(2j x^(2j)), reached from a small x by
    digamma(x) = digamma(x+1) - 1/x, and from a negative one by digamma(1-x) - pi cot(pi x).
    -inf at 0, nan at the negative integers and -inf.

    >>> round(digamma(1.0), 12), digamma(0.0), digamma(-1.0)
    (-0.577215664902, -inf, nan)

    DLMF 5.5.2, 5.5.4, 5.11.2; A&S 6.3.5, 6.3.7, 6.3.18.
    """
    if x == 0:
        return -math.inf
    if _is_pole(x) or x == -math.inf or math.isnan(x):
        return math.nan
    if x == math.inf:
        return x
    if x < 0:
        sine, cosine = _sincospi(x)
        return digamma(1 - x) - math.pi * cosine / sine
    if abs(x - _ROOT) < 0.5:  # about the root the terms below cancel
        h = (x - _ROOT) - _ROOT_TAIL
        return math.fsum(c * h**k for k, c in enumerate(_digamma_taylor(_ROOT), start=1))
    terms = []
    a = x
    while a < 1 + _SHIFT:
        terms.append(-1 / a)
        a = x + len(terms)
    return math.fsum([math.log(a), -_correction(1.0, a) / a, *terms])


def polygamma(n: float, x: float) -> float:
    """The n-th derivative of digamma; nan unless n is a non-negative integer.

    (-1)^(n+1) n! zeta(n+1, x) for n >= 1.  At 0 and the negative integers an odd n gives inf; an even one
    gives -inf at 0 and nan elsewhere.

    >>> round(polygamma(1.0, 1.0), 12), polygamma(2.0, 0.0), polygamma(0.5, 1.0)
    (1.644934066848, -inf, nan)

    DLMF 5.15.6, 25.11.1, 25.11.7, 25.11.12; A&S 6.4.10.
    """
    if not _is_order(n) or math.isnan(x) or x == -math.inf:
        return math.nan
    if n == 0:
        return digamma(x)
    sign = 1.0 if n % 2 else -1.0  # (-1)^(n+1)
    if _is_pole(x):
        return math.inf if n % 2 else -math.inf if x == 0 else math.nan
    if x == math.inf:
        return 0.0
    s = n + 1.0
    if x > 0:
        return sign * _times_factorial(n, x, _zeta(s, x, x))
    # For x < 0 the series sums (x+k)^-s over the points right of zero, r, r+1, ..., and those left of it, whose
    # distances from zero run 1-r, 2-r, ..., -x: the reflection formula (DLMF 5.15.6), needing no cotangent.
    d = math.remainder(x, 1.0)  # exact, in [-1/2, 1/2]
    if abs(d) == 0.5 and sign < 0:  # odd powers of opposite points cancel in pairs
        return polygamma(n, 1 - x)
    unit = abs(d)
    near, far = _zeta(s, unit, unit), _zeta(s, 2 - unit, unit)
    # The first far term, (unit/(1-unit))^s: a flat spot of an odd n lies near unit = 1/2, where x may have no error at
    # all to hide the s-fold one of a rounded base.  1 - 2 unit is exact from a quarter on.
    far += math.exp(-2 * s * math.atanh(1 - 2 * unit)) if unit > 0.25 else math.pow(unit / (1 - unit), s)
    right, left = (near, far) if d > 0 else (far, near)
    left -= _zeta(s, 1 - x, unit)
    return sign * _times_factorial(n, unit, right + sign * left)


def _times_factorial(n: float, x: float, total: float) -> float:
    """n! x^-(n+1) total, overflowing or underflowing only where the product does; total may be negative."""
    try:
        if n <= 170:
            (t, t2), (f, f2), (m, m2) = map(math.frexp, (total, math.factorial(int(n)), x))
            return math.ldexp(t * f * math.pow(m, -(n + 1)), t2 + f2 - m2 * (int(n) + 1))
        # Stirling (DLMF 5.11.1); half the power on either side, so that neither overflows alone.  Its error is
        # n times that of its base, which is what an error of half an ulp in x makes of the result as well.
        half = math.pow(n / x / math.e, n / 2)
        return half * (math.sqrt(2 * math.pi * n) / x * math.exp(1 / (12 * n) - 1 / (360 * n * n * n)) * total) * half
    except OverflowError:
        return math.copysign(math.inf, total)


def sinc(x: float) -> float:
    """NumPy's normalised sinc: 1 at 0, 0 at every other integer and at +-inf.

    sin(pi x)/(pi x)

    >>> sinc(0.0), round(sinc(0.5), 12), sinc(3.0)
    (1.0, 0.636619772368, 0.0)

    https://numpy.org/doc/stable/reference/generated/numpy.sinc.html
    """
    if math.isinf(x):
        return 0.0
    return 1.0 if x == 0 else _sincospi(x)[0] / (math.pi * x) + 0.0


def sinc_derivative(n: float, x: float) -> float:
    """The n-th derivative of :func:`sinc`; nan unless n is a non-negative integer, and beyond n = 1e9.

    pi^n S(n) with S(n) the n-th derivative of sin(u)/u at u = pi x; differentiating u S = sin u n times gives
    u S(n) + n S(n-1) = the n-th derivative of sin u.

    >>> sinc_derivative(1.0, 0.0), sinc_derivative(1.0, 1.0), round(sinc_derivative(2.0, 0.0), 12)
    (0.0, -1.0, -3.289868133696)

    The recurrence is the source (Leibniz's rule, DLMF 1.4.12); run up it multiplies an error by k/u at each
    step, run down by u/k, so up is the stable direction while k <= |u| and down (Miller's, DLMF 3.6) after.
    """
    if not _is_order(n) or math.isnan(x) or n > 1e9:
        return math.nan
    if n == 0:
        return sinc(x)
    if math.isinf(x):
        return 0.0
    order = int(n)
    sine, cosine = _sincospi(x)
    derivatives = (sine, cosine, -sine, -cosine)
    steps = 30 + 10 * math.isqrt(order)  # after these a wrong start is damped below 1e-18, even at |u| = n
    if abs(x) * math.pi > n + 2:  # + 2: at u = n = 1 the upward step cancels
        first = max(0, order - steps)
        value = sine / math.pi / x if first == 0 else 0.0
        for k in range(first + 1, order + 1):
            value = (derivatives[k % 4] - k * value) / math.pi / x
    else:
        value = 0.0
        for k in range(order + steps, order, -1):
            value = (derivatives[k % 4] - math.pi * x * value) / k
    if value == 0:
        return 0.0
    value += value * n * (_PI_TAIL / math.pi)  # the power below takes pi for math.pi
    try:
        return value * math.pow(math.pi, n // 2) * math.pow(math.pi, n - n // 2)
    except OverflowError:
        return math.copysign(math.inf, value)


def gamma(x: float) -> float:
    """The gamma function; nan at 0, the negative integers and -inf, and inf where it overflows.

    The integral of t^(x-1) exp(-t) over t > 0, continued to x < 0: math.gamma without its
    exceptions, and without its nine ulp where gamma is flat between its first poles.

    >>> gamma(5.0), gamma(0.0), gamma(200.0), gamma(-1e-310)
    (24.0, nan, inf, -inf)

    DLMF 5.2.1, 5.5.1.
    """
    if _is_pole(x) or x == -math.inf:
        return math.nan
    if _between_poles(x):
        product, one = _rising(x)
        return math.exp(_lgamma_near_2(x - math.floor(x))) * (one / product)
    try:
        return math.gamma(x)
    except OverflowError:
        return math.copysign(math.inf, x)  # below zero only the neighbourhood of 0 overflows


def lgamma(x: float) -> float:
    """The logarithm of the absolute value of gamma; inf at 0, the negative integers and both infinities.

    log|gamma(x)|: math.lgamma, save where its terms cancel and the series about 2 takes over,
    log gamma(2+w) = w digamma(2) + w^2 digamma'(2)/2! + ...

    >>> lgamma(1.0), round(lgamma(10.0), 12), lgamma(-1.0)
    (0.0, 12.801827480081, inf)

    DLMF 5.5.1, 5.7.3; A&S 6.1.33.
    """
    if _is_pole(x) or math.isinf(x):
        return math.inf
    if 0.5 < x < 1.25:
        return _lgamma_near_2(x - 1) - math.log1p(x - 1)
    if 1.25 <= x < 2.5:
        return _lgamma_near_2(x - 2)
    if _between_poles(x):
        product, one = _rising(x)
        return _lgamma_near_2(x - math.floor(x)) - math.log1p((abs(product) - one) / one)
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


def _between_poles(x: float) -> bool:
    """Whether x is where gamma(x) = gamma(x+n)/(x (x+1) ... (x+n-1)) is worth its price: it is flat, and math errs."""
    return -6 < x < -1 and x - math.floor(x) < 0.75


def _rising(x: float) -> tuple[int, int]:
    """x (x+1) ... up to the factor in [1, 2), as a fraction of integers: a double would round it too early."""
    top, bottom = x.as_integer_ratio()
    factors = 2 - math.floor(x)
    return math.prod(top + k * bottom for k in range(factors)), bottom**factors


def _lgamma_near_2(w: float) -> float:
    """log gamma(2 + w) for |w| <= 3/4."""
    return w * math.fsum([_PSI_2, *(c * w**k / (k + 1) for k, c in enumerate(_digamma_taylor(2.0), start=1))])
