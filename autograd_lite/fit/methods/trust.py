"""Least squares in a trust region, on nothing but triangles: where the sum of squares is smallest, and whether that is certain.

At each weights x, R of [J r] = Q R has the linear model of all residuals.  A step minimises ``|r + J p|`` with
``|D p| <= radius``, D the norms of J's columns, by the singular values of R D⁻¹ (a matrix as wide as there are weights); it is
taken where the residuals became smaller by a fair part of what the model said.  Weights at a bound that the gradient presses
against it stay there, the others move.  Needs NumPy.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...arrays import Array, Box, Mask, np
from ...interrupt import Interrupted
from .triangle import upper

EPS = 2.0**-52
UNLIMITED = sys.float_info.max  # a radius
POOR, GOOD = 0.25, 0.75  # parts of what the model said at which the radius shrinks, or grows
TAKEN = 1e-4  # the part from which on a step is taken
ROUNDING = 1e-10  # what the model expects to gain, of the loss, below which the gain drowns in rounding
STALLS = 3  # steps there without a smaller gradient, after which no step will do better
FEWER = 0.9  # of the gradient before, at which a step there has done some good
ORTHOGONAL = 1e-14  # cosine of the angle between residuals and derivatives that is zero
RANK = 16 * EPS  # times the number of weights: a singular value, of the largest, that is zero
NARROW, WELL = 32, 1e8  # weights up to which singular values cost little; a condition number up to which nothing needs them
FEW = 400  # numbers whose squares Python adds up sooner than NumPy, and rounds once
STEP, STEP_OF_ERROR = 1e-8, 1e-4  # of a weight, and of its standard error: a step still to go that no printed digit shows


@dataclass
class State:
    """A run between two steps: what a checkpoint holds.

    Attributes:
        x: the weights.
        radius: of the trust region; None where it is not known yet, the largest double where there is no limit.
        scale: of each weight, the largest norm its column has had, in units of `unit`.
        losses: one for each step that was made; of least squares the lengths of the residuals.
        stalls: steps in the rounding that did no good.
        coarse: whether a step went wrong where it should have changed next to nothing.
        unit: a power of two of the size of the residuals, by which they are divided, so that no square leaves the doubles.
        more: what else a method keeps.
        before: steps of the search that came to the start.
        linear: the weights that it found to enter linearly.
        alone: of so many starts one only came to the best minimum.
    """

    x: list[float]
    radius: float | None = None
    scale: list[float] | None = None
    losses: list[float] = field(default_factory=list)
    stalls: int = 0
    coarse: bool = False
    unit: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    before: int = 0
    linear: list[str] = field(default_factory=list)
    alone: int = 0

    def step(self, x: Array, loss: float, watch: Watch | None) -> bool:
        """Note one that was made, to `x`; whether `watch` stops the run."""
        self.x = x.tolist()
        self.losses.append(loss)
        return watch is not None and watch(self)


Watch = Callable[[State], bool]  # called after each step; true stops the run


@dataclass
class Ending:
    """Where a least-squares run ended.

    Attributes:
        x: the weights.
        triangle: R of [J r] there.
        steps: how many were made.
        converged: whether the gradient is zero to rounding, or what is left to go is below any digit that means something.
        why: what the run ended by: "orthogonal", "exact", "settled", "stuck", "steps", "rank", "bounds" or "stopped".
        free: for each weight whether it is free to move; the others are at a bound that the gradient presses against.
        lost: for each weight whether the rows do not determine it.
        losses: of each step the length of the residuals.
        floor: what the length of the residuals may be off by.
    """

    x: Array
    triangle: Array
    steps: int
    converged: bool
    why: str
    free: Mask
    lost: Mask
    losses: list[float]
    floor: float

    @property
    def usable(self) -> Mask:
        """For each weight whether its error can be told."""
        return self.free & ~self.lost


class Shape:
    """The triangle at some weights, looked at in the directions that are free: singular values and the projected residuals."""

    def __init__(self, triangle: Array, x: Array, box: Box | None, scale: Array | None) -> None:
        m = len(x)
        self.jacobian, self.residual = triangle[:, :m], triangle[:, m]
        self.norm = norm(self.residual)
        self.columns = norms(self.jacobian)
        self.scale = self.columns if scale is None else np.maximum(self.columns, scale)
        self.scaled = np.where(self.scale > 0, self.scale, 1.0)
        self.free = np.ones(m, dtype=bool)
        scaled = self.jacobian / self.scaled
        if box is not None:
            lower, upper = box
            unit = self.residual / self.norm if self.norm else self.residual
            gradient = self.jacobian.T @ unit  # of the norm of the residuals
            self.free = unpressed(x, gradient, lower, upper)
            self.free |= (x > lower) & (x < upper)
            scaled = scaled[:, self.free]
        self.solved = _inverse_and_turned(scaled, self.residual, box is None) if m > NARROW else None
        self._matrix = scaled
        self.offset = norm(self.part[self.kept]) if self.solved is None else norm(self.solved[1])
        self.floor = EPS * max(self.norm, *(self.columns * abs(x)).tolist())

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array]:
        u, s, v = np.linalg.svd(self._matrix, full_matrices=False)
        return s, v.T, u.T @ self.residual

    @property
    def s(self) -> Array:
        """The singular values."""
        return self._parts[0]

    @property
    def v(self) -> Array:
        """Their directions, of the weights, as columns."""
        return self._parts[1]

    @property
    def part(self) -> Array:
        """The residuals along those of the residuals."""
        return self._parts[2]

    @property
    def kept(self) -> Mask:
        """Which of them are not zero."""
        return self.s > RANK * len(self.free) * self.s[0] if len(self.s) else self.s > 0

    def newton(self) -> Array:
        """The step to the minimum of the linear model."""
        if self.solved is not None:
            return self._back(-self.solved[0] @ self.solved[1])
        inverse = np.where(self.kept, self.part / np.where(self.kept, self.s, 1.0), 0.0)
        return self._back(-self.v @ inverse)

    def step(self, radius: float) -> tuple[Array, bool]:
        """The best step within the radius, and whether the radius holds it back."""
        if self.solved is not None and norm(whole := self.solved[0] @ self.solved[1]) <= radius:
            return self._back(-whole), False
        full = np.where(self.kept, self.part / np.where(self.kept, self.s, 1.0), 0.0)
        if norm(full) <= radius:
            return self._back(-self.v @ full), False
        pulled = self.s * self.part
        low, high = 0.0, norm(pulled) / radius
        damping = max(1e-3 * high, math.sqrt(low * high))
        p = full
        for _ in range(20):
            if not low <= damping <= high:
                damping = max(1e-3 * high, math.sqrt(low * high))
            denominator = self.s**2 + damping
            p = pulled / denominator
            length = norm(p)
            excess = length - radius
            if abs(excess) <= 0.01 * radius:
                break
            slope = -float(np.sum(p**2 / denominator)) / length if length else -1.0
            if excess < 0:
                high = damping
            else:
                low = max(low, damping)
            damping -= (excess + radius) * excess / (radius * slope) if slope else 0.0
        return self._back(-self.v @ (p * min(1.0, radius / norm(p)))), True

    def _back(self, p: Array) -> Array:
        found = np.zeros(len(self.free))
        found[self.free] = p / self.scaled[self.free]
        return found

    def lost(self) -> Mask:
        """For each weight whether it has a part in a direction that changes no residual."""
        found: Mask = np.zeros(len(self.free), dtype=bool)
        if self.solved is not None:
            return found
        empty = self.v[:, ~self.kept]
        found[self.free] = (abs(empty) > 0.05).any(axis=1) if empty.size else False
        return found

    def settled(self, x: Array, size: int) -> bool:
        """Whether the step that is left is below the digits that mean something."""
        left = abs(self.newton())
        inverse = self.v / np.where(self.kept, self.s, math.inf) if self.solved is None else self.solved[0]
        spread = np.zeros(len(x))
        spread[self.free] = np.sqrt(np.sum(inverse**2, axis=1)) / self.scaled[self.free]
        error = spread * self.norm / math.sqrt(max(1, size - len(x)))
        return bool((left <= np.maximum(STEP * abs(x), STEP_OF_ERROR * error)).all())


def _inverse_and_turned(matrix: Array, residual: Array, triangular: bool) -> tuple[Array, Array] | None:
    """R⁻¹ and Qᵀ times the residuals, of a matrix that is Q R and far from losing rank; None for others."""
    m = matrix.shape[1]
    if not m or len(matrix) < m:
        return None
    whole = np.column_stack([matrix, residual])
    r = whole if triangular else upper(whole)
    top = r[:m, :m]
    if not np.diag(top).all():
        return None
    inverse = np.linalg.inv(top)
    sure = np.linalg.norm(top, 1) * np.linalg.norm(inverse, 1) < WELL
    return (np.asarray(inverse, dtype=float), r[:m, m]) if sure else None


def norm(x: Array) -> float:
    """The length of a vector, also where squares of its entries are beyond the range of doubles.

    >>> import numpy as np
    >>> norm(np.array([5e200, 12e200])), norm(np.array([]))
    (1.3e+201, 0.0)
    """
    if len(x) <= FEW:
        return math.hypot(*x.tolist())
    top = float(abs(x).max())
    if not top or not math.isfinite(top):
        return top
    return top * math.sqrt(float(((x / top) ** 2).sum()))


def norms(matrix: Array) -> Array:
    """The lengths of the columns of a matrix, as `norm` has them."""
    if matrix.size <= FEW:
        return np.array([math.hypot(*column) for column in matrix.T.tolist()])
    top = abs(matrix).max(axis=0, initial=0.0)
    unit = np.where((top > 0) & (top < math.inf), top, 1.0)
    found: Array = np.where(top < math.inf, unit * np.sqrt(((matrix / unit) ** 2).sum(axis=0)), top)
    return found


def within(x: Sequence[float], bounds: Box | None) -> tuple[Array, Array, Array]:
    """Weights moved between their bounds, and the bounds, infinite where there are none."""
    lower, upper = (np.full(len(x), -math.inf), np.full(len(x), math.inf)) if bounds is None else bounds
    return np.clip(np.array(x, dtype=float), lower, upper), lower, upper


def unpressed(x: Array, gradient: Array, lower: Array, upper: Array) -> Mask:
    """For each weight whether it is free to move: at no bound that the gradient presses it against."""
    return ~(((x <= lower) & (gradient >= 0)) | ((x >= upper) & (gradient <= 0)))


def power_of_two(x: float) -> float:
    """The power of two next below a size, 1 for 0.

    >>> power_of_two(5.0), power_of_two(1e-300) <= 1e-300, power_of_two(0.0)
    (4.0, True, 1.0)
    """
    return 2.0 ** (math.frexp(x)[1] - 1) if 0 < x < math.inf else 1.0


def _share_gone(before: float, after: float) -> float:
    """How much of a sum of squares is gone, from the lengths before and after."""
    quotient = after / before
    return (1 - quotient) * (1 + quotient)


def least_squares(
    triangle: Callable[[Array], Array | None],
    state: State,
    size: int,
    bounds: Box | None = None,
    limit: int = 1000,
    watch: Watch | None = None,
) -> Ending:
    """The weights at which the sum of squares is smallest, downhill from those in `state`.

    Args:
        triangle: R of [J r] at weights; None where a number in it is not finite.  Where that is interrupted the run ends
            at the weights before.
        state: where to start, or to go on.
        size: how many residuals there are.
        bounds: arrays of the least and greatest weights.
        limit: at most so many steps.
        watch: called after each step; true stops the run.
    """
    x, lower, upper = within(state.x, bounds)
    first = triangle(x)
    if first is None:
        raise FloatingPointError
    if state.unit is None:
        state.unit = power_of_two(norm(first[:, -1]))
    unit = state.unit

    def look(x: Array, scale: Array | None, root: Array | None) -> Shape | None:
        if root is None:
            return None
        if unit != 1.0:
            with np.errstate(all="ignore"):
                root = root / unit
        return Shape(root, x, bounds, scale) if math.isfinite(abs(root).max()) else None

    begun = look(x, None if state.scale is None else np.array(state.scale), first)
    if begun is None:
        raise FloatingPointError
    here = begun
    radius = state.radius
    if radius is None:
        radius = norm(here.scale * x) or UNLIMITED
    stalls, why, coarse = state.stalls, "", state.coarse
    with suppress(Interrupted):
        while not why:
            if here.norm <= 4 * here.floor:
                why = "exact"
            elif here.offset <= ORTHOGONAL * here.norm or here.offset <= here.floor or not here.free.any():
                why = "orthogonal"
            elif stalls >= STALLS:
                why = "stuck"
            elif len(state.losses) >= limit:
                why = "steps"
            if why:
                break
            fine = not coarse and (here.offset / here.norm) ** 2 <= ROUNDING
            p, held = (here.newton(), False) if fine else here.step(radius)
            new = np.clip(x + p, lower, upper)
            p = new - x
            if not p.any():
                why = "stuck"
                break
            there = look(new, here.scale, triangle(new))
            length = norm(here.scaled * p)
            expected = _share_gone(here.norm, norm(here.residual + here.jacobian @ p))
            gain = -math.inf if there is None else _share_gone(here.norm, there.norm)
            if fine:
                coarse = not abs(gain) <= 10 * ROUNDING
                taken = not coarse and there is not None and there.offset < here.offset
                stalls += there is None or not there.offset < FEWER * here.offset
            else:
                ratio = gain / expected if expected > 0 else -1.0
                taken = ratio > TAKEN and gain > 0
                if ratio < POOR:
                    radius = (POOR if there is not None else POOR**2) * length
                elif ratio > GOOD and held:
                    radius = min(2 * radius, UNLIMITED)
                coarse = coarse and not taken
                if radius <= EPS * norm(here.scaled * x) or expected <= EPS:
                    why = "stuck"
            if taken and there is not None:
                x, here = new, there
            state.radius, state.scale = radius, here.scale.tolist()
            state.stalls, state.coarse = stalls, coarse
            if state.step(x, here.norm * unit, watch):
                break
    # looked at without the largest derivatives on the way
    final = Shape(np.column_stack([here.jacobian, here.residual]), x, bounds, None)
    sure = why in ("exact", "orthogonal") or final.settled(x, size)
    return Ending(
        x, np.column_stack([here.jacobian, here.residual]) * unit, len(state.losses), sure, why or "stopped", final.free,
        final.lost(), state.losses, final.floor * unit,
    )  # fmt: skip
