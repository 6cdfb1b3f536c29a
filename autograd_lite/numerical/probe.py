"""Values of a float -> float callable: where to take them for a derivative, and how noisy they are."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from math import isfinite, nan

from ..tree import Number

EPS = 2.0**-52
SMALLEST = 5e-324  # and the rounding of whatever is smaller than 1e-308
RATIO_BITS = 2  # each step is the one before it divided by 4
DENORMAL = -1055  # exponents from which steps are not 0
DEEPEST = 48  # how many bits below its scale a step may be: 16 ulp of it
NOISE_SPACINGS = 6
UNEVEN = 1.3591409  # spacings for noise are no powers of two, over which x times a constant rounds alike
FAST_STEPS = (-5, -7, -9, -11)  # as powers of two of the scale: with f(x) itself, 9 evaluations


class Probe:
    """f as floats only: what it cannot compute is nan, and nothing is computed twice."""

    def __init__(self, f: Callable[[float], Number], floor: float) -> None:
        self.f = f
        self.floor = floor
        self.known: dict[float, float] = {}

    def __call__(self, x: float) -> float:
        if x not in self.known:
            self.known[x] = self._compute(x)
        return self.known[x]

    def _compute(self, x: float) -> float:
        if not isfinite(x):
            return nan
        try:
            value = self.f(x)
        except (ArithmeticError, ValueError):
            return nan
        return nan if isinstance(value, complex) else float(value)

    def rounding(self, *values: float) -> float:
        """How far values may be off whatever f is."""
        return max(self.floor, EPS * max(map(abs, values)), SMALLEST)


def _exponent(x: float) -> int:
    return math.frexp(x)[1] - 1


def steps_of(x: float) -> list[float]:
    """Powers of two with ratio 4 from the scale of x, at least 1, down to 16 ulp of x; coarse ones first."""
    top = max(_exponent(abs(x)), 0) if x else 0
    bottom = max(_exponent(abs(x)) - DEEPEST, -1070) if x else -DEEPEST - 12
    low = top - DEEPEST
    ends = [(top, bottom)] if low - 24 <= bottom else [(top, low), (min(_exponent(abs(x)) + 2, low - 2), bottom)]
    return [math.ldexp(1.0, e) for high, low in ends for e in range(high, low - 1, -RATIO_BITS)]


def fast_steps(probe: Probe, x: float) -> list[float]:
    """Four steps; three around the size of x itself where f is not finite at a distance of 1."""
    top = max(_exponent(abs(x)), 0) if x else 0
    finest = math.ldexp(1.0, top + FAST_STEPS[-1])
    if x and _exponent(abs(x)) < top and not (isfinite(probe(x + finest)) and isfinite(probe(x - finest))):
        return [math.ldexp(1.0, max(_exponent(abs(x)), DENORMAL) + e) for e in FAST_STEPS[:3]]
    return [math.ldexp(1.0, top + e) for e in FAST_STEPS]


def noise_of(probe: Probe, x: float, side: float) -> float:
    """Three standard deviations of f's values about a smooth function on one side of x; 0 where it cannot be told.

    Differences of order k of pure noise of deviation s have the mean square s^2 (2k)!/k!^2, whatever k; those of a smooth
    function fall off with k.  So a spacing counts where the orders 4, 5 and 6 agree on s,
    and noise is what two spacings agree on: that of a kink or a root nearby grows with the spacing.
    """
    low = max(_exponent(abs(x)) - DEEPEST, -1070) if x else -DEEPEST
    high = max(_exponent(abs(x)), 0) - 28 if x else -28
    noise = 0.0
    before = 0.0  # what a finer spacing found
    for i in range(NOISE_SPACINGS):
        spacing = math.ldexp(UNEVEN, round(low + (high - low) * i / (NOISE_SPACINGS - 1)))
        if x:
            spacing = (2.0 * (0.5 * spacing // math.ulp(x)) + 1.0) * math.ulp(x)  # an odd number of ulp: x + spacing is exact
        spacing *= side
        table = [probe(x + k * spacing) for k in range(1, 8)]  # not x itself, where f may jump
        size = max(map(abs, table))
        if not all(map(isfinite, table)):
            continue
        deviations = []
        for k in range(1, 7):
            table = [b - a for a, b in pairwise(table)]
            if k >= 4:
                weight = math.factorial(k) ** 2 / math.factorial(2 * k) / len(table)
                deviations.append(math.sqrt(weight) * math.hypot(*table))
        if isfinite(max(deviations)) and 0.0 < max(deviations) <= 4.0 * min(deviations):
            found = sum(deviations)  # three times their mean
            if before / 8.0 < found < 8.0 * before:
                level = max(found, before)
                usual = level < 64.0 * EPS * size or level < 8.0 * noise
                if usual or (level < 1e-3 * size and _torn(probe, x + spacing, x + 7.0 * spacing, level)):
                    noise = max(noise, level)
            before = found
    return noise


def _torn(probe: Probe, low: float, high: float, noise: float) -> bool:
    """Whether f jumps by about as much as `noise` somewhere between; if not, it only oscillates faster than the spacing.

    Bisection toward the largest departure from f's slope on the smallest scale, which leads to a jump of a sawtooth too.
    """
    start, unit = low, 32.0 * math.copysign(math.ulp(low), high - low)
    slope = (probe(low + unit) - probe(low)) / unit

    def bent(t: float) -> float:
        return probe(t) - slope * (t - start)

    while abs(high - low) > 4.0 * math.ulp(low):
        middle = 0.5 * (low + high)
        if abs(bent(middle) - bent(low)) >= abs(bent(high) - bent(middle)):
            high = middle
        else:
            low = middle
    return abs(probe(high) - probe(low)) > 0.1 * noise
