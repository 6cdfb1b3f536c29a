"""Least absolute deviations: where the sum of ``|residual|`` is smallest, a corner and no place where a gradient is zero.

Of residuals that are linear in the weights the minimum is found exactly, as a linear program's: weights at which some residuals
are zero, and multipliers between -1 and 1 for these that balance the signs of all others.  The search goes along the steepest
way down of that corner, as far as the sum falls (a weighted median), so that ties cannot send it round in circles.  Others are
made linear where they are, step by step.  Rows that are few are brought together; of many see `bands`.

Source: Bloomfield and Steiger 1983, Least Absolute Deviations; Stark and Parker 1995 for the multipliers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ...arrays import Array, Box, Mask, np
from ...interrupt import Interrupted
from ..rows.near import NOTHING
from .newton import Bottom
from .trust import EPS, State, Watch, norm, norms, within

NEARLY = 1e-8  # of the size of what a residual is the difference of: what is made zero at the end, as NOTHING is
BALANCED = 1e-9  # of the sum of a direction's slopes: what is left of it where it is balanced
ROUNDED = 16 * EPS  # of the mean residual: what rounding of the weights makes of a zero
COARSE = 100.0  # times as far from a wall, which is steep, is still at it
AT = 1e-12  # of a weight and its step: what is as good as at a bound
HALVINGS = 50


def corner(q: Array, r: Array, start: Array, size: Array | float = 0.0, pull: Array | None = None) -> tuple[Array, bool]:
    """The u at which ``sum |r + q u| + pull u`` is smallest, q's columns orthonormal; and whether the multipliers balance.

    `size` is that of what r is the difference of.  Where the sum has no least value the last u has no multipliers either.

    >>> import numpy as np
    >>> u, sure = corner(np.full((5, 1), 5**-0.5), -np.array([1.0, 2.0, 3.0, 50.0, 100.0]), np.zeros(1))
    >>> round(float(u[0] * 5**-0.5), 12), sure
    (3.0, True)
    """
    u = start
    pull = np.zeros(len(u)) if pull is None else pull
    total = norm(abs(q).sum(axis=0)) + norm(pull)
    last = math.inf
    for _ in range(100 + 50 * q.shape[1]):
        res = r + q @ u
        zero = abs(res) <= NOTHING * (size + abs(r) + abs(q) @ abs(u))
        left = _unbalanced(q, res, zero, pull)
        if norm(left) <= BALANCED * total:
            return u, True
        along = q @ -left
        along = np.where(abs(along) <= 1e-13 * norm(left), 0.0, along)
        t = _way_down(np.where(zero, 0.0, res), along, -float(pull @ left))
        value = float(abs(res).sum()) + float(pull @ u)
        if t <= 0 or not value < last:
            break
        u, last = u - t * left, value
    # what is nearly zero is made so at once: rounding may have kept the search from its last step
    res = r + q @ u
    zero = abs(res) <= NEARLY * (size + abs(r) + abs(q) @ abs(u))
    if zero.any():
        snapped = u - np.linalg.lstsq(q[zero], res[zero], rcond=None)[0]
        after = r + q @ snapped
        if float(abs(after).sum()) + float(pull @ (snapped - u)) <= float(abs(res).sum()) * (1 + 1e-12):
            return snapped, bool(norm(_unbalanced(q, after, zero, pull)) <= BALANCED * total)
    return u, False


def _unbalanced(q: Array, res: Array, zero: Mask, pull: Array) -> Array:
    """The slopes that are left when the zero residuals balance those of the others as well as they can."""
    g = np.sign(np.where(zero, 0.0, res)) @ q + pull
    return g + q[zero].T @ _multipliers(q[zero].T, g)


def _way_down(res: Array, along: Array, pulled: float) -> float:
    """How far to go: where the slope of ``sum |res + t along| + pulled t`` turns from down to up."""
    moving = along != 0
    res, along = res[moving], along[moving]
    slope = float(np.where(res == 0, abs(along), np.sign(res) * along).sum()) + pulled
    with np.errstate(all="ignore"):
        t = -res / along
    ahead = t > 0
    t, bends = t[ahead], 2 * abs(along[ahead])
    order = np.argsort(t, kind="stable")
    rising = slope + np.cumsum(bends[order])
    return float(t[order][int(np.argmax(rising >= 0))]) if slope < 0 and len(t) and (rising >= 0).any() else 0.0


def _multipliers(a: Array, g: Array) -> Array:
    """The numbers in [-1, 1] with which the columns of `a` come closest to -g."""
    k = a.shape[1]
    found = np.zeros(k)
    if not k:
        return found
    free = np.ones(k, dtype=bool)
    for _ in range(10 * k + 10):
        if free.any():
            rest = -g - a[:, ~free] @ found[~free]
            wanted = np.linalg.lstsq(a[:, free], rest, rcond=None)[0]
            places = np.flatnonzero(free)
            outside = abs(wanted) > 1 + 1e-12
            if outside.any():  # as far as the first that reaches its end
                step = wanted - found[places]
                with np.errstate(all="ignore"):
                    reach = np.where(step > 0, (1 - found[places]) / step, np.where(step < 0, (-1 - found[places]) / step, 2.0))
                t = float(min(1.0, reach[outside].min()))
                found[places] += t * step
                ended = outside & (reach <= t * (1 + 1e-12))
                found[places[ended]] = np.sign(found[places[ended]])
                free[places[ended]] = False
                continue
            found[places] = wanted
        pull = a.T @ (g + a @ found)  # the slope of half the square
        wrong = ~free & (pull * found > 1e-12 * (1 + abs(pull).max()))
        if not wrong.any():
            break
        free[int(np.argmax(np.where(wrong, abs(pull), -1.0)))] = True
    return np.clip(found, -1.0, 1.0)


class AbsoluteRows(Protocol):
    """What the search asks of the rows; weights are arrays."""

    def value(self, x: Array) -> float:
        """The sum of absolute residuals; not finite where a residual or a derivative is not."""

    def step(self, x: Array, lower: Array, upper: Array) -> tuple[Array, bool, float]:
        """The step to the minimum of the residuals made linear at x, whether that is known to be it, and the sum there.

        Raises FloatingPointError where a residual or a derivative is not finite.
        """

    def triangle(self, x: Array) -> Array:
        """R of [J r] = Q R, or [J r] itself."""


class Together:
    """Few rows: all of them at once.

    Args:
        matrix: [J r] of all rows at weights.
    """

    def __init__(self, matrix: Callable[[Array], Array]) -> None:
        self.matrix = matrix
        self._last: tuple[Array, Array] | None = None  # weights, and the matrix there

    def triangle(self, x: Array) -> Array:
        """[J r]."""
        if self._last is None or not (self._last[0] == x).all():
            self._last = x.copy(), self.matrix(x)
        return self._last[1]

    def value(self, x: Array) -> float:
        """The sum of absolute residuals."""
        found = self.triangle(x)
        return float(abs(found[:, -1]).sum()) if np.isfinite(found).all() else math.inf

    def step(self, x: Array, lower: Array, upper: Array) -> tuple[Array, bool, float]:
        """To the minimum of the linear residuals."""
        found = self.triangle(x)
        if not np.isfinite(found).all():
            raise FloatingPointError
        jacobian, r = found[:, :-1], found[:, -1]
        p, sure = _linear(jacobian, r, x, lower, upper)
        return p, sure, float(abs(r + jacobian @ p).sum())


def least_absolute(
    rows: AbsoluteRows,
    state: State,
    bounds: Box | None = None,
    limit: int = 200,
    watch: Watch | None = None,
) -> Bottom:
    """The weights at which the sum of absolute residuals is smallest, downhill from those in `state`.

    Args:
        rows: the residuals.  Where that is interrupted the run ends at the weights before.
        state, bounds, limit, watch: as of `newton`; the steps are of the linear residuals' minimum.

    Raises FloatingPointError where the start has no finite residual or derivative.
    """
    x, lower, upper = within(state.x, bounds)
    value, why = rows.value(x), ""
    if not math.isfinite(value):
        raise FloatingPointError
    with suppress(Interrupted):
        while not why:
            p, sure, after = rows.step(x, lower, upper)
            expected = value - after
            if expected <= 64 * EPS * value or not p.any():
                why = "orthogonal" if sure else "stuck"
            elif len(state.losses) >= limit:
                why = "steps"
            if why:
                break
            t = 1.0
            for _ in range(HALVINGS):
                new = np.clip(x + t * p, lower, upper)
                for end in (lower, upper):
                    new = np.where(abs(new - end) <= AT * (abs(x) + abs(p)), end, new)
                there = rows.value(new)
                fell = value - there if math.isfinite(there) else -math.inf
                if fell >= 1e-4 * t * expected:
                    break
                t /= 2
            else:
                why = "settled" if sure and bool((abs(p) <= 1e-8 * abs(x)).all()) else "stuck"
                break
            small = bool((abs(new - x) <= 1e-10 * abs(new)).all())
            x, value = new, there
            if state.step(x, value, watch):
                break
            if small and sure:
                why = "settled"
    here = rows.triangle(x)[:, :-1]
    scale = norms(here)
    _, s, v = np.linalg.svd(here / np.where(scale > 0, scale, 1.0), full_matrices=False)
    empty = v[s <= 16 * EPS * len(x) * s[0]].T if len(here) >= len(x) else v[len(here) :].T
    lost = (abs(empty) > 0.05).any(axis=1) if empty.size else scale == 0
    free = (x > lower) & (x < upper)
    return Bottom.of(state, why, x, value, lost, free)


class Straight:
    """The directions in which the columns of J are orthonormal; those in which it is zero are left out.

    Args:
        jacobian: J, or R of J = Q R.
    """

    def __init__(self, jacobian: Array) -> None:
        scale = norms(jacobian)
        self.scale = np.where(scale > 0, scale, 1.0)
        q, s, v = np.linalg.svd(jacobian / self.scale, full_matrices=False)
        kept = s > 16 * EPS * jacobian.shape[1] * s[0] if s[0] > 0 else s > 0
        self.q, self.s, self.v = q[:, kept], s[kept], v[kept].T

    def __call__(self, slopes: Array) -> Array:
        """Slopes by the weights, or rows of them, as slopes in these directions."""
        found: Array = (slopes / self.scale) @ self.v / self.s
        return found

    def back(self, u: Array) -> Array:
        """A step in these directions as one of the weights."""
        found: Array = (self.v @ (u / self.s)) / self.scale
        return found


def inverse(res: Array) -> Array:
    """One over the sizes of residuals, as far as that goes."""
    size = abs(res)
    return 1 / np.maximum(size, 1e-6 * (float(np.median(size)) or 1.0))


def walls(x: Array, lower: Array, upper: Array, slopes: Array) -> tuple[Array, Array]:
    """Rows [J r], and a pull, whose sum is zero between the bounds and steeper beyond them than all `slopes` together.

    ``|p - l| - (p - l)`` is zero above l.
    """
    m = len(x)
    rows, pull = [], np.zeros(m)
    for end, sign in ((lower, -1.0), (upper, 1.0)):
        for j in np.flatnonzero(np.isfinite(end)).tolist():
            steep = float(slopes[j]) or 1.0
            row = np.zeros(m + 1)
            row[j], row[-1] = steep, steep * (x[j] - end[j])
            rows.append(row)
            pull[j] += sign * steep
    return np.array(rows).reshape(-1, m + 1), pull


def _linear(jacobian: Array, r: Array, x: Array, lower: Array, upper: Array) -> tuple[Array, bool]:
    """The step to the minimum of the linear residuals between the bounds."""
    into = Straight(jacobian)
    q, size = into.q, abs(jacobian) @ abs(x) + ROUNDED / NOTHING * abs(r).mean()
    start = -(q.T @ r)
    for _ in range(10):  # towards the corner, by least squares with weights one over the residuals
        w = inverse(r + q @ start)
        start = np.linalg.lstsq(q * np.sqrt(w)[:, None], -r * np.sqrt(w), rcond=None)[0]
    u, sure = corner(q, r, start, size)
    p = into.back(u)
    if bool(((x + p >= lower) & (x + p <= upper)).all()):
        return p, sure
    beside, pull = walls(x, lower, upper, abs(jacobian).sum(axis=0))
    u, sure = corner(
        np.concatenate([q, into(beside[:, :-1])]), np.concatenate([r, beside[:, -1]]), u,
        np.concatenate([size, COARSE * abs(beside[:, :-1]) @ abs(x)]), into(pull),
    )  # fmt: skip
    return into.back(u), sure
