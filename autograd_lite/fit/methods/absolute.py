"""Least absolute deviations: where the sum of ``|residual|`` is smallest, a corner and no place where a gradient is zero.

Of residuals that are linear in the weights the minimum is found exactly, as a linear program's: weights at which some residuals
are zero, and multipliers between -1 and 1 for these that balance the signs of all others.  The search goes along the steepest
way down of that corner, as far as the sum falls (a weighted median), so that ties cannot send it round in circles.  Others are
made linear where they are, step by step.  All rows are in memory.

Source: Bloomfield and Steiger 1983, Least Absolute Deviations; Stark and Parker 1995 for the multipliers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...tables.table import numpy
from .newton import Bottom
from .trust import EPS, State, norm, norms, within

NOTHING, NEARLY = 1e-13, 1e-8  # of the size of what a residual is the difference of: what counts as zero
BALANCED = 1e-9  # of the sum of a direction's slopes: what is left of it where it is balanced
HALVINGS = 50


def corner(q: Any, r: Any, start: Any, size: Any = 0.0) -> tuple[Any, bool]:
    """The u at which ``sum |r + q u|`` is smallest, of q with orthonormal columns; and whether the multipliers balance.

    `size` is that of what r is the difference of.

    >>> import numpy as np
    >>> u, sure = corner(np.full((5, 1), 5**-0.5), -np.array([1.0, 2.0, 3.0, 50.0, 100.0]), np.zeros(1))
    >>> round(float(u[0] * 5**-0.5), 12), sure
    (3.0, True)
    """
    np = numpy()
    u = start
    total = norm(abs(q).sum(axis=0))
    last = math.inf
    for _ in range(100 + 50 * q.shape[1]):
        res = r + q @ u
        zero = abs(res) <= NOTHING * (size + abs(r) + abs(q) @ abs(u))
        left = _unbalanced(q, res, zero)
        if norm(left) <= BALANCED * total:
            return u, True
        along = q @ -left
        along = np.where(abs(along) <= 1e-13 * norm(left), 0.0, along)
        t = _fall(np.where(zero, 0.0, res), along)
        value = float(abs(res).sum())
        if t <= 0 or not value < last:
            break
        u, last = u - t * left, value
    # what is nearly zero is made so at once: rounding may have kept the search from its last step
    res = r + q @ u
    zero = abs(res) <= NEARLY * (size + abs(r) + abs(q) @ abs(u))
    if zero.any():
        snapped = u - np.linalg.lstsq(q[zero], res[zero], rcond=None)[0]
        after = r + q @ snapped
        if float(abs(after).sum()) <= float(abs(res).sum()) * (1 + 1e-12):
            return snapped, bool(norm(_unbalanced(q, after, zero)) <= BALANCED * total)
    return u, False


def _unbalanced(q: Any, res: Any, zero: Any) -> Any:
    """The slopes that are left when the zero residuals balance those of the others as well as they can."""
    np = numpy()
    g = np.sign(np.where(zero, 0.0, res)) @ q
    return g + q[zero].T @ _multipliers(q[zero].T, g)


def _fall(res: Any, along: Any) -> float:
    """How far to go: where the slope of ``sum |res + t along|`` turns from down to up."""
    np = numpy()
    moving = along != 0
    res, along = res[moving], along[moving]
    slope = float(np.where(res == 0, abs(along), np.sign(res) * along).sum())
    with np.errstate(all="ignore"):
        t = -res / along
    ahead = t > 0
    t, bends = t[ahead], 2 * abs(along[ahead])
    order = np.argsort(t, kind="stable")
    rising = slope + np.cumsum(bends[order])
    return float(t[order][int(np.argmax(rising >= 0))]) if slope < 0 and len(t) and (rising >= 0).any() else 0.0


def _multipliers(a: Any, g: Any) -> Any:
    """The numbers in [-1, 1] with which the columns of `a` come closest to -g."""
    np = numpy()
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


def least_absolute(
    matrix: Callable[[Any], Any],
    state: State,
    bounds: tuple[Any, Any] | None = None,
    limit: int = 200,
    watch: Callable[[State], bool] | None = None,
) -> Bottom:
    """The weights at which the sum of absolute residuals is smallest, downhill from those in `state`.

    Args:
        matrix: [J r] at weights, all rows.
        state, bounds, limit, watch: as of `newton`; the steps are of the linear residuals' minimum.

    Raises FloatingPointError where the start has no finite residual or derivative.
    """
    np = numpy()
    x, lower, upper = within(state.x, bounds)
    here = matrix(x)
    if not np.isfinite(here).all():
        raise FloatingPointError
    why = ""
    while not why:
        jacobian, r = here[:, :-1], here[:, -1]
        value = float(abs(r).sum())
        p, sure = _linear(jacobian, r, x, lower, upper)
        expected = value - float(abs(r + jacobian @ p).sum())
        if expected <= 64 * EPS * value or not p.any():
            why = "orthogonal" if sure else "stuck"
        elif len(state.losses) >= limit:
            why = "steps"
        if why:
            break
        t = 1.0
        for _ in range(HALVINGS):
            new = np.clip(x + t * p, lower, upper)
            there = matrix(new)
            fell = value - float(abs(there[:, -1]).sum()) if np.isfinite(there).all() else -math.inf
            if fell >= 1e-4 * t * expected:
                break
            t /= 2
        else:
            why = "settled" if sure and bool((abs(p) <= 1e-8 * abs(x)).all()) else "stuck"
            break
        small = bool((abs(new - x) <= 1e-10 * abs(new)).all())
        x, here = new, there
        state.x = x.tolist()
        state.losses.append(float(abs(here[:, -1]).sum()))
        if watch is not None and watch(state):
            why = "stopped"
        elif small and sure:
            why = "settled"
    scale = norms(here[:, :-1])
    _, s, v = np.linalg.svd(here[:, :-1] / np.where(scale > 0, scale, 1.0), full_matrices=False)
    empty = v[s <= 16 * EPS * len(x) * s[0]].T if len(here) >= len(x) else v[len(here) :].T
    lost = (abs(empty) > 0.05).any(axis=1) if empty.size else scale == 0
    free = (x > lower) & (x < upper)
    return Bottom(
        x, float(abs(here[:, -1]).sum()), None, len(state.losses), why in ("orthogonal", "settled"), why, lost, free
    )  # fmt: skip


def _linear(jacobian: Any, r: Any, x: Any, lower: Any, upper: Any) -> tuple[Any, bool]:
    """The step to the minimum of the linear residuals; weights that it takes beyond a bound are held there one by one."""
    np = numpy()
    p = np.zeros(len(x))
    free = np.ones(len(x), dtype=bool)
    sure = True
    while free.any():
        part = jacobian[:, free]
        scale = norms(part)
        scale = np.where(scale > 0, scale, 1.0)
        q, s, v = np.linalg.svd(part / scale, full_matrices=False)
        kept = s > 16 * EPS * len(x) * s[0] if s[0] > 0 else s > 0
        q = q[:, kept]
        given = r + jacobian[:, ~free] @ p[~free]
        start = -(q.T @ given)
        for _ in range(10):  # towards the corner, by least squares with weights one over the residuals
            size = abs(given + q @ start)
            w = 1 / np.maximum(size, 1e-6 * (float(np.median(size)) or 1.0))
            start = np.linalg.lstsq(q * np.sqrt(w)[:, None], -given * np.sqrt(w), rcond=None)[0]
        u, sure = corner(q, given, start, abs(jacobian) @ abs(x))
        step = (v[kept].T @ (u / s[kept])) / scale
        at = np.flatnonzero(free)
        room = np.maximum(lower[at] - x[at] - step, step - (upper[at] - x[at]))
        if not (room > 0).any():
            p[at] = step
            return p, sure
        out = at[int(np.argmax(room))]
        p[out] = lower[out] - x[out] if step[list(at).index(out)] < 0 else upper[out] - x[out]
        free[out] = False
    return p, sure
