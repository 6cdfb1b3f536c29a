"""The derivative of any float -> float callable from its values alone, with an honest error and what the place looks like.

Imports `errors` and `probe`, and knows nothing else of the library.  In short: how noisy is f (difference tables), what
does each step say (Richardson on central, right and left differences), and which of these answers no finer step contradicts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from math import inf, isfinite, nan
from typing import Any, NamedTuple

from ..errors import InputValueError
from .probe import EPS, Probe, fast_steps, noise_of, steps_of

__all__ = ["Derivative", "numerical_derivative"]

COLUMNS = 6


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


class _Side(NamedTuple):
    """What one side of x says."""

    value: float
    error: float
    kind: str  # finite, jump, vertical, nothing


class _Row(NamedTuple):
    """One step of a ladder: the difference quotient, the step actually taken, and how far values may be off."""

    slope: float
    step: float
    noise: float
    rounding: float  # the part of the noise that any function has
    shift: float  # half an ulp of x as a part of the step: how far off f may be through rounding x times a constant


def numerical_derivative(f: Callable[[float], Any], x: float, *, fast: bool = False, noise: float = 0.0) -> Derivative:
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
        return Derivative(nan, inf, "not finite", nan, nan, inf, inf, len(probe.known), nan, at, nan)
    steps = fast_steps(probe, x) if fast else steps_of(x)
    noise = 0.0 if fast else max(noise_of(probe, x, 1.0), noise_of(probe, x, -1.0))
    right, left = _ladder(probe, x, steps, noise), _ladder(probe, x, [-h for h in steps], noise)
    central = _central(probe, x, steps, noise)
    sides = _side(right), _side(left)
    noise = max(noise, probe.rounding(at))
    value, error, kind = _classify(*sides, central)
    if fast and kind in ("smooth", "domain boundary"):  # too few steps for one to contradict another
        error = 4.0 * error if _resolved(right, left) else inf
    if not fast and (rise := _rise_over_plateau(probe, x, steps)) is not None:
        (value, error), kind = rise, "plateau"
    scale = max(abs(x), 1.0)
    near = [v for t, v in probe.known.items() if abs(t - x) <= scale / 16.0 and isfinite(v)]
    size = (abs(at) + max(near) - min(near)) / scale
    return Derivative(
        value, error, kind, sides[1].value, sides[0].value, sides[1].error, sides[0].error, len(probe.known), noise, at,
        size,
    )  # fmt: skip


# -- steps and values -------------------------------------------------------------------------------------------------


def _ladder(probe: Probe, x: float, steps: Sequence[float], noise: float) -> list[_Row]:
    """Difference quotients on one side, coarse first: from the finest step up to the first that meets a value not finite."""
    at = probe(x)
    rows = []
    for h in reversed(steps):
        value = probe(x + h)
        if not isfinite(value) or not isfinite(value - at):
            break
        step = (x + h) - x
        rounding = probe.rounding(value, at)
        rows.append(_Row((value - at) / step, step, max(noise, rounding), rounding, 0.5 * math.ulp(x) / abs(step)))
    return rows[::-1] if len(rows) >= 2 else []


def _central(probe: Probe, x: float, steps: Sequence[float], noise: float) -> list[_Row]:
    """Central difference quotients, coarse first, as far as both sides are finite."""
    rows = []
    for h in reversed(steps):
        above, below = probe(x + h), probe(x - h)
        if not isfinite(above - below):
            break
        step = (x + h) - (x - h)
        rounding = 0.5 * probe.rounding(above, below)
        rows.append(_Row((above - below) / step, 0.5 * step, max(0.5 * noise, rounding), rounding, 0.5 * math.ulp(x) / step))
    return rows[::-1]


# -- from quotients to an answer --------------------------------------------------------------------------------------


class _Answer(NamedTuple):
    """What one step says, with the parts its error is made of."""

    value: float
    truncation: float
    noise: float
    shift: float

    @property
    def error(self) -> float:
        return self.truncation + self.noise


def _extrapolate(rows: Sequence[_Row], base: float) -> tuple[float, float]:
    """The limit of the quotients for step 0 and its error; `base` is 4 for one-sided quotients, 16 for central ones.

    Of each row of Richardson's table the entry of least error; of these the one of least error that no finer one
    contradicts.  An entry cannot be better than the truncation that the next finer step still sees: where it seems to be,
    two wrong numbers happened to agree.
    """
    rows = _with_scatter(rows)
    answers = _answers(rows, base)
    quarrel = max((_contradiction(a, b) for a, b in pairwise(answers[-6:])), default=0.0)
    if len(rows) >= 12 and 1.0 < quarrel < inf:  # the finest steps are all noise, and more of it than was thought
        answers = _answers([r._replace(noise=r.noise * quarrel) for r in rows], base)
    upward = range(len(answers) - 1)  # so that each looks at the next as it was; with few, noise does not blur the finest
    for i in upward if len(rows) >= 12 else reversed(upward):
        a, finer = answers[i], answers[i + 1]
        if isfinite(finer.truncation):
            answers[i] = a._replace(truncation=max(a.truncation, finer.truncation - 2.0 * finer.noise))
    order = sorted(range(len(answers)), key=lambda i: answers[i].error)
    for i in order:
        a = answers[i]
        if all(abs(a.value - b.value) <= 2.0 * (a.error + b.error + b.shift * abs(b.value)) for b in answers[i + 1 :]):
            return a.value, a.error + EPS * abs(a.value)
    return nan, inf


def _contradiction(a: _Answer, b: _Answer) -> float:
    """How many times more noise it would take for two answers to agree."""
    apart = abs(a.value - b.value) - 2.0 * (a.truncation + b.truncation)
    noise = 2.0 * (a.noise + b.noise)
    return apart / noise if noise and apart > 0.0 else 0.0


def _answers(rows: Sequence[_Row], base: float) -> list[_Answer]:
    answers = []
    many = len(rows) >= 12  # few have no noise to be taken for slow convergence
    above: list[float] = []
    steps: list[float] = []  # by how much the plain quotient moved, row by row
    last = 0.0
    for row in rows:
        if not 3.0 < abs(last / row.step) < 5.0:  # a tiny x has two ladders
            above, steps = [], []
        last = row.step
        table = [row.slope]
        floor = abs(row.noise / row.step) * 2.0
        growth = factor = 1.0
        best = _Answer(row.slope, inf, floor, row.shift)
        for j, old in enumerate(above[:COLUMNS]):
            truncation = abs(table[j] - old)
            if j:
                truncation = max(truncation, abs(table[j] - table[j - 1]))
            if truncation + floor * growth < best.error:
                best = _Answer(table[j], truncation, floor * growth, row.shift)
            factor *= base
            table.append(table[j] + (table[j] - old) / (factor - 1.0))
            growth *= (factor + 1.0) / (factor - 1.0)
            truncation = max(abs(table[j + 1] - table[j]), abs(table[j + 1] - old))
            if truncation + floor * growth < best.error:
                best = _Answer(table[j + 1], truncation, floor * growth, row.shift)
        if above:
            steps.append(abs(row.slope - above[0]))
        if (
            len(steps) >= 2 and 4.0 * floor < steps[-1] and 0.6 < steps[-1] / (steps[-2] or inf) < (1.1 if many else inf)
        ):  # a power of h below 1: the rest of the series counts
            ratio = min(steps[-1] / steps[-2], 0.999)
            best = best._replace(truncation=best.truncation * max(1.0, 2.0 * ratio / (1.0 - ratio)))
        answers.append(best)
        above = table
    return answers


def _with_scatter(rows: Sequence[_Row]) -> Sequence[_Row]:
    """The rows with their noise raised to what the finest quotients show, where that is more than was estimated."""
    if len(rows) < 12:
        return rows
    seen = sorted(abs((b.slope - a.slope) * b.step) / (2.0 * b.noise) for a, b in pairwise(rows[-7:]) if b.noise)
    excess = 2.0 * seen[1] if len(seen) > 1 else 0.0  # the smallest but one: where truncation shows too, it falls with the step
    return [r._replace(noise=r.noise * 2.0 * excess) for r in rows] if excess > 1.0 else rows


def _side(rows: Sequence[_Row]) -> _Side:
    """The slope on one side, and whether f jumps there or leaves vertically."""
    if not rows:
        return _Side(nan, inf, "nothing")
    last = rows[-9:]
    enough = len(rows) >= 12
    rises = [r.slope * r.step for r in last]
    floor = max(r.rounding for r in last)
    if enough and max(rises) - min(rises) < 0.1 * abs(sum(rises)) / len(rises) and min(map(abs, rises)) > 64.0 * floor:
        beyond = [
            _Row((a.slope * a.step - b.slope * b.step) / (a.step - b.step), a.step - b.step, a.rounding, a.rounding, a.shift)
            for a, b in pairwise(rows)
        ]
        return _Side(*_extrapolate(beyond, 4.0), "jump")
    moves = [b.slope - a.slope for a, b in pairwise(last)]
    if enough and all(abs(m) > 8.0 * abs(r.rounding / r.step) for m, r in zip(moves, last[1:], strict=True)):
        growth = [b / a for a, b in pairwise(moves)]
        if min(growth) > 0.95 and max(growth) < 1.3 * min(growth):
            return _Side(math.copysign(inf, moves[-1]), 0.0, "vertical")
    return _Side(*_extrapolate(rows, 4.0), "finite")


def _classify(right: _Side, left: _Side, central: Sequence[_Row]) -> tuple[float, float, str]:
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
    value, error = _extrapolate(central, 16.0) if len(central) >= 2 else (nan, inf)
    for side in (right, left):
        if side.error < 0.05 * error or not isfinite(error):  # a kink or a pole on the other side; else central ones know best
            value, error = side.value, side.error
    for side in (right, left):  # three answers to one question: they may not differ by more than their errors
        apart = abs(side.value - value) - 3.0 * side.error
        if apart > 3.0 * error:
            error = apart
    return value, error, "smooth"


def _resolved(*sides: Sequence[_Row]) -> bool:
    """Whether f rises less and slopes change less toward the finest step; if not, the steps are too wide to see f."""
    for rows in sides:
        rises = [abs(r.slope * r.step) for r in rows]
        moves = [abs(b.slope - a.slope) for a, b in pairwise(rows)]
        if rises and rises[-1] > rises[0] / 8.0:
            return False
        if moves and moves[-1] > 0.75 * max(moves) and moves[-1] > 8.0 * abs(rows[-1].noise / rows[-1].step):
            return False
    return True


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
    (r, r_error), (s, s_error), (value, error) = _extrapolate(right, 4.0), _extrapolate(left, 4.0), _extrapolate(central, 16.0)
    error = max(error, min(r_error, s_error))
    return (value, error) if abs(value) > 10.0 * error and abs(r - s) <= 2.0 * (r_error + s_error) < abs(value) else None
