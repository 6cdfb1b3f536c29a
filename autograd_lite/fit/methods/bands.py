"""Least absolute deviations of many rows, by passes that bring sums back, and the few rows whose residuals are near zero.

A residual that keeps its sign is a straight line, and so is the sum of all such.  What the rows in a band about zero and one
line for all others come to is no more than the true sum anywhere, and the true sum where no sign has changed: its minimum is
the true one if no row outside the band has changed its sign there.  The band is wide at first, with every row in it, of which
some are drawn to stand for all; with each pass it narrows to what their minimum can be off by, until every row in it can be
brought together and the minimum is exact.  Rows that are alike count as one of their number; of rows that are zero in numbers
that no memory holds, the multipliers are looked for by passes.  Needs NumPy.

Source: Portnoy and Koenker 1997, The Gaussian Hare and the Laplacian Tortoise, of which this is the preprocessing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ...arrays import Array, np
from ..rows.near import NOTHING, Alike, Ask, Near, NearRows
from ..rows.residuals import OverRows
from .absolute import AT, BALANCED, COARSE, ROUNDED, AbsoluteRows, Straight, Together, corner, inverse, walls
from .trust import norm

TOGETHER = 2**21  # numbers of all rows up to which they are brought together at once
MOST = 2**20  # numbers of the rows near zero that are
LARGEST = 2**25  # and as many as may be where fewer do not show the way
LEAST = 20  # times as many of these rows as weights, at least
DEVIATIONS = 3.0  # of what the minimum is off by, within which a band is narrowed
Interruptible = Callable[[Callable[[Ask], Near]], Callable[[Ask], Near]]
ROUNDS, TURNS = 60, 20
WIDER = 4


def deviations(misses: OverRows, weights: int, interruptible: Interruptible = lambda f: f) -> AbsoluteRows:
    """What `least_absolute` asks: of few rows all at once, of many by passes, which `interruptible` lets Ctrl-C end."""

    def matrix(x: Array) -> Array:
        with np.errstate(all="ignore"):
            found: Array = misses.matrices(x.tolist())
            return found

    return Together(matrix) if misses.size * (weights + 1) <= TOGETHER else Apart(misses, weights, interruptible)


class Apart:
    """Many rows.

    Args:
        misses: their residuals.
        weights: how many there are.
        interruptible: as of `deviations`.
    """

    def __init__(self, misses: OverRows, weights: int, interruptible: Interruptible) -> None:
        self.misses, self.weights, self.size = misses, weights, misses.size
        self.most = max(MOST // (weights + 1), LEAST * weights)
        self._near, self.alike = interruptible(NearRows(misses, weights).ask), Alike(misses, self.most)
        self._known: tuple[float, float] | None = None  # the last band that was exact, and the rows in it

    def triangle(self, x: Array) -> Array:
        """R of [J r] = Q R."""
        root: Array | None = self.misses.triangle(x.tolist())
        if root is None:
            raise FloatingPointError
        return root

    def value(self, x: Array) -> float:
        """The sum of absolute residuals."""
        none = np.zeros(self.weights)
        return self._ask(x, none, none, none + 1.0, math.inf, -1.0, 1.0).value

    def _ask(
        self, x: Array, step: Array, before: Array, scale: Array, around: float, width: float, share: float, draw: int = 0,
        value: float = 0.0, zero: Array | None = None,
    ) -> Near:  # fmt: skip
        nothing, floor = np.full(self.weights, math.nan), ROUNDED * value / self.size
        zero = nothing if zero is None else zero
        found: Near = self._near(Ask(x, step, before, scale, zero, around, width, share, draw, floor))
        return found

    def step(self, x: Array, lower: Array, upper: Array) -> tuple[Array, bool, float]:
        """To the minimum of the linear residuals: the step, whether that is known to be it, and the sum there."""
        into = Straight(self.triangle(x)[:, :-1])
        p, scale = np.zeros(self.weights), into.scale
        width, count = self._known or (math.inf, float(self.size))
        share = min(1.0, self.most / count)
        look = self._ask(x, p, p, scale, math.inf, width, share)
        for draw in range(1, ROUNDS):
            u, sure = _solved(look, 1 / share, look.value / self.size, into, x, p, lower, upper)
            whole, exact, wide, rows = width == math.inf, share == 1.0, width, look.rows
            if not sure and not whole:  # too narrow for a least value
                count = count * WIDER
                width = width * WIDER if count < self.size and width > 0 else math.inf
                if width == math.inf:
                    self.most = min(2 * self.most, max(self.most, LARGEST // (len(x) + 1)))
                share = min(1.0, self.most / min(count, self.size))
                look = self._ask(x, p, p, scale, math.inf, width, share, draw, look.value)
                continue
            new = p + into.back(u)
            if not exact:
                res = rows[:, -1] + rows[:, :-1] @ (new - p)
                sizes = abs(rows[:, -1]) + abs(rows[:, :-1]) @ (abs(x) + abs(p) + abs(new))
                zeros = (abs(res) <= np.maximum(NOTHING * sizes, ROUNDED * abs(res).mean())).sum()
                if (
                    float(zeros - len(x)) > self.most / 2 * share
                    and (found := self._tied(x, new, into, lower, upper)) is not None
                ):
                    return found
                ratios = abs(res) / np.maximum(np.sqrt(((rows[:, :-1] / scale) ** 2).sum(axis=1)), 1e-300)
                part = min(0.5, DEVIATIONS * math.sqrt(self.weights / max(1, len(rows))))
                width = float(np.quantile(ratios, part))
                count = float((ratios <= width).sum()) / share
                share = min(1.0, self.most / (1.1 * count))
            after = self._ask(x, new, p, scale, wide, width, share, draw, look.value)
            if exact and (whole or not after.turned):
                self._known = None if whole else (width, count)
                return new, sure, after.value
            if exact and not after.value < look.value:  # no sign changes within the band
                new = p + min(1.0, wide / norm(scale * (new - p))) * (new - p)
                after = self._ask(x, new, p, scale, wide, width, share, draw, look.value)
            p, look = new, after
        return p, False, look.value

    def _tied(self, x: Array, p: Array, into: Straight, lower: Array, upper: Array) -> tuple[Array, bool, float] | None:
        """Where a large part of the rows is zero: rows that are alike are counted, of others the multipliers are looked for."""
        zero = np.zeros(self.weights)
        if (all_of_them := self.alike.found(x)) is not None:
            sums = self._ask(x, zero, zero, into.scale, math.inf, -1.0, 1.0)
            rows, counts = all_of_them
            u, sure = _solved(
                sums._replace(rows=rows, pull=zero), counts[:, None], sums.value / self.size, into, x, zero, lower, upper
            )
            p = into.back(u)
            return p, sure, float((counts * abs(rows[:, -1] + rows[:, :-1] @ p)).sum())
        v, step, best, value = zero, zero, math.inf, 0.0
        free = (x + p > lower + AT * abs(p)) & (x + p < upper - AT * abs(p))
        with np.errstate(invalid="ignore"):
            low = x + p <= (lower + upper) / 2
        for draw in range(TURNS):
            found = self._ask(x, p, p, into.scale, math.inf, -1.0, 1.0, draw, value, v + step)
            value, slope = found.value, (found.pull + found.push) / into.scale
            pressed = np.where(low, np.minimum(slope, 0.0), np.maximum(slope, 0.0))
            left = np.where(free, slope, pressed)
            total = norm(found.slopes / into.scale)
            if norm(left) <= BALANCED * total:
                return p, True, value
            if norm(left) < best:
                v, best = v + step, norm(left)
                bend = found.bend / into.scale / into.scale[:, None]
                at = np.flatnonzero(free)
                way = np.linalg.lstsq(bend[np.ix_(at, at)], -left[at], rcond=None)[0]
                step = np.zeros(self.weights)
                step[at] = way / into.scale[at]
            else:
                step = step / 2
        return None


def _solved(
    look: Near, factor: Array | float, mean: float, into: Straight, x: Array, p: Array, lower: Array, upper: Array
) -> tuple[Array, bool]:  # fmt: skip
    """The further step, in the directions of `into`, to the minimum of the rows that are near with the line of the others.

    `factor` is how many each row stands for, `mean` the mean of absolute residuals.
    """
    rows = look.rows * factor
    jacobian, r = rows[:, :-1], rows[:, -1]
    size = abs(jacobian) @ (abs(x) + abs(p)) + np.ravel(factor) * (ROUNDED / NOTHING * mean)
    q, pull = into(jacobian), into(look.pull)
    u: Array = np.zeros(q.shape[1])
    start = u
    for _ in range(10 if len(r) else 0):  # towards the corner, by least squares with weights one over the residuals
        w = inverse(r + q @ u)[:, None]
        u = np.asarray(-np.linalg.lstsq(q.T @ (w * q), q.T @ (w[:, 0] * r) + pull, rcond=None)[0])
    if not np.isfinite(u).all() or float(abs(r + q @ u).sum() + pull @ u) > float(abs(r).sum()):
        u = start
    u, sure = corner(q, r, u, size, pull)
    there = x + p + into.back(u)
    if (sure and bool(((there >= lower) & (there <= upper)).all())) or not (np.isfinite(lower) | np.isfinite(upper)).any():
        return u, sure
    beside, more = walls(x + p, lower, upper, look.slopes)
    sizes = COARSE * abs(beside[:, :-1]) @ (abs(x) + abs(p))
    return corner(
        np.concatenate([q, into(beside[:, :-1])]), np.concatenate([r, beside[:, -1]]), start,
        np.concatenate([size, sizes]), pull + into(more),
    )  # fmt: skip
