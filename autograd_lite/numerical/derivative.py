"""The derivative of any float -> float callable from its values alone, with an honest error and what the place looks like.

In short: how noisy is f (difference tables), what does each step say (Richardson on central, right and left differences),
and which of these answers no finer step contradicts.  Nothing but the error classes is known here of the library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isfinite, nan
from typing import NamedTuple

from ..errors import InputValueError
from ..tree import Number
from .extrapolate import SURE, Quotient, extrapolate
from .probe import Probe, fast_steps, noise_of, steps_of

BISECTIONS = 12  # to find where a flat part ends
BROAD = 2.0**-5  # of the scale of x: a step so broad is no rounding
UNUSUAL = 64.0  # f moves by more than its rounding where it moves by so many times that


class Derivative(NamedTuple):
    """A derivative found numerically: ``value`` within ``error``, and the slopes on either side."""

    value: float  # nan where there is none
    error: float
    kind: str  # smooth, kink, jump, vertical tangent, cusp, domain boundary, plateau, not finite
    left: float  # one-sided slopes, infinite at a vertical tangent, nan where f is not finite on that side
    right: float
    left_error: float
    right_error: float
    evaluations: int
    noise: float  # how far f's values around x are from a smooth function
    at: float  # f(x)
    size: float  # what a slope of f would be of which nothing cancels: the unit in which a slope of 0 is small
    finest: float = 0.0  # the finest step: of what f does within it nothing is known
    rise: float = 0.0  # how far f moves in the finest steps
    bend: float = 0.0  # how far that is from a straight line; infinite where f is not finite on one side


class _Side(NamedTuple):
    """What one side of x says."""

    value: float
    error: float
    kind: str  # finite, jump, vertical, nothing


def numerical_derivative(
    f: Callable[[float], Number], x: float, *, fast: bool = False, noise: float = 0.0, stretch: float = 1.0
) -> Derivative:
    """The derivative of f at x from values of f alone, with an error estimate and the kind of place x is.

    ``f'(x) = lim (f(x + h) - f(x - h)) / 2h``, by Richardson's extrapolation over steps h of ratio 4

    >>> import math
    >>> d = numerical_derivative(math.sin, 1.0)
    >>> d.kind, abs(d.value - math.cos(1.0)) <= d.error < 1e-10
    ('smooth', True)
    >>> kink = numerical_derivative(abs, 0.0)
    >>> kink.kind, kink.left, kink.right
    ('kink', -1.0, 1.0)

    Args:
        f: any callable that takes a float and gives a real number; where it raises an ArithmeticError or a ValueError, or
            gives a complex number, it counts as nan.
        x: where, in the units of f's argument; steps are taken relative to its size, and to 1 where it is smaller.
        fast: at most 10 evaluations instead of about 135; no estimate of the noise beyond rounding.
        noise: how far f's values are off at least, where that is known to be more than their own rounding; in their units.
        stretch: a factor of all steps, for a second opinion from other values of f.

    Returns a `Derivative`.  Raises InputValueError for a noise that is not a finite number >= 0, and what else f raises.
    Sources: Ridders, Advances in Engineering Software 4 (1982) 75, for the table; Moré and Wild, SIAM J. Sci. Comput. 33
    (2011) 1292, for the noise from differences of order 4 to 6.
    """
    x = float(x)
    if not 0.0 <= noise < inf:
        raise InputValueError(f"noise={noise!r} must be a finite number >= 0: how far the values of f are off")
    probe = Probe(f, noise)
    at = probe(x)
    if not isfinite(at):
        return Derivative(nan, inf, "not finite", nan, nan, inf, inf, len(probe.known), nan, at if isfinite(x) else x, nan)
    steps = [h * stretch for h in (fast_steps(probe, x) if fast else steps_of(x)) if h] or steps_of(x)[-3:]
    noise = 0.0 if fast else max(noise_of(probe, x, 1.0), noise_of(probe, x, -1.0))
    right, left = _ladder(probe, x, steps, noise), _ladder(probe, x, [-h for h in steps], noise)
    central = _central(probe, x, steps, noise)
    sides = _side(right), _side(left)
    noise = max(noise, probe.rounding(at))
    value, error, kind = _classify(*sides, central)
    if fast and kind in ("smooth", "domain boundary"):  # too few steps for one to contradict another
        error = 4.0 * error if _resolved(right, left) else inf
    if kind == "smooth" and _lopsided(right, left):
        error = inf  # the central quotients hide what is even about x
    if not fast and (rise := _rise_over_plateau(probe, x, steps)) is not None:
        (value, error), kind = rise, "plateau"
    elif kind == "smooth" and value == 0.0:
        error = max(error, _quantum_over_width(probe, x, steps, fast))
    scale = max(abs(x), 1.0)
    near = [v for t, v in probe.known.items() if abs(t - x) <= scale / 16.0 and isfinite(v)]
    size = (abs(at) + max(near) - min(near)) / scale
    return Derivative(
        value, error, kind, sides[1].value, sides[0].value, sides[1].error, sides[0].error, len(probe.known), noise, at,
        size, *_finest(probe, x, steps),
    )  # fmt: skip


# -- steps and values -------------------------------------------------------------------------------------------------


def _ladder(probe: Probe, x: float, steps: Sequence[float], noise: float) -> list[Quotient]:
    """Difference quotients on one side, coarse first: from the finest step up to the first that meets a value not finite."""
    at = probe(x)
    rows = []
    for h in reversed(steps):
        value = probe(x + h)
        step = (x + h) - x
        if not step or not isfinite(value) or not isfinite(value - at):
            break
        rounding = probe.rounding(value, at)
        rows.append(Quotient((value - at) / step, step, max(noise, rounding), rounding, 0.5 * math.ulp(x) / abs(step)))
    return rows[::-1] if len(rows) >= 2 else []


def _central(probe: Probe, x: float, steps: Sequence[float], noise: float) -> list[Quotient]:
    """Central difference quotients, coarse first, as far as both sides are finite."""
    rows = []
    for h in reversed(steps):
        above, below = probe(x + h), probe(x - h)
        step = (x + h) - (x - h)
        if not step or not isfinite(above - below):
            break
        rounding = 0.5 * probe.rounding(above, below)
        rows.append(
            Quotient((above - below) / step, 0.5 * step, max(0.5 * noise, rounding), rounding, 0.5 * math.ulp(x) / step)
        )
    return rows[::-1]


# -- from quotients to an answer --------------------------------------------------------------------------------------


def _side(rows: Sequence[Quotient]) -> _Side:
    """The slope on one side, and whether f jumps there or leaves vertically."""
    if not rows:
        return _Side(nan, inf, "nothing")
    last = rows[-9:]
    enough = len(rows) >= 12
    rises = [r.slope * r.step for r in last]
    floor = max(r.rounding for r in last)
    if enough and max(rises) - min(rises) < 0.1 * abs(sum(rises)) / len(rises) and min(map(abs, rises)) > 64.0 * floor:
        beyond = [
            Quotient(
                (a.slope * a.step - b.slope * b.step) / (a.step - b.step), a.step - b.step, a.rounding, a.rounding, a.shift
            )
            for a, b in pairwise(rows)
        ]
        return _Side(*extrapolate(beyond, 4.0), "jump")
    moves = [b.slope - a.slope for a, b in pairwise(last)]
    if enough and all(abs(m) > 8.0 * abs(r.rounding / r.step) for m, r in zip(moves, last[1:], strict=True)):
        growth = [b / a for a, b in pairwise(moves)]
        if min(growth) > 0.95 and max(growth) < 1.3 * min(growth):
            return _Side(math.copysign(inf, moves[-1]), 0.0, "vertical")
    return _Side(*extrapolate(rows, 4.0), "finite")


def _classify(right: _Side, left: _Side, central: Sequence[Quotient]) -> tuple[float, float, str]:
    """Value, error and kind from what the two sides and the central quotients say."""
    kinds = {right.kind, left.kind}
    if kinds == {"nothing"}:
        return nan, inf, "not finite"
    if "jump" in kinds:
        return nan, inf, "jump"
    if "nothing" in kinds:
        side = left if right.kind == "nothing" else right
        return side.value, side.error, "domain boundary"
    if kinds == {"vertical"}:
        return (right.value, 0.0, "vertical tangent") if right.value == left.value else (nan, inf, "cusp")
    if "vertical" in kinds:
        return nan, inf, "kink"
    gap, errors = abs(right.value - left.value), right.error + left.error
    if gap > 3.0 * errors and gap > 1e-6 * max(abs(right.value), abs(left.value)):
        return nan, inf, "kink"
    value, error = extrapolate(central, 16.0) if len(central) >= 2 else (nan, inf)
    for side in (right, left):
        if side.error < 0.05 * error or not isfinite(error):  # a kink or a pole on the other side; else central ones know best
            value, error = side.value, side.error
    for side in (right, left):  # three answers to one question: they may not differ by more than their errors
        apart = abs(side.value - value) - 3.0 * side.error
        if apart > 3.0 * error:
            error = apart
    return value, error, "smooth"


def _resolved(*sides: Sequence[Quotient]) -> bool:
    """Whether f rises less and slopes change less toward the finest step; if not, the steps are too wide to see f."""
    for rows in sides:
        rises = [abs(r.slope * r.step) for r in rows]
        moves = [abs(b.slope - a.slope) for a, b in pairwise(rows)]
        if rises and rises[-1] > rises[0] / 8.0:
            return False
        if moves and moves[-1] > 0.75 * max(moves) and moves[-1] > 8.0 * abs(rows[-1].noise / rows[-1].step):
            return False
    return True


def _lopsided(right: Sequence[Quotient], left: Sequence[Quotient]) -> bool:
    """Whether the two sides still differ as much, or more, the finer the steps become: not so where f is smooth."""
    gaps = []
    for r, s in zip(right[-3:], left[-3:], strict=False):
        gap = abs(r.slope - s.slope)
        if gap <= sum(max(SURE * q.noise, UNUSUAL * q.rounding) / abs(q.step) for q in (r, s)):
            return False
        gaps.append(gap)
    return len(gaps) == 3 and gaps[2] > 0.5 * gaps[0]


def _finest(probe: Probe, x: float, steps: Sequence[float]) -> tuple[float, float, float]:
    """The finest step, how far f moves in it and the one above it, and how far that is from a straight line."""
    at, moves = probe(x), [(probe(x + h) - probe(x), probe(x - h) - probe(x)) for h in steps[-2:]]
    rise = max((abs(d) for pair in moves for d in pair if isfinite(d)), default=0.0)
    (far, back), (near, close) = moves
    wanted = steps[-2] / steps[-1]  # how many times as far a straight line goes in the longer step
    bends = [abs(far + back), abs(near + close)]
    bends += [abs(far - wanted * near) / (wanted + 1.0), abs(back - wanted * close) / (wanted + 1.0)]
    bend = max(bends) if isfinite(at) and all(map(isfinite, bends)) else inf
    return max(steps[-1], math.ulp(x)), rise, bend


def _quantum_over_width(probe: Probe, x: float, steps: Sequence[float], fast: bool) -> float:
    """What the slope may be of an f that is flat around x: 0, or a jump over that width where one ends a narrow flat part."""
    at, flat = probe(x), 0.0
    for h in reversed(steps):
        moves = [(side, abs(probe(x + side * h) - at)) for side in (1.0, -1.0)]
        moves = [(side, move) for side, move in moves if move > 16.0 * probe.rounding(at)]
        if flat >= BROAD * max(abs(x), 1.0):
            return 0.0
        if moves and flat:
            side, quantum = max(moves, key=lambda m: m[1] if isfinite(m[1]) else 0.0)
            return quantum / flat if isfinite(quantum) and (fast or _ends_in_a_jump(probe, x, side, flat, h)) else 0.0
        if moves:
            return 0.0
        flat = h
    return 0.0


def _ends_in_a_jump(probe: Probe, x: float, side: float, flat: float, moved: float) -> bool:
    """Whether f leaves its value at x by a jump, not by a bend."""
    at, rounding = probe(x), 16.0 * probe.rounding(probe(x))
    whole = abs(probe(x + side * moved) - at)
    for _ in range(BISECTIONS):
        middle = 0.5 * (flat + moved)
        if abs(probe(x + side * middle) - at) > rounding:
            moved = middle
        else:
            flat = middle
    return abs(probe(x + side * moved) - at) > whole / 16.0


def _rise_over_plateau(probe: Probe, x: float, steps: Sequence[float]) -> tuple[float, float] | None:
    """The slope of f at a distance, where f is exactly flat closer by: rounded, or solved to a tolerance only."""
    at = probe(x)
    flat = 0
    while flat < len(steps) and probe(x + steps[-1 - flat]) == at == probe(x - steps[-1 - flat]):
        flat += 1
    if flat == 0 or len(steps) - flat < 6 or steps[-1 - flat] > max(abs(x), 1.0) * 2.0**-8:
        return None
    h = steps[-1 - flat]
    quantum = max(abs(probe(x + h) - at), abs(probe(x - h) - at))
    if not 16.0 * probe.rounding(at) < quantum < inf:
        return None
    wide = [h for h in steps if abs(h) > 4.0 * steps[-1 - flat]]
    right, left = _ladder(probe, x, wide, quantum), _ladder(probe, x, [-h for h in wide], quantum)
    central = _central(probe, x, wide, quantum)
    if not (len(right) >= 4 and len(left) >= 4 and len(central) >= 4):
        return None
    (r, r_error), (s, s_error), (value, error) = extrapolate(right, 4.0), extrapolate(left, 4.0), extrapolate(central, 16.0)
    error = max(error, min(r_error, s_error))
    return (value, error) if abs(value) > 10.0 * error and abs(r - s) <= 2.0 * (r_error + s_error) < abs(value) else None
